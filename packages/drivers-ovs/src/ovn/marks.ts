import type { Claim, CompiledRow, ObjectKey, Place, ValuePlace } from './compiled.ts';
import { SORTS } from './compiled.ts';

/**
 * What every row of ours says of itself in its `external_ids`: whose it is, which object's, where it is referred to and what it has put elsewhere. So what is
 * left of an object is found without knowing what the object was.
 */
export interface Marks {
  readonly owner: string;
  readonly object: ObjectKey;
  readonly places: readonly Place[];
  readonly claims: readonly Claim[];
}

const PREFIX = 'pileus-';

export function marksOf(
  row: Pick<CompiledRow, 'places' | 'claims' | 'notes'>,
  object: ObjectKey,
  owner: string,
): Readonly<Record<string, string>> {
  const claims = row.claims.map(({ place, key, values }) => [place, key, ...values]);
  return {
    'pileus-owner': owner,
    'pileus-object': object,
    ...(row.places.length === 0 ? {} : { 'pileus-places': row.places.join(' ') }),
    ...(claims.length === 0 ? {} : { 'pileus-claims': JSON.stringify(claims) }),
    ...row.notes,
  };
}

/** Of a row as it is in the database. Undefined for those that are not ours. */
export function readMarks(row: object): Marks | undefined {
  if (!('external_ids' in row)) return readName(row);
  const ids = row.external_ids as Readonly<Record<string, string | undefined>>;
  const { 'pileus-owner': owner, 'pileus-object': object, 'pileus-places': places = '', 'pileus-claims': claims = '[]' } = ids;
  if (owner === undefined || !isKey(object)) return undefined;
  return { owner, object, places: places === '' ? [] : (places.split(' ') as Place[]), claims: readClaims(claims) };
}

/** Load balancer groups have nothing but a name. */
function readName(row: object): Marks | undefined {
  const [, owner, object] = ('name' in row && /^pileus\/([^/]+)\/([^/]+\/[^/]+)$/.exec(String(row.name))) || [];
  return owner !== undefined && isKey(object) ? { owner, object, places: [], claims: [] } : undefined;
}

const isKey = (text: string | undefined): text is ObjectKey => SORTS.some((sort) => text?.startsWith(`${sort}/`) === true);

function readClaims(text: string): readonly Claim[] {
  try {
    const list = JSON.parse(text) as readonly (readonly string[])[];
    return list.map(([place = '', key = '', ...values]) => ({ place: place as ValuePlace, key, values }));
  } catch {
    // Somebody has spoiled it: what it has put elsewhere is overwritten when it is made anew.
    return [];
  }
}

/** What to put and what to take out, so that our marks are these. Those of others stay. */
export function marksChange(
  actual: Readonly<Record<string, string | undefined>>,
  wanted: Readonly<Record<string, string>>,
): { readonly put: Readonly<Record<string, string>>; readonly delete: readonly string[] } | undefined {
  const put = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => actual[key] !== value));
  const gone = Object.keys(actual).filter((key) => key.startsWith(PREFIX) && !(key in wanted));
  return Object.keys(put).length === 0 && gone.length === 0 ? undefined : { put, delete: gone };
}

/** The table and the row that a place is in. */
export function placeParts<T extends string>(place: T): { readonly table: string; readonly column: string; readonly uuid: string } {
  const [path = '', uuid = ''] = place.split(':');
  const [table = '', column = ''] = path.split('.');
  return { table, column, uuid };
}
