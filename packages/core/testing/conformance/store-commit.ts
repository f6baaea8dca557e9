import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { AT, entry, insert, LATER, machine, type StoreStage, update } from './store-stage.ts';

export function describeStoreCommits(stage: () => StoreStage): void {
  describeCommit(stage);
  describeRefusals(stage);
  describeInsert(stage);
  describeUpdate(stage);
  describeUpdateGuards(stage);
  describeGuards(stage);
}

function describeCommit(stage: () => StoreStage): void {
  describe('commit', () => {
    beforeEach(() => stage().begin());

    it('keeps all of its statements, and a read begun after it sees them', async () => {
      const s = stage();
      await s.done(machine('a'), machine('b'), entry('a', 1));
      expect(await s.row('machine', 'a')).to.include({ id: 'a', state: 'off' });
      expect(await s.row('machine', 'b')).to.include({ id: 'b' });
      expect(await s.row('entry', 'a/1')).to.deep.equal({ owner: 'a', number: 1 });
    });

    it('keeps none of its statements when one fails, and says which', async () => {
      const s = stage();
      const result = await s.commit(machine('a'), entry('a', 1), update('machine', 'none', { state: 'on' }));
      expect(result).to.deep.equal({ ok: false, statement: 2, reason: 'absent' });
      expect(await s.row('machine', 'a')).to.equal(undefined);
      expect(await s.row('entry', 'a/1')).to.equal(undefined);
      expect(await s.store.changes(0, 10)).to.deep.equal([]);
    });

    it('refuses what an index cannot take, by its field, and takes any length elsewhere and up to there', async () => {
      const s = stage();
      // Nothing of it repeats, so that no index can make it shorter.
      const long = (bytes: number) => randomBytes(bytes).toString('base64url').slice(0, bytes);
      const serial = long(2_600);
      const refused = (field: string) => ({ ok: false, reason: 'too_long', fields: [field] });
      await s.done(machine('a', { serial, notes: long(100_000) }), entry('e', 1, { kind: long(2_500) }));
      expect(await s.row('machine', 'a')).to.include({ serial });
      expect(await s.store.count({ table: 'machine', where: { field: 'serial', op: '=', value: serial } })).to.equal(1);
      expect(await s.commit(machine('b', { serial: long(2_601) }))).to.deep.include(refused('serial'));
      expect(await s.commit(machine('b', { serial: 'ä'.repeat(1_301) }))).to.deep.include(refused('serial'));
      expect(await s.commit(machine('b', { projectId: long(1_400), name: long(1_500) }))).to.deep.include(refused('name'));
      expect(await s.commit(machine('b', { serial: [long(3_000)] }))).to.deep.include(refused('serial'));
      expect(await s.commit(entry('e', 2, { kind: long(2_601) }))).to.deep.include(refused('kind'));
      expect(await s.commit(entry(long(2_700), 3))).to.deep.include(refused('owner'));
      expect(await s.commit(update('machine', 'a', { state: 'on' }), update('machine', 'a', { serial: long(2_601) }))).to.deep.include({
        ...refused('serial'),
        statement: 1,
      });
      expect(await s.row('machine', 'a')).to.include({ serial, state: 'off' });
      await s.done(update('machine', 'a', { deletedAt: true, serial: long(2_601) }));
    });

    it('rolls back a failed transaction alone, however many are in flight', async () => {
      const s = stage();
      const results = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          s.commit(machine(`m${index}`), ...(index % 3 === 0 ? [update('machine', 'none', {})] : [])),
        ),
      );
      for (const [index, result] of results.entries()) {
        expect(result.ok, `transaction ${index}`).to.equal(index % 3 !== 0);
        expect((await s.store.read('machine', `m${index}`)) !== undefined, `row ${index}`).to.equal(index % 3 !== 0);
      }
    });

    it('shows a transaction what those before it did', async () => {
      const s = stage();
      const results = await Promise.all([
        s.commit(machine('a')),
        s.commit(machine('a')),
        s.commit(update('machine', 'a', { state: 'on' }, { state: 'off' })),
      ]);
      expect(results.map(({ ok }) => ok)).to.deep.equal([true, false, true]);
    });

    it('shows a statement what those before it did', async () => {
      const s = stage();
      await s.done(machine('a'), update('machine', 'a', { state: 'on' }, { generation: 1 }), {
        op: 'expect',
        table: 'machine',
        key: 'a',
        expect: { state: 'on' },
      });
      expect(await s.row('machine', 'a')).to.include({ state: 'on', generation: 2 });
    });
  });
}

function describeRefusals(stage: () => StoreStage): void {
  describe('commits that cannot be', () => {
    beforeEach(() => stage().begin());

    it('refuses a stale epoch as fenced, and writes nothing', async () => {
      const { store } = stage();
      const result = await store.commit({ node: 'node-1', epoch: store.epoch - 1, at: AT, statements: [machine('a')] });
      expect(result).to.deep.equal({ ok: false, statement: -1, reason: 'fenced' });
      expect(await store.read('machine', 'a')).to.equal(undefined);
    });

    it('rejects statements that make no sense, certain that nothing changed, and harms no other transaction', async () => {
      const s = stage();
      const [good, ...bad] = await Promise.allSettled([
        s.commit(machine('a')),
        s.commit(machine('b'), insert('nowhere', { id: 'x' })),
        s.commit(machine('c'), entry('slash/ed', 1)),
        s.commit(machine('d'), { op: 'vacant', table: 'disk', where: { 'no"field': 'x' } }),
        s.commit(machine('e'), { op: 'remove', table: 'nowhere', key: 'a' }),
        s.commit(machine('f'), update('machine', 'f', { id: 'g' })),
        s.commit(machine('g'), insert('machine', { name: 'no id' })),
      ]);
      expect(good.status).to.equal('fulfilled');
      for (const each of bad)
        expect(each.status === 'rejected' && each.reason)
          .to.be.an('error')
          .with.property('outcome', 'unchanged');
      expect(await s.store.count({ table: 'machine' })).to.equal(1);
    });
  });
}

function describeInsert(stage: () => StoreStage): void {
  describe('insert', () => {
    beforeEach(() => stage().begin());

    it('sets the fields that the store maintains, whatever the row says of them', async () => {
      const s = stage();
      const revision = await s.done(machine('a', { generation: 7, revision: 99, createdAt: 'x', updatedAt: 'y', deletedAt: 'z' }));
      expect(await s.row('machine', 'a')).to.deep.equal({
        ...{ id: 'a', projectId: 'p', name: 'a', state: 'off' },
        ...{ generation: 1, revision, createdAt: AT, updatedAt: AT },
      });
    });

    it('stores any JSON and large whole numbers without loss', async () => {
      const s = stage();
      const fields = {
        size: Number.MAX_SAFE_INTEGER,
        deep: { list: [1, -0.5, null, true, { 'a b': 'ä' }], text: 'quote " back \\ slash \u0000 \ud83d\ude80 \u2028' },
        other: Number.MAX_SAFE_INTEGER,
        small: Number.MIN_SAFE_INTEGER,
      };
      await s.done(machine('a', fields));
      expect(await s.row('machine', 'a')).to.deep.include(fields);
      for (const field of ['size', 'other'])
        expect(await s.store.count({ table: 'machine', where: { field, op: '=', value: Number.MAX_SAFE_INTEGER } }), field).to.equal(1);
      expect(await s.store.count({ table: 'machine', where: { field: 'size', op: '=', value: Number.MAX_SAFE_INTEGER - 1 } })).to.equal(0);
    });

    it('fails `exists` on a key clash and names the key, also when the other row is deleted', async () => {
      const s = stage();
      await s.done(machine('a'), entry('o', 1));
      await s.done(update('machine', 'a', { deletedAt: true }));
      expect(await s.commit(machine('a', { name: 'other' }))).to.deep.equal({ ok: false, statement: 0, reason: 'exists', fields: ['id'] });
      expect(await s.commit(entry('o', 1))).to.deep.equal({ ok: false, statement: 0, reason: 'exists', fields: ['owner', 'number'] });
    });

    it('fails `exists` on a unique clash among live rows and names the fields', async () => {
      const s = stage();
      await s.done(machine('a', { name: 'web' }));
      const clash = { ok: false, statement: 0, reason: 'exists', fields: ['projectId', 'name'] };
      expect(await s.commit(machine('b', { name: 'web' }))).to.deep.equal(clash);
      await s.done(machine('c', { name: 'web', projectId: 'q' }));
      await s.done(update('machine', 'a', { deletedAt: true }));
      await s.done(machine('d', { name: 'web' }));
    });

    it('lets rows that lack a unique field be many', async () => {
      const s = stage();
      await s.done(machine('a'), machine('b'), entry('o', 1), entry('o', 2));
      await s.done(machine('c', { serial: 's' }), entry('o', 3, { token: 't' }));
      expect(await s.commit(machine('d', { serial: 's' })))
        .to.include({ reason: 'exists' })
        .and.deep.include({ fields: ['serial'] });
      expect(await s.commit(entry('o', 4, { token: 't' }))).to.deep.include({ reason: 'exists', fields: ['token'] });
    });
  });
}

function describeUpdate(stage: () => StoreStage): void {
  describe('update', () => {
    beforeEach(() => stage().begin());

    it('merges at the top level, removes with null, and leaves the rest', async () => {
      const s = stage();
      await s.done(machine('a', { tags: { x: 1 }, note: 'n' }));
      const result = await s.commitAt(LATER, update('machine', 'a', { tags: { y: 2 }, note: null, gone: null, size: 5 }));
      const row = await s.row('machine', 'a');
      expect(row).to.deep.include({ tags: { y: 2 }, size: 5, name: 'a', generation: 2, createdAt: AT, updatedAt: LATER });
      expect(row).to.not.have.any.keys('note', 'gone');
      expect(result).to.deep.equal({ ok: true, revision: row?.revision });
    });

    it('does not let go of the fields that the store maintains', async () => {
      const s = stage();
      await s.done(machine('a'));
      await s.done(update('machine', 'a', { generation: 9, revision: null, createdAt: 'x', updatedAt: null, deletedAt: 'y' }));
      expect(await s.row('machine', 'a'))
        .to.include({ generation: 2, createdAt: AT, updatedAt: AT })
        .and.not.have.property('deletedAt');
    });

    it('stamps a deletion once; the row is answered still, and no update takes the stamp away', async () => {
      const s = stage();
      await s.done(machine('a'));
      await s.commitAt(LATER, update('machine', 'a', { state: 'deleted', deletedAt: true }));
      expect(await s.row('machine', 'a')).to.include({ state: 'deleted', deletedAt: LATER, generation: 2 });
      await s.done(update('machine', 'a', { deletedAt: true }), update('machine', 'a', { deletedAt: null, note: 'late' }));
      expect(await s.row('machine', 'a')).to.include({ deletedAt: LATER, note: 'late', generation: 4 });
    });
  });
}

function describeUpdateGuards(stage: () => StoreStage): void {
  describe('update guards', () => {
    beforeEach(() => stage().begin());

    it('fails `absent` without the row and `stale` with the field that differs', async () => {
      const s = stage();
      await s.done(machine('a', { size: 3, tags: { x: [1] } }));
      const attempt = async (expected: Record<string, never> | object) => s.commit(update('machine', 'a', { n: 1 }, expected as never));
      expect(await s.commit(update('machine', 'b', {}))).to.deep.equal({ ok: false, statement: 0, reason: 'absent' });
      const stale = (field: string) => ({ ok: false, statement: 0, reason: 'stale', fields: [field] });
      expect(await attempt({ state: 'on' })).to.deep.equal(stale('state'));
      expect(await attempt({ state: 'off', size: 4 })).to.deep.equal(stale('size'));
      expect(await attempt({ state: ['on', 'lost'] })).to.deep.equal(stale('state'));
      expect(await attempt({ size: null })).to.deep.equal(stale('size'));
      expect(await attempt({ note: 'x' })).to.deep.equal(stale('note'));
      expect(await attempt({ tags: { x: [2] } })).to.deep.equal(stale('tags'));
      expect(await attempt({ generation: 2 })).to.deep.equal(stale('generation'));
      expect(await s.row('machine', 'a'))
        .to.include({ generation: 1 })
        .and.not.have.property('n');
    });

    it('passes values, any of several, and null for a field that is absent', async () => {
      const s = stage();
      await s.done(machine('a', { size: 3, tags: { x: [1], y: 2 } }));
      await s.done(
        update(
          'machine',
          'a',
          { n: 1 },
          { state: ['on', 'off'], size: 3, note: null, tags: { y: 2, x: [1] }, generation: 1, deletedAt: null },
        ),
      );
      await s.done(update('machine', 'a', { n: 2 }, { note: [null, 'x'], n: [1, 2] }));
      expect(await s.row('machine', 'a')).to.include({ n: 2, generation: 3 });
    });

    it('fails `exists` when it would clash', async () => {
      const s = stage();
      await s.done(machine('a'), machine('b'));
      expect(await s.commit(update('machine', 'b', { name: 'a' }))).to.deep.equal({
        ok: false,
        statement: 0,
        reason: 'exists',
        fields: ['projectId', 'name'],
      });
      await s.done(update('machine', 'b', { name: 'c' }));
      await s.done(update('machine', 'a', { name: 'b' }));
    });

    it('changes plain rows, which have no maintained fields', async () => {
      const s = stage();
      await s.done(entry('o', 1, { kind: 'x' }));
      await s.done(update('entry', 'o/1', { kind: 'y' }, { kind: 'x' }));
      expect(await s.row('entry', 'o/1')).to.deep.equal({ owner: 'o', number: 1, kind: 'y' });
      expect(await s.commit(update('entry', 'o/1', {}, { kind: 'x' }))).to.deep.include({ reason: 'stale', fields: ['kind'] });
    });

    it('lets exactly one of many that expect the same generation through', async () => {
      const s = stage();
      await s.done(machine('a', { size: 0 }));
      const increments = Array.from({ length: 32 }, async () => {
        for (;;) {
          const row = await s.row('machine', 'a');
          const result = await s.commit(update('machine', 'a', { size: Number(row?.size) + 1 }, { generation: Number(row?.generation) }));
          if (result.ok) return;
        }
      });
      await Promise.all(increments);
      expect(await s.row('machine', 'a')).to.include({ size: 32, generation: 33 });
    });
  });
}

function describeGuards(stage: () => StoreStage): void {
  describe('remove, expect and vacant', () => {
    beforeEach(() => stage().begin());

    it('removes plain rows; an absent one is fine', async () => {
      const s = stage();
      await s.done(entry('o', 1, { token: 't' }), entry('o', 2));
      await s.done({ op: 'remove', table: 'entry', key: 'o/1' }, { op: 'remove', table: 'entry', key: 'o/9' });
      expect(await s.store.list({ table: 'entry' })).to.deep.equal(['{"owner":"o","number":2}']);
      await s.done(entry('o', 1, { token: 't' }));
    });

    it('removes resource rows that are deleted, and no others', async () => {
      const s = stage();
      const remove = (key: string) => ({ op: 'remove', table: 'machine', key }) as const;
      await s.done(machine('a', { serial: 's' }), machine('b'));
      expect(await s.commit(machine('c'), remove('a'))).to.deep.equal({ ok: false, statement: 1, reason: 'stale', fields: ['deletedAt'] });
      expect(await s.row('machine', 'a')).to.include({ generation: 1 });
      await s.done(update('machine', 'a', { deletedAt: true }));
      await s.done(remove('a'), remove('never-there'));
      expect(await s.row('machine', 'a')).to.equal(undefined);
      expect(await s.store.count({ table: 'machine', deleted: true })).to.equal(1);
      await s.done(update('machine', 'b', { deletedAt: true }), remove('b'));
      expect(await s.store.count({ table: 'machine', deleted: true })).to.equal(0);
      await s.done(machine('a', { serial: 's' }));
    });

    it('guards with `expect` alone', async () => {
      const s = stage();
      await s.done(machine('a'));
      const guard = (key: string, state: string) => ({ op: 'expect', table: 'machine', key, expect: { state } }) as const;
      await s.done(guard('a', 'off'), machine('b'));
      expect(await s.commit(machine('c'), guard('a', 'on'))).to.deep.equal({ ok: false, statement: 1, reason: 'stale', fields: ['state'] });
      expect(await s.commit(guard('z', 'off'))).to.deep.equal({ ok: false, statement: 0, reason: 'absent' });
      expect(await s.row('machine', 'a')).to.include({ generation: 1 });
    });

    it('fails `in_use` while a live row has the value', async () => {
      const s = stage();
      const vacant = { op: 'vacant', table: 'disk', where: { machineId: 'a' } } as const;
      const vacantEntry = { op: 'vacant', table: 'entry', where: { shape: 7 } } as const;
      await s.done(insert('disk', { id: 'd', machineId: 'a' }), insert('disk', { id: 'e', machineId: 'b' }), entry('o', 1, { shape: 7 }));
      expect(await s.commit(vacant)).to.deep.equal({ ok: false, statement: 0, reason: 'in_use' });
      expect(await s.commit(vacantEntry)).to.deep.equal({ ok: false, statement: 0, reason: 'in_use' });
      await s.done(update('disk', 'd', { deletedAt: true }), vacant);
      await s.done({ op: 'remove', table: 'entry', key: 'o/1' }, vacantEntry);
    });

    it('fails `in_use` while a live row has all of several values, also one of the same transaction', async () => {
      const s = stage();
      const vacant = (machineId: string, size: number) => ({ op: 'vacant', table: 'disk', where: { machineId, size } }) as const;
      await s.done(insert('disk', { id: 'd', machineId: 'a', size: 1 }), vacant('a', 2), vacant('b', 1));
      expect(await s.commit(vacant('a', 1))).to.deep.equal({ ok: false, statement: 0, reason: 'in_use' });
      const failed = { ok: false, statement: 1, reason: 'in_use' };
      expect(await s.commit(insert('disk', { id: 'e', machineId: 'b', size: 1 }), vacant('b', 1))).to.deep.equal(failed);
      expect(await s.commit(update('disk', 'd', { size: 2 }), vacant('a', 2))).to.deep.equal(failed);
      await s.done(update('disk', 'd', { size: 2 }), vacant('a', 1));
      await s.done(update('disk', 'd', { deletedAt: true }), vacant('a', 2));
    });

    it('makes values unique across two tables that look at each other', async () => {
      const s = stage();
      const results = await Promise.all(
        Array.from({ length: 16 }, (_, index) => {
          const [ours, other] = index % 2 === 0 ? (['machine', 'disk'] as const) : (['disk', 'machine'] as const);
          const where = { zone: 'z', size: index % 4 < 2 ? 1 : 2 };
          return s.commit(
            { op: 'vacant', table: other, where },
            { op: 'vacant', table: ours, where },
            insert(ours, { id: `${index}`, ...where }),
          );
        }),
      );
      expect(results.filter(({ ok }) => ok)).to.have.length(2);
      for (const size of [1, 2]) {
        const where = { field: 'size', op: '=', value: size } as const;
        expect((await s.store.count({ table: 'machine', where })) + (await s.store.count({ table: 'disk', where }))).to.equal(1);
      }
    });
  });
}
