import { expect } from 'chai';
import { adjust, entry, limit, machine, type StoreStage, update } from './store-stage.ts';

export function describeStoreRehearsals(stage: () => StoreStage): void {
  describe('a rehearsal', () => {
    beforeEach(() => stage().begin());

    /** All that a rehearsal could leave behind. */
    const state = async ({ store }: StoreStage) => ({
      machines: await store.list({ table: 'machine', deleted: true }),
      entries: await store.list({ table: 'entry' }),
      counters: await store.counters(''),
      changes: await store.changes(0, 100),
      bounds: await store.bounds(),
    });

    it('answers success with the newest revision, and leaves nothing', async () => {
      const s = stage();
      const revision = await s.done(machine('a'), entry('a', 1), adjust('used', 3), limit('used', 10));
      const before = await state(s);
      const every = [
        machine('b'),
        update('machine', 'a', { state: 'on', deletedAt: true }, { state: 'off' }),
        { op: 'remove', table: 'machine', key: 'a' },
        { op: 'remove', table: 'entry', key: 'a/1' },
        { op: 'vacant', table: 'machine', where: { state: 'on' } },
        adjust('used', 7),
        adjust('new', 1),
        limit('used', 2),
      ] as const;
      expect(await s.rehearse(...every)).to.deep.equal({ ok: true, revision });
      expect(await state(s)).to.deep.equal(before);
      expect(await s.commit(machine('b'))).to.deep.equal({ ok: true, revision: revision + 1 });
    });

    it('answers the failure that a commit would, and leaves nothing', async () => {
      const s = stage();
      await s.done(machine('a', { serial: 'x' }), limit('used', 1));
      const before = await state(s);
      for (const [statement, reason] of [
        [machine('a'), 'exists'],
        [machine('b', { serial: 'x' }), 'exists'],
        [update('machine', 'none', {}), 'absent'],
        [update('machine', 'a', {}, { state: 'on' }), 'stale'],
        [{ op: 'vacant', table: 'machine', where: { name: 'a' } }, 'in_use'],
        [adjust('used', 2), 'exceeded'],
      ] as const) {
        const rehearsed = await s.rehearse(machine('c'), statement);
        expect(rehearsed).to.deep.include({ ok: false, statement: 1, reason });
        expect(await state(s)).to.deep.equal(before);
        expect(await s.commit(machine('c'), statement)).to.deep.equal(rehearsed);
      }
    });

    it('sees what was committed before it, and is not seen by what is committed beside it', async () => {
      const s = stage();
      const results = await Promise.all([
        s.commit(machine('a')),
        s.rehearse(machine('a')),
        s.rehearse(machine('b')),
        s.rehearse(machine('b'), adjust('used', 1)),
        s.commit(machine('b')),
        s.rehearse(machine('b')),
      ]);
      expect(results.map(({ ok }) => ok)).to.deep.equal([true, false, true, true, true, false]);
      expect(await s.store.counters('')).to.deep.equal([]);
      expect((await s.store.changes(0, 10)).map(({ key }) => key)).to.deep.equal(['a', 'b']);
    });

    it('of a fenced writer is fenced', async () => {
      const { store } = stage();
      const stale = { node: 'node-1', epoch: store.epoch - 1, at: '2030-01-01T00:00:00.000Z', statements: [machine('a')], rehearse: true };
      expect(await store.commit(stale)).to.deep.equal({ ok: false, statement: -1, reason: 'fenced' });
    });
  });
}
