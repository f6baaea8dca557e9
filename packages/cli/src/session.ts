import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { PileusError } from '@pileus/sdk';
import type { Environment } from './directories.ts';
import type { ErrorContext } from './exit.ts';
import { printable } from './printable.ts';
import { chooseTarget, type Target, type TargetChoice } from './profiles.ts';
import type { Server } from './server.ts';
import { openServer } from './server.ts';

/** A server that is about to be back is not worth a line. */
const SILENT_MS = 10_000;

/** What one run of the program shares: its server, its streams, and Ctrl-C. */
export class Session {
  readonly choice: TargetChoice;
  readonly env: Environment;
  /** What was typed. */
  readonly words: readonly string[];
  readonly #interrupt = new AbortController();
  readonly #startMs = performance.now();
  #isTold = false;
  #server: Promise<Server> | undefined;
  /** For messages about errors: what was being done. */
  context: ErrorContext = { command: 'pileus', flagOf: () => undefined };

  constructor(choice: TargetChoice, env: Environment, words: readonly string[] = []) {
    this.choice = choice;
    this.env = env;
    this.words = words;
  }

  /** Aborts when the user has had enough. */
  get signal(): AbortSignal {
    return this.#interrupt.signal;
  }

  /** The first Ctrl-C ends gracefully, a second one at once. */
  watchInterrupts(): void {
    process.once('SIGINT', () => this.#interrupt.abort());
    process.once('SIGTERM', () => this.#interrupt.abort());
  }

  target(): Promise<Target> {
    return chooseTarget(this.env, this.choice);
  }

  /** Where the key comes from, as far as a server is set. */
  async keyFrom(): Promise<string | undefined> {
    return this.target().then(
      ({ keyFrom }) => keyFrom,
      () => undefined,
    );
  }

  server(): Promise<Server> {
    this.#server ??= this.target().then((target) => openServer(target, this.env, { onRetry: this.#onRetry }));
    return this.#server;
  }

  /** Asks the server what it offers, if that was taken from the cache: a plugin may have come or gone. Answers whether it is something else. */
  async renew(): Promise<boolean> {
    const known = await this.#server?.catch(() => undefined);
    if (known === undefined || !known.unasked) return false;
    this.#server = openServer(await this.target(), this.env, { freshMs: 0, onRetry: this.#onRetry });
    return (await this.#server).tag !== known.tag;
  }

  /** Who waits for long is told what for, once. */
  readonly #onRetry = ({ message }: PileusError): void => {
    if (this.#isTold || performance.now() - this.#startMs < SILENT_MS) return;
    this.#isTold = true;
    this.note(`${message} Trying again.`);
  };

  /** A person looks at the output. */
  get interactive(): boolean {
    return process.stdout.isTTY === true;
  }

  /** A person can be asked. */
  get asks(): boolean {
    return this.interactive && process.stdin.isTTY === true;
  }

  async confirm(question: string): Promise<boolean> {
    const dialog = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return /^y(es)?$/i.test((await dialog.question(`${question} [y/N] `, { signal: this.signal })).trim());
    } finally {
      dialog.close();
    }
  }

  /** Asks for what must not be seen. */
  async askHidden(question: string): Promise<string> {
    process.stderr.write(question);
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
    const dialog = createInterface({ input: process.stdin, output: silent, terminal: true });
    try {
      return await dialog.question('', { signal: this.signal });
    } finally {
      dialog.close();
      process.stderr.write('\n');
    }
  }

  get width(): number | undefined {
    return process.stdout.isTTY === true ? process.stdout.columns : undefined;
  }

  out(text: string): void {
    process.stdout.write(text);
  }

  /** What is not the answer: progress, advice. */
  note(text: string): void {
    process.stderr.write(printable(`${text}\n`));
  }
}
