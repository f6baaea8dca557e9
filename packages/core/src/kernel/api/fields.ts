import { CloudError } from '../errors.ts';
import { type AnyKind, ownerField } from '../kind.ts';

export type FieldType = 'string' | 'integer' | 'number' | 'boolean';
export type Scalar = string | number | boolean;

const SYSTEM: readonly (readonly [string, FieldType])[] = [
  ['id', 'string'],
  ['name', 'string'],
  ['state', 'string'],
  ['generation', 'integer'],
  ['revision', 'integer'],
  ['createdAt', 'string'],
  ['updatedAt', 'string'],
  ['deletedAt', 'string'],
];

/** The fields of a kind that lists filter by, with their types. */
export function filterFields(kind: AnyKind): ReadonlyMap<string, FieldType> {
  const fields = new Map(SYSTEM);
  for (const field of ownerField(kind)) fields.set(field, 'string');
  for (const field of [...(kind.indexed ?? []), ...kind.refs.map((edge) => edge.field)]) {
    const type = scalarType(kind.schema.properties[field]);
    if (type !== undefined) fields.set(field, type);
  }
  return fields;
}

/** The fields that lists sort by: those with an index, for a sort of everything else would read all rows. */
export const sortFields = (kind: AnyKind): readonly string[] => [
  'createdAt',
  'name',
  ...[...filterFields(kind).keys()].filter(
    (field) => (!SYSTEM.some(([name]) => name === field) && !ownerField(kind).some((name) => name === field)) || field === 'state',
  ),
];

/** What a schema holds when that is one scalar type, also behind an optional, a union of literals or an enumeration. */
export function scalarType(schema: unknown): FieldType | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined;
  const { type, anyOf, const: literal } = schema as { type?: unknown; anyOf?: readonly unknown[]; const?: unknown };
  if (type === 'string' || type === 'integer' || type === 'number' || type === 'boolean') return type;
  if (typeof literal === 'string' || typeof literal === 'boolean') return typeof literal as FieldType;
  const types = new Set(anyOf?.map(scalarType));
  return types.size === 1 ? [...types][0] : undefined;
}

/** The value of a text as the field holds it. @throws CloudError `invalid_input` naming the parameter. */
export function parseScalar(text: string, type: FieldType, parameter: string): Scalar {
  if (type === 'string') return text;
  if (type === 'boolean') {
    if (text === 'true') return true;
    if (text === 'false') return false;
    throw badParameter(parameter, 'is true or false');
  }
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || (type === 'integer' && !Number.isSafeInteger(value)))
    throw badParameter(parameter, type === 'integer' ? 'is a whole number' : 'is a number');
  return value;
}

/** @param says continues "The parameter x …" */
export const badParameter = (parameter: string, says: string): CloudError =>
  new CloudError('invalid_input', `The parameter ${parameter} ${says}.`, { params: { parameter } });
