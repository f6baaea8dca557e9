// Long because it is one facade: each of the verbs of a pool is a few lines.
import { CloudError, isCloudError } from '../../kernel/index.ts';
import type {
  Call,
  ContentRef,
  DiskFormat,
  Extent,
  HostEndpoint,
  NewVolume,
  PoolFacts,
  SnapshotRef,
  StorageDriver,
  StoredKind,
} from '../../strategy/index.ts';
import { type DriverCaller, required } from '../driver-call.ts';
import type { Exchangeable } from '../exchangeable.ts';
import type { ImageStore } from './image-store.ts';
import { type CountedCapacity, counted } from './pool-capacity.ts';

export interface ImageFacts {
  readonly id: string;
  readonly format: DiskFormat;
  readonly virtualSizeBytes: number;
  /** Of the content: a pool does not take a copy of what is damaged. */
  readonly sha256?: string;
}

/** What is read, or written to; with its key, where it is encrypted. */
export type ContentAt = ContentRef & { readonly key?: string };

const BRIEF_TIMEOUT_MS = 60_000;
/** What does not take long is not waited for as long when its answer is lost. */
const briefly = (call: Call): Call => ({ ...call, timeoutMs: Math.min(call.timeoutMs, BRIEF_TIMEOUT_MS) });

/** An encrypted volume whose key is changed. */
interface Rekeyed {
  readonly volumeId: string;
  /** A machine may have it open meanwhile. */
  readonly isLive: boolean;
}

/** One pool as the cloud holds it. */
export class StoragePool {
  readonly place: string;
  readonly #drivers: Exchangeable<StorageDriver>;
  readonly #calls: DriverCaller;
  readonly #imageStore: ImageStore;
  readonly #filling = new Map<string, Promise<'filled' | 'given up'>>();

  constructor(place: string, drivers: Exchangeable<StorageDriver>, calls: DriverCaller, imageStore: ImageStore) {
    this.place = place;
    this.#drivers = drivers;
    this.#calls = calls;
    this.#imageStore = imageStore;
  }

  get #driver(): StorageDriver {
    return this.#drivers.driver;
  }
  #run<T>(method: string, call: Call, body: (call: Call) => Promise<T>): Promise<T> {
    return this.#calls.run(method, call, (c) => this.#drivers.use(() => body(c)));
  }
  /** What begins from now on is done by this one. */
  exchange(driver: StorageDriver): void {
    this.#drivers.exchange(driver);
  }

  /** Why it cannot be used is told in the driver's words, too: only operators hear of it. */
  async ensure(call: Call): Promise<void> {
    try {
      await this.#run('ensurePool', call, (c) => this.#driver.ensurePool(c));
    } catch (error) {
      if (!isCloudError(error) || !(error.cause instanceof Error) || error.code === 'unavailable') throw error;
      throw new CloudError(error.code, `${error.message} ${error.cause.message}`, { cause: error.cause });
    }
  }
  /** Ends what `ensure` made; what is stored stays. */
  async release(call: Call): Promise<void> {
    const release = this.#driver.releasePool;
    if (release !== undefined) await this.#run('releasePool', call, (c) => release.call(this.#driver, c));
  }
  capacity(call: Call): Promise<CountedCapacity> {
    return this.#run('capacity', call, async (c) => counted(await this.#driver.capacity(c)));
  }
  /** How well the pool keeps what is in it; undefined where its driver cannot tell. */
  async facts(call: Call): Promise<PoolFacts | undefined> {
    const facts = this.#driver.facts;
    return facts === undefined ? undefined : this.#run('facts', call, (c) => facts.call(this.#driver, c));
  }
  /** Where hosts connect to for it, one of which is enough; none where it cannot be told. */
  get endpoints(): readonly string[] {
    return this.#driver.endpoints ?? [];
  }
  /** Whether what has a volume open can be shut out. */
  get canFence(): boolean {
    return this.#driver.fence !== undefined;
  }
  /** Who can be seen to have the volume open. @throws CloudError unsupported */
  clientsOf(volumeId: string, call: Call): Promise<readonly string[]> {
    return this.#run('fence.clients', call, (c) => this.#fence.clients(volumeId, c));
  }
  /** Shuts out what has the volume open now, and the clients that were seen before, for ever; answers how many. @throws CloudError unsupported */
  fence(volumeId: string, clients: readonly string[], call: Call): Promise<number> {
    return this.#run('fence.exclude', call, (c) => this.#fence.exclude(volumeId, clients, c));
  }
  /** The value behind a `secretRef` of an attachment: never to be kept. @throws CloudError unsupported */
  async secret(ref: string, call: Call): Promise<string> {
    const secret = required(this.#driver.secret, this.place, 'give the secrets of its attachments');
    return this.#run('secret', call, (c) => secret.call(this.#driver, ref, c));
  }
  /** Every `secretRef` that its attachments may have. */
  get secretRefs(): readonly string[] {
    return this.#driver.secretRefs ?? [];
  }
  get hasSnapshots(): boolean {
    return this.#driver.snapshots !== undefined;
  }
  /** @throws CloudError `unsupported` when the driver has none: asked before anything changes. */
  needSnapshots(): void {
    void this.#snapshots;
  }
  /** Where the pool keeps it for what was cloned from it, these clones are made independent first. */
  async deleteSnapshotOf(snapshot: SnapshotRef, cloneIds: readonly string[], call: Call): Promise<void> {
    // Copies take long.
    const brief = briefly(call);
    try {
      await this.deleteSnapshot(snapshot, brief);
    } catch (error) {
      if (!isCloudError(error) || error.code !== 'conflict' || cloneIds.length === 0) throw error;
      for (const id of cloneIds) await this.flatten(id, call);
      await this.deleteSnapshot(snapshot, brief);
    }
  }
  revert(snapshot: SnapshotRef, call: Call) {
    return this.#run('snapshots.revert', call, (c) => this.#snapshots.revert(snapshot, c));
  }
  flatten(volumeId: string, call: Call) {
    return this.#run('snapshots.flatten', call, (c) => this.#snapshots.flatten(volumeId, c));
  }
  /** In the order they were made; none where the driver has no snapshots. */
  async listSnapshots(volumeId: string, call: Call): Promise<readonly { readonly id: string; readonly sizeBytes: number }[]> {
    if (this.#driver.snapshots === undefined) return [];
    return this.#run('snapshots.list', call, (c) => this.#snapshots.list(volumeId, c));
  }
  /** With a key, one whose content is encrypted; `shareable`, an empty one that several machines may have open at once. */
  createVolume(
    request: NewVolume & { readonly key?: string; readonly toFill?: true; readonly shareable?: true },
    call: Call,
  ): Promise<void> {
    const { key, shareable, ...plain } = request;
    const several = shareable === true ? this.#shareable : undefined;
    if (several !== undefined) return this.#run('shareable.create', call, (c) => several.create(plain, c));
    if (key === undefined) return this.#run('volumes.create', call, (c) => this.#driver.volumes.create(plain, c));
    const feature = this.#encryption;
    return this.#run('encryption.create', call, (c) => feature.create({ ...plain, key }, c));
  }
  get canShare(): boolean {
    return this.#driver.shareable !== undefined;
  }
  /** Whether one machine can be shut out of a volume that others have, too. */
  get canShutOut(): boolean {
    return this.#driver.shareable?.fence !== undefined;
  }
  /** It has just opened the volume, which no other machine may do until this answers. Answers how many clients are known to be it. */
  async learnMachine(volumeId: string, machineId: string, call: Call): Promise<number> {
    const fence = this.#driver.shareable?.fence;
    return fence === undefined ? 0 : this.#run('shareable.fence.learn', call, (c) => fence.learn(volumeId, machineId, c));
  }
  async forgetMachine(volumeId: string, machineId: string, call: Call): Promise<void> {
    const fence = this.#driver.shareable?.fence;
    if (fence !== undefined) await this.#run('shareable.fence.forget', call, (c) => fence.forget(volumeId, machineId, c));
  }
  /** What is known to be the machine. @throws CloudError unsupported */
  clientsOfMachine(volumeId: string, machineId: string, call: Call): Promise<readonly string[]> {
    return this.#run('shareable.fence.clients', call, (c) => this.#machineFence.clients(volumeId, machineId, c));
  }
  /** Shuts the machine out of the volume, and no other; answers how many clients it was. @throws CloudError unsupported */
  shutOut(volumeId: string, machineId: string, call: Call): Promise<number> {
    return this.#run('shareable.fence.exclude', call, (c) => this.#machineFence.exclude(volumeId, machineId, c));
  }
  /** Whether a volume is written whole when it is made, which takes as long as it is large. */
  get fillsVolumes(): boolean {
    return this.#driver.volumes.fillsVolumes === true;
  }
  /** @throws CloudError `unsupported` where volumes keep the size that they were made with: asked before anything changes */
  needGrowth(): void {
    void this.#resize;
  }
  async resizeVolume(id: string, sizeBytes: number, key: string | undefined, call: Call): Promise<void> {
    const resize = this.#resize;
    if (key === undefined) return this.#run('volumes.resize', call, (c) => resize.call(this.#driver.volumes, id, sizeBytes, c));
    const feature = this.#encryption;
    return this.#run('encryption.resize', call, (c) => feature.resize(id, sizeBytes, key, c));
  }
  get canEncrypt(): boolean {
    return this.#driver.encryption !== undefined;
  }
  /** @throws CloudError `unsupported` where what is in volumes cannot be encrypted: asked before anything changes */
  needEncryption(): void {
    void this.#encryption;
  }
  /** @throws CloudError `unsupported` where the keys of encrypted volumes cannot be changed: asked before anything changes */
  needKeyChanges(): void {
    void this.#keys;
  }
  /** Whether that is so while a machine has the volume open, too. */
  get changesKeysLive(): boolean {
    return this.#driver.encryption?.keys?.live !== undefined;
  }
  /** Both open it. */
  addKey({ volumeId, isLive }: Rekeyed, key: string, added: string, call: Call): Promise<void> {
    return this.#run(isLive ? 'keys.live.add' : 'keys.add', call, (c) => this.#rekeying(isLive).add(volumeId, key, added, c));
  }
  /** No other opens it. */
  keepKey({ volumeId, isLive }: Rekeyed, key: string, call: Call): Promise<void> {
    return this.#run(isLive ? 'keys.live.keep' : 'keys.keep', call, (c) => this.#rekeying(isLive).keep(volumeId, key, c));
  }
  /** What hosts keep the key of an encrypted volume under. @throws CloudError unsupported */
  keyRefOf(volumeId: string): string {
    return this.#encryption.secretRef(volumeId);
  }
  deleteVolume(id: string, call: Call) {
    return this.#run('volumes.delete', call, (c) => this.#driver.volumes.delete(id, c));
  }
  attachVolume(id: string, host: HostEndpoint, call: Call) {
    return this.#run('volumes.attach', call, (c) => this.#driver.volumes.attach(id, host, c));
  }
  releaseVolume(id: string, host: HostEndpoint, call: Call) {
    return this.#run('volumes.release', call, (c) => this.#driver.volumes.release(id, host, c));
  }
  createSnapshot(snapshot: SnapshotRef, call: Call) {
    return this.#run('snapshots.create', call, (c) => this.#snapshots.create(snapshot, c));
  }
  deleteSnapshot(snapshot: SnapshotRef, call: Call) {
    return this.#run('snapshots.delete', call, (c) => this.#snapshots.delete(snapshot, c));
  }
  /** @throws CloudError unsupported where what is in volumes, or in encrypted ones, cannot be read or written */
  needContents(isEncrypted = false): void {
    void (isEncrypted ? this.#lockedContents : this.#contents);
  }
  /** Whether what is in encrypted volumes can be read and written with their keys. */
  get canCopyEncrypted(): boolean {
    return this.#driver.encryption?.contents !== undefined;
  }
  /** Whether what was never written to a volume is noise to its machine: who fills one writes its zeroes, too. */
  needsZeroes({ key }: Pick<ContentAt, 'key'>): boolean {
    return key !== undefined && this.#lockedContents.needsZeroes;
  }
  /** What of a snapshot may differ from an earlier one, or from zeroes, one by one: there may be more than should be in memory. The time is for all that is done with them. */
  eachChange(
    { key, ...of }: ContentAt,
    sinceId: string | undefined,
    call: Call,
    take: (found: AsyncIterable<Extent>, call: Call) => Promise<void>,
  ): Promise<void> {
    const found = (c: Call) =>
      key === undefined ? this.#contents.changes(of, sinceId, c) : this.#lockedContents.changes({ ...of, key }, sinceId, c);
    return this.#run('contents.changes', call, (c) => take(this.#calls.told('contents.changes', c, found), c));
  }
  /** Whether it can be told from zeroes where a volume was never written to. */
  get tellsWritten(): boolean {
    return this.#driver.contents?.written !== undefined;
  }
  /** Where a volume that was made empty was written to since. */
  async written(volumeId: string, within: Omit<Extent, 'hasData'>, call: Call): Promise<readonly Extent[]> {
    const { contents } = this.#driver;
    const written = required(contents?.written, this.place, 'tell where a volume was written to');
    return this.#run('contents.written', call, async (c) => {
      const found: Extent[] = [];
      for await (const extent of this.#calls.told('contents.written', c, (told) => written.call(contents, volumeId, within, told)))
        found.push(extent);
      return found;
    });
  }
  readContent({ key, ...of }: ContentAt, offsetBytes: number, lengthBytes: number, call: Call) {
    return this.#run('contents.read', call, (c) =>
      key === undefined
        ? this.#contents.read(of, offsetBytes, lengthBytes, c)
        : this.#lockedContents.read({ ...of, key }, offsetBytes, lengthBytes, c),
    );
  }
  writeVolume({ volumeId, key }: Omit<ContentAt, 'id'>, offsetBytes: number, bytes: Uint8Array, call: Call) {
    return this.#run('contents.write', call, (c) =>
      key === undefined
        ? this.#contents.write(volumeId, offsetBytes, bytes, c)
        : this.#lockedContents.write({ volumeId, key }, offsetBytes, bytes, c),
    );
  }
  /** A word that is with a volume until somebody opens it to write. False where this one can have none. */
  async markVolume(volumeId: string, word: string, call: Call): Promise<boolean> {
    const { marks } = this.#driver;
    return marks !== undefined && (await this.#run('marks.set', briefly(call), (c) => marks.set(volumeId, word, c)));
  }
  /** The word, while it is there. */
  async markOf(volumeId: string, call: Call): Promise<string | undefined> {
    const { marks } = this.#driver;
    return marks === undefined ? undefined : this.#run('marks.get', briefly(call), (c) => marks.get(volumeId, c));
  }
  /** @throws CloudError `unsupported` where disks of others cannot be told: asked before anything changes */
  needOthers(): void {
    void this.#others;
  }
  /** A page of the disks that others have put there. */
  othersDisks(after: string | undefined, call: Call) {
    return this.#run('others.list', call, (c) => this.#others.list(after === undefined ? {} : { after }, c));
  }
  lookAtOthers(name: string, headBytes: number, call: Call) {
    return this.#run('others.look', call, (c) => this.#others.look(name, headBytes, c));
  }
  adoptDisk(name: string, id: string, call: Call) {
    return this.#run('others.adopt', call, (c) => this.#others.adopt(name, id, c));
  }
  giveDiskBack(name: string, id: string, call: Call) {
    return this.#run('others.giveBack', call, (c) => this.#others.giveBack(name, id, c));
  }
  get #resize() {
    return required(this.#driver.volumes.resize, this.place, 'grow volumes');
  }
  get #others() {
    return required(this.#driver.others, this.place, 'tell what others have put there');
  }
  get #encryption() {
    return required(this.#driver.encryption, this.place, 'encrypt volumes');
  }
  #rekeying(isLive: boolean) {
    return isLive ? required(this.#keys.live, this.place, 'change the keys of encrypted volumes in use') : this.#keys;
  }
  get #keys() {
    return required(this.#encryption.keys, this.place, 'change the keys of encrypted volumes');
  }
  get #fence() {
    return required(this.#driver.fence, this.place, 'shut out what has a volume open');
  }
  get #shareable() {
    return required(this.#driver.shareable, this.place, 'make volumes of several machines');
  }
  get #machineFence() {
    return required(this.#driver.shareable?.fence, this.place, 'shut one machine out of a volume of several');
  }
  get #snapshots() {
    return required(this.#driver.snapshots, this.place, 'keep snapshots');
  }
  get #contents() {
    return required(this.#driver.contents, this.place, 'read and write what is in volumes');
  }
  get #lockedContents() {
    return required(this.#encryption.contents, this.place, 'read and write what is in encrypted volumes');
  }
  putSeed(id: string, bytes: Uint8Array, call: Call) {
    return this.#run('seeds.put', call, (c) => this.#driver.seeds.put(id, bytes, c));
  }
  deleteSeed(id: string, call: Call) {
    return this.#run('seeds.delete', call, (c) => this.#driver.seeds.delete(id, c));
  }
  deleteImage(id: string, call: Call) {
    return this.#run('images.delete', call, (c) => this.#driver.images.delete(id, c));
  }
  /** How machines read the pool's copy of an image. */
  attachImage(id: string, call: Call) {
    const attach = this.#attachImage;
    return this.#run('images.attach', call, (c) => attach.call(this.#driver.images, id, c));
  }
  /** @throws CloudError `unsupported` where machines cannot read images: asked before anything changes */
  needImageAttach(): void {
    void this.#attachImage;
  }
  get #attachImage() {
    return required(this.#driver.images.attach, this.place, 'show an ISO to a machine');
  }
  inspect(kind: StoredKind, id: string, call: Call) {
    return this.#run('inspect', call, (c) => this.#driver.inspect(kind, id, c));
  }
  list(call: Call) {
    return this.#run('list', call, (c) => this.#driver.list(c));
  }

  /**
   * Fills the pool's copy of an image once, however many ask at the same time. The one that fills reports its progress; the others wait as long as their own calls
   * allow, and one of them fills when that one was given up.
   */
  async ensureImage(image: ImageFacts, call: Call): Promise<void> {
    for (;;) {
      const filling = this.#filling.get(image.id);
      if (filling === undefined) return this.#fillAlone(image, call);
      const outcome = await this.#run('images.wait', call, (c) => unlessAborted(filling, c.signal));
      if (outcome === 'filled') return;
    }
  }

  async #fillAlone(image: ImageFacts, call: Call): Promise<void> {
    const fill = this.#fill(image, call).finally(() => this.#filling.delete(image.id));
    const filling = fill.then(
      () => 'filled' as const,
      (error: unknown) => {
        if (call.signal.aborted || (isCloudError(error) && error.code === 'timeout')) return 'given up' as const;
        throw error;
      },
    );
    // Perhaps nobody waits.
    filling.catch(() => undefined);
    this.#filling.set(image.id, filling);
    await fill;
  }

  async #fill(image: ImageFacts, call: Call): Promise<void> {
    if ((await this.inspect('image', image.id, call)) !== undefined) return;
    const { sha256, ...facts } = image;
    const content = await this.#imageStore.open(image.id, sha256);
    await this.#run('images.put', call, (c) => this.#driver.images.put({ ...facts, content }, c));
  }

  async close(): Promise<void> {
    this.#calls.close();
    await this.#drivers.close();
  }
}

/** @throws the reason of the signal */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
