import type { Dirent } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import type { BackupStoreDriver, BackupStoreFactory, Call, Fault, KeyPage } from '../strategy/index.ts';

/** Holds what is being written. While it is there, the directory is the one that was made usable: not, say, an empty place where nothing is mounted. */
const DRAFTS = '.drafts';
/** No put takes longer: older drafts were left by a process that ended. */
const DRAFT_AGE_MS_MAX = 24 * 3600_000;
const PAGE = 1000;
const KEY = /^(?!.{513})[a-z0-9_-][a-z0-9._-]*(\/[a-z0-9_-][a-z0-9._-]*)*$/;

class Refusal extends Error {
  readonly fault: Fault;
  constructor(fault: Fault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** Backups in a directory of the server: a disk of its own, or what NFS has mounted there. */
export const directoryBackups: BackupStoreFactory = {
  name: 'directory',
  settings: {
    path: {
      description: 'An absolute path on the server, on another disk than what is backed up: a disk of its own, or a mounted NFS export.',
      required: true,
    },
  },
  settingFault: ({ path = '' }) => (isAbsolute(path) ? undefined : { setting: 'path', reason: 'must be an absolute path on the server' }),
  open: ({ settings: { path = '' } }) => new BackupDirectory(path),
};

class BackupDirectory implements BackupStoreDriver {
  readonly #root: string;
  #drafts = 0;
  #isClosed = false;

  constructor(root: string) {
    this.#root = root;
  }

  async ensureStore(call: Call): Promise<void> {
    this.#begin(call);
    await mkdir(join(this.#root, DRAFTS), { recursive: true, mode: 0o700 });
    const probe = await this.#draft(new Uint8Array(), call);
    // Compared with a file made now: the clock of a file server may be another than ours.
    const nowMs = (await stat(probe)).mtimeMs;
    for (const name of await readdir(join(this.#root, DRAFTS))) {
      const draft = join(this.#root, DRAFTS, name);
      const found = await stat(draft).catch(ignoreAbsent);
      if (draft === probe || (found !== undefined && nowMs - found.mtimeMs > DRAFT_AGE_MS_MAX)) await rm(draft, { force: true });
    }
  }

  async put(key: string, bytes: Uint8Array, call: Call): Promise<void> {
    this.#begin(call);
    const path = this.#path(key);
    await this.#proveThere();
    const draft = await this.#draft(bytes, call);
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await rename(draft, path);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
    await this.#syncAbove(path);
  }

  async get(key: string, call: Call): Promise<Uint8Array | undefined> {
    this.#begin(call);
    const bytes = await readFile(this.#path(key), { signal: call.signal }).catch(ignoreAbsent);
    if (bytes === undefined) await this.#proveThere();
    return bytes;
  }

  async has(key: string, call: Call): Promise<boolean> {
    this.#begin(call);
    const found = await stat(this.#path(key)).catch(ignoreAbsent);
    if (found === undefined) await this.#proveThere();
    return found !== undefined;
  }

  async delete(key: string, call: Call): Promise<void> {
    this.#begin(call);
    const path = this.#path(key);
    await this.#proveThere();
    await rm(path, { force: true });
    await this.#syncAbove(path).catch(ignoreAbsent);
  }

  async list({ prefix, after = '' }: { readonly prefix: string; readonly after?: string }, call: Call): Promise<KeyPage> {
    this.#begin(call);
    if (!prefix.endsWith('/')) throw new Refusal('invalid', `${prefix} does not end with a slash`);
    this.#path(prefix.slice(0, -1));
    await this.#proveThere();
    const page = await this.#page(prefix, after);
    // A mount that went away on the way took with it what had not been read yet.
    await this.#proveThere();
    return page;
  }

  classify(error: unknown): Fault {
    try {
      if (error instanceof Refusal) return error.fault;
      return FAULT_OF[codeOf(error) ?? ''] ?? 'internal';
    } catch {
      // Whatever was thrown may throw when it is looked at.
      return 'internal';
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #begin(call: Call): void {
    if (this.#isClosed) throw new Refusal('unavailable', 'the store is closed');
    if (call.signal.aborted) throw new Refusal('unavailable', 'aborted before it began');
  }

  /** @throws Refusal where nothing that is absent may be taken for absent */
  async #proveThere(): Promise<void> {
    await stat(join(this.#root, DRAFTS)).catch((cause: unknown) => {
      throw new Refusal('unavailable', `${this.#root} is not the place that was made usable; is it mounted?`, { cause });
    });
  }

  /** A file with these bytes, durable, that nobody knows of. */
  async #draft(bytes: Uint8Array, { requestId, signal }: Call): Promise<string> {
    this.#drafts += 1;
    const draft = join(this.#root, DRAFTS, `${process.pid}-${this.#drafts}-${requestId.replaceAll(/[^a-zA-Z0-9-]/g, '-').slice(0, 64)}`);
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(bytes, { signal });
      await file.sync();
      return draft;
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  }

  /** The name of a file is as durable as its directory, and that one's name as the one above. */
  async #syncAbove(path: string): Promise<void> {
    for (let above = dirname(path); ; above = dirname(above)) {
      const directory = await open(above, 'r');
      await directory.sync().finally(() => directory.close());
      if (above === this.#root || above === dirname(above)) return;
    }
  }

  async #page(prefix: string, after: string): Promise<KeyPage> {
    const keys: string[] = [];
    for await (const key of this.#below(prefix, after)) {
      if (keys.length === PAGE) return { keys, hasMore: true };
      keys.push(key);
    }
    return { keys, hasMore: false };
  }

  /** In the order of whole keys, in which `-` and `.` come before the slash behind the name of a directory. */
  async *#below(prefix: string, after: string): AsyncGenerator<string> {
    const entries = (await readdir(join(this.#root, prefix), { withFileTypes: true }).catch(ignoreAbsent)) ?? [];
    const keyOf = (entry: Dirent) => `${prefix}${entry.name}${entry.isDirectory() ? '/' : ''}`;
    for (const key of entries.map(keyOf).sort(byBytes)) {
      if (!key.endsWith('/')) {
        if (key > after) yield key;
      } else if (key > after || after.startsWith(key)) yield* this.#below(key, after);
    }
  }

  #path(key: string): string {
    if (!KEY.test(key)) throw new Refusal('invalid', `${key} is no key`);
    return join(this.#root, key);
  }
}

const byBytes = (a: string, b: string): number => (a < b ? -1 : 1);

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

function ignoreAbsent(error: unknown): undefined {
  const code = codeOf(error);
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  return undefined;
}

const FAULT_OF: Readonly<Record<string, Fault>> = {
  ENOSPC: 'exhausted',
  EDQUOT: 'exhausted',
  ENOENT: 'unavailable',
  ENOTDIR: 'unavailable',
  EACCES: 'unavailable',
  EPERM: 'unavailable',
  EROFS: 'unavailable',
  EIO: 'unavailable',
  ESTALE: 'unavailable',
  ETIMEDOUT: 'unknown_outcome',
  ABORT_ERR: 'unknown_outcome',
};
