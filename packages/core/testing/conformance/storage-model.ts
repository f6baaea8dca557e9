import { expect } from 'chai';
import type { SnapshotRef } from '../../src/strategy/index.ts';
import type { StorageStage } from './storage-stage.ts';

const SLOT_BYTES = 65_536;
const SLOTS_MAX = 12;
const STEPS = 60;

/** What is in each slot; as many as the size. */
type Slots = readonly number[];
interface Kept extends SnapshotRef {
  readonly slots: Slots;
}

/** Volumes and snapshots as they should be, beside those that are. */
class Model {
  readonly volumes = new Map<string, Slots>();
  readonly snapshots: Kept[] = [];
  /** By clone: the snapshot it may depend on. */
  readonly parents = new Map<string, string>();
  readonly history: string[] = [];
  readonly #stage: StorageStage;

  constructor(stage: StorageStage) {
    this.#stage = stage;
  }

  async step(): Promise<void> {
    const [volume, kept] = [this.#one([...this.volumes.keys()]), this.#one(this.snapshots)];
    if (volume === undefined) return this.#create();
    const verbs = [
      () => this.#write(volume),
      () => this.#write(volume),
      () => this.#grow(volume),
      () => this.#snap(volume),
      () => this.#snap(volume),
      () => this.#flatten(volume),
      () => this.#drop(volume),
      () => this.#create(),
      ...(kept === undefined
        ? []
        : [() => this.#revert(kept), () => this.#revert(kept), () => this.#clone(kept), () => this.#remove(kept)]),
    ];
    await this.#one(verbs)?.();
  }

  /** Everything is there, nothing else is, and each has its content. */
  async check(): Promise<void> {
    for (const [id, slots] of this.volumes) {
      const why = `volume ${this.#name(id)} after ${this.history.join(', ')}`;
      const kept = this.snapshots.filter(({ volumeId }) => volumeId === id);
      const listed = await this.#stage.snapshots.list(id, this.#stage.call());
      expect(listed, why).to.deep.equal(kept.map((each) => ({ id: each.id, sizeBytes: each.slots.length * SLOT_BYTES })));
      for (const each of kept) expect(await this.#read(each, each.slots.length), `snapshot of ${why}`).to.deep.equal(each.slots);
      const now = await this.#stage.snapshot(id);
      expect(await this.#read(now, slots.length), why).to.deep.equal(slots);
      await this.#stage.snapshots.delete(now, this.#stage.call());
    }
  }

  #one<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#stage.harness.environment.random.next() * items.length)];
  }

  #below(limit: number): number {
    return Math.floor(this.#stage.harness.environment.random.next() * limit);
  }

  #name(id: string): string {
    return id.slice(-4);
  }

  async #read(snapshot: SnapshotRef, slots: number): Promise<Slots> {
    const bytes = await this.#stage.contents.read(snapshot, 0, slots * SLOT_BYTES, this.#stage.call());
    return Array.from({ length: slots }, (_, slot) => bytes[slot * SLOT_BYTES] ?? -1);
  }

  async #create(): Promise<void> {
    const slots = new Array<number>(1 + this.#below(4)).fill(0);
    const id = await this.#stage.volume(slots.length * SLOT_BYTES);
    this.volumes.set(id, slots);
    this.history.push(`create ${this.#name(id)}`);
  }

  async #write(id: string): Promise<void> {
    const slots = [...(this.volumes.get(id) ?? [])];
    const [slot, value] = [this.#below(slots.length), this.#below(256)];
    await this.#stage.contents.write(id, slot * SLOT_BYTES, new Uint8Array(SLOT_BYTES).fill(value), this.#stage.call());
    slots[slot] = value;
    this.volumes.set(id, slots);
    this.history.push(`write ${this.#name(id)}[${slot}]=${value}`);
  }

  async #grow(id: string): Promise<void> {
    const slots = this.volumes.get(id) ?? [];
    if (slots.length >= SLOTS_MAX) return;
    await this.#stage.grow(id, (slots.length + 1) * SLOT_BYTES);
    this.volumes.set(id, [...slots, 0]);
    this.history.push(`grow ${this.#name(id)}`);
  }

  async #snap(volumeId: string): Promise<void> {
    const snapshot = await this.#stage.snapshot(volumeId);
    this.snapshots.push({ ...snapshot, slots: this.volumes.get(volumeId) ?? [] });
    this.history.push(`snap ${this.#name(snapshot.id)} of ${this.#name(volumeId)}`);
  }

  async #revert(kept: Kept): Promise<void> {
    await this.#stage.snapshots.revert({ id: kept.id, volumeId: kept.volumeId }, this.#stage.call());
    this.volumes.set(kept.volumeId, kept.slots);
    this.history.push(`revert to ${this.#name(kept.id)}`);
  }

  async #clone({ id, volumeId, slots }: Kept): Promise<void> {
    const grown = [...slots, ...new Array<number>(this.#below(2)).fill(0)];
    const clone = await this.#stage.clone({ id, volumeId }, grown.length * SLOT_BYTES);
    this.volumes.set(clone, grown);
    this.parents.set(clone, id);
    this.history.push(`clone ${this.#name(clone)} of ${this.#name(id)}`);
  }

  async #flatten(id: string): Promise<void> {
    await this.#stage.snapshots.flatten(id, this.#stage.call());
    this.parents.delete(id);
    this.history.push(`flatten ${this.#name(id)}`);
  }

  async #remove({ id, volumeId }: Kept): Promise<void> {
    const remove = () => this.#stage.snapshots.delete({ id, volumeId }, this.#stage.call());
    const clones = [...this.parents].flatMap(([clone, parent]) => (parent === id ? [clone] : []));
    try {
      await remove();
    } catch (error) {
      // Only a clone may hold it.
      expect(this.#stage.driver.classify(error), this.history.join(', ')).to.equal('conflict');
      expect(clones, this.history.join(', ')).not.to.deep.equal([]);
      for (const clone of clones) await this.#flatten(clone);
      await remove();
    }
    const at = this.snapshots.findIndex((each) => each.id === id);
    this.snapshots.splice(at, 1);
    this.history.push(`remove ${this.#name(id)}`);
  }

  /** A volume with snapshots stays. */
  async #drop(id: string): Promise<void> {
    const remove = this.#stage.driver.volumes.delete(id, this.#stage.call());
    if (this.snapshots.some(({ volumeId }) => volumeId === id)) {
      expect(await this.#stage.fault(remove), this.history.join(', ')).to.equal('conflict');
      return;
    }
    await remove;
    this.volumes.delete(id);
    this.parents.delete(id);
    this.history.push(`delete ${this.#name(id)}`);
  }
}

/** Needs `snapshots` and `contents`. */
export function modelTests(stage: StorageStage): void {
  it('whatever is written, kept, reverted to, cloned, flattened and deleted in whatever order, each has its content', async () => {
    const model = new Model(stage);
    for (let step = 1; step <= STEPS; step += 1) {
      await model.step();
      if (step % (STEPS / 4) === 0) await model.check();
    }
  });
}
