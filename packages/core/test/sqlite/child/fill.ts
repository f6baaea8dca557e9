/** Commits until the disk is full, says so, and when told that there is room again (SIGUSR2), commits once more. */
import { once } from 'node:events';
import { openSqlite, StoreError } from '@pileus/core/sqlite';
import { FIRST } from './schema.ts';

// Without a listener the signal that comes with a write beyond the limit would end the process.
process.on('SIGXFSZ', () => {});
const [path = ''] = process.argv.slice(2);
const store = await openSqlite({ path });
await store.prepare(FIRST);

const write = async (id: string): Promise<boolean> => {
  const insert = (name: string) => ({ op: 'insert', table: 'machine', row: { id: name, name, filler: 'x'.repeat(2_000) } }) as const;
  const transaction = { node: 'child', epoch: store.epoch, at: '2030-01-01T00:00:00.000Z', statements: [insert(id), insert(`${id}-twin`)] };
  try {
    const result = await store.commit(transaction);
    console.log(`${result.ok ? 'ack' : 'refused'} ${id}`);
    return true;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    console.log(`rejected ${id} ${error.outcome} ${error.message}`);
    return false;
  }
};

const room = once(process, 'SIGUSR2');
let next = 0;
for (let full = false; !full; next += 8)
  full = (await Promise.all(Array.from({ length: 8 }, (_, index) => write(`m${next + index}`)))).includes(false);
console.log(`full ${await store.count({ table: 'machine' })} ${(await store.bounds()).newest}`);
const alive = setInterval(() => {}, 1_000);
await room;
clearInterval(alive);
await write('last');
await store.close();
console.log('closed');
