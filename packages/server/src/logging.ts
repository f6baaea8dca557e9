import type { Logger, Timers } from '@pileus/core/kernel';
import { nodeEnvironment } from '@pileus/core/node';
import { type DestinationStream, pino } from 'pino';

/** Lines of a busy server wait for each other so long, or until they are so many characters: a write wakes another thread, which takes longer than the line. */
const TOGETHER_MS = 50;
const CHARS_MAX = 16_384;

/** JSON lines on standard error; standard output is for people. Fields named like secrets are cut out, whoever logs them by mistake. */
export function createLogger(level: string, destination: DestinationStream = standardError()): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['authorization', 'password', 'secret', 'token', 'key', '*.authorization', '*.password', '*.secret', '*.token'],
        remove: true,
      },
    },
    destination,
  );
}

function standardError(): DestinationStream {
  const lines = new Together(pino.destination({ fd: 2, sync: false }), nodeEnvironment().timers);
  // Before the destination's own listener, which writes what it was given.
  process.prependOnceListener('exit', () => lines.flush());
  return lines;
}

/** Hands the first line after a quiet time over at once, and those that follow it together. */
export class Together implements DestinationStream {
  readonly #out: DestinationStream;
  readonly #timers: Timers;
  #waiting = '';
  #isBusy = false;

  constructor(out: DestinationStream, timers: Timers) {
    this.#out = out;
    this.#timers = timers;
  }

  write(line: string): void {
    this.#waiting += line;
    if (!this.#isBusy) this.#turn();
    else if (this.#waiting.length >= CHARS_MAX) this.flush();
  }

  flush(): void {
    const lines = this.#waiting;
    this.#waiting = '';
    if (lines !== '') this.#out.write(lines);
  }

  #turn(): void {
    this.#isBusy = this.#waiting !== '';
    this.flush();
    if (this.#isBusy) this.#timers.after(TOGETHER_MS, () => this.#turn());
  }
}
