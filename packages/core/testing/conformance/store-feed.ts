import { expect } from 'chai';
import type { Change, Store } from '../../src/kernel/store.ts';
import { adjust, entry, insert, machine, SCHEMA, type StoreStage, update } from './store-stage.ts';

const WRITERS = 32;
const WRITES = 12;

/** Follows the feed from its beginning, woken by `onCommit`, until it has seen `count` changes. */
async function follow(store: Store, count: number, limit: number): Promise<Change[]> {
  const seen: Change[] = [];
  let wake = () => {};
  let news = false;
  const stop = store.onCommit(() => {
    news = true;
    wake();
  });
  while (seen.length < count) {
    news = false;
    const page = await store.changes(seen.at(-1)?.revision ?? 0, limit);
    seen.push(...page);
    if (page.length > 0 || news) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  stop();
  return seen;
}

export function describeStoreFeed(stage: () => StoreStage): void {
  describeChanges(stage);
  describeBounds(stage);
  describeAnnouncements(stage);
}

function describeChanges(stage: () => StoreStage): void {
  describe('changes', () => {
    beforeEach(() => stage().begin());

    it('tell each change of a resource row once, oldest first, with the row as of then', async () => {
      const s = stage();
      const first = await s.done(machine('a'), insert('disk', { id: 'd' }));
      const created = await s.store.read('machine', 'a');
      const second = await s.done(update('machine', 'a', { state: 'on' }));
      const updated = await s.store.read('machine', 'a');
      const third = await s.done(update('machine', 'a', { deletedAt: true }));
      const deleted = await s.store.read('machine', 'a');
      const fourth = await s.done(update('machine', 'a', { note: 'late' }));
      const of = { table: 'machine', key: 'a', projectId: 'p' };
      expect(await s.store.changes(0, 100)).to.deep.equal([
        { ...of, revision: first, type: 'created', row: created },
        { revision: first, table: 'disk', key: 'd', type: 'created', row: await s.store.read('disk', 'd') },
        { ...of, revision: second, type: 'updated', row: updated },
        { ...of, revision: third, type: 'deleted', row: deleted },
        { ...of, revision: fourth, type: 'updated', row: await s.store.read('machine', 'a') },
      ]);
      expect(await s.store.changes(fourth, 100)).to.deep.equal([]);
      expect(JSON.parse(updated ?? '').revision).to.equal(second);
    });

    it('give one revision to all changes of a transaction, and a greater one to the next', async () => {
      const s = stage();
      const first = await s.done(machine('a'), machine('b'), update('machine', 'a', { state: 'on' }));
      const second = await s.done(machine('c'));
      expect((await s.store.changes(0, 10)).map(({ revision }) => revision)).to.deep.equal([first, first, first, second]);
      expect(second).to.be.greaterThan(first);
    });

    it('do not tell of plain rows, counters and failed transactions', async () => {
      const s = stage();
      const revision = await s.done(machine('a'));
      await s.done(entry('o', 1), adjust('c', 1));
      await s.done(update('entry', 'o/1', { kind: 'k' }), { op: 'remove', table: 'entry', key: 'o/1' });
      await s.commit(machine('b'), machine('a'));
      expect((await s.store.changes(0, 10)).map(({ key }) => key)).to.deep.equal(['a']);
      expect(await s.store.bounds()).to.deep.equal({ oldest: 1, newest: revision });
    });

    it('keep telling of a row that was removed, and tell nothing of the removal', async () => {
      const s = stage();
      await s.done(machine('a'));
      const deleted = await s.done(update('machine', 'a', { deletedAt: true }));
      const before = await s.store.changes(0, 10);
      await s.done({ op: 'remove', table: 'machine', key: 'a' });
      expect(await s.store.changes(0, 10)).to.deep.equal(before);
      expect(await s.store.bounds()).to.deep.equal({ oldest: 1, newest: deleted });
      expect(await s.done(machine('b'))).to.be.greaterThan(deleted);
    });

    it('come in whole revisions: fewer than the limit, or one revision that is larger', async () => {
      const s = stage();
      await s.done(machine('a'));
      await s.done(machine('b'), machine('c'), machine('d'));
      await s.done(machine('e'));
      const keys = async (after: number, limit: number) => (await s.store.changes(after, limit)).map(({ key }) => key).join('');
      const [first, second] = [...new Set((await s.store.changes(0, 10)).map(({ revision }) => revision))] as [number, number];
      expect(await keys(0, 3)).to.equal('a');
      expect(await keys(0, 4)).to.equal('abcd');
      expect(await keys(first, 1)).to.equal('bcd');
      expect(await keys(first, 3)).to.equal('bcd');
      expect(await keys(second, 1)).to.equal('e');
    });
  });
}

function describeBounds(stage: () => StoreStage): void {
  describe('bounds of the feed', () => {
    beforeEach(() => stage().begin());

    it('are kept from `oldest` to `newest`; a trim moves the one and not the other', async () => {
      const s = stage();
      expect(await s.store.bounds()).to.deep.equal({ oldest: 1, newest: 0 });
      const revisions: number[] = [];
      for (const id of 'abcd') revisions.push(await s.done(machine(id)));
      const [, second = 0, third = 0, newest = 0] = revisions;
      await s.store.trimChanges(second);
      expect(await s.store.bounds()).to.deep.equal({ oldest: second + 1, newest });
      expect((await s.store.changes(second, 10)).map(({ key }) => key)).to.deep.equal(['c', 'd']);
      await s.store.trimChanges(1);
      expect((await s.store.bounds()).oldest).to.equal(second + 1);
      await s.store.trimChanges(newest + 100);
      expect(await s.store.bounds()).to.deep.equal({ oldest: newest + 1, newest });
      expect(await s.store.changes(third, 10)).to.deep.equal([]);
      expect(await s.done(machine('e'))).to.be.greaterThan(newest);
    });

    it('keep growing after everything was trimmed and the store opened anew', async () => {
      const s = stage();
      const revision = await s.done(machine('a'));
      await s.store.trimChanges(revision);
      await s.reopen(SCHEMA);
      expect(await s.store.bounds()).to.deep.equal({ oldest: revision + 1, newest: revision });
      expect(await s.done(machine('b'))).to.be.greaterThan(revision);
    });
  });
}

function describeAnnouncements(stage: () => StoreStage): void {
  describe('onCommit', () => {
    beforeEach(() => stage().begin());

    it('are announced after each durable commit until told to stop', async () => {
      const s = stage();
      const heard: number[] = [];
      let wake = () => {};
      const stop = s.store.onCommit((revision) => {
        heard.push(revision);
        wake();
      });
      const until = async (revision: number) => {
        while ((heard.at(-1) ?? 0) < revision)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      };
      await until(await s.done(machine('a')));
      await until(await s.done(machine('b')));
      expect(heard).to.deep.equal(heard.toSorted((a, b) => a - b));
      stop();
      const count = heard.length;
      await s.done(machine('c'));
      await s.store.read('machine', 'c');
      expect(heard).to.have.length(count);
    });

    it('reach a follower complete and in order while many write', async () => {
      const s = stage();
      const followers = [1, 5, 1000].map((limit) => follow(s.store, WRITERS * (WRITES + 1), limit));
      const writers = Array.from({ length: WRITERS }, async (_, writer) => {
        const revisions = [await s.done(machine(`w${writer}`, { size: 0 }))];
        for (let size = 1; size <= WRITES; size += 1) revisions.push(await s.done(update('machine', `w${writer}`, { size })));
        return revisions;
      });
      const acknowledged = (await Promise.all(writers)).flat().toSorted((a, b) => a - b);
      expect(new Set(acknowledged).size).to.equal(acknowledged.length);
      for (const seen of await Promise.all(followers)) {
        expect(seen.map(({ revision }) => revision)).to.deep.equal(acknowledged);
        for (let writer = 0; writer < WRITERS; writer += 1) {
          const sizes = seen.filter(({ key }) => key === `w${writer}`).map(({ row }) => JSON.parse(row).size);
          expect(sizes).to.deep.equal(Array.from({ length: WRITES + 1 }, (_, size) => size));
        }
      }
    });
  });
}
