import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChildHealth } from '@pileus/core/agent';
import { describeChain, type Environment, timestamp } from '@pileus/core/kernel';

export interface ChildSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

export interface SupervisorOptions {
  readonly directory: string;
  readonly environment: Environment;
}

const FIRST_PAUSE_MS = 200;
const PAUSE_MS_MAX = 30_000;
/** A child that lived so long is none of those that cannot start. */
const STEADY_MS = 30_000;
const GRACE_MS = 5_000;

/**
 * Keeps children running. One that ends is started again, after pauses that grow while it does not last. They end with the agent: with its last breath when it is
 * told to stop; by the channel between them, which closes with it, when it is killed; and what hangs even then is ended by the next life, which knows them by
 * process id and time of start.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children = new Map<string, Child>();
  #writing: Promise<void> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Ends what an earlier life has left. */
  async start(): Promise<void> {
    const text = await readFile(this.#path, 'utf8').catch(() => '[]');
    for (const { pid, startedTicks } of JSON.parse(text) as readonly Mark[])
      if ((await startedTicksOf(pid)) === startedTicks) process.kill(pid, 'SIGKILL');
  }

  /** Starts it, and keeps it. */
  add(spec: ChildSpec): Child {
    const child = new Child(spec, this.#options.environment, () => this.#note());
    this.#children.set(spec.name, child);
    child.start();
    return child;
  }

  health(): readonly ChildHealth[] {
    return [...this.#children.values()].map((child) => child.health());
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#children.values()].map((child) => child.stop()));
    this.#note();
    await this.#writing;
  }

  get #path(): string {
    return join(this.#options.directory, 'children.json');
  }

  #note(): void {
    this.#writing = this.#writing
      .then(async () => {
        const marks: Mark[] = [];
        for (const { pid } of this.health()) {
          const startedTicks = pid === undefined ? undefined : await startedTicksOf(pid);
          if (pid !== undefined && startedTicks !== undefined) marks.push({ pid, startedTicks });
        }
        await writeFile(`${this.#path}.new`, JSON.stringify(marks), { mode: 0o600 });
        await rename(`${this.#path}.new`, this.#path);
      })
      .catch((error) => this.#options.environment.logger.warn({ error: describeChain(error) }, 'the list of children was not written'));
  }
}

interface Mark {
  readonly pid: number;
  /** Since the machine was started: with the process id, nobody else's. */
  readonly startedTicks: string;
}

async function startedTicksOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The second field is the name, in brackets, and may have spaces in it; the time is the twenty-second.
  return text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .at(19);
}

/** One supervised process. What is sent to one that is not running is lost: it finds out when it starts. */
export class Child {
  readonly #spec: ChildSpec;
  readonly #environment: Environment;
  readonly #changed: () => void;
  #process: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #restarts = 0;
  #failures = 0;
  #since = '';
  #lastExit: string | undefined;
  #stopping = false;
  #cancelRestart = () => {};

  constructor(spec: ChildSpec, environment: Environment, changed: () => void) {
    this.#spec = spec;
    this.#environment = environment;
    this.#changed = changed;
  }

  start(): void {
    const { command, args, name } = this.#spec;
    const { clock, logger } = this.#environment;
    const startedMs = clock.monotonicMs();
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#process = child;
    this.#since = timestamp(clock);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    const ended = (why: string) => {
      if (this.#process !== child) return;
      this.#process = undefined;
      this.#lastExit = why;
      this.#since = timestamp(clock);
      resolve();
      if (this.#stopping) return;
      logger.warn({ child: name, why }, 'a child has ended');
      this.#failures = clock.monotonicMs() - startedMs > STEADY_MS ? 0 : this.#failures + 1;
      this.#again();
    };
    child.once('error', (error) => ended(error.message));
    child.once('exit', (code, signal) => ended(signal ?? `exit ${code}`));
    child.once('spawn', this.#changed);
  }

  send(message: object): void {
    this.#process?.send?.(message, () => undefined);
  }

  health(): ChildHealth {
    const pid = this.#process?.pid;
    return {
      name: this.#spec.name,
      state: this.#process === undefined ? 'waiting' : 'running',
      ...(pid === undefined ? {} : { pid }),
      restarts: this.#restarts,
      since: this.#since,
      ...(this.#lastExit === undefined ? {} : { lastExit: this.#lastExit }),
    };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelRestart();
    const child = this.#process;
    if (child === undefined) return;
    child.kill('SIGTERM');
    const cancel = this.#environment.timers.after(GRACE_MS, () => child.kill('SIGKILL'));
    await this.#ended;
    cancel();
  }

  #again(): void {
    const { timers, random } = this.#environment;
    const pauseMs = Math.min(PAUSE_MS_MAX, FIRST_PAUSE_MS * 2 ** Math.max(0, this.#failures - 1)) * (0.8 + 0.4 * random.next());
    this.#cancelRestart = timers.after(pauseMs, () => {
      this.#restarts += 1;
      this.start();
    });
  }
}
