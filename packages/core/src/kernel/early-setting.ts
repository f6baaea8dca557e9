import { KERNEL_TABLES } from './operation.ts';
import type { Store } from './store.ts';

const TABLE = 'setting';

/** For what a store says of itself, to be read before anything in it is changed for the kinds of this release. */
export const prepareSettings = (store: Store): Promise<void> =>
  store.prepare({ tables: KERNEL_TABLES.filter(({ name }) => name === TABLE), migrations: [] });

/** What the store says of itself by that name, as text. For before a kernel has it. */
export async function earlySetting(store: Store, name: string): Promise<string | undefined> {
  await prepareSettings(store);
  return store.read(TABLE, name);
}
