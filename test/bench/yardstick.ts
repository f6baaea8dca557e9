import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { answerOf } from './floor.ts';

const CHILD = fileURLToPath(new URL('./yardstick-child.ts', import.meta.url));

/** Creations measured at once: half a second. */
const COUNT = 1000;

/** Measurements that count for nothing: its code is compiled then, as that of what it is beside. */
const WARM_UP = 3;

/** How fast the machine is just now, in the terms of a creation: what is measured beside it can be compared between machines and hours. */
export class Yardstick implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(dir: string): Promise<Yardstick> {
    const child = fork(CHILD, [dir], { execArgv: ['--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'] });
    await answerOf(child);
    const yardstick = new Yardstick(child);
    for (let round = 0; round < WARM_UP; round += 1) await yardstick.cpuMs();
    return yardstick;
  }

  /** Processor time of one creation's rows and journal, written bare. */
  async cpuMs(): Promise<number> {
    const answered = answerOf(this.#child);
    this.#child.send({ count: COUNT });
    return (await answered) as number;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
