import { join } from 'node:path';
import type { JsonObject, Statement, Store } from '@pileus/core/kernel';
import { openSqlite } from '@pileus/core/sqlite';
import { Lists } from '../../packages/core/src/kernel/api/list.ts';
import { cloudRegistry } from '../../packages/core/testing/query/registry.ts';
import { type Bench, median, percentile, type Row } from './harness.ts';
import { scratch } from './scratch.ts';

const FEW = 1000;
/** Machines of a subnet: what the join finds is the same however many others there are. */
const SUBNET_ROWS = 100;
const HOST_ROWS = 50;
const TEAMS = 10;
const BATCH_ROWS = 1000;
const ROUNDS = 9;
const COUNT = 200;

const PROJECT = '01990000-0000-7000-8000-000000000001';
const id = (kind: number, index: number) =>
  `0199${kind.toString(16).padStart(4, '0')}-0000-7000-8000-${index.toString(16).padStart(12, '0')}`;
const cidr = (subnet: number) => `10.${subnet >> 8}.${subnet & 255}.0/24`;

/** What is asked, of a project that has all the machines. */
const ASKED = {
  list: 'limit=100',
  join: `limit=100&filter=${encodeURIComponent(`state = 'running' and nics.subnet.cidr = '${cidr(3)}'`)}`,
  has: `limit=100&filter=${encodeURIComponent(`hostId = '${id(5, 1)}' and has(volumes: sizeBytes > 10GiB)`)}`,
  tags: `limit=100&filter=${encodeURIComponent("tags.team = 't3'")}`,
  tagsState: `limit=100&filter=${encodeURIComponent("tags.team = 't3' and state = 'running'")}`,
} as const;
type Name = keyof typeof ASKED;

/** A machine with its NIC and volume, and every so often the subnet of the next ones. */
function machine(index: number): readonly (readonly [table: string, row: JsonObject])[] {
  const subnet = Math.floor(index / SUBNET_ROWS);
  const common = {
    projectId: PROJECT,
    schemaVersion: 1,
    description: 'One of many, with a sentence to fill its row to a size that is usual.',
  };
  const of = (table: string, kind: number, fields: JsonObject) =>
    [table, { id: id(kind, index), name: `${table}-${index}`, ...common, ...fields }] as const;
  const networkId = id(4, 0);
  return [
    ...(index % SUBNET_ROWS === 0
      ? [['subnet', { ...common, id: id(3, subnet), name: `subnet-${subnet}`, state: 'available', networkId, cidr: cidr(subnet) }] as const]
      : []),
    of('instance', 1, {
      ...{ state: index % 10 === 0 ? 'stopped' : 'running', instanceTypeId: id(6, 0), hostId: id(5, Math.floor(index / HOST_ROWS)) },
      ...{
        vcpus: 2,
        memoryBytes: 2 ** 31,
        hostname: `vm-${index}`,
        guestOs: 'linux',
        sshKeys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI bench'],
      },
    }),
    of('nic', 2, {
      state: 'available',
      instanceId: id(1, index),
      networkId,
      subnetId: id(3, subnet),
      mac: mac(index),
      address: address(index),
    }),
    of('volume', 7, {
      state: 'attached',
      instanceId: id(1, index),
      poolId: id(8, 0),
      sizeBytes: 2 ** 30 * (1 + (index % 40)),
      status: 'present',
    }),
    of('tag', 9, { state: 'available', resourceKind: 'instance', resourceId: id(1, index), key: 'team', value: `t${index % TEAMS}` }),
  ];
}

const octets = (index: number) => [index >> 16, (index >> 8) & 255, index & 255];
const address = (index: number) => `10.${octets(index).join('.')}`;
const mac = (index: number) =>
  `52:54:00:${octets(index)
    .map((octet) => octet.toString(16).padStart(2, '0'))
    .join(':')}`;

async function fill(store: Store, rows: number): Promise<void> {
  for (let first = 0; first < rows; first += BATCH_ROWS) {
    const made = Array.from({ length: Math.min(BATCH_ROWS, rows - first) }, (_, step) => machine(first + step)).flat();
    const statements = made.map(([table, row]): Statement => ({ op: 'insert', table, row }));
    const result = await store.commit({ node: 'bench', epoch: store.epoch, at: '2030-01-01T00:00:00.000Z', statements });
    if (!result.ok) throw new Error(JSON.stringify(result));
  }
}

class Side implements AsyncDisposable {
  readonly #store: Store;
  readonly #lists: Lists;
  readonly #folder: AsyncDisposable;

  private constructor(store: Store, folder: AsyncDisposable) {
    this.#store = store;
    this.#folder = folder;
    const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
    this.#lists = new Lists({ registry: cloudRegistry(), store, clock, place: () => '0.0' });
  }

  static async of(rows: number): Promise<Side> {
    const folder = await scratch();
    const store = await openSqlite({ path: join(folder.path, 'store.db') });
    await store.prepare(cloudRegistry().schema());
    await fill(store, rows);
    return new Side(store, folder);
  }

  /** Asks so often; milliseconds of processor time for one, and how long each took. */
  async ask(name: Name): Promise<{ readonly cpuMs: number; readonly tookMs: readonly number[] }> {
    const { registry } = cloud;
    const parameters = new URLSearchParams(ASKED[name]);
    const principal = { actor: 'bench', projectId: PROJECT, accountId: PROJECT, allows: () => true } as never;
    const before = process.cpuUsage();
    const tookMs: number[] = [];
    for (let turn = 0; turn < COUNT; turn += 1) {
      const startedMs = performance.now();
      const answer = await this.#lists.page(registry.kind('instance'), principal, parameters);
      tookMs.push(performance.now() - startedMs);
      if (turn === 0) checkAnswer(name, answer);
    }
    const { user, system } = process.cpuUsage(before);
    return { cpuMs: (user + system) / 1000 / COUNT, tookMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
    await this.#folder[Symbol.asyncDispose]();
  }
}

const cloud = { registry: cloudRegistry() };
const FOUND: Readonly<Record<Name, number>> = { list: 100, join: 90, has: 40, tags: 100, tagsState: 100 };

function checkAnswer(name: Name, answer: Uint8Array): void {
  const { items } = JSON.parse(Buffer.from(answer).toString()) as { readonly items: readonly unknown[] };
  if (items.length !== FOUND[name]) throw new Error(`${name} found ${items.length}`);
}

async function measure(rows: number, suffix: string, wants: (id: string) => boolean): Promise<readonly Row[]> {
  await using few = await Side.of(FEW);
  await using many = await Side.of(rows);
  const measured: Row[] = [];
  for (const name of Object.keys(ASKED) as Name[]) {
    if (!wants(`query.${suffix}.${name}`)) continue;
    for (const side of [few, many]) await side.ask(name);
    const turns: { readonly few: number; readonly many: number; readonly tookMs: readonly number[] }[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const one = await few.ask(name);
      const other = await many.ask(name);
      turns.push({ few: one.cpuMs, many: other.cpuMs, tookMs: other.tookMs });
    }
    const cpuMs = median(turns.map((turn) => turn.many));
    const floor = median(turns.map((turn) => turn.few));
    const tookMs = turns.flatMap((turn) => turn.tookMs);
    const figures = { value: 1000 / median(tookMs), unit: '1/s', cpuMs, p50: median(tookMs), p99: percentile(tookMs, 0.99) };
    measured.push({ id: `query.${suffix}.${name}`, ...figures, floor, ratio: cpuMs / floor });
  }
  return measured;
}

const idsOf = (suffix: string): readonly string[] => Object.keys(ASKED).map((name) => `query.${suffix}.${name}`);

/** Pages of a project with 100,000 machines beside the same pages of one with 1,000, in process: the plain list, a filter with a join, `has`, a tag that a tenth of them bear, and the same with a state. */
export const queryBench: Bench = { ids: idsOf('100k'), run: (wants) => measure(100_000, '100k', wants) };

/** The same with a million. To fill it takes minutes. */
export const millionBench: Bench = { ids: idsOf('1m'), onRequest: 'query.1m', run: (wants) => measure(1_000_000, '1m', wants) };
