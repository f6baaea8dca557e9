import type { Leaf } from '../query/along.ts';
import type { ListQuery } from '../store.ts';
import { badParameter } from './fields.ts';

/** The order of a list, strict: what is equal in all of it follows the key. */
export interface Sort {
  /** Stands in cursors, so that one of another order is told. */
  readonly text: string;
  /** As the caller wrote them. */
  readonly paths: readonly string[];
  readonly order: NonNullable<ListQuery['order']>;
}

/** Ids are minted in order of creation, so that order needs no other field. */
export const orderOf = (sort: readonly (Leaf & { readonly descending: boolean })[]): Sort => ({
  text: sort.map(({ path, descending }) => (descending ? '-' : '') + path).join(),
  paths: sort.map(({ path }) => (path === 'createdAt' ? 'id' : path)),
  order: sort.map(({ field, via, descending }) =>
    via === undefined ? { field: field === 'createdAt' ? 'id' : field, descending } : { field, via, descending },
  ),
});

/** Of a row: its values in the order, then its id. */
export type Place = readonly (string | number | null)[];

export const writeCursor = (place: Place, sort: Sort): string => Buffer.from(JSON.stringify([sort.text, ...place])).toString('base64url');

/** A value as the store orders it. */
export function placeOf(value: unknown): string | number | null {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'string' || typeof value === 'number' ? value : null;
}

export function readCursor(text: string, sort: Sort): Place {
  const [sortText, ...place] = parseArray(Buffer.from(text, 'base64url').toString());
  const sound = place.length === sort.order.length + 1 && place.every(isPlace) && typeof place.at(-1) === 'string';
  if (sortText !== sort.text || !sound) throw badParameter('after', 'is no cursor that a list with this sort answered');
  return place as Place;
}

const isPlace = (value: unknown): boolean => value === null || typeof value === 'string' || typeof value === 'number';

function parseArray(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
