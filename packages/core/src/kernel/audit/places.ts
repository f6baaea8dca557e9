import type { Statement, Store } from '../store.ts';
import { type ChainPlace, GENESIS } from './record.ts';

/** The newest link. */
export const HEAD = 'audit.head';
/** The last of the links that were removed from the oldest end: what is left follows it. */
export const ANCHOR = 'audit.anchor';

const TABLE = 'setting';

export async function chainEnd(store: Store, name: typeof HEAD | typeof ANCHOR): Promise<ChainPlace> {
  const text = await store.read(TABLE, name);
  if (text === undefined) return GENESIS;
  const { number, hash } = JSON.parse(text) as ChainPlace;
  return { number, hash };
}

/** Moves it on, from where it is known to be. */
export const placeStatements = (name: typeof HEAD | typeof ANCHOR, from: ChainPlace, to: ChainPlace): readonly Statement[] =>
  from.number === GENESIS.number
    ? [{ op: 'insert', table: TABLE, row: { name, ...to } }]
    : [{ op: 'update', table: TABLE, key: name, set: { ...to }, expect: { number: from.number } }];
