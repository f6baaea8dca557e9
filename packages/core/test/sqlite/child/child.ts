import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A process of its own that runs a script, one beside this file or one elsewhere by its URL, and says things line by line. */
export class Child {
  readonly lines: string[] = [];
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #isOver = false;

  constructor(script: string, args: readonly string[], wrapper: readonly string[] = []) {
    const file = fileURLToPath(new URL(script, import.meta.url));
    const [command = process.execPath, ...rest] = [...wrapper, process.execPath, ...process.execArgv, file, ...args];
    this.#process = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    // Behind the last that it has said, and whatever ended it.
    this.#ended = once(this.#process, 'close').finally(() => {
      this.#isOver = true;
    });
    if (this.#process.stdout !== null) createInterface({ input: this.#process.stdout }).on('line', (line) => this.lines.push(line));
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Resolves when the child has said at least so many lines that begin with `word`. */
  async says(word: string, count = 1): Promise<void> {
    while (this.said(word).length < count) {
      if (this.#isOver) throw new Error(`the child ended: ${this.lines.slice(-5).join(' | ')}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** What followed the word in the lines that begin with it. */
  said(word: string): string[] {
    return this.lines.filter((line) => line.startsWith(`${word} `) || line === word).map((line) => line.slice(word.length + 1));
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  async end(): Promise<void> {
    await this.#ended;
  }
}
