import type { JsonObject } from '../json.ts';
import type { Registry } from '../registry.ts';
import type { CommitResult, Statement, Store } from '../store.ts';
import { quotaKey, quotaOf } from './counters.ts';
import { ownerOf, usageOf } from './usage.ts';

const PAGE_ROWS = 1000;

interface RecountPorts {
  readonly registry: Registry;
  readonly store: Store;
  /** Adjusts the counters of accounts with those of their projects. */
  readonly commit: (statements: readonly Statement[]) => Promise<CommitResult>;
}

/**
 * Stores made before there were accounts have counters by project alone, under other names: their rows are counted anew, once. All of it is one
 * transaction, so that a start that is killed in between leaves it for the next.
 */
export async function recountFormer({ registry, store, commit }: RecountPorts): Promise<void> {
  const former = (await store.counters('quota/')).filter(({ key, value }) => value !== 0 && quotaOf(key) === undefined);
  if (former.length === 0) return;
  const counted = await countRows(registry, store);
  await commit([
    ...former.map(({ key, value }): Statement => ({ op: 'adjust', counter: key, by: -value })),
    ...[...counted].map(([key, by]): Statement => ({ op: 'adjust', counter: key, by })),
  ]);
}

async function countRows(registry: Registry, store: Store): Promise<ReadonlyMap<string, number>> {
  const counted = new Map<string, number>();
  for (const kind of registry.kinds())
    if (kind.quota !== undefined)
      for await (const row of liveRows(store, kind.name))
        for (const [counter, amount] of usageOf(kind, row)) {
          const key = quotaKey({ ...ownerOf(kind, row), counter });
          counted.set(key, (counted.get(key) ?? 0) + amount);
        }
  return counted;
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
