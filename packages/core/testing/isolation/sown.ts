import { type AnyKind, create, type Kernel } from '../../src/kernel/index.ts';

interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly minimum?: number;
  readonly multipleOf?: number;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly minProperties?: number;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly 'x-ref'?: { readonly kind: string };
}

/** What a tenant has: rows of every kind there is, as valid as their schemas ask, all named after him. */
export interface Sown {
  readonly mark: string;
  readonly projectId: string;
  readonly accountId: string;
  /** By kind. */
  readonly ids: ReadonlyMap<string, string>;
}

const TEXTS = ['name', '52:54:00:00:00:01', '10.0.0.0/24', '10.0.0.1', 'https://example.org/x', '0'.repeat(64)];

/** A value that the schema takes; ids of rows by the kinds they are of. Texts bear the mark. */
export function sample(schema: Schema, ids: ReadonlyMap<string, string>, mark: string, fallback: string): unknown {
  if (schema['x-ref'] !== undefined) return ids.get(schema['x-ref'].kind) ?? fallback;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.anyOf !== undefined) return sample(schema.anyOf[0] ?? {}, ids, mark, fallback);
  if (schema.type === 'integer' || schema.type === 'number') return Math.max(schema.minimum ?? 0, schema.multipleOf ?? 1);
  if (schema.type === 'boolean') return true;
  if (schema.type === 'array') return Array.from({ length: schema.minItems ?? 0 }, () => sample(schema.items ?? {}, ids, mark, fallback));
  if (schema.type === 'object') return sampleObject(schema, ids, mark, fallback);
  if (schema.format === 'uuid') return fallback;
  if (schema.format === 'date-time') return '2099-01-01T00:00:00.000Z';
  const { pattern, minLength = 0 } = schema;
  return pattern === undefined ? mark.padEnd(minLength, '-') : (TEXTS.find((text) => new RegExp(pattern).test(text)) ?? mark);
}

function sampleObject(schema: Schema, ids: ReadonlyMap<string, string>, mark: string, fallback: string): object {
  const { properties = {}, required = [], minProperties = 0, patternProperties = {} } = schema;
  const others = Object.keys(properties).filter((field) => !required.includes(field));
  const wanted = [...required, ...others.slice(0, Math.max(0, minProperties - required.length))];
  const found = Object.fromEntries(wanted.map((field) => [field, sample(properties[field] ?? {}, ids, mark, fallback)]));
  const [value] = Object.values(patternProperties);
  return wanted.length < minProperties && value !== undefined ? { ...found, vcpus: sample(value, ids, mark, fallback) } : found;
}

/** Plants rows of all kinds of projects and accounts for one owner, straight into the store. */
export async function sow(
  kernel: Kernel,
  owner: { readonly mark: string; readonly projectId: string; readonly accountId: string },
): Promise<Sown> {
  const kinds = kernel.registry.kinds().filter(({ scope }) => scope !== 'cloud');
  const ids = new Map(kinds.map((kind) => [kind.name as string, kernel.services.ids.mint(kind.name) as string]));
  const statements = kinds.map((kind) => create(kind, rowOf(kind, ids, owner) as never));
  const result = await kernel.observe(statements);
  if (!result.ok) throw new Error(`not sown: ${JSON.stringify(result)} ${JSON.stringify(statements[result.statement])}`);
  return { ...owner, ids };
}

function rowOf(kind: AnyKind, ids: ReadonlyMap<string, string>, { mark, projectId, accountId }: Omit<Sown, 'ids'>) {
  const id = ids.get(kind.name) ?? '';
  const schema = kind.schema as unknown as Schema;
  const refs = Object.fromEntries(
    kind.refs.flatMap(({ field, kind: to }) => (ids.has(to) && field !== 'accountId' ? [[field, ids.get(to)]] : [])),
  );
  return {
    ...(sampleObject(schema, ids, mark, id) as object),
    ...refs,
    ...('externalId' in kind.schema.properties ? { externalId: `${mark}-${kind.name}` } : {}),
    ...(kind.name === 'operation' ? { state: 'succeeded' } : {}),
    id,
    name: `${mark}-${kind.name.toLowerCase()}`,
    ...(kind.scope === 'project' ? { projectId } : { accountId }),
  };
}
