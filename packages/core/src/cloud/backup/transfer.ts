import { CloudError, inLanes } from '../../kernel/index.ts';
import type { Call, Extent } from '../../strategy/index.ts';
import { patiently } from '../patient-call.ts';
import type { ContentAt, StoragePool } from '../storage/contract.ts';
import { ChunkSet } from './chunk-set.ts';
import type { BackupContext } from './context.ts';
import { chunkName, keys, lastPart } from './keys.ts';
import { CHUNK_BYTES, type ChunkRef, Entries, LAST_VARIANT, Manifest, type Page } from './manifest.ts';
import type { BackupStore } from './stores.ts';
import { damage, type Vault } from './vault.ts';

/** Chunks on their way at once. */
export const LANES = 4;

/** Of how many chunks a backup knows by heart that it has kept them. */
const KNOWN_MAX = 16_384;

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

  /** Where the chunks of a page are. @throws CloudError internal where it is missing or damaged */
  page(manifest: Manifest, page: Pick<Page, 'index'>, call: Call): Promise<Entries> {
    return manifest.page(page, (ref) => this.chunk(ref, call));
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
  /** What the backup before has, and the snapshot it was made of; without one, nothing has changed since. */
  readonly earlier?: { readonly manifest: Manifest; readonly snapshotId?: string };
  /** What is read has only what was written since the backup before: the rest is as that has it. */
  readonly isPart?: true;
  /** What is there already is put again: some of it may be damaged. */
  readonly afresh?: true;
  readonly facts: Parameters<typeof Manifest.begin>[0];
}

/** Reads what may have changed and keeps what the store has not. Repeated, it finds there what it has put, and reads all of it again. */
export async function copyOut(context: Pick<BackupContext, 'environment'>, shelf: Shelf, request: CopyRequest, call: Call) {
  const { pool, of, earlier, facts } = request;
  const manifest = Manifest.begin(facts);
  const keeper = new Keeper(shelf, await shelf.unusable(call), request.afresh === true);
  const changed = request.isPart === true ? undefined : await changedChunks(request, manifest, call);
  let [readBytes, newBytes, done] = [0, 0, 0];
  const whole = async (index: number): Promise<Uint8Array> => {
    const { offsetBytes, lengthBytes } = manifest.place(index);
    readBytes += lengthBytes;
    return patiently(context, call, (c) => pool.readContent(of, offsetBytes, lengthBytes, c));
  };
  const laidOver = async (index: number, before: ChunkRef | undefined, parts: readonly Extent[]): Promise<Uint8Array> => {
    const { offsetBytes, lengthBytes } = manifest.place(index);
    const bytes = Buffer.alloc(lengthBytes);
    if (before !== undefined && sumOf(parts) < lengthBytes) bytes.set(await shelf.chunk(before, call));
    const withData = parts.filter(({ hasData }) => hasData);
    const [first, last] = [withData[0], withData.at(-1)];
    for (const each of parts) bytes.fill(0, each.offsetBytes - offsetBytes, each.offsetBytes + each.lengthBytes - offsetBytes);
    if (first === undefined || last === undefined) return bytes;
    const fromBytes = first.offsetBytes;
    const found = await patiently(context, call, (c) =>
      pool.readContent(of, fromBytes, last.offsetBytes + last.lengthBytes - fromBytes, c),
    );
    for (const each of withData)
      bytes.set(
        found.subarray(each.offsetBytes - fromBytes, each.offsetBytes + each.lengthBytes - fromBytes),
        each.offsetBytes - offsetBytes,
      );
    readBytes += sumOf(withData);
    return bytes;
  };
  const copy = async (bytes: Uint8Array): Promise<ChunkRef | undefined> => {
    if (isZero(bytes)) return undefined;
    const { chunk, isNew } = await keeper.keep(bytes, call);
    if (isNew) newBytes += bytes.length;
    return chunk;
  };
  for (const page of manifest.pages()) {
    const parts = changed === undefined ? await writtenParts(context, request, manifest, page, call) : undefined;
    const indexes = parts === undefined ? (changed?.within(page) ?? []) : [...parts.keys()];
    if (indexes.length === 0 && earlier !== undefined && manifest.takePage(page, earlier.manifest)) continue;
    const before = earlier === undefined ? undefined : await shelf.page(earlier.manifest, page, call);
    const entries = before?.copied(page.count) ?? Entries.nothing(page.count);
    await inLanes(indexes, LANES, async (index) => {
      const at = index - page.first;
      const bytes = parts === undefined ? await whole(index) : await laidOver(index, entries.at(at), parts.get(index) ?? []);
      entries.set(at, await copy(bytes));
      done += 1;
      if (changed !== undefined) call.onProgress?.(done / changed.size);
    });
    if (changed === undefined) call.onProgress?.((page.first + page.count) / manifest.chunkCount);
    await manifest.setPage(page, entries, async (bytes) => (await keeper.keep(bytes, call)).chunk);
  }
  return { manifest, copied: { readBytes, newBytes } satisfies Copied };
}

const sumOf = (parts: readonly Pick<Extent, 'lengthBytes'>[]): number => parts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);

/** By chunk, in their order: where it was written to. */
async function writtenParts(
  context: Pick<BackupContext, 'environment'>,
  { pool, of }: CopyRequest,
  manifest: Manifest,
  { first, count }: Page,
  call: Call,
): Promise<ReadonlyMap<number, readonly Extent[]>> {
  const parts = new Map<number, Extent[]>();
  const last = manifest.place(first + count - 1);
  const within = { offsetBytes: first * CHUNK_BYTES, lengthBytes: last.offsetBytes + last.lengthBytes - first * CHUNK_BYTES };
  for (const { offsetBytes, lengthBytes, hasData } of await patiently(context, call, (c) => pool.written(of.volumeId, within, c))) {
    const endBytes = Math.min(offsetBytes + lengthBytes, within.offsetBytes + within.lengthBytes);
    for (let at = offsetBytes; at < endBytes; ) {
      const index = Math.floor(at / CHUNK_BYTES);
      const upTo = Math.min(endBytes, (index + 1) * CHUNK_BYTES);
      const known = parts.get(index) ?? [];
      known.push({ offsetBytes: at, lengthBytes: upTo - at, hasData });
      parts.set(index, known);
      at = upTo;
    }
  }
  return parts;
}

/** Without an earlier backup what has no data is as the manifest begins: zeroes. */
async function changedChunks({ pool, of, earlier, facts }: CopyRequest, manifest: Manifest, call: Call): Promise<ChunkSet> {
  const changed = new ChunkSet(manifest.chunkCount);
  if (earlier !== undefined && earlier.snapshotId === undefined) return changed;
  await pool.eachChange(of, earlier?.snapshotId, call, async (found) => {
    for await (const { offsetBytes, lengthBytes, hasData } of found) {
      if (!hasData && earlier === undefined) continue;
      const last = Math.ceil(Math.min(offsetBytes + lengthBytes, facts.sizeBytes) / CHUNK_BYTES);
      for (let index = Math.floor(offsetBytes / CHUNK_BYTES); index < last; index += 1) changed.add(index);
    }
  });
  // A chunk that the volume ended in, or ends in now, is another where it has another length, with the same in it.
  const beforeBytes = earlier?.manifest.head.sizeBytes ?? facts.sizeBytes;
  const endBytes = Math.min(beforeBytes, facts.sizeBytes);
  if (beforeBytes !== facts.sizeBytes && endBytes % CHUNK_BYTES !== 0) changed.add(Math.floor(endBytes / CHUNK_BYTES));
  return changed;
}

/** Puts the chunks of one backup, each once; again, if at all, where it has kept many others meanwhile. */
class Keeper {
  readonly #shelf: Shelf;
  readonly #unusable: ReadonlySet<string>;
  readonly #afresh: boolean;
  /** By name: what was kept last, or is about to be. */
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
    if (known === undefined) this.#know(name, putting);
    const isNew = await putting;
    return { chunk, isNew: isNew && known === undefined };
  }

  #know(name: string, putting: Promise<boolean>): void {
    this.#kept.set(name, putting);
    if (this.#kept.size <= KNOWN_MAX) return;
    const [oldest = name] = this.#kept.keys();
    this.#kept.delete(oldest);
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

/** One after another, told with what they have; the call is told how far they are. */
async function eachPage(
  shelf: Shelf,
  manifest: Manifest,
  call: Call,
  chosen: (page: Page, entries: Entries) => readonly number[],
  body: (index: number, chunk: ChunkRef | undefined) => Promise<void>,
): Promise<void> {
  for (const page of manifest.pages()) {
    const entries = await shelf.page(manifest, page, call);
    const indexes = chosen(page, entries);
    const { first, count } = page;
    const tell = (part: number) => call.onProgress?.((first + part * count) / manifest.chunkCount);
    let done = 0;
    await inLanes(indexes, LANES, async (index) => {
      await body(index, entries.at(index - first));
      done += 1;
      tell(done / indexes.length);
    });
    tell(1);
  }
}

const all = ({ first, count }: Page): readonly number[] => Array.from({ length: count }, (_, at) => first + at);
const kept = ({ first }: Page, entries: Entries): readonly number[] => [...entries.kept()].map(([at]) => first + at);

/** Reads all that a backup names. @throws CloudError internal where some of it is missing or damaged */
export function readThrough(shelf: Shelf, manifest: Manifest, call: Call): Promise<void> {
  // What a page has in several places is read once.
  const once = (page: Page, entries: Entries) => [
    ...new Map([...entries.kept()].map(([at, chunk]) => [chunkName(chunk), page.first + at])).values(),
  ];
  return eachPage(shelf, manifest, call, once, async (_, chunk) => {
    if (chunk !== undefined) await shelf.chunk(chunk, call);
  });
}

/** Writes into a new volume all that a backup has; of zeroes only where it does not read as zeroes. */
export async function copyIn(
  context: Pick<BackupContext, 'environment'>,
  shelf: Shelf,
  { manifest, pool, to }: { readonly manifest: Manifest; readonly pool: StoragePool; readonly to: Omit<ContentAt, 'id'> },
  call: Call,
): Promise<void> {
  await eachPage(shelf, manifest, call, pool.needsZeroes(to) ? all : kept, async (index, chunk) => {
    const { offsetBytes, lengthBytes } = manifest.place(index);
    const bytes = chunk === undefined ? ZEROES.subarray(0, lengthBytes) : await shelf.chunk(chunk, call);
    await patiently(context, call, (c) => pool.writeVolume(to, offsetBytes, bytes, c));
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
  const either = (page: Page, entries: Entries) => [...new Set([...withData.within(page), ...kept(page, entries)])];
  let isOther = false;
  await eachPage(shelf, manifest, call, either, async (index, chunk) => {
    const { offsetBytes, lengthBytes } = manifest.place(index);
    const bytes = await patiently(context, call, (c) => pool.readContent(of, offsetBytes, lengthBytes, c));
    const isAlike = chunk === undefined ? isZero(bytes) : Buffer.from(await shelf.vault.digest(bytes)).equals(chunk.digest);
    isOther ||= !isAlike;
  });
  return isOther;
}
