/** Those who want to hear of commits. One that throws is a mistake of its own and must not look like a failed commit: it is thrown on its own. */
export class Listeners {
  readonly #listeners = new Set<(revision: number) => void>();

  add(listener: (revision: number) => void): () => void {
    const own = (revision: number) => listener(revision);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  tell(revision: number): void {
    for (const listener of this.#listeners)
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) listener(revision);
      });
  }
}
