import { Type } from 'typebox';
import type { KernelServices } from '../kernel.ts';
import type { AnyKind, OnDelete, RefEdge, RowBase } from '../kind.ts';
import type { Plugin } from '../plugin.ts';
import type { Condition, Store } from '../store.ts';
import { type Becomes, becomesOf, orphanSettings, startOrphanPolicy } from './orphan-policy.ts';
import { ownership } from './survey.ts';

const LIMIT = 100;

const ANSWER = Type.Object({
  orphans: Type.Array(
    Type.Object({
      kind: Type.String(),
      id: Type.String({ format: 'uuid' }),
      name: Type.String(),
      state: Type.String(),
      field: Type.String({ description: 'The field that points to nothing that lives.' }),
      refersTo: Type.Object({ kind: Type.String(), id: Type.String({ format: 'uuid' }) }),
      becomes: Type.Union([Type.Literal('detached'), Type.Literal('deleted'), Type.Literal('removed'), Type.Literal('kept')], {
        description:
          'What the setting `orphans.rows` makes of it on `settle`, or, where it is `removed`, on `remove` alone. What is `kept` stays until its plugin is there.',
      }),
    }),
    { description: `Rows that refer to one that is deleted or was never there: of each field the first ${LIMIT}. There should be none.` },
  ),
  absentPlugins: Type.Array(
    Type.Object({
      plugin: Type.String(),
      kind: Type.String(),
      total: Type.Integer({ minimum: 1, description: 'Live rows.' }),
    }),
    { description: 'Kinds whose plugin is not there: their rows can be read, and nothing can be done to them.' },
  ),
});

/** A row that refers to nothing that lives. */
export interface Orphan {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly field: string;
  readonly refersTo: { readonly kind: string; readonly id: string };
}

export interface FoundOrphan {
  readonly orphan: Orphan;
  /** What the deletion of what it refers to would have made of it. */
  readonly how: OnDelete;
}

/** Lists the rows that nothing explains, and settles them where an operator has set that. */
export function orphansPlugin(services: KernelServices): Plugin {
  const { store, kernel } = services;
  return {
    id: 'orphans',
    version: '1',
    settings: orphanSettings,
    start: async () => startOrphanPolicy(services, (kind, edge) => orphansOf(store, kind, edge)),
    endpoints: [
      {
        type: 'value',
        method: 'GET',
        path: '/orphans',
        summary: 'Rows that refer to nothing that lives, and what absent plugins have left. Looks through all rows.',
        permission: 'orphan.read',
        answer: ANSWER,
        handle: async () => {
          const { registry } = kernel();
          const edges = registry.kinds().flatMap((kind) => kind.refs.map((edge) => ({ kind, edge })));
          const orphans: (Orphan & { readonly becomes: Becomes })[] = [];
          for (const { kind, edge } of edges)
            for (const { orphan, how } of await pageOf(store, kind, edge))
              orphans.push({ ...orphan, becomes: becomesOf(registry, kind, how) });
          const absentPlugins: { plugin: string; kind: string; total: number }[] = [];
          for (const { kind, plugin } of registry.dormant()) {
            const total = await store.count({ table: kind.name });
            if (total > 0) absentPlugins.push({ plugin, kind: kind.name, total });
          }
          return { orphans, absentPlugins };
        },
      },
    ],
  };
}

/** Each once, whatever becomes of those before it. */
async function* orphansOf(store: Store, kind: AnyKind, edge: RefEdge): AsyncGenerator<FoundOrphan> {
  for (let after: readonly string[] | undefined; ; ) {
    const page = await pageOf(store, kind, edge, after);
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < LIMIT) return;
    after = [last.orphan.id];
  }
}

async function pageOf(store: Store, kind: AnyKind, edge: RefEdge, after?: readonly string[]): Promise<readonly FoundOrphan[]> {
  const { field, kind: to } = edge;
  const refers: Condition = { field, op: 'not null' };
  const where: Condition = { and: [refers, { not: { exists: { table: to, local: field, remote: 'id' } } }] };
  const texts = await store.list({ table: kind.name, where, limit: LIMIT, ...(after === undefined ? {} : { after }) });
  return texts.map((text) => {
    const row = JSON.parse(text) as RowBase & Readonly<Record<string, unknown>>;
    const { id, name, state } = row;
    const orphan = { kind: kind.name, id, name, state, field, refersTo: { kind: to, id: String(row[field]) } };
    return { orphan, how: ownership(edge, row) };
  });
}
