import type { Caller, CallOptions, Place, TrashEntry } from './calls.ts';

/** Images that were moved out of sight: at once, whatever their size, and with their snapshots and clones. */
export class RbdTrash {
  readonly #call: Caller;
  readonly #at: Place;

  constructor(call: Caller, at: Place) {
    this.#call = call;
    this.#at = at;
  }

  /** Succeeds also while a machine has the image open, which goes on with it: look at its `watchers` first. `keepMs`: refused removal unless forced. */
  async move(name: string, options: CallOptions & { readonly keepMs?: number } = {}): Promise<void> {
    await this.#call('trash.move', { ...this.#at, image: name, keepMs: options.keepMs ?? 0 }, options);
  }

  /**
   * What nobody has open, and has no snapshots, by the name that it is to have there, at a third of the cost. `EBUSY` with its `watchers`, `ENOTEMPTY`, or
   * `EOPNOTSUPP` for one with features that want more, as a journal: nothing is changed then. What was cut short goes on when it is asked for again.
   */
  async putAway(name: string, as: string, options?: CallOptions): Promise<void> {
    await this.#call('trash.putAway', { ...this.#at, image: name, as }, options);
  }

  /** In no order, with those whose removal was begun and not ended: `source` is `removing`, and their removal by name or by id goes on with it. */
  async list(options?: CallOptions): Promise<readonly TrashEntry[]> {
    return await this.#call('trash.list', this.#at, options);
  }

  async restore(id: string, name: string, options?: CallOptions): Promise<void> {
    await this.#call('trash.restore', { ...this.#at, id, name }, options);
  }

  /** `EPERM` before `keptUntil` without `force`; `ENOTEMPTY` with snapshots; `EBUSY` while it is open. `ENOENT` only when it is not listed any more. */
  async remove(id: string, options: CallOptions & { readonly force?: boolean } = {}): Promise<void> {
    await this.#call('trash.remove', { ...this.#at, id, force: options.force ?? false }, options);
  }
}
