import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandOptions, CommandResult } from './command.ts';

/** Runs a program to its end where the daemons are: on this machine, or in an enclosure. */
export type Runner = (argv: readonly [string, ...string[]], options?: CommandOptions) => Promise<CommandResult>;

export interface DaemonOptions {
  readonly run: Runner;
  /** Of the daemon, which detaches when it is ready. */
  readonly argv: readonly [string, ...string[]];
  /** Absolute, and named in `argv`: there the daemon writes its process number, as it is where it runs. */
  readonly pidFile: string;
  /** What it has to be told after each start. */
  readonly started?: () => Promise<void>;
}

const GONE_DEADLINE_MS = 60_000;

/** A daemon that detaches by itself. It is known by its process number and its command line, and ended by nothing else. */
export class Daemon {
  readonly #options: DaemonOptions;

  constructor(options: DaemonOptions) {
    this.#options = options;
  }

  /** Does nothing when it runs. @throws Error with its words when it does not get ready */
  async start(): Promise<void> {
    if ((await this.pid()) !== undefined) return;
    const { run, argv, started } = this.#options;
    const result = await run(argv, { timeoutMs: 90_000 });
    if (result.exitCode !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr.trim().slice(-2000)}`);
    await started?.();
  }

  /** Where it runs; undefined when it does not. */
  async pid(): Promise<number | undefined> {
    const { run, pidFile } = this.#options;
    const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim());
    if (!Number.isInteger(pid) || pid <= 1) return undefined;
    const { stdout } = await run(['cat', `/proc/${pid}/cmdline`]);
    return stdout.split('\0').some((word) => word.endsWith(pidFile)) ? pid : undefined;
  }

  /** SIGKILL; returns when it is gone. Does nothing when it does not run. */
  async kill(): Promise<void> {
    await this.#end('KILL');
  }

  /** SIGTERM; returns when it is gone. */
  async stop(): Promise<void> {
    await this.#end('TERM');
  }

  /** Returns when it is gone, by whatever it was told. */
  async ended(): Promise<void> {
    for (const deadline = performance.now() + GONE_DEADLINE_MS; (await this.pid()) !== undefined; await sleep(10)) {
      if (performance.now() > deadline) throw new Error(`${this.#options.argv.join(' ')} does not end`);
    }
  }

  /** Stops it in its tracks: what is connected stays so and nothing answers, until `thaw`. */
  async freeze(): Promise<void> {
    await this.#signal('STOP');
  }

  async thaw(): Promise<void> {
    await this.#signal('CONT');
  }

  async #end(signal: 'KILL' | 'TERM'): Promise<void> {
    if (await this.#signal(signal)) await this.ended();
  }

  async #signal(signal: string): Promise<boolean> {
    const pid = await this.pid();
    if (pid === undefined) return false;
    const { exitCode, stderr } = await this.#options.run(['kill', '-s', signal, String(pid)]);
    if (exitCode !== 0 && (await this.pid()) === pid) throw new Error(`kill -s ${signal} ${pid}: ${stderr.trim()}`);
    return true;
  }
}
