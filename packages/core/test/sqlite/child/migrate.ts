/** Brings a store to the second schema, slowly enough to be killed in the midst of it; says `row` for each row that a migration sees. */
import { openSqlite } from '@pileus/core/sqlite';
import { SECOND } from './schema.ts';

const [path = ''] = process.argv.slice(2);
const store = await openSqlite({ path });
await store.prepare({
  ...SECOND,
  migrations: SECOND.migrations.map((migration) => ({
    ...migration,
    up: (row) => {
      process.stdout.write('row\n');
      return migration.up(row);
    },
  })),
});
console.log('prepared');
await store.close();
