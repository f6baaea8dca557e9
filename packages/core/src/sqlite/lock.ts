import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../kernel/store-error.ts';

/**
 * Claims a database file for this opening and answers how to let go. Node has no file locks of its own, SQLite has: a second, empty database beside the file
 * is held in an exclusive transaction for as long as the store is open. The operating system drops the lock with the process, however that ends.
 */
export function claim(path: string): () => void {
  keepPrivate(`${path}.lock`);
  const lock = new DatabaseSync(`${path}.lock`, { timeout: 0 });
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new StoreError(`${path} is open in another server or tool; only one may use it at a time`, 'unchanged', { cause });
  }
  return () => lock.close();
}

/** Makes sure that the file is there, and its owner's alone: it holds what only the API may show. */
export function keepPrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}
