/** What a column can hold, as the schema says it. */
import { ProtocolError } from './errors.ts';

export type Atom = number | string | boolean;
export type AtomKind = 'integer' | 'real' | 'boolean' | 'string' | 'uuid';

export interface BaseType {
  readonly kind: AtomKind;
  readonly allowed: readonly Atom[] | undefined;
  /** Of a number, or of the length of a string. */
  readonly min: number;
  readonly max: number;
  /** The table whose rows a uuid names. */
  readonly refTable: string | undefined;
  readonly refType: 'strong' | 'weak';
}

/** A scalar (`min` and `max` 1), an optional scalar (0 and 1), a set (more), or a map (`value` is there). */
export interface ColumnType {
  readonly key: BaseType;
  readonly value: BaseType | undefined;
  readonly min: number;
  /** Infinity when unlimited. */
  readonly max: number;
}

const kinds: readonly string[] = ['integer', 'real', 'boolean', 'string', 'uuid'] satisfies readonly AtomKind[];

/** The form of types in schema files (RFC 7047, 3.2). */
export type BaseTypeJson =
  | AtomKind
  | {
      readonly type: AtomKind;
      readonly enum?: readonly unknown[] | Atom;
      readonly minInteger?: number;
      readonly maxInteger?: number;
      readonly minReal?: number;
      readonly maxReal?: number;
      readonly minLength?: number;
      readonly maxLength?: number;
      readonly refTable?: string;
      readonly refType?: 'strong' | 'weak';
    };
export type ColumnTypeJson =
  | AtomKind
  | { readonly key: BaseTypeJson; readonly value?: BaseTypeJson; readonly min?: number; readonly max?: number | 'unlimited' };

function parseBase(json: BaseTypeJson): BaseType {
  const full = typeof json === 'string' ? { type: json } : json;
  if (!kinds.includes(full.type)) throw new ProtocolError(`there is no type ${full.type}`);
  const allowed = full.enum;
  return {
    kind: full.type,
    allowed: allowed === undefined ? undefined : readEnum(allowed),
    min: full.minInteger ?? full.minReal ?? full.minLength ?? Number.NEGATIVE_INFINITY,
    max: full.maxInteger ?? full.maxReal ?? full.maxLength ?? Number.POSITIVE_INFINITY,
    refTable: full.refTable,
    refType: full.refType ?? 'strong',
  };
}

const readEnum = (json: readonly unknown[] | Atom): readonly Atom[] =>
  Array.isArray(json) ? (json[1] as readonly Atom[]) : [json as Atom];

export function parseColumnType(json: ColumnTypeJson): ColumnType {
  if (typeof json === 'string') return { key: parseBase(json), value: undefined, min: 1, max: 1 };
  const { key, value, min = 1, max = 1 } = json;
  return {
    key: parseBase(key),
    value: value === undefined ? undefined : parseBase(value),
    min,
    max: max === 'unlimited' ? Number.POSITIVE_INFINITY : max,
  };
}

export type Shape = 'scalar' | 'optional' | 'set' | 'map';

export function shapeOf(type: ColumnType): Shape {
  if (type.value !== undefined) return 'map';
  if (type.max > 1) return 'set';
  return type.min === 0 ? 'optional' : 'scalar';
}

/** Whether values of one can be read and written as values of the other: kinds and shape, not bounds. */
export function isCompatible(one: ColumnType, other: ColumnType): boolean {
  return shapeOf(one) === shapeOf(other) && one.key.kind === other.key.kind && one.value?.kind === other.value?.kind;
}
