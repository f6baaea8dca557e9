import { hash } from 'node:crypto';
import type { TObject, TSchema } from 'typebox';
import type { Action } from '../action.ts';
import type { Json, JsonObject } from '../json.ts';
import type { AnyKind } from '../kind.ts';
import type { Told } from './record.ts';

/** A field that takes more characters than this as JSON is told by their number and digest. */
const LONG = 1024;

const SECRET = '(secret)';

/** What the input of an action asks for. Fields that the row has already are told with what they were. */
export function toldOf(action: Action, input: unknown, row: JsonObject | undefined): Told {
  const fields = shown(action.input, input);
  if (row === undefined || action.target === 'collection') return withRequest(fields);
  const own = action.kind.rowSchema.properties as object;
  const changed = Object.keys(fields).filter((field) => field in own);
  if (changed.length === 0) return withRequest(fields);
  const changes = Object.fromEntries(changed.map((field) => [field, change(action.kind, field, row, fields)]));
  return { ...withRequest(Object.fromEntries(Object.entries(fields).filter(([field]) => !changed.includes(field)))), changes };
}

/** What a call that is no action asks for. */
export const toldOfCall = (body: { readonly schema: TSchema | undefined; readonly value: unknown }, more: JsonObject): Told =>
  withRequest({ ...shown(body.schema, body.value), ...shown(undefined, more) });

const withRequest = (fields: JsonObject): Told => (Object.keys(fields).length === 0 ? {} : { request: fields });

/** Absent stands for what was not there, or is no longer. */
function change(kind: AnyKind, field: string, row: JsonObject, fields: JsonObject): { readonly from?: Json; readonly to?: Json } {
  const before = row[field];
  const from = before !== undefined && kind.secretFields.includes(field) ? SECRET : before;
  const to = fields[field];
  return { ...(from === undefined ? {} : { from: brief(from) }), ...(to === undefined || to === null ? {} : { to }) };
}

function shown(schema: TSchema | undefined, input: unknown): JsonObject {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return {};
  const open = schema === undefined || !holdsSecret(schema) ? input : withoutSecrets([schema], input);
  return Object.fromEntries(
    Object.entries(open as JsonObject).flatMap(([field, value]) => (value === undefined ? [] : [[field, brief(value)]])),
  );
}

function brief(value: Json): Json {
  if (typeof value !== 'object' && (typeof value !== 'string' || value.length <= LONG)) return value;
  const text = JSON.stringify(value);
  return text.length <= LONG ? value : { characters: text.length, sha256: hash('sha256', text) };
}

type Parts = TSchema & {
  readonly 'x-secret'?: boolean;
  readonly writeOnly?: boolean;
  readonly properties?: TObject['properties'];
  readonly patternProperties?: Readonly<Record<string, TSchema>>;
  readonly additionalProperties?: TSchema | boolean;
  readonly items?: TSchema;
  readonly anyOf?: readonly TSchema[];
  readonly oneOf?: readonly TSchema[];
  readonly allOf?: readonly TSchema[];
};

const alternatives = (schema: TSchema): readonly TSchema[] => {
  const { anyOf = [], oneOf = [], allOf = [] } = schema as Parts;
  return [schema, ...[...anyOf, ...oneOf, ...allOf].flatMap(alternatives)];
};

const isSecret = (schema: TSchema): boolean => (schema as Parts)['x-secret'] === true || (schema as Parts).writeOnly === true;

const known = new WeakMap<TSchema, boolean>();

/** Looked up once for each schema: most inputs have nothing to hide. */
function holdsSecret(schema: TSchema): boolean {
  let holds = known.get(schema);
  if (holds === undefined) {
    holds = alternatives(schema).some((each) => isSecret(each) || partsOf(each).some(holdsSecret));
    known.set(schema, holds);
  }
  return holds;
}

/** The schemas of what may be inside; of one field, or of items, or of all. */
function partsOf(schema: TSchema, field?: string): readonly TSchema[] {
  const { properties = {}, items, patternProperties = {}, additionalProperties } = schema as Parts;
  const named = field === undefined ? Object.values(properties) : [properties[field] ?? []].flat();
  const others = typeof additionalProperties === 'object' ? [additionalProperties] : [];
  return [...named, ...(items === undefined ? [] : [items]), ...Object.values(patternProperties), ...others];
}

/** What may be a secret by any of the schemas is taken for one. */
function withoutSecrets(schemas: readonly TSchema[], value: unknown): unknown {
  if (value === null || value === undefined || !schemas.some(holdsSecret)) return value;
  const all = schemas.flatMap(alternatives);
  if (all.some(isSecret)) return SECRET;
  const inside = (field?: string) => all.flatMap((schema) => partsOf(schema, field));
  if (Array.isArray(value)) return value.map((item: unknown) => withoutSecrets(inside(), item));
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([field, part]) => [field, withoutSecrets(inside(field), part)]));
}
