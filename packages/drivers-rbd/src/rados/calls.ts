import type { Watcher } from './errors.ts';

/** Where images are: a pool and a namespace of it; `''` is the namespace without a name. */
export interface Place {
  readonly pool: string;
  readonly namespace: string;
}

export interface ImageAt extends Place {
  readonly image: string;
}

/** An image that is kept open from one call to the next, under a number that the caller chose. */
export interface OpenAt extends ImageAt {
  readonly handle: number;
  readonly snapshot?: string;
  readonly readOnly: boolean;
}

/** Features that a new image can have. */
export const IMAGE_FEATURES = {
  layering: 1n,
  striping: 2n,
  'exclusive-lock': 4n,
  'object-map': 8n,
  'fast-diff': 16n,
  'deep-flatten': 32n,
  journaling: 64n,
  'data-pool': 128n,
  operations: 256n,
  migrating: 512n,
  'non-primary': 1024n,
  'dirty-cache': 2048n,
} as const;
export type ImageFeature = keyof typeof IMAGE_FEATURES;

export interface NewImageOptions {
  /** Default: layering, exclusive-lock, object-map, fast-diff, deep-flatten. */
  readonly features?: readonly ImageFeature[];
  /** Objects of 2^order bytes; default 22. A clone has by default the order of what it is cloned from. */
  readonly order?: number;
  /** Where the data goes when not into the pool itself (erasure coded pools). */
  readonly dataPool?: string;
}

export interface ImageName {
  readonly name: string;
  /** Given by librbd; stays when the image is renamed or moved to the trash. */
  readonly id: string;
}

export interface ImageParent extends Place {
  readonly image: string;
  readonly imageId: string;
  readonly snapshot: string;
  readonly snapshotId: bigint;
  /** The image that it was cloned from is in the trash. */
  readonly isInTrash: boolean;
  /** So many bytes from the start may still be read from the parent. */
  readonly overlapBytes: bigint;
}

export interface ImageStat {
  readonly id: string;
  readonly sizeBytes: bigint;
  readonly objectBytes: bigint;
  readonly objects: bigint;
  readonly order: number;
  readonly features: readonly ImageFeature[];
  /** librbd's own complaints: the object map, or the fast diff, has to be rebuilt. */
  readonly flags: readonly ('object-map-invalid' | 'fast-diff-invalid')[];
  readonly createdAt: Date;
  readonly parent?: ImageParent;
  /** What is kept with it under the key that was asked for. */
  readonly metadataValue?: string;
}

/** Of an image that was not opened for it. */
export interface ImageSize {
  readonly sizeBytes: bigint;
  readonly metadataValue?: string;
}

/** What is noted of a renaming while it is under way. */
export interface Renaming {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

export interface Snapshot {
  readonly id: bigint;
  readonly name: string;
  /** Of the image at that time. */
  readonly sizeBytes: bigint;
  readonly createdAt: Date;
  /** `trash`: removed, and kept until the last clone of it is gone or flattened. */
  readonly kind: 'user' | 'group' | 'trash' | 'mirror' | 'other';
}

export interface TrashEntry {
  readonly id: string;
  /** What it was called. */
  readonly name: string;
  readonly source: 'user' | 'mirroring' | 'migration' | 'removing' | 'parent' | 'other';
  readonly movedAt: Date;
  /** Until then only a forced removal takes it. */
  readonly keptUntil: Date;
}

export interface Locker {
  /** `client.4123`. */
  readonly client: string;
  /** `auto 94…` for the lock that librbd takes by itself. */
  readonly cookie: string;
  readonly address: string;
}

export interface Locks {
  readonly isExclusive: boolean;
  readonly lockers: readonly Locker[];
}

export interface Child extends Place {
  readonly image: string;
  readonly imageId: string;
  readonly isInTrash: boolean;
}

/** Who has an image open for writing, and its points in time: what stands in the way of its removal. */
export interface ImageUsage {
  readonly watchers: readonly Watcher[];
  readonly snapshots: readonly Snapshot[];
}

/** A watch by who has it, and its number there. */
export type WatchKey = Pick<Watcher, 'clientId' | 'cookie'>;

export interface PoolStat {
  readonly storedBytes: bigint;
  readonly objects: bigint;
}

export interface ClusterInfo {
  readonly fsid: string;
  /** Of librados: `[3, 0, 0]`. */
  readonly radosVersion: readonly [number, number, number];
  readonly rbdVersion: readonly [number, number, number];
  /** Of this client's sessions, as the blocklist takes them. */
  readonly addresses: readonly string[];
  /** As in `mon_host`, by addresses: what this connection was made with. */
  readonly monitors: string;
}

interface Signature {
  readonly args: object;
  readonly result: unknown;
}

/** Adds bytes to what is sent or answered: they go beside the JSON. */
export type Bytes = Uint8Array;

/** Every call that the process of a connection knows, with what it takes and answers. Both ends are checked against this. */
export interface Calls {
  'cluster.info': { readonly args: object; readonly result: ClusterInfo };
  'cluster.catchUp': { readonly args: object; readonly result: null };
  'mon.command': {
    readonly args: { readonly command: string; readonly input?: string };
    readonly result: { readonly output: string; readonly status: string };
  };
  'pool.init': { readonly args: Place & { readonly force: boolean }; readonly result: null };
  'pool.settle': { readonly args: Place; readonly result: null };
  'pool.stat': { readonly args: Place; readonly result: PoolStat };
  'namespace.create': { readonly args: { readonly pool: string; readonly name: string }; readonly result: null };
  'namespace.remove': { readonly args: { readonly pool: string; readonly name: string }; readonly result: null };
  'namespace.list': { readonly args: { readonly pool: string }; readonly result: readonly string[] };
  'image.create': { readonly args: ImageAt & NewImageOptions & { readonly sizeBytes: bigint }; readonly result: null };
  'image.clone': {
    readonly args: ImageAt &
      NewImageOptions & {
        readonly parent: ImageAt;
        readonly snapshot: string | bigint;
        readonly sizeBytes?: bigint;
        readonly metadata?: readonly (readonly [key: string, value: string])[];
      };
    readonly result: null;
  };
  'image.list': {
    readonly args: Place & { readonly after?: string; readonly limit: number };
    readonly result: { readonly images: readonly ImageName[]; readonly isLast: boolean };
  };
  /** In the order of the ids; null where there is none. */
  'image.sizes': {
    readonly args: Place & { readonly ids: readonly string[]; readonly metadataKey?: string };
    readonly result: readonly (ImageSize | null)[];
  };
  'image.size': { readonly args: ImageAt & { readonly metadataKey?: string }; readonly result: ImageSize };
  'image.stat': { readonly args: ImageAt & { readonly snapshot?: string; readonly metadataKey?: string }; readonly result: ImageStat };
  'image.resize': {
    readonly args: ImageAt & {
      readonly sizeBytes: bigint;
      readonly allowShrink: boolean;
    };
    readonly result: null;
  };
  'image.rename': { readonly args: ImageAt & { readonly to: string }; readonly result: null };
  'image.nameVersion': { readonly args: ImageAt; readonly result: bigint | null };
  /** Whether there was such a name. */
  'image.unname': { readonly args: ImageAt & { readonly version: bigint }; readonly result: boolean };
  'renaming.list': { readonly args: Place & { readonly limit: number }; readonly result: readonly Renaming[] };
  'renaming.forget': { readonly args: Place & { readonly id: string }; readonly result: null };
  'image.remove': { readonly args: ImageAt; readonly result: null };
  'image.flatten': { readonly args: ImageAt; readonly result: null };
  'image.copy': { readonly args: ImageAt & NewImageOptions & { readonly snapshot?: string; readonly to: ImageAt }; readonly result: null };
  'image.watchers': { readonly args: ImageAt; readonly result: readonly Watcher[] };
  /** Who of those who have it open is known to its disk. */
  'image.notify': { readonly args: ImageAt & { readonly waitMs: number }; readonly result: readonly WatchKey[] };
  'image.usage': { readonly args: ImageAt; readonly result: ImageUsage };
  'image.locks': { readonly args: ImageAt; readonly result: Locks };
  'image.children': { readonly args: ImageAt & { readonly snapshot?: string }; readonly result: readonly Child[] };
  'image.features': {
    readonly args: ImageAt & { readonly features: readonly ImageFeature[]; readonly enabled: boolean };
    readonly result: null;
  };
  'metadata.get': { readonly args: ImageAt & { readonly key: string }; readonly result: string | null };
  'metadata.set': { readonly args: ImageAt & { readonly key: string; readonly value: string }; readonly result: null };
  'metadata.remove': { readonly args: ImageAt & { readonly key: string }; readonly result: null };
  'metadata.list': {
    readonly args: ImageAt & { readonly after: string; readonly limit: number };
    readonly result: readonly (readonly [key: string, value: string])[];
  };
  'snapshot.create': { readonly args: ImageAt & { readonly snapshot: string }; readonly result: null };
  'snapshot.remove': { readonly args: ImageAt & { readonly snapshot: string | bigint }; readonly result: null };
  'snapshot.list': { readonly args: ImageAt; readonly result: readonly Snapshot[] };
  'snapshot.rollback': { readonly args: ImageAt & { readonly snapshot: string }; readonly result: null };
  'trash.move': { readonly args: ImageAt & { readonly keepMs: number }; readonly result: null };
  'trash.putAway': { readonly args: ImageAt & { readonly as: string }; readonly result: null };
  'trash.list': { readonly args: Place; readonly result: readonly TrashEntry[] };
  'trash.restore': { readonly args: Place & { readonly id: string; readonly name: string }; readonly result: null };
  'trash.remove': { readonly args: Place & { readonly id: string; readonly force: boolean }; readonly result: null };
  'open.read': { readonly args: OpenAt & { readonly offsetBytes: bigint; readonly lengthBytes: number }; readonly result: Bytes };
  'open.write': { readonly args: OpenAt & { readonly offsetBytes: bigint; readonly bytes: Bytes }; readonly result: null };
  'open.discard': { readonly args: OpenAt & { readonly offsetBytes: bigint; readonly lengthBytes: bigint }; readonly result: null };
  'open.zero': { readonly args: OpenAt & { readonly offsetBytes: bigint; readonly lengthBytes: bigint }; readonly result: null };
  'open.flush': { readonly args: OpenAt; readonly result: null };
  'open.stat': { readonly args: OpenAt; readonly result: ImageStat };
  /** Triples of 64 bits, little-endian: offset, length, 1 for data or 0 for zeroes. */
  'open.diff': {
    readonly args: OpenAt & {
      readonly sinceSnapshot?: string;
      readonly offsetBytes: bigint;
      readonly lengthBytes: bigint;
      readonly wholeObjects: boolean;
      readonly includeParent: boolean;
    };
    readonly result: Bytes;
  };
  'open.close': { readonly args: { readonly handle: number }; readonly result: null };
}

export type CallName = keyof Calls;
export type Args<N extends CallName> = Calls[N] extends Signature ? Calls[N]['args'] : never;
export type Result<N extends CallName> = Calls[N] extends Signature ? Calls[N]['result'] : never;

/** Bounds of one call, and what it tells on its way. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** From the call to its answer, waiting for a connection and a free slot included. Default: the cluster's `callTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Monotone share done, 0 to 1: of a resize, removal, flattening, copy or rollback. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** Sends a call to the cluster. Rejects with `RadosError` when it answered so, with an `UnansweredError` when nothing came. */
export type Caller = <N extends CallName>(name: N, args: Args<N>, options?: CallOptions) => Promise<Result<N>>;
