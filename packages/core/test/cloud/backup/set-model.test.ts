import { expect } from 'chai';
import fc from 'fast-check';
import { volume } from '../../../src/cloud/index.ts';
import { A_TIDYING_MS } from './backup-stage.ts';
import { withMachine } from './set-stage.ts';

/** What may happen, with numbers that are taken modulo what there is. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), byte: fc.nat(250) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('backUp' as const), diesAfterMs: fc.option(fc.nat(3000), { nil: undefined }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restore' as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('start' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
type Stage = Awaited<ReturnType<typeof withMachine>>;

/** A machine with its sets, and beside it what each of these has to bring back of all disks. */
class Model {
  readonly stage: Stage;
  readonly kept: { readonly id: string; readonly contents: readonly (string | undefined)[] }[] = [];
  readonly restored: { readonly ids: readonly string[]; readonly contents: readonly (string | undefined)[] }[] = [];

  constructor(stage: Stage) {
    this.stage = stage;
  }

  async apply(each: Step): Promise<void> {
    const { sim, id, fill } = this.stage;
    if (each.do === 'write') fill(each.byte);
    else if (each.do === 'backUp') await this.#backUp(each.diesAfterMs);
    else if (each.do === 'restore') await this.#restore(this.kept[each.which % Math.max(1, this.kept.length)]);
    else if (each.do === 'delete') {
      const [gone] = this.kept.splice(each.which % Math.max(1, this.kept.length), 1);
      if (gone !== undefined) await sim.done('backupSet.delete', {}, gone.id);
    } else if (each.do === 'stop') await sim.done('instance.stop', { force: true }, id);
    else await sim.done('instance.start', {}, id);
  }

  /** The server may die at any time of it: then there is one all the same, or nothing. */
  async #backUp(diesAfterMs: number | undefined): Promise<void> {
    const { sim, id, disks, contents } = this.stage;
    const now = contents(disks);
    const { operationId, resourceId } = await sim.submit('backupSet.create', { instanceId: id });
    if (diesAfterMs !== undefined) {
      await sim.run(diesAfterMs);
      sim.crash();
      await sim.start();
    }
    if ((await sim.ended(operationId)).state === 'succeeded') this.kept.push({ id: resourceId, contents: now });
    // Only of one that died it may be that it has none: what held its machine still was not known to hold.
    else expect(diesAfterMs).not.to.equal(undefined);
  }

  async #restore(of: (typeof this.kept)[number] | undefined): Promise<void> {
    if (of === undefined) return;
    const { notes } = await this.stage.outcome('backupSet.restore', {}, of.id);
    this.restored.push({ ids: notes?.volumeIds as string[], contents: of.contents });
  }

  async check(): Promise<void> {
    const { stage, sim, contents, left, sets } = this.stage;
    for (const each of this.kept) await this.#restore(each);
    for (const each of this.restored) expect(contents(each.ids)).to.deep.equal(each.contents);
    expect((await sets()).map(({ id }) => id)).to.have.members(this.kept.map(({ id }) => id));
    for (const { id } of this.kept) await sim.done('backupSet.delete', {}, id);
    expect(await left()).to.deep.equal({ backups: [], groups: 0, snapshots: 0, real: 0 });
    expect(await stage.rows(volume)).to.have.length(2 + 2 * this.restored.length);
    await sim.run(2 * A_TIDYING_MS);
    // A server that died while it removed chunks leaves their names for a day.
    const objects = [...(sim.world.backups.get('backups')?.keys() ?? [])];
    expect(objects.filter((key) => !key.endsWith('/late'))).to.deep.equal(['pileus/store']);
  }
}

describe('sets of backups, whatever is done in whatever order', function () {
  this.timeout(280_000);

  it('bring back all disks of one instant, and leave nothing when they are gone', () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
        const stage = await withMachine();
        try {
          const model = new Model(stage);
          for (const each of steps) await model.apply(each);
          await model.check();
        } finally {
          stage.sim.dispose();
        }
      }),
      { numRuns: 3, interruptAfterTimeLimit: 200_000 },
    ));
});
