import { CloudError, inLanes } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { patiently } from '../patient-call.ts';
import type { ContentAt, StoragePool } from '../storage/contract.ts';
import type { BackupContext } from './context.ts';
import { chunkName, keys, lastPart } from './keys.ts';
import { CHUNK_BYTES, type ChunkRef, LAST_VARIANT, Manifest } from './manifest.ts';
import type { BackupStore } from './stores.ts';
import { damage, type Vault } from './vault.ts';

/** Chunks on their way at once. */
export const LANES = 4;

/** Where the backups of one project are in one store. */
export class Shelf {
  readonly store: BackupStore;
  readonly projectId: string;
  readonly vault: Vault;

  constructor(store: BackupStore, projectId: string) {
    this.store = store;
    this.projectId = projectId;
    this.vault = store.vault(projectId);
  }

  static async open(
    context: Pick<BackupContext, 'stores'>,
    { storeId, projectId }: { readonly storeId: string; readonly projectId: string },
  ) {
    return new Shelf(await context.stores.open(storeId), projectId);
  }

  async manifest(backupId: string, call: Call): Promise<Manifest | undefined> {
    const sealed = await this.store.get(keys.manifest(this.projectId, backupId), call);
    return sealed === undefined ? undefined : Manifest.parse(await this.vault.openManifest(backupId, sealed));
  }

  async putManifest(backupId: string, manifest: Manifest, call: Call): Promise<void> {
    const sealed = await this.vault.sealManifest(backupId, manifest.toBytes());
    await this.store.put(keys.manifest(this.projectId, backupId), sealed, call);
  }

  async deleteManifest(backupId: string, call: Call): Promise<void> {
    await this.store.delete(keys.manifest(this.projectId, backupId), call);
  }

  /** Names of chunks that may go at any moment: nothing new may rely on them. */
  condemned(call: Call): Promise<ReadonlySet<string>> {
    return this.#names(keys.condemned(this.projectId), call);
  }

  /** Names of chunks that were removed, by a call that may take effect again. */
  late(call: Call): Promise<ReadonlySet<string>> {
    return this.#names(keys.late(this.projectId), call);
  }

  /** Names that nothing new may have. Read in the order in which a name goes from one list to the other. */
  async unusable(call: Call): Promise<ReadonlySet<string>> {
    const condemned = await this.condemned(call);
    return new Set([...condemned, ...(await this.late(call))]);
  }

  async putLate(names: ReadonlySet<string>, call: Call): Promise<void> {
    const key = keys.late(this.projectId);
    if (names.size === 0) await this.store.delete(key, call);
    else await this.store.put(key, Buffer.from([...names].join('\n')), call);
  }

  async #names(key: string, call: Call): Promise<ReadonlySet<string>> {
    const bytes = await this.store.get(key, call);
    return new Set(bytes === undefined ? [] : Buffer.from(bytes).toString().split('\n').filter(Boolean));
  }

  async *manifestIds(call: Call): AsyncGenerator<string> {
    for await (const key of this.store.list(keys.manifests(this.projectId), call)) yield lastPart(key);
  }

  async *chunkNames(call: Call): AsyncGenerator<string> {
    for await (const key of this.store.list(keys.chunks(this.projectId), call)) yield lastPart(key);
  }

  chunkKey(chunk: ChunkRef): string {
    return keys.chunk(this.projectId, chunkName(chunk));
  }

  /** @throws CloudError internal where it is missing or damaged */
  async chunk(chunk: ChunkRef, call: Call): Promise<Uint8Array> {
    const sealed = await this.store.get(this.chunkKey(chunk), call);
    if (sealed === undefined) throw damage('Something kept in the backup store is missing.', { detail: chunkName(chunk) });
    return this.vault.openChunk(chunk.digest, sealed);
  }
}

const ZEROES = Buffer.alloc(CHUNK_BYTES);
const isZero = (bytes: Uint8Array): boolean => ZEROES.subarray(0, bytes.length).equals(bytes);

export interface Copied {
  readonly readBytes: number;
  readonly newBytes: number;
}

interface CopyRequest {
  readonly pool: StoragePool;
  /** What does not change meanwhile: a snapshot, or a volume that nobody uses. */
  readonly of: ContentAt;
  /** What the backup before has, and the snapshot it was made of. */
  readonly earlier?: { readonly manifest: Manifest; readonly snapshotId: string };
  /** What is there already is put again: some of it may be damaged. */
  readonly afresh?: true;
  readonly facts: Parameters<typeof Manifest.begin>[0];
}

/** Reads what may have changed and keeps what the store has not. Repeated, it finds there what it has put, and reads all of it again. */
export async function copyOut(context: Pick<BackupContext, 'environment'>, shelf: Shelf, request: CopyRequest, call: Call) {
  const { pool, of, earlier, facts } = request;
  const manifest = Manifest.begin(facts, earlier?.manifest);
  const keeper = new Keeper(shelf, await shelf.unusable(call), request.afresh === true);
  const indexes = await changedChunks(request, manifest, call);
  let [readBytes, newBytes, done] = [0, 0, 0];
  await inLanes(indexes, LANES, async (index) => {
    const { offsetBytes, lengthBytes } = manifest.place(index);
    const bytes = await patiently(context, call, (c) => pool.readContent(of, offsetBytes, lengthBytes, c));
    readBytes += lengthBytes;
    if (isZero(bytes)) manifest.set(index, undefined);
    else {
      const { chunk, isNew } = await keeper.keep(bytes, call);
      manifest.set(index, chunk);
      if (isNew) newBytes += lengthBytes;
    }
    done += 1;
    call.onProgress?.(done / indexes.length);
  });
  return { manifest, copied: { readBytes, newBytes } satisfies Copied };
}

/** In their order. Without an earlier backup what has no data is as the manifest begins: zeroes. */
async function changedChunks({ pool, of, earlier }: CopyRequest, manifest: Manifest, call: Call): Promise<readonly number[]> {
  const changed = new Set<number>();
  for (const { offsetBytes, lengthBytes, hasData } of await pool.changes(of, earlier?.snapshotId, call)) {
    if (!hasData && earlier === undefined) continue;
    const chunkBytes = manifest.head.chunkBytes;
    const last = Math.ceil((offsetBytes + lengthBytes) / chunkBytes);
    for (let index = Math.floor(offsetBytes / chunkBytes); index < last; index += 1) changed.add(index);
  }
  return [...changed].filter((index) => index < manifest.chunkCount).sort((a, b) => a - b);
}

/** Puts the chunks of one backup, each once. */
class Keeper {
  readonly #shelf: Shelf;
  readonly #unusable: ReadonlySet<string>;
  readonly #afresh: boolean;
  /** By name: what is kept, or is about to be. */
  readonly #kept = new Map<string, Promise<boolean>>();

  constructor(shelf: Shelf, unusable: ReadonlySet<string>, afresh: boolean) {
    this.#shelf = shelf;
    this.#unusable = unusable;
    this.#afresh = afresh;
  }

  async keep(bytes: Uint8Array, call: Call): Promise<{ readonly chunk: ChunkRef; readonly isNew: boolean }> {
    const digest = await this.#shelf.vault.digest(bytes);
    let variant = 0;
    while (this.#unusable.has(chunkName({ digest, variant }))) variant += 1;
    if (variant > LAST_VARIANT)
      throw new CloudError(
        'unavailable',
        'The backup store has to be tidied up first: all names of something to keep are about to be removed.',
      );
    const chunk = { digest, variant };
    const name = chunkName(chunk);
    const known = this.#kept.get(name);
    const putting = known ?? this.#put(chunk, bytes, call);
    if (known === undefined) this.#kept.set(name, putting);
    const isNew = await putting;
    return { chunk, isNew: isNew && known === undefined };
  }

  /** Answers whether the store did not have it. */
  async #put(chunk: ChunkRef, bytes: Uint8Array, call: Call): Promise<boolean> {
    const { store, vault } = this.#shelf;
    const key = this.#shelf.chunkKey(chunk);
    if (!this.#afresh && (await store.has(key, call))) return false;
    await store.put(key, await vault.sealChunk(chunk.digest, bytes), call);
    return true;
  }
}

/** Writes into a new volume all that a backup has; of zeroes only where it does not read as zeroes. */
export async function copyIn(
  context: Pick<BackupContext, 'environment'>,
  shelf: Shelf,
  { manifest, pool, to }: { readonly manifest: Manifest; readonly pool: StoragePool; readonly to: Omit<ContentAt, 'id'> },
  call: Call,
): Promise<void> {
  const indexes = pool.needsZeroes(to)
    ? Array.from({ length: manifest.chunkCount }, (_, at) => at)
    : [...manifest.kept()].map(([at]) => at);
  let done = 0;
  await inLanes(indexes, LANES, async (index) => {
    const { offsetBytes, lengthBytes } = manifest.place(index);
    const chunk = manifest.chunk(index);
    const bytes = chunk === undefined ? ZEROES.subarray(0, lengthBytes) : await shelf.chunk(chunk, call);
    await patiently(context, call, (c) => pool.writeVolume(to, offsetBytes, bytes, c));
    done += 1;
    call.onProgress?.(done / indexes.length);
  });
}

/** Whether what is in a snapshot, or in a volume that nobody uses, is not what a backup has. */
export async function differs(
  context: Pick<BackupContext, 'environment'>,
  shelf: Shelf,
  { manifest, pool, of }: { readonly manifest: Manifest; readonly pool: StoragePool; readonly of: ContentAt },
  call: Call,
): Promise<boolean> {
  const withData = await changedChunks({ pool, of, facts: manifest.head }, manifest, call);
  const indexes = [...new Set([...withData, ...[...manifest.kept()].map(([index]) => index)])];
  const equal = await inLanes(indexes, LANES, async (index) => {
    const { offsetBytes, lengthBytes } = manifest.place(index);
    const bytes = await patiently(context, call, (c) => pool.readContent(of, offsetBytes, lengthBytes, c));
    const kept = manifest.chunk(index);
    return kept === undefined ? isZero(bytes) : Buffer.from(await shelf.vault.digest(bytes)).equals(kept.digest);
  });
  return equal.includes(false);
}
