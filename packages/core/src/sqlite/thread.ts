import { Worker } from 'node:worker_threads';
import { StoreError } from '../kernel/store-error.ts';

export interface CallMessage {
  readonly call: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

export type AnswerMessage =
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly failure: string; readonly outcome: StoreError['outcome'] };

// biome-ignore lint/suspicious/noExplicitAny: the only way to name "a function of whatever arguments" in a constraint.
type Methods = Record<string, (...args: any[]) => unknown>;

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** A worker thread with methods `M` to call. Other messages than answers go to `onMessage`. */
export class Thread<M extends Methods> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #calls = 0;
  #failure: StoreError | undefined;

  /** `file` is a module of this folder, without its ending: `.ts` when run from sources, `.js` when built. `onEnd` is told why the thread can do no more. */
  constructor(file: string, onMessage: (message: never) => void = () => {}, onEnd: (failure: StoreError) => void = () => {}) {
    const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
    this.#worker = new Worker(new URL(`./${file}${ending}`, import.meta.url), { name: `pileus-${file}` });
    this.#worker.on('message', (message: AnswerMessage) => {
      if ('call' in message) this.#answer(message);
      else onMessage(message as never);
    });
    const end = (message: string, cause?: unknown) => {
      this.#failure ??= new StoreError(message, 'unknown', { cause });
      for (const { reject } of this.#waiting.values()) reject(this.#failure);
      this.#waiting.clear();
      onEnd(this.#failure);
    };
    this.#worker.on('error', (cause) => end('a thread of the store failed', cause));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        end('the store is closed');
        resolve();
      });
    });
  }

  /** Calls that have no answer yet. */
  get load(): number {
    return this.#waiting.size;
  }

  call<K extends keyof M & string>(method: K, ...args: Parameters<M[K]>): Promise<ReturnType<M[K]>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#calls += 1;
    const call = this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#worker.postMessage({ call, method, args } satisfies CallMessage);
    });
  }

  post(message: unknown): void {
    this.#worker.postMessage(message);
  }

  /** Resolves once the thread has ended by itself. */
  exited(): Promise<void> {
    return this.#exited;
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #answer(message: AnswerMessage): void {
    const waiting = this.#waiting.get(message.call);
    this.#waiting.delete(message.call);
    if ('failure' in message) waiting?.reject(new StoreError(message.failure, message.outcome));
    else waiting?.resolve(message.value as never);
  }
}

/** A thread that failed has told those who waited for it, and what it acknowledged is durable. */
export async function endThread(thread: Thread<{ close(): void }>): Promise<void> {
  await thread.call('close').catch(() => {});
  await thread.exited();
}

/** The other side: runs a called method and makes its answer. */
export function answerCall(methods: Methods, { call, method, args }: CallMessage): AnswerMessage {
  try {
    return { call, value: methods[method]?.(...args) };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { call, failure, outcome: error instanceof StoreError ? error.outcome : 'unchanged' };
  }
}
