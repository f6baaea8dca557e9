import { expect } from 'chai';
import { describeSagaStoreKeeping } from './saga-store-keeping.ts';
import { SagaStoreStage, STRIKES, says } from './saga-store-stage.ts';
import { describeSagaStoreTakeover } from './saga-store-takeover.ts';
import { refused } from './saga-store-world.ts';
import type { SagaStoreFeature, StoreHarness } from './store-stage.ts';

export type { SagaStoreFeature } from './store-stage.ts';

/**
 * What the saga engine needs of a store, beside the port's own contract (`describeStore`, of the same harness): the engine itself runs on it, is killed at each of
 * its commits, and goes on from what was durable.
 */
export function describeSagaStore(
  name: string,
  { features, makeHarness }: { readonly features: readonly SagaStoreFeature[]; readonly makeHarness: () => Promise<StoreHarness> },
): void {
  describe(`Saga store conformance: ${name}`, function () {
    this.timeout(300_000);
    let stage: SagaStoreStage;
    beforeEach(async () => {
      stage = new SagaStoreStage(await makeHarness(), name);
      await stage.start();
    });
    afterEach(() => stage.end());

    const current = () => stage;
    describeStrikes(current);
    describeSagaStoreKeeping(current);
    describeSagaStoreTakeover(current, features);
  });
}

const MORE_COMMITS = 3;

function describeStrikes(stage: () => SagaStoreStage): void {
  describe('at each of its commits', () => {
    /**
     * One operation for each way that one of its commits can go wrong, all at once. When each has come as far as it does the process is killed, and clients ask
     * again. @param least how many commits the operation has, to which a few may come that tell of progress
     */
    async function play(action: string, least: number, of: Parameters<SagaStoreStage['requests']>[2]) {
      const s = stage();
      const commits = least + MORE_COMMITS;
      const requests = s.requests(action, STRIKES.length * commits, of);
      const strikes = s.strike(commits);
      await s.attempt(requests);
      for (const { how, operationId = '' } of strikes) if (!how.startsWith('killed')) await s.endedInThisLife(operationId);
      for (const how of STRIKES) {
        const struck = strikes.filter((strike) => strike.how === how && strike.seen > strike.at);
        expect(struck, `commits that are ${how}`).to.have.lengthOf.within(least, commits - 1);
      }
      await s.start();
      const accepted = await s.answers(requests);
      for (const { operationId } of accepted) await s.ended(operationId);
      await s.expectNothingLeft();
      return Promise.all(accepted.map(({ operationId }) => s.operation(operationId)));
    }
    const boxes = (n: number) => ({ input: { name: `box-${n}`, litres: 3 } });

    it('a saga that is killed, or not told the outcome, goes on from there and happens once', async () => {
      const ended = await play('box.create', 6, boxes);
      for (const row of ended) expect(row).to.include({ state: 'succeeded', percent: 100 });
      expect(stage().shelf.things.size).to.equal(ended.length);
    });

    it('a saga that is killed, or not told the outcome, on its way back goes on with that and leaves nothing', async () => {
      const { shelf } = stage();
      shelf.fails.set('lid', refused());
      shelf.owesLids = true;
      const ended = await play('box.create', 12, boxes);
      for (const row of ended) expect({ state: row.state, code: row.error?.code }).to.deep.equal({ state: 'failed', code: 'conflict' });
      expect(shelf.things.size).to.equal(0);
    });

    it('a saga that cannot be taken back any more only goes on', async () => {
      const s = stage();
      const made = await s.answers(s.requests('box.create', STRIKES.length * (2 + MORE_COMMITS), boxes));
      for (const { operationId } of made) await s.ended(operationId);
      const ended = await play('box.break', 2, (n) => ({ input: {}, resourceId: made[n]?.resourceId ?? '' }));
      for (const row of ended) expect(row).to.include({ state: 'succeeded' });
      expect(s.shelf.things.size).to.equal(0);
    });
  });

  it('a write whose guard fails changes nothing of its transaction, and what went ahead of it is journaled', async () => {
    const s = stage();
    const { promise, resolve } = Promise.withResolvers<void>();
    s.shelf.holds.set('corner right', promise);
    const { operationId, resourceId } = await s.make('box');
    await s.until(operationId, ({ stepsDone }) => stepsDone >= 1);
    const { store } = s;
    const behind = async (state: string) => {
      const at = new Date(s.environment.clock.nowMs()).toISOString();
      const statements = [{ op: 'update', table: 'box', key: resourceId, set: { state } } as const];
      expect(await store.commit({ node: 'behind', epoch: store.epoch, at, statements })).to.include({ ok: true });
    };
    await behind('full');
    s.shelf.holds.clear();
    resolve();
    const unwinding = await s.until(operationId, ({ state }) => state !== 'running' && state !== 'queued');
    expect(unwinding.state).to.be.oneOf(['unwinding', 'needs_attention']);
    await behind('new');
    expect(await s.ended(operationId)).to.include({ state: 'failed' });
    const journal = await s.journal(operationId);
    expect(says(journal, 'done', 'label')).to.equal(true);
    expect(says(journal, 'done', 'full')).to.equal(false);
    await s.expectNothingLeft();
  });
}
