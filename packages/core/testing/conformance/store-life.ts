import { expect } from 'chai';
import { adjust, machine, SCHEMA, type StoreFeature, type StoreStage, update } from './store-stage.ts';

export function describeStoreLife(stage: () => StoreStage, features: readonly StoreFeature[]): void {
  describeOpenings(stage);
  if (features.includes('crash')) describeCrash(stage);
  describeBackup(stage, features.includes('restore'));
}

function describeOpenings(stage: () => StoreStage): void {
  describe('opening and closing', () => {
    beforeEach(() => stage().begin());

    it('keeps rows and incarnation, and raises the epoch by one', async () => {
      const s = stage();
      const revision = await s.done(machine('a'), adjust('c', 2));
      const { incarnation, epoch } = s.store;
      const row = await s.store.read('machine', 'a');
      expect(incarnation).to.be.a('string').and.not.equal('');
      await s.reopen(SCHEMA);
      expect(s.store.incarnation).to.equal(incarnation);
      expect(s.store.epoch).to.equal(epoch + 1);
      expect(await s.store.read('machine', 'a')).to.equal(row);
      expect(await s.store.counter('c')).to.include({ value: 2 });
      expect(await s.store.bounds()).to.deep.equal({ oldest: 1, newest: revision });
      expect(await s.store.commit({ node: 'node-1', epoch, at: '', statements: [machine('b')] })).to.include({ reason: 'fenced' });
      expect(await s.done(machine('b'))).to.be.greaterThan(revision);
    });

    it('answers what was committed before it was closed, and rejects what comes after', async () => {
      const s = stage();
      const commits = Array.from({ length: 20 }, (_, index) => s.commit(machine(`m${index}`)));
      const closed = s.store.close();
      for (const result of await Promise.all(commits)) expect(result.ok).to.equal(true);
      await closed;
      expect(await s.rejection(s.commit(machine('late')))).to.have.property('outcome', 'unchanged');
      await s.begin();
      expect(await s.store.count({ table: 'machine' })).to.equal(20);
    });
  });
}

function describeCrash(stage: () => StoreStage): void {
  describe('a crash', () => {
    beforeEach(() => stage().begin());

    it('loses nothing that was acknowledged when it crashes, and keeps no part of a transaction', async () => {
      const s = stage();
      const acknowledged = new Set<string>();
      for (let round = 0; round < 5; round += 1) {
        const { store } = s;
        const pair = (index: number) => [`r${round}-${index}`, `r${round}-${index}-twin`] as const;
        const commits = Array.from({ length: 40 }, (_, index) => {
          const [one, two] = pair(index);
          const transaction = {
            node: 'node-1',
            epoch: store.epoch,
            at: '',
            statements: [machine(one), machine(two), adjust('pairs', 1)],
          };
          // What is still under way when the store crashes may settle in any way, or never.
          return store.commit(transaction).then(
            ({ ok }) => ok && acknowledged.add(one),
            () => false,
          );
        });
        await commits[round * 7];
        await s.crash();
        for (const id of acknowledged) expect(await s.store.read('machine', id), id).to.not.equal(undefined);
      }
      const count = await s.store.count({ table: 'machine' });
      expect(count)
        .to.equal(2 * Number((await s.store.counter('pairs'))?.value))
        .and.at.least(2 * acknowledged.size);
      expect(await s.store.changes(0, 1_000)).to.have.length(count);
    });
  });
}

function describeBackup(stage: () => StoreStage, restores: boolean): void {
  describe('backup', () => {
    beforeEach(() => stage().begin());

    if (restores)
      it('makes a consistent copy while others write, which restores as another incarnation', async () => {
        const s = stage();
        // What some readers of texts take for ends of lines.
        const odd = { note: 'a\u2028b\u2029c\u0085d\r\ne\u0000' };
        await s.done(machine('a', { size: 0 }), machine('odd', odd), adjust('size', 0));
        let stopped = false;
        const writers = Array.from({ length: 4 }, async () => {
          for (let n = 0; !stopped || n < 5; n += 1) {
            const row = await s.row('machine', 'a');
            await s.commit(
              update('machine', 'a', { size: Number(row?.size) + 1 }, { generation: Number(row?.generation) }),
              adjust('size', 1),
            );
          }
        });
        const place = s.harness.target();
        await s.store.backup(place);
        const after = Number((await s.row('machine', 'a'))?.size);
        stopped = true;
        await Promise.all(writers);
        const copy = await s.restore(place);
        try {
          await copy.prepare(SCHEMA);
          const row = JSON.parse((await copy.read('machine', 'a')) ?? '{}');
          expect(await copy.read('machine', 'odd')).to.equal(await s.store.read('machine', 'odd'));
          expect(await copy.counter('size')).to.include({ value: row.size });
          expect(row.size).to.be.at.most(after);
          expect((await copy.bounds()).newest).to.equal(row.revision);
          expect(copy.incarnation).to.not.equal(s.store.incarnation);
          expect(copy.epoch).to.be.greaterThan(s.store.epoch);
        } finally {
          await copy.close();
        }
      });

    it('refuses a target that exists', async () => {
      const s = stage();
      const place = s.harness.target();
      await s.store.backup(place);
      expect((await s.rejection(s.store.backup(place))).message).to.include(place);
    });

    it('gives the name to one whole copy of several that are made side by side', async () => {
      const s = stage();
      await s.done(machine('a'));
      const place = s.harness.target();
      const ended = await Promise.allSettled(Array.from({ length: 4 }, () => s.store.backup(place)));
      expect(ended.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
      for (const end of ended) if (end.status === 'rejected') expect(end.reason.message).to.include(`${place} exists already`);
      if (!restores) return;
      const copy = await s.restore(place);
      await copy.prepare(SCHEMA);
      expect(await copy.read('machine', 'a')).to.equal(await s.store.read('machine', 'a'));
      await copy.close();
    });
  });
}
