import { expect } from 'chai';
import type { Migration, StoreSchema, TableSpec } from '../../src/kernel/store.ts';
import { DISKS, entry, insert, MACHINES, machine, SCHEMA, type StoreStage, update } from './store-stage.ts';

const ROWS = 1_203;
const WITH_ZONE: TableSpec = {
  ...MACHINES,
  columns: { ...MACHINES.columns, zone: 'text', weight: 'integer' },
  indexes: [['zone'], ['weight']],
};

export function describeStoreSchemas(stage: () => StoreStage): void {
  describeTables(stage);
  describeMigrations(stage);
}

function describeTables(stage: () => StoreStage): void {
  describe('prepare', () => {
    it('changes nothing when everything is as it should be', async () => {
      const s = stage();
      await s.begin();
      await s.done(machine('a'), entry('o', 1));
      const before = await s.store.read('machine', 'a');
      await s.reopen(SCHEMA);
      expect(await s.store.read('machine', 'a')).to.equal(before);
      expect(await s.store.changes(0, 10)).to.have.length(1);
    });

    it('adds columns, indexes and unique keys to tables that hold rows', async () => {
      const s = stage();
      await s.begin();
      await s.done(machine('a', { zone: 'z', weight: 3 }), machine('b', { zone: 'y', weight: 2 ** 52 }), machine('c'));
      const texts = await s.store.list({ table: 'machine' });
      await s.reopen({ ...SCHEMA, tables: [{ ...WITH_ZONE, unique: [...WITH_ZONE.unique, ['zone']] }, DISKS] });
      expect(await s.store.list({ table: 'machine' })).to.deep.equal(texts);
      expect(await s.store.count({ table: 'machine', where: { field: 'zone', op: '=', value: 'z' } })).to.equal(1);
      expect(await s.store.count({ table: 'machine', where: { field: 'weight', op: '>', value: 3 } })).to.equal(1);
      expect(await s.commit(machine('d', { zone: 'z' }))).to.deep.include({ reason: 'exists', fields: ['zone'] });
      await s.done(update('machine', 'c', { zone: 'x' }));
      expect(await s.store.count({ table: 'machine', where: { field: 'zone', op: 'in', value: ['x', 'y'] } })).to.equal(2);
    });

    it('drops what is declared no longer, and the fields stay in the rows', async () => {
      const s = stage();
      await s.begin();
      await s.done(machine('a', { size: 7, serial: 's' }));
      await s.reopen({ ...SCHEMA, tables: [{ ...MACHINES, columns: { name: 'text' }, unique: [], indexes: [] }] });
      await s.done(machine('b', { size: 7, serial: 's' }));
      expect(await s.store.count({ table: 'machine', where: { field: 'size', op: '=', value: 7 } })).to.equal(2);
    });

    it('takes further tables in a second call', async () => {
      const s = stage();
      await s.begin();
      await s.done(machine('a'), insert('disk', { id: 'd', machineId: 'a' }));
      await s.reopen({ ...SCHEMA, tables: [MACHINES] });
      await s.store.read('machine', 'a');
      await s.store.prepare(SCHEMA);
      expect(await s.store.read('disk', 'd')).to.include('"machineId":"a"');
      await s.done(machine('b'), update('disk', 'd', { machineId: 'b' }));
      expect(await s.store.count({ table: 'disk', where: { field: 'machineId', op: '=', value: 'b' } })).to.equal(1);
    });

    it('leaves the rows of tables that are declared no longer untouched', async () => {
      const s = stage();
      await s.begin();
      await s.done(machine('a'), insert('disk', { id: 'd', machineId: 'a' }));
      const before = await s.store.read('disk', 'd');
      await s.reopen({ ...SCHEMA, tables: [MACHINES] });
      await s.rejection(s.store.read('disk', 'd'));
      await s.done(machine('b'));
      await s.reopen(SCHEMA);
      expect(await s.store.read('disk', 'd')).to.equal(before);
    });
  });
}

function describeMigrations(stage: () => StoreStage): void {
  describe('data migrations', () => {
    it('applies data migrations once each, by number, to deleted rows too, and keeps the maintained fields', async () => {
      const s = stage();
      await s.begin();
      await s.done(machine('a', { size: 1 }), machine('b', { size: 2 }), entry('o', 1));
      await s.done(update('machine', 'b', { deletedAt: true }));
      const before = await s.row('machine', 'b');
      const grow = (number: number, by: number): Migration => ({
        plugin: 'sizes',
        number,
        table: 'machine',
        up: (row) => ({ ...row, size: Number(row.size) * by + 1, generation: 99 }),
      });
      const label: Migration = { plugin: 'labels', number: 1, table: 'entry', up: (row) => ({ ...row, kind: 'labelled' }) };
      await s.reopen({ ...SCHEMA, migrations: [grow(2, 10), label, grow(1, 2)] });
      expect(await s.row('machine', 'a')).to.include({ size: 31, generation: 1 });
      expect(await s.row('machine', 'b')).to.deep.equal({ ...before, size: 51 });
      expect(await s.store.count({ table: 'machine', where: { field: 'size', op: '=', value: 31 } })).to.equal(1);
      expect(await s.store.count({ table: 'entry', where: { field: 'kind', op: '=', value: 'labelled' } })).to.equal(1);
      await s.reopen({ ...SCHEMA, migrations: [grow(1, 2), grow(2, 10), label, grow(3, 1)] });
      expect(await s.row('machine', 'a')).to.include({ size: 32 });
    });

    it('completes on the next call what was broken off, in a table of many batches', async () => {
      const s = stage();
      await s.begin();
      for (let first = 0; first < ROWS; first += 401) {
        const some = Array.from({ length: Math.min(401, ROWS - first) }, (_, index) => `m${String(first + index).padStart(5, '0')}`);
        await s.done(...some.map((id) => machine(id, { size: 1 })));
      }
      let calls = 0;
      const schema = (breakAt: number): StoreSchema => ({
        tables: [{ ...WITH_ZONE, unique: [['zone']] }, DISKS],
        migrations: [
          {
            plugin: 'zones',
            number: 1,
            table: 'machine',
            up: (row) => {
              calls += 1;
              if (calls === breakAt) throw new Error('broken off');
              return { ...row, zone: `zone of ${row.id}` };
            },
          },
        ],
      });
      for (const breakAt of [550, 550]) {
        calls = 0;
        await s.store.close();
        await s.begin(undefined);
        expect((await s.rejection(s.store.prepare(schema(breakAt)))).message).to.equal('broken off');
      }
      await s.reopen(schema(0));
      expect(await s.store.count({ table: 'machine', where: { field: 'zone', op: 'like', value: 'zone of m%' } })).to.equal(ROWS);
      expect(await s.commit(machine('x', { zone: 'zone of m00007' }))).to.include({ reason: 'exists' });
    });
  });
}
