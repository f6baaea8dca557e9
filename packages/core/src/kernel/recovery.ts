import type { Statement, Store } from './store.ts';

const SETTING = 'incarnation.confirmed';

/**
 * After a restore the store tells of yesterday, and what it calls deleted, unknown or half made may be none of it any more. The incarnation that an operator
 * has confirmed is kept in the store; a restore changes the store's own. Until both agree, nothing real is removed by itself and no operation that the
 * store calls unfinished goes on.
 */
export async function confirmedIncarnation(store: Store): Promise<string | undefined> {
  const text = await store.read('setting', SETTING);
  return text === undefined ? undefined : (JSON.parse(text) as { readonly value: string }).value;
}

/** True from a restore until it is confirmed. A new store has nothing to confirm. */
export async function awaitsConfirmation(store: Store): Promise<boolean> {
  const confirmed = await confirmedIncarnation(store);
  return confirmed !== undefined && confirmed !== store.incarnation;
}

export const confirmIncarnation = (store: Store): readonly Statement[] => [
  { op: 'remove', table: 'setting', key: SETTING },
  { op: 'insert', table: 'setting', row: { name: SETTING, value: store.incarnation } },
];
