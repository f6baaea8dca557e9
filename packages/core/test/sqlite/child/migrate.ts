/** Brings a store to the second schema, says `there` when the migration sees the row of the given number, and stays there: it will be killed. */
import { writeSync } from 'node:fs';
import { openSqlite } from '@pileus/core/sqlite';
import { SECOND } from './schema.ts';

const [path = '', lastRow = ''] = process.argv.slice(2);
let rows = 0;
const store = await openSqlite({ path });
await store.prepare({
  ...SECOND,
  migrations: SECOND.migrations.map((migration) => ({
    ...migration,
    up: (row) => {
      rows += 1;
      if (rows === Number(lastRow)) {
        writeSync(1, 'there\n');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      }
      return migration.up(row);
    },
  })),
});
console.log('prepared');
await store.close();
