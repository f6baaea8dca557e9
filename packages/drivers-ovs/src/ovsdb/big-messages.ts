import { Worker } from 'node:worker_threads';
import type { WorkerAnswer, WorkerQuestion } from './big-messages-worker.ts';
import { ProtocolError } from './errors.ts';
import type { Message, TableUpdates } from './message.ts';

/**
 * Parses messages of many megabytes without holding up this thread: another thread parses them and hands over the rows of updates in slices, so that
 * between two slices everything else has its turn.
 */
export class BigMessages {
  #worker: Worker | undefined;
  #turn = 0;
  readonly #waiting: PromiseWithResolvers<WorkerAnswer>[] = [];

  /** The message; where it has updates of rows there is an `AsyncIterable` of them in their place, to be read before the next message is parsed. */
  async parse(bytes: Uint8Array): Promise<Message> {
    // Handed over, not copied, where nothing else lies in the same memory.
    const isAlone = bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength;
    this.#turn += 1;
    const turn = this.#turn;
    const answer = await this.#ask({ turn, bytes }, isAlone ? [bytes.buffer as ArrayBuffer] : []);
    if ('failure' in answer) throw new ProtocolError(answer.failure);
    if (!('message' in answer)) throw new ProtocolError('a slice where a message should be');
    const { message, sliced } = answer;
    if (sliced === undefined) return message;
    const list = message[sliced];
    return { ...message, [sliced]: [...(Array.isArray(list) ? list : []), this.#slices(turn)] };
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  async *#slices(turn: number): AsyncGenerator<TableUpdates, void, undefined> {
    for (;;) {
      const answer = await this.#ask({ turn });
      if (!('slice' in answer)) throw new ProtocolError('failure' in answer ? answer.failure : 'no slice of a message');
      if (answer.slice === undefined) return;
      yield answer.slice;
    }
  }

  #ask(question: WorkerQuestion, transferred: readonly ArrayBuffer[] = []): Promise<WorkerAnswer> {
    this.#worker ??= this.#start();
    const answer = Promise.withResolvers<WorkerAnswer>();
    this.#waiting.push(answer);
    this.#worker.ref();
    this.#worker.postMessage(question, transferred);
    return answer.promise;
  }

  #start(): Worker {
    const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
    const worker = new Worker(new URL(`./big-messages-worker${ending}`, import.meta.url), { name: 'pileus-ovsdb' });
    worker.on('message', (answer: WorkerAnswer) => {
      this.#waiting.shift()?.resolve(answer);
      // An idle thread keeps no program alive.
      if (this.#waiting.length === 0) worker.unref();
    });
    const fail = (cause: unknown): void => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const waiting of this.#waiting.splice(0))
        waiting.reject(new ProtocolError('the thread that parses big messages ended', { cause }));
    };
    worker.on('error', fail).on('exit', fail);
    return worker;
  }
}
