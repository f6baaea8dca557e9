/**
 * Values of columns, here and on the wire.
 *
 * | column | here |
 * |---|---|
 * | scalar | `number`, `boolean`, `string` (uuids too, in lower case) |
 * | at most one | the scalar, or `undefined` |
 * | set | an array, sorted, without repeats |
 * | map | an object without prototype, keys as text |
 */
import type { Atom, AtomKind, BaseType, ColumnType } from './column-type.ts';
import { shapeOf } from './column-type.ts';
import { ProtocolError } from './errors.ts';

export type ValueMap = Readonly<Record<string, Atom>>;
export type Value = Atom | undefined | readonly Atom[] | ValueMap;

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const defaults: Readonly<Record<AtomKind, Atom>> = {
  integer: 0,
  real: 0,
  boolean: false,
  string: '',
  uuid: '00000000-0000-0000-0000-000000000000',
};

/** Smaller ones are no numbers to the server: it ends the connection. */
const realMin = 2 ** -1022;

export const isUuid = (text: string): boolean => uuidForm.test(text);

/** What a row has where nothing was said. */
export function defaultOf(type: ColumnType): Value {
  const shape = shapeOf(type);
  if (shape === 'map') return emptyMap;
  if (shape === 'optional') return undefined;
  const atom = defaults[type.key.kind];
  return shape === 'scalar' ? atom : type.min === 0 ? emptySet : [atom];
}

const emptySet: readonly Atom[] = Object.freeze([]);
const emptyMap: ValueMap = Object.freeze(Object.create(null)) as ValueMap;

/** @throws RangeError when the column cannot hold it: the sentence goes after the column's name */
export function encode(type: ColumnType, value: unknown): unknown {
  const shape = shapeOf(type);
  if (shape === 'scalar') return encodeAtom(type.key, value);
  if (shape === 'optional') return value === undefined ? ['set', []] : encodeAtom(type.key, value);
  return shape === 'set' ? encodeSet(type, value) : encodeMap(type, value);
}

function encodeSet(type: ColumnType, value: unknown): unknown {
  if (!Array.isArray(value)) throw new RangeError(`a set is an array, not ${told(value)}`);
  checkCount(type, new Set(value).size);
  return ['set', [...new Set(value)].map((atom) => encodeAtom(type.key, atom))];
}

function encodeMap(type: ColumnType, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new RangeError(`a map is an object, not ${told(value)}`);
  const entries = Object.entries(value);
  checkCount(type, entries.length);
  const { key, value: content } = type;
  if (content === undefined) throw new RangeError('it is no map');
  return ['map', entries.map(([text, atom]) => [encodeAtom(key, keyOf(key, text)), encodeAtom(content, atom)])];
}

/** Keys of objects are texts; those of the column may be something else. */
function keyOf(type: BaseType, text: string): unknown {
  if (type.kind === 'string' || type.kind === 'uuid') return text;
  if (type.kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return text.trim() === '' ? text : Number(text);
}

function checkCount(type: ColumnType, count: number): void {
  if (count < type.min || count > type.max) throw new RangeError(`it holds ${bounds(type.min, type.max)} members, not ${count}`);
}

const bounds = (min: number, max: number): string => (max === Number.POSITIVE_INFINITY ? `${min} or more` : `${min} to ${max}`);

/** @throws RangeError */
export function encodeAtom(type: BaseType, atom: unknown): unknown {
  const problem = problemOf(type, atom);
  if (problem !== undefined) throw new RangeError(problem);
  return type.kind === 'uuid' ? ['uuid', atom] : atom;
}

function problemOf(type: BaseType, atom: unknown): string | undefined {
  const wrong = kindProblem(type, atom);
  if (wrong !== undefined) return wrong;
  if (type.allowed !== undefined && !type.allowed.includes(atom as Atom)) return `${told(atom)} is none of ${type.allowed.join(', ')}`;
  const size = typeof atom === 'string' ? lengthOf(type, atom) : typeof atom === 'number' ? atom : undefined;
  if (size === undefined || (size >= type.min && size <= type.max)) return undefined;
  return `${told(atom)} is not ${typeof atom === 'string' ? 'of a length ' : ''}within ${type.min} and ${type.max}`;
}

/** Of a string, in characters as the server counts them. */
const lengthOf = (type: BaseType, text: string): number | undefined =>
  type.kind === 'string' && (type.min > 0 || type.max < Number.POSITIVE_INFINITY) ? [...text].length : undefined;

function kindProblem(type: BaseType, atom: unknown): string | undefined {
  switch (type.kind) {
    case 'integer':
      return Number.isSafeInteger(atom) ? undefined : `${told(atom)} is no integer that is exact here`;
    case 'real':
      if (typeof atom !== 'number' || !Number.isFinite(atom)) return `${told(atom)} is no finite number`;
      return atom === 0 || Math.abs(atom) >= realMin ? undefined : `${atom} is too close to 0`;
    case 'boolean':
      return typeof atom === 'boolean' ? undefined : `${told(atom)} is no boolean`;
    case 'uuid':
      return typeof atom === 'string' && isUuid(atom) ? undefined : `${told(atom)} is no uuid in lower case`;
    case 'string':
      if (typeof atom !== 'string') return `${told(atom)} is no string`;
      if (atom.includes('\0')) return 'a string cannot have a character 0';
      return atom.isWellFormed() ? undefined : 'the string is no Unicode text: a surrogate stands alone';
  }
}

const told = (value: unknown): string => (value === undefined ? 'undefined' : (JSON.stringify(value)?.slice(0, 80) ?? typeof value));

/** Reads a value from the wire. @throws ProtocolError */
export function decode(type: ColumnType, json: unknown): Value {
  switch (shapeOf(type)) {
    case 'scalar':
      return decodeAtom(type.key, json);
    case 'optional': {
      const [first, second] = members(json);
      if (second !== undefined) throw new ProtocolError('several values where at most one can be');
      return first === undefined ? undefined : decodeAtom(type.key, first);
    }
    case 'set':
      return sorted(members(json).map((member) => decodeAtom(type.key, member)));
    case 'map':
      return decodeMap(type, json);
  }
}

/** A set of one is written without its brackets. */
export function members(json: unknown): readonly unknown[] {
  if (!Array.isArray(json) || json[0] !== 'set') return [json];
  if (!Array.isArray(json[1])) throw new ProtocolError('a set without members');
  return json[1];
}

export function pairs(json: unknown): readonly (readonly [unknown, unknown])[] {
  if (!Array.isArray(json) || json[0] !== 'map' || !Array.isArray(json[1])) throw new ProtocolError('no map where one should be');
  return json[1];
}

export function decodeAtom(type: BaseType, json: unknown): Atom {
  if (type.kind === 'uuid') {
    if (!Array.isArray(json) || json[0] !== 'uuid' || typeof json[1] !== 'string') throw new ProtocolError('no uuid where one should be');
    return json[1];
  }
  const expected = type.kind === 'integer' || type.kind === 'real' ? 'number' : type.kind;
  if (typeof json !== expected) throw new ProtocolError(`no ${type.kind} where one should be`);
  return json as Atom;
}

function decodeMap(type: ColumnType, json: unknown): ValueMap {
  const { key, value } = type;
  if (value === undefined) throw new ProtocolError('a map in a column that has none');
  const map = emptyCopy();
  for (const [k, v] of pairs(json)) map[String(decodeAtom(key, k))] = decodeAtom(value, v);
  return map;
}

/** Without a prototype, no key of a stranger means anything: not even `__proto__`. */
export const emptyCopy = (): Record<string, Atom> => Object.create(null) as Record<string, Atom>;

/** The server sends sets in an order of its own; ours makes equal sets look equal. */
export function sorted(atoms: Atom[]): readonly Atom[] {
  for (let index = 1; index < atoms.length; index++)
    if (before(atoms[index], atoms[index - 1])) return atoms.sort((a, b) => (before(a, b) ? -1 : 1));
  return atoms;
}

export const before = (one: Atom | undefined, other: Atom | undefined): boolean => one !== undefined && other !== undefined && one < other;

export function isEqual(one: Value, other: Value): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object') return false;
  if (Array.isArray(one)) return Array.isArray(other) && one.length === other.length && one.every((atom, index) => atom === other[index]);
  const entries = Object.entries(one);
  return entries.length === Object.keys(other).length && entries.every(([key, atom]) => (other as ValueMap)[key] === atom);
}
