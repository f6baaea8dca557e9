import type { Call, Content, Fault } from './call.ts';
import type { HostEndpoint } from './hypervisor.ts';

/** How a machine reaches a disk: closed, so that every hypervisor knows every form it may meet. Secrets are references. */
export type Attachment =
  | { readonly type: 'file'; readonly path: string; readonly format: DiskFormat }
  | { readonly type: 'block'; readonly path: string }
  | {
      readonly type: 'rbd';
      readonly pool: string;
      readonly image: string;
      readonly monitors: readonly string[];
      readonly user: string;
      readonly secretRef: string;
    }
  | { readonly type: 'iscsi'; readonly portal: string; readonly target: string; readonly lun: number; readonly secretRef?: string }
  | { readonly type: 'nfs'; readonly server: string; readonly export: string; readonly path: string; readonly format: DiskFormat };

export type DiskFormat = 'raw' | 'qcow2';

/** Where things live: a pool with scope `host` is seen by one host only, and pins what uses it. */
export type Scope = 'host' | 'cluster' | 'zone';

/** A thing in the pool that carries our naming: a volume, a cached image or a seed. */
export type StoredKind = 'volume' | 'image' | 'seed';
export interface StoredObject {
  readonly kind: StoredKind;
  readonly id: string;
  /** What a guest sees; for images and seeds the content's size. */
  readonly sizeBytes: number;
}

export interface PoolCapacity {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/**
 * One pool. Ids are minted by the caller; `create*` again with the same arguments succeeds and changes nothing, with another size is a conflict;
 * deleting what is absent succeeds; `inspect` answers undefined only when absence is certain.
 */
export interface StorageDriver {
  /** Makes the pool usable (creates its place if needed). */
  ensurePool(call: Call): Promise<void>;
  /** Ends what `ensurePool` made of connections and definitions; what is stored stays. Repeatable. */
  releasePool?(call: Call): Promise<void>;
  capacity(call: Call): Promise<PoolCapacity>;
  readonly volumes: {
    /** Empty, or with `imageId` a clone of an image that is in this pool; grown to `sizeBytes`, which may not be smaller than the image. */
    create(request: { readonly id: string; readonly sizeBytes: number; readonly imageId?: string }, call: Call): Promise<void>;
    /** Growth only; a smaller size is `invalid`. */
    resize(id: string, sizeBytes: number, call: Call): Promise<void>;
    delete(id: string, call: Call): Promise<void>;
    /** Makes the volume reachable from the host. Repeatable. */
    attach(id: string, host: HostEndpoint, call: Call): Promise<Attachment>;
    /** Ends what `attach` made. Repeatable. */
    release(id: string, host: HostEndpoint, call: Call): Promise<void>;
  };
  readonly images: {
    /** Fills the pool's copy of an image, whole or not at all: a half-written copy is never visible under the image's id. */
    put(
      request: { readonly id: string; readonly format: DiskFormat; readonly virtualSizeBytes: number; readonly content: Content },
      call: Call,
    ): Promise<void>;
    /** `conflict` while a volume still depends on it. */
    delete(id: string, call: Call): Promise<void>;
  };
  readonly seeds: {
    /** Small read-only content for one machine, written whole; again with other content replaces it. */
    put(id: string, bytes: Uint8Array, call: Call): Promise<Attachment>;
    delete(id: string, call: Call): Promise<void>;
  };
  inspect(kind: StoredKind, id: string, call: Call): Promise<StoredObject | undefined>;
  /** Everything of ours in the pool. */
  list(call: Call): Promise<readonly StoredObject[]>;
  classify(error: unknown): Fault;
  close(): Promise<void>;
}

export interface PoolEndpoint {
  readonly poolId: string;
  readonly scope: Scope;
  /** The host through which a host-scoped pool is managed. */
  readonly host?: HostEndpoint;
  /** Driver-specific settings, validated by the factory's schema. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface StorageFactory {
  readonly name: string;
  readonly scope: Scope;
  /** Setting names with what they mean; `required` ones must be given when a pool is registered. */
  readonly settings: Readonly<Record<string, { readonly description: string; readonly required: boolean }>>;
  open(endpoint: PoolEndpoint): StorageDriver;
}
