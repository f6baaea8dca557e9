import { expect } from 'chai';
import type { Statement } from '../../src/kernel/store.ts';
import type { SagaStoreStage } from './saga-store-stage.ts';
import type { SagaStoreFeature } from './store-stage.ts';

/** Two lives of which the older one is over and does not know. */
export function describeSagaStoreTakeover(stage: () => SagaStoreStage, features: readonly SagaStoreFeature[]): void {
  describe('a newer opening', () => {
    it('leaves no entry in the journal, no row and no place in the feed to what an older epoch sends', async () => {
      const s = stage();
      const { promise, resolve } = Promise.withResolvers<void>();
      s.shelf.holds.set('lid', promise);
      const { operationId, resourceId } = await s.make('box');
      await s.until(operationId, ({ lastStep }) => lastStep === 'full');
      const { epoch } = s.store;
      s.kill();
      await s.reopen();
      const [journal, newest] = [await s.journal(operationId), (await s.store.bounds()).newest];
      expect(s.store.epoch).to.be.greaterThan(epoch);
      const late: readonly Statement[] = [
        { op: 'insert', table: 'journal', row: { operationId, number: 1_000, type: 'done', path: 'lid' } },
        { op: 'update', table: 'box', key: resourceId, set: { litres: 99 } },
      ];
      const at = new Date(s.environment.clock.nowMs()).toISOString();
      for (const statements of [late, late.slice(0, 1)])
        expect(await s.store.commit({ node: 'late', epoch, at, statements })).to.deep.include({ ok: false, reason: 'fenced' });
      expect(await s.journal(operationId)).to.deep.equal(journal);
      expect((await s.store.bounds()).newest).to.equal(newest);
      expect(await s.row('box', resourceId)).to.include({ litres: 1 });
      await s.begin();
      s.shelf.holds.clear();
      resolve();
      expect(await s.ended(operationId)).to.include({ state: 'succeeded' });
      const byEpoch = (await s.rows('journal')).filter((row) => row.operationId === operationId).map((row) => Number(row.epoch));
      expect(byEpoch).to.deep.equal(byEpoch.toSorted((a, b) => a - b));
      expect(new Set(byEpoch)).to.deep.equal(new Set([epoch, s.store.epoch]));
      await s.expectNothingLeft();
    });

    if (features.includes('takeover'))
      it('takes the sagas over from an engine that is still at work, which writes nothing more', async () => {
        const s = stage();
        const { promise, resolve } = Promise.withResolvers<void>();
        s.shelf.holds.set('lid', promise);
        const { operationId } = await s.make('box');
        await s.until(operationId, ({ lastStep }) => lastStep === 'full');
        s.shelf.holds.clear();
        await s.takeOver();
        expect(await s.ended(operationId)).to.include({ state: 'succeeded' });
        const journal = await s.journal(operationId);
        // Now the step of the first ends, too, and what it wants to say of it comes too late.
        resolve();
        await s.run(60_000);
        expect(await s.journal(operationId)).to.deep.equal(journal);
        expect(await s.operation(operationId)).to.include({ state: 'succeeded' });
        await s.expectNothingLeft();
      });
  });
}
