import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isStopped } from './processes.ts';

/** Between two looks at one that was told to stop. */
const STOPPING_MS = 2;

export interface ChildDaemonOptions {
  /** Of the daemon in the foreground. */
  readonly argv: readonly [string, ...string[]];
  /** What it prints is kept here, over its lives. */
  readonly logPath: string;
}

/** A daemon as a child of this process, with which it ends at the latest, however that ends. */
export class ChildDaemon {
  readonly #options: ChildDaemonOptions;
  #child: ChildProcess | undefined;
  /** It is being ended by us. */
  #isEnding = false;

  constructor(options: ChildDaemonOptions) {
    this.#options = options;
  }

  /** Undefined when it does not run. */
  get pid(): number | undefined {
    const child = this.#child;
    return child === undefined || child.exitCode !== null || child.signalCode !== null ? undefined : child.pid;
  }

  /** Does nothing when it runs. Whether it is ready, its own clients have to find out. */
  async start(): Promise<void> {
    if (this.pid !== undefined) return;
    const { argv, logPath } = this.#options;
    const log: FileHandle = await open(logPath, 'a');
    try {
      // A session of its own: what is typed at the terminal is not for it.
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { stdio: ['ignore', log.fd, log.fd], detached: true });
      this.#child = child;
      this.#isEnding = false;
      child.once('exit', (code, signal) => this.#tellEnd(child, signal ?? `code ${code}`));
      await once(child, 'spawn');
    } finally {
      await log.close();
    }
  }

  /** SIGKILL; returns when it is gone. Does nothing when it does not run. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** SIGTERM; returns when it is gone. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** Stops it in its tracks: what is connected stays so and nothing answers, until `thaw`. Some of its threads may still run for a moment. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** Returns when none of its threads runs any more. */
  async untilFrozen(): Promise<void> {
    for (let { pid } = this; pid !== undefined && !(await isStopped(pid)); { pid } = this) await sleep(STOPPING_MS);
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** @throws Error with its last words when it does not run */
  async expectRunning(): Promise<void> {
    if (this.pid !== undefined) return;
    throw new Error(`${this.#options.argv.join(' ')} has ended: ${await this.#lastWords()}`);
  }

  /** Whoever waits for it may wait for long: one that ends by itself is told of at once. */
  async #tellEnd(child: ChildProcess, how: string): Promise<void> {
    if (this.#isEnding || this.#child !== child) return;
    process.stderr.write(`${this.#options.argv.join(' ')} has ended by itself with ${how}: ${await this.#lastWords()}\n`);
  }

  async #lastWords(): Promise<string> {
    return (await readFile(this.#options.logPath, 'utf8').catch(() => 'it has said nothing')).trim().slice(-2000);
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.pid === undefined) return;
    const ended = once(child, 'exit');
    this.#isEnding = true;
    child.kill(signal);
    await ended;
  }
}
