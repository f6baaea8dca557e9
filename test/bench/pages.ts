import { join } from 'node:path';
import type { Statement, Store } from '@pileus/core/kernel';
import { openSqlite } from '@pileus/core/sqlite';
import { Lists } from '../../packages/core/src/kernel/api/list.ts';
import { cloudRegistry } from '../../packages/core/testing/query/registry.ts';
import { type Bench, median, percentile, type Row } from './harness.ts';
import { scratch } from './scratch.ts';

const BATCH_ROWS = 1000;
const PAGE_ROWS = 1000;
/** Pages at the beginning, and as many at the end, that are compared. */
const END_PAGES = 20;
const PROJECT = '01990000-0000-7000-8000-000000000001';
const POOL = '01990000-0000-7000-8000-000000000002';

/** The order of pages: that of ids, and that of names. */
const SORTS = { id: '', name: '&sort=name' } as const;
type SortName = keyof typeof SORTS;

const volumeId = (index: number) => `01990007-0000-7000-8000-${index.toString(16).padStart(12, '0')}`;

async function fill(store: Store, count: number): Promise<void> {
  for (let first = 0; first < count; first += BATCH_ROWS) {
    const statements = Array.from({ length: Math.min(BATCH_ROWS, count - first) }, (_, step): Statement => {
      const index = first + step;
      const facts = { sizeBytes: 2 ** 30 * (1 + (index % 40)), poolId: POOL, status: 'present', state: 'available' };
      const row = { id: volumeId(index), name: `volume-${index}`, projectId: PROJECT, schemaVersion: 1, ...facts };
      return { op: 'insert', table: 'volume', row };
    });
    const result = await store.commit({ node: 'bench', epoch: store.epoch, at: '2030-01-01T00:00:00.000Z', statements });
    if (!result.ok) throw new Error(JSON.stringify(result));
  }
}

interface Walk {
  readonly cpuMs: readonly number[];
  readonly tookMs: readonly number[];
}

/** Every page, from the first to the last, each asked for with what the one before it said. */
async function walk(lists: Lists, name: SortName, count: number): Promise<Walk> {
  const kind = cloudRegistry().kind('volume');
  const principal = { actor: 'bench', projectId: PROJECT, accountId: PROJECT, allows: () => true } as never;
  const cpuMs: number[] = [];
  const tookMs: number[] = [];
  const seen = new Set<string>();
  let after = '';
  do {
    const parameters = new URLSearchParams(`limit=${PAGE_ROWS}${SORTS[name]}${after}`);
    const before = process.cpuUsage();
    const startedMs = performance.now();
    const answer = await lists.page(kind, principal, parameters);
    tookMs.push(performance.now() - startedMs);
    const { user, system } = process.cpuUsage(before);
    cpuMs.push((user + system) / 1000);
    const { items, next } = JSON.parse(Buffer.from(answer).toString()) as { items: { id: string }[]; next?: string };
    for (const { id } of items) seen.add(id);
    after = next === undefined ? '' : `&after=${encodeURIComponent(next)}`;
  } while (after !== '');
  if (seen.size !== count) throw new Error(`${seen.size} of ${count} volumes were listed`);
  return { cpuMs, tookMs };
}

async function measure(count: number, suffix: string, wants: (id: string) => boolean): Promise<readonly Row[]> {
  await using folder = await scratch();
  const store = await openSqlite({ path: join(folder.path, 'store.db') });
  try {
    await store.prepare(cloudRegistry().schema());
    await fill(store, count);
    const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
    const lists = new Lists({ registry: cloudRegistry(), store, clock, place: () => '0.0' });
    const rows: Row[] = [];
    for (const name of Object.keys(SORTS) as SortName[]) {
      const id = `pages.${suffix}.${name}`;
      if (!wants(id)) continue;
      // Once to warm up: its first pages would be dear for other reasons.
      await walk(lists, name, count);
      const { cpuMs, tookMs } = await walk(lists, name, count);
      const last = median(cpuMs.slice(-END_PAGES));
      const floor = median(cpuMs.slice(0, END_PAGES));
      const figures = { value: 1000 / median(tookMs), unit: '1/s', cpuMs: last, p50: median(tookMs), p99: percentile(tookMs, 0.99) };
      rows.push({ id, ...figures, floor, ratio: last / floor });
    }
    return rows;
  } finally {
    await store.close();
  }
}

const idsOf = (suffix: string) => Object.keys(SORTS).map((name) => `pages.${suffix}.${name}`);

/** All pages of a project's volumes, in process: what one of the last costs beside one of the first. */
export const pagesBench: Bench = { ids: idsOf('100k'), run: (wants) => measure(100_000, '100k', wants) };

/** The same with a million. */
export const millionPagesBench: Bench = { ids: idsOf('1m'), onRequest: 'pages.1m', run: (wants) => measure(1_000_000, '1m', wants) };
