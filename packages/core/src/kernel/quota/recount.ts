import type { JsonObject } from '../json.ts';
import type { AnyKind } from '../kind.ts';
import type { Registry } from '../registry.ts';
import type { Statement, Store } from '../store.ts';
import { quotaKey } from './counters.ts';
import type { QuotaLedger } from './ledger.ts';
import { ownerOf, usageOf } from './usage.ts';

const PAGE_ROWS = 1000;
const SETTING = 'quota.declared';

/** What each kind counted for when the store was last counted. */
type Declared = Readonly<Record<string, AnyKind['quota']>>;

export interface RecountPorts {
  readonly registry: Registry;
  readonly store: Store;
  readonly ledger: QuotaLedger;
  /** Writes the counters as they are said to be. */
  readonly restate: (statements: readonly Statement[]) => Promise<unknown>;
}

/**
 * Rows that were made when their kind did not count yet, or counted otherwise, are counted now: by what is counted more than before, so that what unfinished
 * operations have taken stays taken. Stores of the time before accounts had counters of projects alone, under other names. All of it is one transaction, so
 * that a start that is killed in between leaves it for the next.
 */
export async function countAnew({ registry, store, ledger, restate }: RecountPorts): Promise<void> {
  const text = await store.read('setting', SETTING);
  const before = text === undefined ? {} : (JSON.parse(text) as { readonly value: Declared }).value;
  // Rows of a plugin that is not there now stay, and stay counted.
  const absent = Object.entries(before).filter(([name]) => registry.findKind(name) === undefined);
  const present = registry.kinds().flatMap(({ name, quota }) => (quota === undefined ? [] : [[name, quota] as const]));
  const now: Declared = Object.fromEntries([...absent, ...present]);
  if (same(before, now)) return;
  const former = text === undefined ? await store.counters('quota/') : [];
  const more = await counted({ registry, store, ledger }, before, now);
  const statements = await Promise.all([...more].map(([key, by]) => adjusted(store, key, by)));
  await restate([
    declaring(text === undefined ? undefined : before, now),
    ...former.map(({ key, value }): Statement => ({ op: 'adjust', counter: key, by: -value })),
    ...statements.flat(),
  ]);
}

/** Goes first: it fails when an earlier try, whose outcome was unknown, has landed. */
const declaring = (before: Declared | undefined, now: Declared): Statement =>
  before === undefined
    ? { op: 'insert', table: 'setting', row: { name: SETTING, value: now as JsonObject } }
    : { op: 'update', table: 'setting', key: SETTING, set: { value: now as JsonObject }, expect: { value: before as JsonObject } };

const same = (a: Declared, b: Declared): boolean => {
  const text = (declared: Declared) => JSON.stringify(Object.entries(declared).sort(([one], [other]) => (one < other ? -1 : 1)));
  return text(a) === text(b);
};

/** A limit that is passed by this is no reason not to count. */
async function adjusted(store: Store, counter: string, by: number): Promise<readonly Statement[]> {
  const limit = (await store.counter(counter))?.limit ?? null;
  return [
    { op: 'limit', counter, limit: null },
    { op: 'adjust', counter, by },
    { op: 'limit', counter, limit },
  ];
}

async function counted(
  { registry, store, ledger }: Omit<RecountPorts, 'restate'>,
  before: Declared,
  now: Declared,
): Promise<ReadonlyMap<string, number>> {
  const more = new Map<string, number>();
  const add = (key: string, by: number) => more.set(key, (more.get(key) ?? 0) + by);
  for (const kind of registry.kinds()) {
    const declared = [before[kind.name], now[kind.name]];
    if (JSON.stringify(declared[0]) === JSON.stringify(declared[1])) continue;
    for await (const row of liveRows(store, kind.name))
      for (const owner of await ledger.ownersOf(ownerOf(kind, row)))
        for (const [index, quota = {}] of declared.entries())
          for (const [counter, amount] of usageOf({ ...kind, quota }, row))
            add(quotaKey({ ...owner, counter }), index === 0 ? -amount : amount);
  }
  return new Map([...more].filter(([, by]) => by !== 0));
}

async function* liveRows(store: Store, table: string): AsyncGenerator<JsonObject> {
  let after: string | undefined;
  for (;;) {
    const texts = await store.list({ table, limit: PAGE_ROWS, ...(after === undefined ? {} : { after: [after] }) });
    const rows = texts.map((text) => JSON.parse(text) as JsonObject);
    yield* rows;
    if (rows.length < PAGE_ROWS) return;
    after = String(rows.at(-1)?.id);
  }
}
