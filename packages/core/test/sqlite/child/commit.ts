/** Commits pairs of rows from several writers at once and says `ack <id>` for each that was acknowledged, for ever. */
import { openSqlite } from '@pileus/core/sqlite';
import { FIRST } from './schema.ts';

const [path = '', round = ''] = process.argv.slice(2);
const store = await openSqlite({ path });
await store.prepare(FIRST);
console.log('open');
let next = 0;
const write = async () => {
  for (;;) {
    next += 1;
    const id = `${round}-${next}`;
    const row = (name: string) => ({ op: 'insert', table: 'machine', row: { id: name, name, filler: 'x'.repeat(300) } }) as const;
    const statements = [row(id), row(`${id}-twin`), { op: 'adjust', counter: 'pairs', by: 1 }] as const;
    const result = await store.commit({ node: 'child', epoch: store.epoch, at: '2030-01-01T00:00:00.000Z', statements });
    console.log(result.ok ? `ack ${id}` : `refused ${JSON.stringify(result)}`);
  }
};
await Promise.all(Array.from({ length: 16 }, write));
