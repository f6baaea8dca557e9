/**
 * Who is next, for every key. An operation runs when it is first in all its queues; as all queues keep the one order of acceptance, none waits in a circle.
 * What another asks for, and waits for, goes before all that waits for that one: it would wait for itself else. A cache of the unfinished operation rows,
 * nothing more.
 */
export class Queues {
  readonly #queues = new Map<string, string[]>();
  readonly #keys = new Map<string, readonly string[]>();
  /** Who has asked for an operation, where another has. */
  readonly #causes = new Map<string, string>();
  /** Who stands aside, and for whom. */
  readonly #aside = new Map<string, string>();
  /** Where operations stand for a second time. */
  readonly #moving = new Map<string, readonly string[]>();

  /** In order of acceptance; `causeId` is who asks for it, if another operation does. True when it is first everywhere at once. */
  add(operationId: string, keys: readonly string[], causeId?: string): boolean {
    this.#keys.set(operationId, keys);
    if (causeId !== undefined) this.#causes.set(operationId, causeId);
    this.#insert(operationId, keys);
    return this.isFirst(operationId);
  }

  #insert(operationId: string, keys: readonly string[]): void {
    const cause = this.#causes.get(operationId);
    const later = cause === undefined ? undefined : this.#waitingFor(cause);
    for (const key of keys) {
      const queue = this.#queues.get(key) ?? [];
      // One that moves is at work at its old place still.
      const isAtWork = (id: string, index: number) => index === 0 && this.#moving.has(id) && this.#keys.get(id)?.includes(key) === true;
      // Nor does anything go before one that has passed who asks for it.
      const hasPassed = (id: string) => this.#aside.size > 0 && this.isFirst(id);
      const before = queue.findIndex((id, index) => later?.has(id) === true && !isAtWork(id, index) && !hasPassed(id));
      queue.splice(before < 0 ? queue.length : before, 0, operationId);
      this.#queues.set(key, queue);
    }
  }

  /** All that is behind it, behind any of those, behind who has asked for any of those, and so on. */
  #waitingFor(operationId: string): ReadonlySet<string> {
    const waiting = new Set<string>();
    const ahead = new Set([operationId]);
    for (const id of ahead) {
      for (const key of this.#moving.get(id) ?? this.keysOf(id)) {
        const queue = this.of(key);
        for (const other of queue.slice(queue.lastIndexOf(id) + 1)) {
          waiting.add(other);
          ahead.add(other);
        }
      }
      const cause = this.#causes.get(id);
      if (cause !== undefined) ahead.add(cause);
    }
    return waiting;
  }

  /** More keys for one that runs: of things it has just made, which nobody else can wait for yet. */
  extend(operationId: string, keys: readonly string[]): void {
    this.#keys.set(operationId, [...this.keysOf(operationId), ...keys]);
    for (const key of keys) this.#queues.set(key, [operationId, ...this.of(key)]);
  }

  /** Takes another place, as if it came now, beside the one that it has: `moved` gives up the old one, `stay` the new. */
  move(operationId: string, keys: readonly string[]): void {
    this.#insert(operationId, keys);
    this.#moving.set(operationId, keys);
  }

  /** Answers which ones are now first in all their queues. */
  moved(operationId: string): readonly string[] {
    const old = this.keysOf(operationId);
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
    return this.keysOf(operationId).every((key) => {
      const queue = this.of(key);
      return queue[0] === operationId || (this.#aside.size > 0 && queue.find((id) => !this.#isAsideFor(id, operationId)) === operationId);
    });
  }

  /** Whether another is in the queue of the key that does not wait for this one, be it by way of others. */
  isAhead(key: string, operationId: string): boolean {
    const later = this.#waitingFor(operationId);
    return this.of(key).some((id) => id !== operationId && !later.has(id));
  }

  /** All that is behind it in its queues. */
  behind(operationId: string): readonly string[] {
    const queues = this.keysOf(operationId).map((key) => this.of(key));
    return [...new Set(queues.flatMap((queue) => queue.slice(queue.indexOf(operationId) + 1)))];
  }

  /** All that is before it in its queues, those at the heads first; one in several queues may come for each. */
  *ahead(operationId: string): Iterable<string> {
    const queues = this.keysOf(operationId).map((key) => this.of(key));
    for (const [head] of queues) if (head !== undefined && head !== operationId) yield head;
    for (const queue of queues)
      for (const id of queue) {
        if (id === operationId) break;
        if (id !== queue[0]) yield id;
      }
  }

  keysOf(operationId: string): readonly string[] {
    return this.#keys.get(operationId) ?? [];
  }

  /**
   * Those ahead stand aside for it: they keep their places, and with them their keys from all others, but for this one they count as gone. It goes before all
   * else, which has not begun.
   */
  pass(operationId: string, heads: readonly string[]): void {
    for (const head of heads) this.#aside.set(head, operationId);
    for (const key of this.#keys.get(operationId) ?? []) {
      const queue = this.of(key).filter((id) => id !== operationId);
      const passed = queue.findLastIndex((id) => this.#isAsideFor(id, operationId));
      this.#queues.set(key, queue.toSpliced(passed + 1, 0, operationId));
    }
  }

  /** It stands aside no longer. */
  back(operationId: string): void {
    this.#aside.delete(operationId);
  }

  /** Also by way of another, which itself stands aside. */
  #isAsideFor(operationId: string, forced: string): boolean {
    for (let next = this.#aside.get(operationId); next !== undefined; next = this.#aside.get(next)) if (next === forced) return true;
    return false;
  }

  /** Takes it out and answers which ones are now first in all their queues. */
  remove(operationId: string): readonly string[] {
    const keys = this.keysOf(operationId);
    this.#keys.delete(operationId);
    this.#causes.delete(operationId);
    this.#aside.delete(operationId);
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
      // Behind those that stand aside, who is the next is first all the same.
      const next = this.#aside.size === 0 ? -1 : queue.findIndex((id) => !this.#aside.has(id));
      if (index >= 0 && next >= index && queue[next] !== undefined) heads.add(queue[next]);
    }
    return [...heads].filter((head) => this.isFirst(head));
  }

  /** The operations at and behind the head of a key. */
  of(key: string): readonly string[] {
    return this.#queues.get(key) ?? [];
  }
}
