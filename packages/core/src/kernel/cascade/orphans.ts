import { Type } from 'typebox';
import type { KernelServices } from '../kernel.ts';
import type { AnyKind, RefEdge, RowBase } from '../kind.ts';
import type { Plugin } from '../plugin.ts';
import type { Condition, Store } from '../store.ts';

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

interface Orphan {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly field: string;
  readonly refersTo: { readonly kind: string; readonly id: string };
}

/** Lists the rows that nothing explains. */
export function orphansPlugin({ store, kernel }: Pick<KernelServices, 'store' | 'kernel'>): Plugin {
  return {
    id: 'orphans',
    version: '1',
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
          const orphans: Orphan[] = [];
          for (const { kind, edge } of edges) orphans.push(...(await orphansOf(store, kind, edge)));
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

async function orphansOf(store: Store, kind: AnyKind, { field, kind: to }: RefEdge): Promise<readonly Orphan[]> {
  const refers: Condition = { field, op: 'not null' };
  const where: Condition = { and: [refers, { not: { exists: { table: to, local: field, remote: 'id' } } }] };
  const texts = await store.list({ table: kind.name, where, limit: LIMIT });
  return texts.map((text) => {
    const row = JSON.parse(text) as RowBase & Readonly<Record<string, unknown>>;
    const { id, name, state } = row;
    return { kind: kind.name, id, name, state, field, refersTo: { kind: to, id: String(row[field]) } };
  });
}
