/**
 * Who is next, for every key. An operation runs when it is first in all its queues; as all queues keep the one order of acceptance, none waits in a circle.
 * A cache of the unfinished operation rows, nothing more.
 */
export class Queues {
  readonly #queues = new Map<string, string[]>();
  readonly #keys = new Map<string, readonly string[]>();
  /** Where operations stand for a second time. */
  readonly #moving = new Map<string, readonly string[]>();

  /** In order of acceptance. True when it is first everywhere at once. */
  add(operationId: string, keys: readonly string[]): boolean {
    this.#keys.set(operationId, keys);
    this.#append(operationId, keys);
    return this.isFirst(operationId);
  }

  #append(operationId: string, keys: readonly string[]): void {
    for (const key of keys) {
      const queue = this.#queues.get(key);
      if (queue === undefined) this.#queues.set(key, [operationId]);
      else queue.push(operationId);
    }
  }

  /** More keys for one that runs: of things it has just made, which nobody else can wait for yet. */
  extend(operationId: string, keys: readonly string[]): void {
    this.#keys.set(operationId, [...(this.#keys.get(operationId) ?? []), ...keys]);
    for (const key of keys) this.#queues.set(key, [operationId, ...this.of(key)]);
  }

  /** Takes another place, behind all others, beside the one that it has: `moved` gives up the old one, `stay` the new. */
  move(operationId: string, keys: readonly string[]): void {
    this.#moving.set(operationId, keys);
    this.#append(operationId, keys);
  }

  /** Answers which ones are now first in all their queues. */
  moved(operationId: string): readonly string[] {
    const old = this.#keys.get(operationId) ?? [];
    this.#keys.set(operationId, this.#moving.get(operationId) ?? []);
    this.#moving.delete(operationId);
    const heads = this.#take(old, (queue) => queue.indexOf(operationId));
    return this.isFirst(operationId) && !heads.includes(operationId) ? [...heads, operationId] : heads;
  }

  stay(operationId: string): readonly string[] {
    const keys = this.#moving.get(operationId) ?? [];
    this.#moving.delete(operationId);
    return this.#take(keys, (queue) => queue.lastIndexOf(operationId));
  }

  isFirst(operationId: string): boolean {
    if (this.#moving.has(operationId)) return false;
    return (this.#keys.get(operationId) ?? []).every((key) => this.#queues.get(key)?.[0] === operationId);
  }

  /** Takes it out and answers which ones are now first in all their queues. */
  remove(operationId: string): readonly string[] {
    const keys = this.#keys.get(operationId) ?? [];
    this.#keys.delete(operationId);
    return this.#take(keys, (queue) => queue.indexOf(operationId));
  }

  #take(keys: readonly string[], where: (queue: readonly string[]) => number): readonly string[] {
    const heads = new Set<string>();
    for (const key of keys) {
      const queue = this.#queues.get(key) ?? [];
      const index = where(queue);
      if (index >= 0) queue.splice(index, 1);
      if (queue.length === 0) this.#queues.delete(key);
      else if (index === 0 && queue[0] !== undefined) heads.add(queue[0]);
    }
    return [...heads].filter((head) => this.isFirst(head));
  }

  /** The operations at and behind the head of a key. */
  of(key: string): readonly string[] {
    return this.#queues.get(key) ?? [];
  }
}
