import { expect } from 'chai';
import { snapshot, volume } from '../../../../src/cloud/index.ts';
import type { CloudError } from '../../../../src/kernel/index.ts';
import { SimRandom } from '../../../../testing/index.ts';
import { codeOf, LittleCloud } from '../../little-cloud.ts';

const SLOT_BYTES = 4096;
const SLOTS_MAX = 6;
const STEPS = 60;

type Slots = readonly string[];
interface Kept {
  readonly volumeId: string;
  readonly slots: Slots;
  readonly parentId: string | undefined;
}

/** A cloud and what should be in it. */
class Model {
  readonly volumes = new Map<string, Slots>();
  readonly snapshots = new Map<string, Kept>();
  /** By volume: the snapshot that its content goes on from. */
  readonly current = new Map<string, string | undefined>();
  /** By clone: what it was cloned from. */
  readonly origins = new Map<string, string>();
  readonly history: string[] = [];
  readonly #cloud: LittleCloud;
  readonly #random: SimRandom;
  readonly #poolId: string;
  #texts = 0;

  constructor(cloud: LittleCloud, poolId: string, seed: string) {
    this.#cloud = cloud;
    this.#poolId = poolId;
    this.#random = new SimRandom(seed);
  }

  async step(): Promise<void> {
    const [id, keptId] = [this.#one([...this.volumes.keys()]), this.#one([...this.snapshots.keys()])];
    if (id === undefined) return this.#create();
    const verbs = [
      () => this.#write(id),
      () => this.#write(id),
      () => this.#grow(id),
      () => this.#snap(id),
      () => this.#snap(id),
      () => this.#flatten(id),
      () => this.#copy(id),
      () => this.#drop(id),
      ...(keptId === undefined
        ? []
        : [() => this.#revert(keptId), () => this.#revert(keptId), () => this.#clone(keptId), () => this.#remove(keptId)]),
    ];
    await this.#one(verbs)?.();
  }

  async check(): Promise<void> {
    const why = this.history.join(', ');
    const { sim } = this.#cloud;
    const pool = [...sim.world.pools.values()].find((each) => each.poolId === this.#poolId);
    const rows = await this.#cloud.rows(volume);
    const facts = rows.map((row) => [row.id, row.sizeBytes, row.currentSnapshotId, row.snapshotId]);
    const wanted = [...this.volumes].map(([id, slots]) => [id, slots.length * SLOT_BYTES, this.current.get(id), this.origins.get(id)]);
    expect(sorted(facts), why).to.deep.equal(sorted(wanted));
    const kept = (await this.#cloud.rows(snapshot)).map((row) => [row.id, row.volumeId, row.sizeBytes, row.parentId, row.status]);
    const keptWanted = [...this.snapshots].map(([id, each]) => [
      id,
      each.volumeId,
      each.slots.length * SLOT_BYTES,
      each.parentId,
      'present',
    ]);
    expect(sorted(kept), why).to.deep.equal(sorted(keptWanted));
    for (const [id, slots] of this.volumes) {
      expect(
        slots.map((_, slot) => sim.world.read(id, slot * SLOT_BYTES)),
        `${id} after ${why}`,
      ).to.deep.equal(slots);
      const inPool = pool?.snapshotsOf(id).map((each) => each.id) ?? [];
      expect(inPool, why).to.have.members([...this.snapshots].flatMap(([key, each]) => (each.volumeId === id ? [key] : [])));
    }
    for (const [id, { volumeId, slots }] of this.snapshots) {
      const bytes = pool?.read({ id, volumeId }, 0, slots.length * SLOT_BYTES);
      const texts = slots.map((_, slot) =>
        new TextDecoder().decode(bytes?.subarray(slot * SLOT_BYTES, slot * SLOT_BYTES + 64)).replace(/\0+$/, ''),
      );
      expect(texts, `snapshot ${id} after ${why}`).to.deep.equal(slots);
    }
    const used = [...this.volumes.values()].reduce((sum, slots) => sum + slots.length * SLOT_BYTES, 0);
    expect((await this.#cloud.counter(`capacity/pool/${this.#poolId}/bytes`))?.value ?? 0, why).to.equal(used);
    expect(await sim.quotaProblems(), why).to.deep.equal([]);
    expect(sim.world.violations).to.deep.equal([]);
  }

  #one<T>(items: readonly T[]): T | undefined {
    return items[this.#below(items.length)];
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }

  async #create(): Promise<void> {
    const slots = new Array<string>(1 + this.#below(3)).fill('');
    const id = await this.#cloud.sim.done('volume.create', { sizeBytes: slots.length * SLOT_BYTES, poolId: this.#poolId });
    this.volumes.set(id, slots);
    this.history.push(`create ${id}`);
  }

  async #write(id: string): Promise<void> {
    const slots = [...(this.volumes.get(id) ?? [])];
    const slot = this.#below(slots.length);
    this.#texts += 1;
    slots[slot] = `text ${this.#texts}`;
    this.#cloud.sim.world.write(id, slots[slot], slot * SLOT_BYTES);
    this.volumes.set(id, slots);
    this.history.push(`write ${id}[${slot}]`);
  }

  async #grow(id: string): Promise<void> {
    const slots = this.volumes.get(id) ?? [];
    if (slots.length >= SLOTS_MAX) return;
    await this.#cloud.sim.done('volume.resize', { sizeBytes: (slots.length + 1) * SLOT_BYTES }, id);
    this.volumes.set(id, [...slots, '']);
    this.history.push(`grow ${id}`);
  }

  async #snap(volumeId: string): Promise<void> {
    const id = await this.#cloud.sim.done('snapshot.create', { volumeId });
    this.snapshots.set(id, { volumeId, slots: this.volumes.get(volumeId) ?? [], parentId: this.current.get(volumeId) });
    this.current.set(volumeId, id);
    this.history.push(`snap ${id} of ${volumeId}`);
  }

  async #revert(id: string): Promise<void> {
    const kept = this.snapshots.get(id);
    if (kept === undefined) return;
    await this.#cloud.sim.done('snapshot.revert', {}, id);
    this.volumes.set(kept.volumeId, kept.slots);
    this.current.set(kept.volumeId, id);
    this.history.push(`revert to ${id}`);
  }

  async #clone(snapshotId: string): Promise<void> {
    const slots = [...(this.snapshots.get(snapshotId)?.slots ?? []), ...new Array<string>(this.#below(2)).fill('')];
    const id = await this.#cloud.sim.done('volume.create', { snapshotId, sizeBytes: slots.length * SLOT_BYTES });
    this.volumes.set(id, slots);
    this.origins.set(id, snapshotId);
    this.history.push(`clone ${id} of ${snapshotId}`);
  }

  async #copy(volumeId: string): Promise<void> {
    const id = await this.#cloud.sim.done('volume.create', { volumeId });
    this.volumes.set(id, this.volumes.get(volumeId) ?? []);
    this.history.push(`copy ${id} of ${volumeId}`);
  }

  async #flatten(id: string): Promise<void> {
    await this.#cloud.sim.done('volume.flatten', {}, id);
    this.origins.delete(id);
    this.history.push(`flatten ${id}`);
  }

  async #remove(id: string): Promise<void> {
    const kept = this.snapshots.get(id);
    if (kept === undefined) return;
    await this.#cloud.sim.done('snapshot.delete', {}, id);
    this.snapshots.delete(id);
    for (const [after, each] of this.snapshots) if (each.parentId === id) this.snapshots.set(after, { ...each, parentId: kept.parentId });
    if (this.current.get(kept.volumeId) === id) this.current.set(kept.volumeId, kept.parentId);
    for (const [clone, origin] of this.origins) if (origin === id) this.origins.delete(clone);
    this.history.push(`remove ${id}`);
  }

  async #drop(id: string): Promise<void> {
    const isKept = [...this.snapshots.values()].some(({ volumeId }) => volumeId === id);
    if (isKept) {
      expect(await codeOf(this.#cloud.sim.submit('volume.delete', { permanent: true }, id))).to.equal(
        'in_use' satisfies CloudError['code'],
      );
      return;
    }
    await this.#cloud.sim.done('volume.delete', { permanent: true }, id);
    for (const known of [this.volumes, this.current, this.origins]) known.delete(id);
    this.history.push(`delete ${id}`);
  }
}

const sorted = (rows: readonly (readonly unknown[])[]) => [...rows].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));

describe('snapshots, beside a model', () => {
  for (const driver of ['simulated', 'simulated-shared'] as const)
    for (const seed of ['a', 'b', 'c', 'd', 'e', 'f'])
      it(`on ${driver}, seed ${seed}: whatever is done in whatever order, each has its content, its size, its place in the tree`, async function () {
        this.timeout(300_000);
        const cloud = await LittleCloud.open();
        const hostId = await cloud.host('hv1');
        const place = driver === 'simulated' ? { hostId } : { clusterId: cloud.clusterId };
        const poolId = await cloud.sim.done('pool.create', { driver, ...place });
        const model = new Model(cloud, poolId, seed);
        for (let step = 1; step <= STEPS; step += 1) {
          await model.step();
          if (step % (STEPS / 6) === 0) await model.check();
        }
        cloud.sim.dispose();
      });
});
