import type { Attachment, PoolCapacity, StoredKind, StoredObject } from '../../src/strategy/index.ts';
import { SimError } from './fault.ts';

export interface SimStored extends StoredObject {
  sizeBytes: number;
  /** What a clone of this image is at least. */
  readonly virtualSizeBytes: number;
  readonly imageId: string | undefined;
  /** Hosts from which it is reachable. */
  readonly attachedTo: Set<string>;
  /** The running machine that writes to it, `host/machine`. */
  user: string | undefined;
  /** Volumes cloned from this image. */
  clones: number;
}

const key = (kind: StoredKind, id: string) => `${kind}/${id}`;

/** The things in one pool. `hostname` is undefined for a pool that every host sees. */
export class SimPool {
  readonly poolId: string;
  readonly hostname: string | undefined;
  readonly totalBytes: number;
  readonly things = new Map<string, SimStored>();
  readonly #violation: (text: string) => void;
  #usedBytes = 0;

  constructor(poolId: string, hostname: string | undefined, totalBytes: number, violation: (text: string) => void) {
    this.poolId = poolId;
    this.hostname = hostname;
    this.totalBytes = totalBytes;
    this.#violation = violation;
  }

  get capacity(): PoolCapacity {
    return { totalBytes: this.totalBytes, freeBytes: this.totalBytes - this.#usedBytes };
  }

  find(kind: StoredKind, id: string): SimStored | undefined {
    return this.things.get(key(kind, id));
  }

  list(): StoredObject[] {
    return [...this.things.values()].map(({ kind, id, sizeBytes }) => ({ kind, id, sizeBytes }));
  }

  createVolume(id: string, sizeBytes: number, imageId: string | undefined): void {
    const there = this.find('volume', id);
    if (there !== undefined) {
      if (there.sizeBytes === sizeBytes && there.imageId === imageId) return;
      throw new SimError('conflict', `volume ${id} is there with another size or image`);
    }
    const image = imageId === undefined ? undefined : this.#need('image', imageId);
    if (image !== undefined && sizeBytes < image.virtualSizeBytes) throw new SimError('invalid', 'the volume is smaller than its image');
    this.#add('volume', id, sizeBytes, sizeBytes, imageId);
    if (image !== undefined) image.clones += 1;
  }

  resizeVolume(id: string, sizeBytes: number): void {
    const volume = this.#need('volume', id);
    if (sizeBytes < volume.sizeBytes) throw new SimError('invalid', 'a volume only grows');
    this.#take(sizeBytes - volume.sizeBytes);
    volume.sizeBytes = sizeBytes;
  }

  /** Whole, since it happens in one instant. */
  putImage(id: string, sizeBytes: number, virtualSizeBytes: number): void {
    const there = this.find('image', id);
    if (there === undefined) this.#add('image', id, sizeBytes, virtualSizeBytes, undefined);
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
    if (stored.clones > 0) throw new SimError('conflict', `${stored.clones} volumes depend on image ${id}`);
    if (stored.user !== undefined) this.#violation(`${kind} ${id} was deleted under ${stored.user}`);
    const image = stored.imageId === undefined ? undefined : this.find('image', stored.imageId);
    if (image !== undefined) image.clones -= 1;
    this.things.delete(key(kind, id));
    this.#usedBytes -= stored.sizeBytes;
  }

  attach(id: string, hostname: string): Attachment {
    if (this.hostname !== undefined && this.hostname !== hostname)
      throw new SimError('invalid', `the pool is on ${this.hostname}, not on ${hostname}`);
    this.#need('volume', id).attachedTo.add(hostname);
    return this.#attachment('volume', id);
  }

  release(id: string, hostname: string): void {
    const volume = this.find('volume', id);
    if (volume?.user?.startsWith(`${hostname}/`)) this.#violation(`volume ${id} was released under ${volume.user}`);
    volume?.attachedTo.delete(hostname);
  }

  #attachment(kind: StoredKind, id: string): Attachment {
    const format = kind === 'seed' ? 'raw' : 'qcow2';
    return this.hostname === undefined
      ? { type: 'nfs', server: 'shared', export: `/${this.poolId}`, path: `${kind}/${id}`, format }
      : { type: 'file', path: `/sim/${this.poolId}/${kind}/${id}`, format };
  }

  #need(kind: StoredKind, id: string): SimStored {
    const stored = this.find(kind, id);
    if (stored === undefined) throw new SimError('not_found', `no ${kind} ${id} in the pool`);
    return stored;
  }

  #add(kind: StoredKind, id: string, sizeBytes: number, virtualSizeBytes: number, imageId: string | undefined): void {
    this.#take(sizeBytes);
    this.things.set(key(kind, id), { kind, id, sizeBytes, virtualSizeBytes, imageId, attachedTo: new Set(), user: undefined, clones: 0 });
  }

  #take(bytes: number): void {
    if (this.#usedBytes + bytes > this.totalBytes) throw new SimError('exhausted', 'the pool is full');
    this.#usedBytes += bytes;
  }
}

/** Which thing of which pool an attachment means, in the forms that `SimPool` gives. */
export function locate(attachment: Attachment): { readonly poolId: string; readonly shared: boolean; readonly thing: string } | undefined {
  if (attachment.type === 'nfs') return { poolId: attachment.export.slice(1), shared: true, thing: attachment.path };
  if (attachment.type !== 'file') return undefined;
  const [, poolId, thing] = /^\/sim\/([^/]+)\/(.+)$/.exec(attachment.path) ?? [];
  return poolId === undefined || thing === undefined ? undefined : { poolId, shared: false, thing };
}
