import { StoreError } from '../kernel/store-error.ts';
import { copyStore } from './backup.ts';
import { newIncarnation } from './store.ts';
import { Thread } from './thread.ts';
import type { WriterMethods } from './writer-thread.ts';

/**
 * Makes a new store file from a backup, or from a store. Its incarnation is new: the world may have moved on since the copy was made.
 * @throws StoreError when `to` exists or `from` is not a store.
 */
export async function restoreSqlite({ from, to }: { readonly from: string; readonly to: string }): Promise<void> {
  const incarnation = await newIncarnation();
  const copied = copyStore(from, { path: to }, async (partial) => {
    const writer = new Thread<WriterMethods>('writer-thread');
    try {
      await writer.call('reincarnate', partial, incarnation);
    } finally {
      await writer.terminate();
    }
  });
  await copied.catch((cause: Error) => {
    throw cause.message.includes(from) || cause.message.includes(to)
      ? cause
      : new StoreError(`${from}: ${cause.message}`, 'unchanged', { cause });
  });
}
