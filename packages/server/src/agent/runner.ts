import { type CommandType, type InputOf, isCommandType, type Outcome, type ResultOf } from '@pileus/core/agent';
import { describeChain, type Environment, Lane, toErrorRecord, tracedFor } from '@pileus/core/kernel';
import type { Journal, Kept } from './journal.ts';

export interface Handler<T extends CommandType> {
  /** Commands about the same thing run one after the other, as they were accepted. */
  subject(input: InputOf<T>): string;
  /** Idempotent: after a crash it is begun again. `signal` aborts when the agent stops. */
  run(input: InputOf<T>, context: { readonly commandId: string; readonly signal: AbortSignal }): Promise<ResultOf<T>>;
}

export type Handlers = { readonly [T in CommandType]: Handler<T> };

export interface RunnerOptions {
  readonly journal: Journal;
  readonly handlers: Handlers;
  readonly environment: Environment;
  /** Told when an outcome is durable. */
  readonly ended: (command: Kept) => void;
}

const AT_ONCE = 16;

/** Runs commands, each to one end. One that the agent was stopped or killed over is begun again at the next start. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #lane = new Lane(AT_ONCE);
  readonly #abort = new AbortController();
  /** The last one about each subject. */
  readonly #tails = new Map<string, Promise<void>>();

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** What an earlier life left undone. */
  resume(): void {
    for (const command of this.#options.journal.all()) if (command.state !== 'done') this.submit(command);
  }

  submit(command: Kept): void {
    const subject = this.#subjectOf(command);
    const before = this.#tails.get(subject) ?? Promise.resolve();
    const tail = before.then(() => this.#lane.run(() => this.#run(command)));
    this.#tails.set(subject, tail);
    void tail.then(() => {
      if (this.#tails.get(subject) === tail) this.#tails.delete(subject);
    });
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#tails.values());
  }

  #handler(type: string): Handler<CommandType> | undefined {
    return isCommandType(type) ? (this.#options.handlers[type] as Handler<CommandType>) : undefined;
  }

  #subjectOf({ id, type, input }: Kept): string {
    return `${type.split('.')[0]}/${this.#handler(type)?.subject(input as never) ?? id}`;
  }

  async #run(command: Kept): Promise<void> {
    const { journal, environment, ended } = this.#options;
    if (this.#abort.signal.aborted) return;
    try {
      await journal.begin(command.id);
      const outcome = await this.#outcomeOf(command);
      if (outcome === undefined) return;
      await journal.end(command.id, outcome);
      ended(command);
    } catch (error) {
      // The journal cannot be written: the agent is about to end over it.
      environment.logger.error({ commandId: command.id, error: describeChain(error) }, 'command was not recorded');
    }
  }

  /** Undefined when it was broken off because the agent stops. */
  async #outcomeOf({ id, type, input, traceparent }: Kept): Promise<Outcome | undefined> {
    const handler = this.#handler(type);
    // Written by a newer release, before the agent was set back.
    if (handler === undefined) return { ok: false, error: { code: 'unsupported', message: `This agent does not know ${type}.` } };
    try {
      const run = () => handler.run(input as never, { commandId: id, signal: this.#abort.signal });
      return { ok: true, result: await tracedFor(traceparent, type, { 'pileus.command.id': id }, run) };
    } catch (error) {
      if (this.#abort.signal.aborted) return undefined;
      this.#options.environment.logger.warn({ commandId: id, type, error: describeChain(error) }, 'command failed');
      const { code, message } = toErrorRecord(error);
      return { ok: false, error: { code, message } };
    }
  }
}
