import { type TSchema, Type } from 'typebox';
import type { JsonObject } from './json.ts';
import { type AnyKind, defineKind, type KindSpec } from './kind.ts';
import type { Registry } from './registry.ts';
import type { Statement, Store } from './store.ts';

const SETTING = 'kinds';

/** A kind as it was declared last, so that its rows can still be read, and are not orphaned, when its plugin is not there. */
interface KindRecord extends JsonObject {
  readonly plugin: string;
  readonly spec: JsonObject;
}

/** A kind whose plugin is absent: its rows stay, read-only. */
export interface Dormant {
  readonly kind: AnyKind;
  readonly plugin: string;
}

const specOf = (kind: AnyKind): JsonObject => {
  const { refs: _, secretFields: __, rowSchema: ___, ...spec } = kind;
  return JSON.parse(JSON.stringify(spec)) as JsonObject;
};

function kindOf({ spec }: KindRecord): AnyKind {
  const { schema } = spec as unknown as { schema: { properties: Record<string, TSchema>; required?: readonly string[] } };
  const fields = Object.entries(schema.properties).map(([name, field]) => [
    name,
    schema.required?.includes(name) === true ? Type.Unsafe(field) : Type.Optional(Type.Unsafe(field)),
  ]);
  return defineKind({ ...spec, schema: Type.Object(Object.fromEntries(fields)) } as unknown as KindSpec<string, never, string>);
}

async function recorded(store: Store): Promise<readonly KindRecord[]> {
  const text = await store.read('setting', SETTING);
  return text === undefined ? [] : (JSON.parse(text) as { readonly value: readonly KindRecord[] }).value;
}

/** The kinds that the store knows and no plugin declares. Of one that refers to a kind that nobody knows any more, too. */
export async function dormantKinds(store: Store, registry: Registry): Promise<readonly Dormant[]> {
  const records = await recorded(store);
  const absent = records.filter(({ spec }) => registry.findKind(String(spec.name)) === undefined);
  return absent.map((record) => ({ kind: kindOf(record), plugin: record.plugin }));
}

/** What is declared now, and what is dormant with rows. No statements where that is recorded already. */
export async function recordKinds(store: Store, registry: Registry): Promise<readonly Statement[]> {
  const declared = registry.plugins.flatMap(({ id: plugin, kinds = [] }) => kinds.map((kind) => ({ plugin, spec: specOf(kind) })));
  const kept: KindRecord[] = [];
  for (const { kind, plugin } of registry.dormant())
    if ((await store.count({ table: kind.name, deleted: true })) > 0) kept.push({ plugin, spec: specOf(kind) });
  const value = [...declared, ...kept];
  if (JSON.stringify(await recorded(store)) === JSON.stringify(value)) return [];
  return [
    { op: 'remove', table: 'setting', key: SETTING },
    { op: 'insert', table: 'setting', row: { name: SETTING, value } },
  ];
}
