import type { Migration, StoreSchema } from '@pileus/core/kernel';

/** Two versions of a schema that differ in every way a schema may. */
export const FIRST: StoreSchema = {
  tables: [
    {
      name: 'machine',
      type: 'resource',
      key: ['id'],
      columns: { name: 'text', size: 'text', old: 'text', zone: 'text' },
      unique: [['name'], ['old']],
      indexes: [['size'], ['zone'], ['old', 'zone']],
    },
    { name: 'entry', type: 'plain', key: ['owner', 'number'], columns: { number: 'integer' }, unique: [], indexes: [] },
    { name: 'gone', type: 'plain', key: ['id'], columns: {}, unique: [], indexes: [] },
  ],
  migrations: [],
};

const rename: Migration = {
  plugin: 'one',
  number: 1,
  table: 'machine',
  up: ({ old, ...row }) => ({ ...row, serial: row.serial ?? old ?? null }),
};
const label: Migration = { plugin: 'one', number: 2, table: 'machine', up: (row) => ({ ...row, label: `${row.name}/${row.serial}` }) };
const count: Migration = { plugin: 'two', number: 1, table: 'entry', up: (row) => ({ ...row, weight: Number(row.number) * 2 }) };

export const SECOND: StoreSchema = {
  tables: [
    {
      name: 'machine',
      type: 'resource',
      key: ['id'],
      columns: { name: 'text', size: 'integer', zone: 'text', serial: 'text', label: 'text' },
      unique: [['label'], ['name', 'zone']],
      indexes: [['size'], ['zone', 'size'], ['serial']],
    },
    {
      name: 'entry',
      type: 'plain',
      key: ['owner', 'number'],
      columns: { number: 'integer', weight: 'integer' },
      unique: [],
      indexes: [['weight']],
    },
    { name: 'fresh', type: 'plain', key: ['id'], columns: {}, unique: [], indexes: [['kind']] },
  ],
  migrations: [rename, label, count],
};
