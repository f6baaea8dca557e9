import type {
  Attachment,
  ContentRef,
  Extent,
  PoolCapacity,
  PoolFacts,
  SnapshotRef,
  StoredKind,
  StoredObject,
} from '../../src/strategy/index.ts';
import { SimContent } from './content.ts';
import { SimError } from './fault.ts';
import { opens, type SimOthers, type SimSnapshot, type SimStored, userOn, usersOf } from './stored.ts';

/** What is read or written, by its key where it is encrypted. */
type SimRef = ContentRef & { readonly key?: string | undefined };

/** How a pool is that has no trouble. */
const SOUND: PoolFacts = { replicas: 3, replicasMin: 2, failureDomain: 'host', deviceClass: 'ssd', health: 'healthy', isNearlyFull: false };

const key = (kind: StoredKind, id: string) => `${kind}/${id}`;

/** The things in one pool. `hostname` is undefined for a pool that every host sees. */
export class SimPool {
  readonly poolId: string;
  readonly hostname: string | undefined;
  /** Grows when somebody adds disks. */
  totalBytes: number;
  /** What its backend says of it: of pools that every host sees. */
  facts: PoolFacts = SOUND;
  /** Whose key hosts need to reach it; none if undefined. */
  keyholder: string | undefined;
  /** That key; one of the pool's own making if undefined. */
  key: string | undefined;
  /** The users whom its cluster lets in, with their keys; everybody if undefined. */
  users: ReadonlyMap<string, string> | undefined;
  readonly things = new Map<string, SimStored>();
  /** What others have put there. */
  othersBytes = 0;
  /** Their disks, by name. */
  readonly others = new Map<string, SimOthers>();
  /** How often there was no room. */
  refusals = 0;
  readonly violation: (text: string) => void;
  #usedBytes = 0;

  constructor(poolId: string, hostname: string | undefined, totalBytes: number, violation: (text: string) => void) {
    this.poolId = poolId;
    this.hostname = hostname;
    this.totalBytes = totalBytes;
    this.violation = violation;
  }

  /** Who asks, from now on. */
  admit(user: string | undefined, key: string | undefined): void {
    if (this.users !== undefined && (user === undefined || this.users.get(user) !== key))
      throw new SimError('invalid', `the cluster does not know user ${user} with this key`);
    Object.assign(this, { keyholder: user, key });
  }

  /** Whether a host that has this key reaches what is there. */
  letsIn(user: string, key: string | undefined): boolean {
    return this.users === undefined ? key === this.secret(secretRef(this.poolId)) : key !== undefined && this.users.get(user) === key;
  }

  get capacity(): { readonly [F in keyof PoolCapacity]: number } {
    return { totalBytes: this.totalBytes, freeBytes: Math.max(0, this.totalBytes - this.othersBytes - this.#usedBytes) };
  }

  find(kind: StoredKind, id: string): SimStored | undefined {
    return this.things.get(key(kind, id));
  }

  list(): StoredObject[] {
    return [...this.things.values()].map(({ kind, id, sizeBytes }) => ({ kind, id, sizeBytes }));
  }

  createVolume(id: string, sizeBytes: number, imageId?: string, snapshot?: SnapshotRef, key?: string): void {
    const there = this.find('volume', id);
    if (there !== undefined) {
      const isSame =
        there.shared === undefined &&
        there.imageId === imageId &&
        (snapshot === undefined || there.madeFrom === snapshot.id) &&
        there.encryptionKey === key;
      if (there.sizeBytes === sizeBytes && isSame) return;
      throw new SimError('conflict', `volume ${id} is there with another size or source`);
    }
    const image = imageId === undefined ? undefined : this.#need('image', imageId);
    const source = snapshot === undefined ? undefined : this.#snapshot(snapshot);
    if (sizeBytes < Math.max(image?.virtualSizeBytes ?? 0, source?.sizeBytes ?? 0))
      throw new SimError('invalid', 'the volume is smaller than what it is cloned from');
    const sourceKey = snapshot === undefined ? key : this.find('volume', snapshot.volumeId)?.encryptionKey;
    if (sourceKey !== key) throw new SimError('conflict', `the key does not open what volume ${id} is cloned from`);
    const volume = this.#add('volume', id, sizeBytes, sizeBytes, imageId);
    volume.content = (image ?? source)?.content ?? SimContent.EMPTY;
    volume.parent = snapshot;
    volume.madeFrom = snapshot?.id;
    volume.encryptionKey = key;
    if (image !== undefined) image.clones += 1;
  }

  createShareable(id: string, sizeBytes: number): void {
    const there = this.find('volume', id);
    if (there === undefined) {
      const shared = { users: new Set<string>(), hidden: new Set<string>(), known: new Map<string, readonly string[]>() };
      Object.assign(this.#add('volume', id, sizeBytes, sizeBytes, undefined), { shared });
    } else if (there.shared === undefined || there.sizeBytes !== sizeBytes)
      throw new SimError('conflict', `volume ${id} is there with another size, or for one machine alone`);
  }

  resizeEncrypted(id: string, sizeBytes: number, key: string): void {
    const volume = this.#unused(id);
    if (!opens(volume, key)) throw new SimError('conflict', `the key does not open volume ${id}`);
    this.resizeVolume(id, sizeBytes);
  }

  addKey(id: string, key: string, added: string, whose?: 'in use'): void {
    const volume = this.#rekeyed(id, key, whose);
    if (!opens(volume, added)) volume.otherKey = added;
  }

  keepKey(id: string, key: string, whose?: 'in use'): void {
    Object.assign(this.#rekeyed(id, key, whose), { encryptionKey: key, otherKey: undefined });
  }

  #rekeyed(id: string, key: string, whose: 'in use' | undefined): SimStored {
    const volume = whose === 'in use' ? this.#need('volume', id) : this.#unused(id);
    if (volume.snapshots.length > 0) throw new SimError('conflict', `volume ${id} has snapshots, which would keep their headers`);
    if (!opens(volume, key)) throw new SimError('conflict', `the key does not open volume ${id}`);
    return volume;
  }

  resizeVolume(id: string, sizeBytes: number): void {
    const volume = this.#need('volume', id);
    if (sizeBytes < volume.sizeBytes) throw new SimError('invalid', 'a volume only grows');
    this.#take(sizeBytes - volume.sizeBytes);
    Object.assign(volume, { sizeBytes, mark: undefined });
  }

  /** Whole, since it happens in one instant. */
  putImage(id: string, sizeBytes: number, virtualSizeBytes: number, content: SimContent = SimContent.EMPTY): void {
    const there = this.find('image', id);
    if (there === undefined) this.#add('image', id, sizeBytes, virtualSizeBytes, undefined).content = content;
    else if (there.sizeBytes !== sizeBytes || there.virtualSizeBytes !== virtualSizeBytes)
      throw new SimError('conflict', `image ${id} is there with another size`);
  }

  putSeed(id: string, sizeBytes: number): Attachment {
    const there = this.find('seed', id);
    if (there === undefined) this.#add('seed', id, sizeBytes, sizeBytes, undefined);
    else {
      this.#take(sizeBytes - there.sizeBytes);
      there.sizeBytes = sizeBytes;
    }
    return this.#attachment('seed', id);
  }

  delete(kind: StoredKind, id: string): void {
    const stored = this.find(kind, id);
    if (stored === undefined) return;
    if (stored.snapshots.length > 0) throw new SimError('conflict', `${kind} ${id} has ${stored.snapshots.length} snapshots`);
    if (stored.clones > 0) throw new SimError('conflict', `${stored.clones} volumes depend on image ${id}`);
    for (const user of [...stored.readers, ...usersOf(stored)]) this.violation(`${kind} ${id} was deleted under ${user}`);
    this.#letImageGo(stored);
    this.things.delete(key(kind, id));
    this.#usedBytes -= stored.sizeBytes;
  }

  attachImage(id: string): Attachment {
    this.#need('image', id);
    return this.#attachment('image', id);
  }

  attach(id: string, hostname: string): Attachment {
    if (this.hostname !== undefined && this.hostname !== hostname)
      throw new SimError('invalid', `the pool is on ${this.hostname}, not on ${hostname}`);
    const { attachedTo, encryptionKey } = this.#need('volume', id);
    attachedTo.add(hostname);
    const attachment = this.#attachment('volume', id);
    return encryptionKey === undefined
      ? attachment
      : { ...attachment, encryption: { format: 'luks', secretRef: passphraseRef(this.poolId, id) } };
  }

  /** One that was asked for before a machine had it open, and lands late, is refused. */
  release(id: string, hostname: string): void {
    const volume = this.find('volume', id);
    if (volume !== undefined && userOn(volume, hostname) !== undefined)
      throw new SimError('conflict', `volume ${id} is in use on ${hostname}`);
    volume?.attachedTo.delete(hostname);
  }

  /** Who can be seen to have it open, or to have its lock. */
  clients(id: string): string[] {
    const { clients, user, holder, isUserHidden, shared } = this.#need('volume', id);
    const several = [...(shared?.users ?? [])].filter((each) => !shared?.hidden.has(each));
    const machines = isUserHidden ? [] : [user, holder, ...several].filter((each) => each !== undefined);
    return [...new Set([...clients, ...machines])];
  }

  /** Shuts out whoever can be seen to have it open now, or was seen before, and nobody who opens it later. */
  exclude(id: string, seen: readonly string[]): number {
    const volume = this.#need('volume', id);
    const open = new Set([...seen, ...this.clients(id)]);
    for (const client of open) volume.shutOut.add(client);
    volume.clients.clear();
    if (volume.user !== undefined && open.has(volume.user)) volume.user = undefined;
    for (const client of open) volume.shared?.users.delete(client);
    return open.size;
  }

  /** The key behind the references of its attachments. */
  secret(ref: string): string {
    if (this.keyholder === undefined || ref !== secretRef(this.poolId)) throw new SimError('not_found', `no secret ${ref}`);
    return this.key ?? `key of ${ref}`;
  }

  createSnapshot({ id, volumeId }: SnapshotRef): void {
    const volume = this.#need('volume', volumeId);
    if (volume.snapshots.some((each) => each.id === id)) return;
    volume.snapshots = [...volume.snapshots, { id, sizeBytes: volume.sizeBytes, content: volume.content }];
  }

  /** As with files that others are backed by, what lies on one host stays while a clone needs it; shared pools keep it for the clone, out of sight. */
  deleteSnapshot({ id, volumeId }: SnapshotRef): void {
    const volume = this.find('volume', volumeId);
    if (!volume?.snapshots.some((each) => each.id === id)) return;
    const clones = [...this.things.values()].filter(({ parent }) => parent?.id === id);
    if (this.hostname !== undefined && clones.length > 0)
      throw new SimError('conflict', `${clones.length} volumes depend on snapshot ${id}`);
    volume.snapshots = volume.snapshots.filter((each) => each.id !== id);
  }

  revert(ref: SnapshotRef): void {
    const snapshot = this.#snapshot(ref);
    const volume = this.#unused(ref.volumeId);
    this.#take(snapshot.sizeBytes - volume.sizeBytes);
    volume.sizeBytes = snapshot.sizeBytes;
    volume.content = snapshot.content;
  }

  flatten(volumeId: string): void {
    const volume = this.#need('volume', volumeId);
    this.#letImageGo(volume);
    volume.isFlat = true;
    volume.parent = undefined;
  }

  #letImageGo({ imageId, isFlat }: SimStored): void {
    const image = imageId === undefined || isFlat ? undefined : this.find('image', imageId);
    if (image !== undefined) image.clones -= 1;
  }

  adopt(name: string, id: string): void {
    const disk = this.others.get(name);
    if (disk === undefined && this.find('volume', id) !== undefined) return;
    if (disk === undefined) throw new SimError('not_found', `there is no disk ${name}`);
    if (disk.users !== undefined) throw new SimError('conflict', `disk ${name} is open at ${disk.users.join()}`);
    this.#add('volume', id, disk.sizeBytes, disk.sizeBytes, undefined).content = disk.content;
    this.others.delete(name);
  }

  giveBack(name: string, id: string): void {
    const volume = this.find('volume', id);
    if (volume === undefined) return;
    const { sizeBytes, content } = volume;
    this.delete('volume', id);
    this.others.set(name, { sizeBytes, content });
  }

  snapshotsOf(volumeId: string): { readonly id: string; readonly sizeBytes: number }[] {
    return (this.find('volume', volumeId)?.snapshots ?? []).map(({ id, sizeBytes }) => ({ id, sizeBytes }));
  }

  changes(ref: SimRef, sinceId: string | undefined): Extent[] {
    this.#needOpen(ref);
    const earlier = sinceId === undefined ? SimContent.EMPTY : this.#snapshot({ id: sinceId, volumeId: ref.volumeId }).content;
    const { content, sizeBytes } = this.#content(ref);
    return content.changesSince(earlier, sizeBytes);
  }

  read(ref: SimRef, offsetBytes: number, lengthBytes: number): Uint8Array {
    this.#needOpen(ref);
    const { content, sizeBytes } = this.#content(ref);
    within(offsetBytes, lengthBytes, sizeBytes);
    return content.read(offsetBytes, lengthBytes);
  }

  /** What a driver does; a guest, and a test in its place, writes by `write`. */
  writeUnused({ volumeId, key }: SimRef, offsetBytes: number, bytes: Uint8Array): void {
    this.#unused(volumeId);
    this.#needOpen({ volumeId, key });
    this.write(volumeId, offsetBytes, bytes);
  }

  /** By a key, where it is encrypted, and by none where it is not. */
  #needOpen({ volumeId, key }: SimRef): void {
    const volume = this.#need('volume', volumeId);
    if (key === undefined && volume.encryptionKey !== undefined)
      throw new SimError('unsupported', `volume ${volumeId} is encrypted, and is read by its key alone`);
    if (key !== undefined && !opens(volume, key)) throw new SimError('conflict', `the key does not open volume ${volumeId}`);
  }

  write(volumeId: string, offsetBytes: number, bytes: Uint8Array): void {
    const volume = this.#need('volume', volumeId);
    within(offsetBytes, bytes.byteLength, volume.sizeBytes);
    volume.content = volume.content.written(offsetBytes, bytes);
    volume.mark = undefined;
  }

  #unused(volumeId: string): SimStored {
    const volume = this.#need('volume', volumeId);
    const user = usersOf(volume)[0] ?? [...volume.clients][0];
    if (user !== undefined) throw new SimError('conflict', `volume ${volumeId} is in use by ${user}`);
    return volume;
  }

  #content({ id, volumeId }: ContentRef): Pick<SimSnapshot, 'sizeBytes' | 'content'> {
    if (id !== undefined) return this.#snapshot({ id, volumeId });
    const volume = this.#need('volume', volumeId);
    for (const user of usersOf(volume)) this.violation(`volume ${volumeId} was read under ${user}`);
    return volume;
  }

  #snapshot({ id, volumeId }: SnapshotRef): SimSnapshot {
    const snapshot = this.find('volume', volumeId)?.snapshots.find((each) => each.id === id);
    if (snapshot === undefined) throw new SimError('not_found', `volume ${volumeId} has no snapshot ${id}`);
    return snapshot;
  }

  #attachment(kind: StoredKind, id: string): Attachment {
    const format = kind === 'volume' ? 'qcow2' : 'raw';
    if (kind !== 'seed' && this.keyholder !== undefined)
      return {
        ...{ type: 'rbd', pool: this.poolId, image: key(kind, id), monitors: ['shared'], user: this.keyholder },
        secretRef: secretRef(this.poolId),
      };
    return this.hostname === undefined
      ? { type: 'nfs', server: 'shared', export: `/${this.poolId}`, path: `${kind}/${id}`, format }
      : { type: 'file', path: `/sim/${this.poolId}/${kind}/${id}`, format };
  }

  #need(kind: StoredKind, id: string): SimStored {
    const stored = this.find(kind, id);
    if (stored === undefined) throw new SimError('not_found', `no ${kind} ${id} in the pool`);
    return stored;
  }

  #add(kind: StoredKind, id: string, sizeBytes: number, virtualSizeBytes: number, imageId: string | undefined): SimStored {
    this.#take(sizeBytes);
    const stored: SimStored = {
      ...{
        kind,
        id,
        sizeBytes,
        virtualSizeBytes,
        imageId,
        clones: 0,
        user: undefined,
        shared: undefined,
        holder: undefined,
        isUserHidden: false,
      },
      ...{ attachedTo: new Set(), readers: new Set(), clients: new Set(), shutOut: new Set() },
      ...{
        content: SimContent.EMPTY,
        snapshots: [],
        parent: undefined,
        madeFrom: undefined,
        isFlat: false,
        encryptionKey: undefined,
        otherKey: undefined,
      },
    };
    this.things.set(key(kind, id), stored);
    return stored;
  }

  #take(bytes: number): void {
    if (bytes > 0 && this.othersBytes + this.#usedBytes + bytes > this.totalBytes) {
      this.refusals += 1;
      throw new SimError('exhausted', 'the pool is full');
    }
    this.#usedBytes += bytes;
  }
}

/** Of each place another, as where a passphrase is known by the path of a file. */
export const passphraseRef = (poolId: string, volumeId: string) => `luks/${poolId}/${volumeId}`;
export const secretRef = (poolId: string) => `${poolId}/key`;

/** Read or written at once. */
const PIECE_BYTES_MAX = 8 * 2 ** 20;

function within(offsetBytes: number, lengthBytes: number, sizeBytes: number): void {
  if (offsetBytes < 0 || lengthBytes < 0 || lengthBytes > PIECE_BYTES_MAX || offsetBytes + lengthBytes > sizeBytes)
    throw new SimError('invalid', `${lengthBytes} bytes at ${offsetBytes} of ${sizeBytes}`);
}
