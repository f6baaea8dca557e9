import { isPileusError, type PileusError } from './errors.ts';

/** What came of a call, as a value: check `ok`, and the rest narrows. */
export type Result<T> = { readonly ok: true; readonly data: T } | { readonly ok: false; readonly error: PileusError };

/** The answer to a call: `await` it and failures throw, or `await reply.safe()` and they are values. */
export class Reply<T> implements Promise<T> {
  readonly #promise: Promise<T>;

  constructor(promise: Promise<T>) {
    this.#promise = promise;
  }

  /** Never rejects for what went wrong with the call; a mistake in a program (a TypeError) still throws. */
  async safe(): Promise<Result<T>> {
    try {
      return { ok: true, data: await this.#promise };
    } catch (error) {
      if (isPileusError(error)) return { ok: false, error };
      throw error;
    }
  }

  // biome-ignore lint/suspicious/noThenProperty: a reply is a promise with one more method.
  then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ) {
    return this.#promise.then(fulfilled, rejected);
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null) {
    return this.#promise.catch(rejected);
  }

  finally(settled?: (() => void) | null) {
    return this.#promise.finally(settled);
  }

  get [Symbol.toStringTag](): string {
    return 'Reply';
  }
}
