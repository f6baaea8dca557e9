/** CPU and rate of the embedded store: the transactions of one machine's create (8 transactions, 23 statements), in groups of several sizes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Statement, Store, TableSpec } from '@pileus/core/kernel';
import { openSqlite } from '@pileus/core/sqlite';

const CREATES = Number(process.argv[2] ?? 4_000);
const GROUPS = [1, 8, 32, 128];
const AT = '2026-01-01T00:00:00.000Z';

const resource = (name: string, refs: readonly string[]): TableSpec => ({
  name,
  type: 'resource',
  key: ['id'],
  columns: Object.fromEntries(['projectId', 'name', 'state', ...refs].map((field) => [field, 'text'])),
  unique: [['projectId', 'name']],
  indexes: ['projectId', ...refs].map((field) => [field]),
});
const plain = (name: string, key: readonly string[], indexes: readonly (readonly string[])[] = []): TableSpec => ({
  name,
  type: 'plain',
  key,
  columns: {},
  unique: [],
  indexes,
});

const TABLES = [
  resource('instance', ['hostId']),
  resource('volume', ['poolId', 'instanceId']),
  resource('nic', ['subnetId', 'instanceId']),
  plain('operation', ['id'], [['state']]),
  plain('journal', ['operationId', 'sequence']),
  plain('idempotency', ['projectId', 'key']),
  plain('audit', ['id']),
];

const rowId = (index: number, kind: string) => `0190${index.toString(16).padStart(4, '0')}-${kind}-7000-8000-0123456789ab`;

/** The transactions of one create: accepted with its rows and reservations, then one durable write a step. */
function createMachine(index: number): Statement[][] {
  const id = (kind: string) => rowId(index, kind);
  const projectId = 'p-1';
  const base = { projectId, state: 'creating', schemaVersion: 1, description: 'A machine of the bench, with a sentence to fill it.' };
  const [instance, volume, nic, operation] = [id('aaaa'), id('bbbb'), id('cccc'), id('dddd')];
  const journal = (sequence: number): Statement => ({
    op: 'insert',
    table: 'journal',
    row: { operationId: operation, sequence, step: `step-${sequence}`, status: 'done', output: { path: `/pool/${volume}` } },
  });
  const move = (table: string, key: string, generation: number, state: string): Statement => ({
    op: 'update',
    table,
    key,
    set: { state },
    expect: { generation },
  });
  const end = { state: 'succeeded', endedAt: AT };
  return [
    [
      {
        op: 'insert',
        table: 'operation',
        row: { id: operation, action: 'instance.create', state: 'running', at: AT, projectId, target: instance },
      },
      { op: 'insert', table: 'idempotency', row: { projectId, key: `key-${index}`, digest: 'f'.repeat(64), operationId: operation } },
      { op: 'insert', table: 'audit', row: { id: operation, who: 'root', what: 'instance.create', at: AT } },
      {
        op: 'insert',
        table: 'instance',
        row: { id: instance, name: `vm-${index}`, hostId: 'host-1', vcpus: 2, memoryBytes: 2 ** 31, ...base },
      },
      {
        op: 'insert',
        table: 'volume',
        row: { id: volume, name: `vol-${index}`, poolId: 'pool-1', instanceId: instance, sizeBytes: 2 ** 33, ...base },
      },
      {
        op: 'insert',
        table: 'nic',
        row: { id: nic, name: `nic-${index}`, subnetId: 'net-1', instanceId: instance, mac: '52:54:00:00:00:01', ...base },
      },
      { op: 'adjust', counter: 'quota/p-1/instances', by: 1 },
      { op: 'adjust', counter: 'capacity/host-1/vcpus', by: 2 },
      journal(0),
    ],
    [journal(1), move('volume', volume, 1, 'available')],
    [journal(2), move('nic', nic, 1, 'available')],
    [journal(3), move('volume', volume, 2, 'attached')],
    [journal(4)],
    [journal(5)],
    [journal(6), move('nic', nic, 2, 'attached')],
    [journal(7), move('instance', instance, 1, 'running'), { op: 'update', table: 'operation', key: operation, set: end }],
    // 9 + 2 + 2 + 2 + 1 + 1 + 2 + 3 = 22, and one guard that every create has: its project.
  ].map((statements, step) =>
    step === 0 ? [{ op: 'expect', table: 'operation', key: 'project', expect: {} } as Statement, ...statements] : statements,
  ) as Statement[][];
}

async function run(store: Store, first: number, count: number, inFlight: number): Promise<number> {
  let next = first;
  let statements = 0;
  const worker = async () => {
    while (next < first + count) {
      const index = next;
      next += 1;
      for (const transaction of createMachine(index)) {
        const result = await store.commit({ node: 'bench', epoch: store.epoch, at: AT, statements: transaction });
        if (!result.ok) throw new Error(JSON.stringify(result));
        statements += transaction.length;
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return statements;
}

const folder = await mkdtemp(join(tmpdir(), 'store-bench-'));
const store = await openSqlite({ path: join(folder, 'store.db') });
await store.prepare({ tables: TABLES, migrations: [] });
await store.commit({
  node: 'bench',
  epoch: store.epoch,
  at: AT,
  statements: [{ op: 'insert', table: 'operation', row: { id: 'project' } }],
});
await run(store, 0, 300, 32);
let first = 300;
for (const inFlight of GROUPS) {
  const count = inFlight === 1 ? Math.ceil(CREATES / 8) : CREATES;
  const cpu = process.cpuUsage();
  const started = performance.now();
  const statements = await run(store, first, count, inFlight);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - started) / 1_000;
  first += count;
  const cpuUs = user + system;
  console.log(
    `in flight ${String(inFlight).padStart(3)}: ${(cpuUs / count / 1_000).toFixed(3)} ms CPU a create (user ${(user / count / 1_000).toFixed(3)}), ` +
      `${(cpuUs / count / 8).toFixed(1)} us a transaction, ${(cpuUs / statements).toFixed(1)} us a statement, ${Math.round(count / seconds)} creates/s`,
  );
}
await measure('read of a row', 50_000, (index) => store.read('instance', rowId(300 + (index % 1_000), 'aaaa')));
const page = { table: 'instance', where: { field: 'projectId', op: '=', value: 'p-1' }, order: [{ field: 'id' }], limit: 100 } as const;
await measure('list of 100 rows', 500, () => store.list(page));
await store.close();
await rm(folder, { recursive: true });

async function measure(what: string, count: number, once: (index: number) => Promise<unknown>): Promise<void> {
  await once(0);
  const cpu = process.cpuUsage();
  for (let index = 0; index < count; index += 1) await once(index);
  const { user, system } = process.cpuUsage(cpu);
  console.log(`${what}: ${((user + system) / count).toFixed(1)} us CPU`);
}
