import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FloorAnswer, FloorRequest, FloorShape } from './floor-child.ts';

const CHILD = fileURLToPath(new URL('./floor-child.ts', import.meta.url));

/** The least that durable machines can cost: what one creation and one deletion write, captured once, written again and again with nothing around it. */
export class Floor implements AsyncDisposable {
  readonly shape: FloorShape;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, shape: FloorShape) {
    this.#child = child;
    this.shape = shape;
  }

  /** Of the embedded store, or of `pg` alone where this is the URL of a database. */
  static async start(dir: string, postgres?: string): Promise<Floor> {
    const child = fork(CHILD, [dir, ...(postgres === undefined ? [] : [postgres])], {
      execArgv: ['--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'],
    });
    return new Floor(child, (await answerOf(child)) as FloorShape);
  }

  async replay(request: FloorRequest): Promise<FloorAnswer> {
    const answered = answerOf(this.#child);
    this.#child.send(request);
    return (await answered) as FloorAnswer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** The next message of a child that measures. @throws Error when it ends instead */
export async function answerOf(child: ChildProcess): Promise<unknown> {
  const gone = new AbortController();
  const [answer] = await Promise.race([
    once(child, 'message', { signal: gone.signal }),
    once(child, 'exit', { signal: gone.signal }).then(([code]) => Promise.reject(new Error(`the floor ended with ${code}`))),
  ]).finally(() => gone.abort());
  return answer as unknown;
}
