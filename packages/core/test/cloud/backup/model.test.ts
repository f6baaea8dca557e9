import { expect } from 'chai';
import fc from 'fast-check';
import { PAGE_CHUNKS } from '../../../src/cloud/backup/manifest.ts';
import { A_TIDYING_MS, BackupStage, CHUNK } from './backup-stage.ts';

const CHUNKS = 6;

/** What may happen, with numbers that are taken modulo what there is. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('write' as const), chunk: fc.nat(CHUNKS - 1), byte: fc.nat(3), part: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('backUp' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restore' as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('snapshot' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('revert' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flatten' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('grow' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rest' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** A volume with its snapshots and backups, and beside it what each of these has to bring back. Where there are snapshots, it is a clone of one. */
class Model {
  readonly stage: BackupStage;
  readonly volumeId: string;
  readonly #hasSnapshots: boolean;
  readonly #kept: { readonly id: string; readonly content: string | undefined; readonly chunks: number }[] = [];
  /** Chunks of zeroes in its middle: with many, its backups have pages. */
  readonly #between: number;
  readonly backups: { readonly id: string; readonly content: string | undefined }[] = [];
  readonly restored: { readonly id: string; readonly content: string | undefined }[] = [];
  chunks = CHUNKS;

  private constructor(stage: BackupStage, volumeId: string, between: number, hasSnapshots: boolean) {
    this.stage = stage;
    this.volumeId = volumeId;
    this.#between = between;
    this.#hasSnapshots = hasSnapshots;
  }

  static async begin(stage: BackupStage, between: number, hasSnapshots: boolean): Promise<Model> {
    const { sim } = stage;
    const source = await stage.cloud.volume((CHUNKS + between) * CHUNK);
    if (!hasSnapshots) return new Model(stage, source, between, false);
    stage.fill(source, 1, 9);
    const snapshotId = await sim.done('snapshot.create', { volumeId: source });
    return new Model(stage, await sim.done('volume.create', { snapshotId }), between, true);
  }

  #place(chunk: number): number {
    return chunk < CHUNKS / 2 ? chunk : chunk + this.#between;
  }

  async apply(each: Step): Promise<void> {
    const { stage, volumeId } = this;
    if (each.do === 'write' && each.part) stage.write(volumeId, this.#place(each.chunk) * CHUNK + 512, new Uint8Array(512).fill(each.byte));
    else if (each.do === 'write') stage.fill(volumeId, this.#place(each.chunk), each.byte);
    else if (each.do === 'backUp') {
      const content = stage.contentOf(volumeId);
      this.backups.push({ id: await stage.backUp(volumeId), content });
    } else if (each.do === 'delete') {
      const [gone] = this.backups.splice(each.which % Math.max(1, this.backups.length), 1);
      if (gone !== undefined) await stage.sim.done('backup.delete', {}, gone.id);
    } else if (each.do === 'restore') {
      const of = this.backups[each.which % Math.max(1, this.backups.length)];
      if (of !== undefined) this.restored.push({ id: await stage.restore(of.id), content: of.content });
    } else if (each.do === 'snapshot') {
      if (!this.#hasSnapshots) return;
      const content = stage.contentOf(volumeId);
      this.#kept.push({ id: await stage.sim.done('snapshot.create', { volumeId }), content, chunks: this.chunks });
    } else if (each.do === 'revert') {
      const of = this.#kept[each.which % Math.max(1, this.#kept.length)];
      if (of === undefined) return;
      await stage.sim.done('snapshot.revert', {}, of.id);
      this.chunks = of.chunks;
      expect(stage.contentOf(volumeId)).to.equal(of.content);
    } else if (each.do === 'drop') {
      const [gone] = this.#kept.splice(each.which % Math.max(1, this.#kept.length), 1);
      if (gone !== undefined) await stage.sim.done('snapshot.delete', {}, gone.id);
    } else if (each.do === 'flatten') {
      if (this.#hasSnapshots) await stage.sim.done('volume.flatten', {}, volumeId);
    } else if (each.do === 'grow') {
      this.chunks += 1;
      await stage.sim.done('volume.resize', { sizeBytes: (this.chunks + this.#between) * CHUNK }, volumeId);
    } else if (each.do === 'crash') {
      stage.sim.crash();
      await stage.sim.start();
    } else await stage.sim.run(A_TIDYING_MS);
  }

  async check(): Promise<void> {
    const { stage } = this;
    for (const { id, content } of this.restored) expect(stage.contentOf(id)).to.equal(content);
    await stage.sim.run(A_TIDYING_MS);
    for (const { id, content } of this.backups) {
      await stage.sim.done('backup.verify', {}, id);
      expect((await stage.row(id)).condition).to.equal('sound');
      expect(stage.contentOf(await stage.restore(id))).to.equal(content);
      await stage.sim.done('backup.delete', {}, id);
    }
    for (const { id } of this.#kept) await stage.sim.done('snapshot.delete', {}, id);
    await stage.sim.run(2 * A_TIDYING_MS);
    // A server that died while it removed chunks leaves their names for a day.
    expect([...stage.objects.keys()].filter((key) => !key.endsWith('/late'))).to.deep.equal(['pileus/store']);
    expect(stage.snapshotsOf(this.volumeId)).to.deep.equal([]);
  }
}

describe('backups, whatever is done in whatever order', function () {
  this.timeout(280_000);

  it('bring back what was there, and leave nothing when they are gone', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0, PAGE_CHUNKS - 2),
        fc.boolean(),
        fc.array(step, { minLength: 4, maxLength: 20 }),
        async (between, hasSnapshots, steps) => {
          const stage = await BackupStage.open(hasSnapshots ? {} : { without: ['snapshots'] });
          try {
            const model = await Model.begin(stage, between, hasSnapshots);
            for (const each of steps) await model.apply(each);
            await model.check();
          } finally {
            stage.sim.dispose();
          }
        },
      ),
      { numRuns: 8, interruptAfterTimeLimit: 200_000 },
    ));
});
