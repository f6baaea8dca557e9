import { expect } from 'chai';
import { adjust, limit, machine, type StoreStage } from './store-stage.ts';

export function describeStoreCounters(stage: () => StoreStage): void {
  describe('counters', () => {
    beforeEach(() => stage().begin());

    it('are made at 0 without limit', async () => {
      const s = stage();
      expect(await s.store.counter('a')).to.equal(undefined);
      await s.done(adjust('a', 3), adjust('b', 0));
      expect(await s.store.counter('a')).to.deep.equal({ key: 'a', value: 3, limit: null });
      expect(await s.store.counter('b')).to.deep.equal({ key: 'b', value: 0, limit: null });
    });

    it('fail `exceeded` beyond the limit, below 0, and beyond what is exact', async () => {
      const s = stage();
      const exceeded = { ok: false, statement: 0, reason: 'exceeded' };
      await s.done(limit('a', 5), adjust('a', 5));
      expect(await s.commit(adjust('a', 1))).to.deep.equal(exceeded);
      expect(await s.commit(adjust('a', -6))).to.deep.equal(exceeded);
      expect(await s.commit(adjust('new', -1))).to.deep.equal(exceeded);
      await s.done(adjust('big', Number.MAX_SAFE_INTEGER));
      expect(await s.commit(adjust('big', 1))).to.deep.equal(exceeded);
      expect(await s.commit(machine('m'), adjust('a', 1))).to.deep.equal({ ...exceeded, statement: 1 });
      expect(await s.row('machine', 'm')).to.equal(undefined);
      expect(await s.store.counter('a')).to.deep.equal({ key: 'a', value: 5, limit: 5 });
      expect(await s.store.counter('new')).to.equal(undefined);
      expect(await s.store.counter('big')).to.deep.equal({ key: 'big', value: Number.MAX_SAFE_INTEGER, limit: null });
    });

    it('that are overdrawn only stop growing', async () => {
      const s = stage();
      await s.done(adjust('a', 10), limit('a', 4));
      expect(await s.commit(adjust('a', 1))).to.include({ reason: 'exceeded' });
      await s.done(adjust('a', 0), adjust('a', -3));
      expect(await s.store.counter('a')).to.deep.equal({ key: 'a', value: 7, limit: 4 });
      await s.done(limit('a', null), adjust('a', 100));
      expect(await s.store.counter('a')).to.deep.equal({ key: 'a', value: 107, limit: null });
    });

    it('refuse what is no whole number', async () => {
      const s = stage();
      for (const by of [0.5, 2 ** 53, Number.NaN])
        expect(await s.rejection(s.commit(adjust('a', by)))).to.have.property('outcome', 'unchanged');
      expect(await s.store.counters('')).to.deep.equal([]);
    });

    it('are listed by prefix, in order', async () => {
      const s = stage();
      await s.done(...['quota/b', 'quota/a', 'quota', 'quotb', 'quota/ä', 'quota/\ud83d\ude80'].map((key) => adjust(key, 1)));
      const keys = async (prefix: string) => (await s.store.counters(prefix)).map(({ key }) => key);
      expect(await keys('quota/')).to.deep.equal(['quota/a', 'quota/b', 'quota/ä', 'quota/\ud83d\ude80']);
      expect(await keys('')).to.have.length(6);
      expect(await keys('quota%')).to.deep.equal([]);
    });

    it('never pass their limit, however many adjust at once', async () => {
      const s = stage();
      await s.done(limit('a', 20));
      const results = await Promise.all(Array.from({ length: 64 }, () => s.commit(adjust('a', 1))));
      expect(results.filter(({ ok }) => ok)).to.have.length(20);
      expect(await s.store.counter('a')).to.include({ value: 20 });
    });
  });
}
