import { type TSchema, Type } from 'typebox';
import { prepareSettings } from './early-setting.ts';
import type { JsonObject } from './json.ts';
import { type AnyKind, defineKind, type KindSpec } from './kind.ts';
import { type Registry, tableOf } from './registry.ts';
import type { Statement, Store } from './store.ts';
import { StoreError } from './store-error.ts';

const SETTING_TABLE = 'setting';
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

const specs = new WeakMap<AnyKind, string>();

/** As text, worked out once: kinds outlive the kernels that are made of them. */
function specOf(kind: AnyKind): string {
  const known = specs.get(kind);
  if (known !== undefined) return known;
  const { refs: _, secretFields: __, rowSchema: ___, ...spec } = kind;
  const text = JSON.stringify(spec);
  specs.set(kind, text);
  return text;
}

function kindOf({ spec }: KindRecord): AnyKind {
  const { schema } = spec as unknown as { schema: { properties: Record<string, TSchema>; required?: readonly string[] } };
  const fields = Object.entries(schema.properties).map(([name, field]) => [
    name,
    schema.required?.includes(name) === true ? Type.Unsafe(field) : Type.Optional(Type.Unsafe(field)),
  ]);
  return defineKind({ ...spec, schema: Type.Object(Object.fromEntries(fields)) } as unknown as KindSpec<string, never, string>);
}

/** What was read last, of a few hundred kilobytes: a start asks three times. Nothing keeps it from being collected. */
let lastRead: WeakRef<{ readonly text: string; readonly records: readonly KindRecord[] }> | undefined;

async function recorded(store: Store): Promise<readonly KindRecord[]> {
  const text = await store.read(SETTING_TABLE, SETTING);
  if (text === undefined) return [];
  const last = lastRead?.deref();
  if (last?.text === text) return last.records;
  const records = (JSON.parse(text) as { readonly value: readonly KindRecord[] }).value;
  lastRead = new WeakRef({ text, records });
  return records;
}

/**
 * Called before the store is prepared for the kinds. A release that is older than the rows would misread them, and write them as they were; its migrations
 * would not be made up for later.
 * @throws StoreError naming the kind, the plugin and both versions
 */
export async function refuseNewer(store: Store, registry: Registry): Promise<void> {
  await prepareSettings(store);
  for (const { plugin, spec } of await recorded(store)) {
    const { name, schemaVersion } = spec as unknown as AnyKind;
    const declared = registry.findKind(name);
    if (declared !== undefined && declared.schemaVersion < schemaVersion)
      throw new StoreError(
        `The store has rows of the kind ${name} in version ${schemaVersion} of their schema, from a newer plugin ${plugin}; the one that is here knows version ${declared.schemaVersion}. Start that one again, or a newer one; nothing was changed.`,
      );
  }
}

/**
 * The kinds that no plugin declares, and that have left rows, deleted ones too. Of one that refers to a kind that nobody knows any more, too. Their tables are
 * prepared with the others.
 */
export async function dormantKinds(store: Store, registry: Registry): Promise<readonly Dormant[]> {
  const records = await recorded(store);
  const absent = records.filter(({ spec }) => registry.findKind(String(spec.name)) === undefined);
  if (absent.length === 0) return [];
  const known = absent.map((record) => ({ kind: kindOf(record), plugin: record.plugin }));
  const { tables, migrations } = registry.schema();
  await store.prepare({ tables: [...tables, ...known.map(({ kind }) => tableOf(kind))], migrations });
  const counts = await Promise.all(known.map(({ kind }) => store.count({ table: kind.name, deleted: true, atMost: 1 })));
  return known.filter((_, index) => counts[index] !== 0);
}

/** What is declared now, and what is dormant. No statements where that is recorded already. */
export async function recordKinds(store: Store, registry: Registry): Promise<readonly Statement[]> {
  const declared = registry.plugins.flatMap(({ id: plugin, kinds = [] }) => kinds.map((kind) => ({ plugin, kind })));
  const records = [...declared, ...registry.dormant()].map(
    ({ plugin, kind }) => `{"plugin":${JSON.stringify(plugin)},"spec":${specOf(kind)}}`,
  );
  const text = `[${records.join(',')}]`;
  if (JSON.stringify(await recorded(store)) === text) return [];
  return [
    { op: 'remove', table: SETTING_TABLE, key: SETTING },
    { op: 'insert', table: SETTING_TABLE, row: { name: SETTING, value: JSON.parse(text) as readonly KindRecord[] } },
  ];
}
