import type { Call, Content, Fault, SettingFault, SettingSpec } from './call.ts';
import type { HostEndpoint } from './hypervisor.ts';

/** The content is encrypted by whoever has the disk open, so that the pool holds ciphertext alone; the secret is a passphrase of its header. */
export interface DiskEncryption {
  readonly format: 'luks';
  readonly secretRef: string;
}

/** How a machine reaches a disk: closed, so that every hypervisor knows every form it may meet. Secrets are references. */
export type Attachment = DiskPlace & { readonly encryption?: DiskEncryption };

export type DiskPlace =
  | { readonly type: 'file'; readonly path: string; readonly format: DiskFormat }
  | { readonly type: 'block'; readonly path: string }
  | {
      readonly type: 'rbd';
      readonly pool: string;
      /** Absent: the one without a name. */
      readonly namespace?: string;
      readonly image: string;
      /** Each `host`, or `host:port`; IPv6 in brackets. */
      readonly monitors: readonly string[];
      readonly user: string;
      readonly secretRef: string;
    }
  | { readonly type: 'nfs'; readonly server: string; readonly export: string; readonly path: string; readonly format: DiskFormat };

export type DiskFormat = 'raw' | 'qcow2';

/** Where things live: a pool with scope `host` is seen by one host only, and pins what uses it. */
export type Scope = 'host' | 'cluster' | 'zone';

/** A thing in the pool that carries our naming: a volume, a cached image or a seed. Snapshots are listed by volume. */
export type StoredKind = 'volume' | 'image' | 'seed';
export interface StoredObject {
  readonly kind: StoredKind;
  readonly id: string;
  /** What a guest sees; for images and seeds the content's size. */
  readonly sizeBytes: number;
}

export interface PoolCapacity {
  /** A bigint where it may be beyond 2^53−1, which a number does not tell exactly; as is the next. */
  readonly totalBytes: number | bigint;
  readonly freeBytes: number | bigint;
}

/** How well a pool keeps what is in it, as its backend says now. */
export interface PoolFacts {
  /** Copies of each byte; of one that is kept in chunks with others for repair, one more than may be lost of these. */
  readonly replicas: number;
  /** Copies without which a write is not acknowledged: with fewer, writes wait. */
  readonly replicasMin: number;
  /** What two copies never share: `osd`, `host`, `rack`. */
  readonly failureDomain: string;
  /** `ssd`, `hdd`, `nvme`; absent where the pool takes any. */
  readonly deviceClass?: string;
  /** `degraded`: all can be read and written, with fewer copies than promised; `unavailable`: some reads or writes wait. */
  readonly health: 'healthy' | 'degraded' | 'unavailable';
  /** In the backend's own words; only when not healthy, or nearly full. */
  readonly reason?: string;
  /** The backend's own warning that it will soon refuse or block writes. */
  readonly isNearlyFull: boolean;
}

/** A point in time of a volume. Ids are unique in the pool. */
export interface SnapshotRef {
  readonly id: string;
  readonly volumeId: string;
}

/** What is read: a snapshot, or, without its id, the volume itself as it is now, which no machine may have open meanwhile. */
export interface ContentRef {
  readonly id?: string;
  readonly volumeId: string;
}

/** A passphrase of the header of an encrypted volume, or of the one that a snapshot has of it. */
interface Opened {
  readonly key: string;
}

export interface NewVolume {
  readonly id: string;
  readonly sizeBytes: number;
  readonly imageId?: string;
  readonly snapshot?: SnapshotRef;
}

/** A disk in the pool that is none of ours. */
export interface OthersDisk {
  readonly name: string;
  readonly sizeBytes: number;
}

/** A stretch of a content. Without data it reads as zeroes. */
export interface Extent {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly hasData: boolean;
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
    /**
     * Empty, a clone of an image that is in this pool, or (where there are snapshots) a clone of a snapshot; grown to `sizeBytes`, which may not be smaller than
     * what it is cloned from. A clone lives on when its image or snapshot is deleted, or the deletion is a `conflict`. `toFill`, of an empty one: `contents.write`
     * is going to fill it before a machine opens it, and may refuse others with a `conflict`.
     */
    create(request: NewVolume & { readonly toFill?: true }, call: Call): Promise<void>;
    /** `create` writes all of the volume, which takes as long as it is large. Absent: it takes an instant, but for what is said of encrypted ones. */
    readonly fillsVolumes?: true;
    /** Growth only; a smaller size is `invalid`. Absent: volumes keep the size that they were made with. */
    resize?(id: string, sizeBytes: number, call: Call): Promise<void>;
    /** `conflict` while a machine has it open, or snapshots of it are there. What takes long goes on after the answer; the volume is gone at once. */
    delete(id: string, call: Call): Promise<void>;
    /** Makes the volume reachable from the host. Repeatable. */
    attach(id: string, host: HostEndpoint, call: Call): Promise<Attachment>;
    /** Ends what `attach` made. Repeatable. One that lands late, when a machine on the host has the volume open again, takes nothing from that: a `conflict`. */
    release(id: string, host: HostEndpoint, call: Call): Promise<void>;
  };
  /** Of volumes whose content is ciphertext. Attachments to them have `encryption`; all else is as with others. */
  readonly encryption?: {
    /**
     * As `volumes.create`, with a header that the key, printable ASCII of 128 characters at most, opens. What an image shows through may lie in the pool as it
     * was put there; all that is written is encrypted. A clone of a snapshot has the header of that, and its key.
     */
    create(request: NewVolume & Opened & { readonly toFill?: true }, call: Call): Promise<void>;
    /** As `volumes.resize`, of a volume that no machine has open. */
    resize(id: string, sizeBytes: number, key: string, call: Call): Promise<void>;
    /** What attachments of the volume refer to its key by, whether it is there or not. */
    secretRef(id: string): string;
    /** Which keys open a volume that no machine has open, and that has no snapshots, whose headers would stay as they are (`conflict`). */
    readonly keys?: {
      /** Another opens it, too; that has been tried when it answers. Until then, and if it fails, `key` does. Repeatable. */
      add(id: string, key: string, added: string, call: Call): Promise<void>;
      /** No other opens it. Of a key that does not open it itself it is a `conflict` that changes nothing. Repeatable. */
      keep(id: string, key: string, call: Call): Promise<void>;
      /**
       * Both also while a machine has it open, which neither fails a read or a write for that nor waits for longer than for another's look at its disk: it goes on with
       * what it has opened, and asks for the key when it opens it anew. Absent: nobody may have it open.
       */
      readonly live?: {
        add(id: string, key: string, added: string, call: Call): Promise<void>;
        keep(id: string, key: string, call: Call): Promise<void>;
      };
    };
    /**
     * What is in them as machines see it, for backups and for moves: as `contents`, which refuses them, by whole sectors of 512 bytes, and with a key that opens them; of
     * another, and of a volume that is not encrypted, it is a `conflict`.
     */
    readonly contents?: {
      changes(of: ContentRef & Opened, sinceId: string | undefined, call: Call): AsyncIterable<Extent>;
      read(of: ContentRef & Opened, offsetBytes: number, lengthBytes: number, call: Call): Promise<Uint8Array>;
      write(to: { readonly volumeId: string } & Opened, offsetBytes: number, bytes: Uint8Array, call: Call): Promise<void>;
      /** What was never written is noise to machines, though `read` answers zeroes: who fills a volume that is to have zeroes writes them, too. */
      readonly needsZeroes: boolean;
    };
  };
  /**
   * Volumes that several machines have open at once. All else is with them as with others: `volumes` attaches, resizes and deletes them, they have snapshots and
   * contents. Hypervisors are told of their disks that they are `shareable`.
   */
  readonly shareable?: {
    /**
     * Empty; never a clone, and never encrypted. One that is there and is not shareable is a `conflict`, as one that is shareable is for `volumes.create`. What one
     * machine has written and flushed the others read.
     */
    create(request: { readonly id: string; readonly sizeBytes: number }, call: Call): Promise<void>;
    /**
     * Where one machine can be shut out of such a volume, while the others go on. `fence` shuts out all of them. A client that was frozen for a while is out of sight, so who is
     * whose is learned when it is certain, and kept with the volume.
     */
    readonly fence?: {
      /**
       * Called each time when the machine has just opened the volume, before another machine is let open it, and when it has arrived on another host: who has it open
       * and is not known to be another machine's is this one's from now on, in place of who was known before. Answers how many those are. 0, and nobody is known any
       * more: none is seen, or it cannot be told whose they are.
       */
      learn(volumeId: string, machineId: string, call: Call): Promise<number>;
      /** Who is known to be the machine's, by names that mean something to the driver alone. */
      clients(volumeId: string, machineId: string, call: Call): Promise<readonly string[]>;
      /**
       * After it answers, none that was known to be the machine's can write to the volume ever again, frozen hosts that come back included; all others can, and the machine can
       * once it has opened it anew. Repeatable. Answers the number of clients shut out. `conflict` when none is known, `unavailable` while somebody
       * has it open who is known to be nobody's: then nobody is shut out.
       */
      exclude(volumeId: string, machineId: string, call: Call): Promise<number>;
      /** The machine has closed the volume for good. Repeatable. */
      forget(volumeId: string, machineId: string, call: Call): Promise<void>;
    };
  };
  /** Of one volume each, whether a machine has it open or not. */
  readonly snapshots?: {
    /** What was written before it is called is in it, what is written after it answers is not. Repeatable: the first point in time stays. */
    create(snapshot: SnapshotRef, call: Call): Promise<void>;
    delete(snapshot: SnapshotRef, call: Call): Promise<void>;
    /**
     * The volume gets back content and size. Later snapshots stay. `conflict` while a machine has the volume open. Nothing of it is done any more once the call was
     * given up, or whoever carries it out has died and the volume is touched again: it would take what was written since.
     */
    revert(snapshot: SnapshotRef, call: Call): Promise<void>;
    /** Makes a clone independent of what it was cloned from. Of any other volume it changes nothing. */
    flatten(volumeId: string, call: Call): Promise<void>;
    /** In the order they were made; empty for an absent volume. */
    list(volumeId: string, call: Call): Promise<readonly { readonly id: string; readonly sizeBytes: number }[]>;
  };
  /** The bytes themselves, for backups and for moves between pools. */
  readonly contents?: {
    /** What of a content may differ from an earlier snapshot of the same volume, or, without one, from zeroes: ascending, never overlapping. */
    changes(of: ContentRef, sinceId: string | undefined, call: Call): AsyncIterable<Extent>;
    /** At most 8 MiB. */
    read(of: ContentRef, offsetBytes: number, lengthBytes: number, call: Call): Promise<Uint8Array>;
    /**
     * Into a volume that no machine has open; at most 8 MiB; what is read after it answers has it. Whether it outlives a loss of power then is the backend's: in
     * Ceph it does, in a directory of a host as soon as the host has written its page cache back.
     */
    write(volumeId: string, offsetBytes: number, bytes: Uint8Array, call: Call): Promise<void>;
    /**
     * Where a stretch of a volume that was made empty was written to since, by whole pieces of the pool's: ascending, never overlapping. `hasData` is false where it was
     * written with zeroes; what was never written is left out. No machine may have it open. Absent: that cannot be told from zeroes, and hypervisors are asked for no
     * `diskBackup` into volumes of the pool.
     */
    written?(volumeId: string, within: { readonly offsetBytes: number; readonly lengthBytes: number }, call: Call): AsyncIterable<Extent>;
  };
  /**
   * A word of 15 hexadecimal digits that is with a volume for as long as nothing can have changed in it: whoever opens the volume to write, whatever program that is,
   * takes it away before the first write, and no loss of power brings it back. So who reads all of a volume while the word is there, before and after, and finds the
   * same word later, need not read it again. One that was set by a call whose outcome is unknown may come late, and be there with anything: words are never used twice.
   */
  readonly marks?: {
    /** Of a volume that no machine has open (`conflict`, where that can be seen). False: this one can have none. Repeatable. */
    set(volumeId: string, word: string, call: Call): Promise<boolean>;
    get(volumeId: string, call: Call): Promise<string | undefined>;
  };
  /** What others have put into the pool, under names of their own. Nothing of it is changed unless it is asked for here. */
  readonly others?: {
    /** A page of their disks, by name, those behind `after`. `next` is the `after` of the next page; without one there is none. */
    list(request: { readonly after?: string }, call: Call): Promise<{ readonly disks: readonly OthersDisk[]; readonly next?: string }>;
    /**
     * Its size, and its first bytes as a machine would read them: as many as are asked for, 64 KiB at most, or all. `not_found` of one that is ours; of one that the
     * pool could not go on with it may be a `conflict`.
     */
    look(name: string, headBytes: number, call: Call): Promise<{ readonly sizeBytes: number; readonly head: Uint8Array }>;
    /**
     * From then on it is the volume of this id, in one instant, with all that is in it, and is deleted with it. `conflict` while somebody can be seen to have it open,
     * of one that has snapshots or is a clone, and of one that the pool could not go on with. Repeatable.
     */
    adopt(name: string, id: string, call: Call): Promise<void>;
    /** Takes that back: it has its name again, unless something else has (`conflict`). Repeatable. */
    giveBack(name: string, id: string, call: Call): Promise<void>;
  };
  /** How well the pool keeps what is in it. Absent: one copy, of which nobody watches the health. */
  facts?(call: Call): Promise<PoolFacts>;
  /** Where the backend can be made to refuse a client. */
  readonly fence?: {
    /**
     * Who can be seen to have the volume open for writing, by names that mean something to the driver alone. None is no proof that nobody has: a client of a frozen
     * host may be out of sight.
     */
    clients(volumeId: string, call: Call): Promise<readonly string[]>;
    /**
     * After it answers, nothing that had the volume open when it was called, and none of the `clients` that were seen before, can write to it ever again, frozen
     * hosts that come back included; whoever opens it later can. Repeatable. Answers the number of clients shut out.
     */
    exclude(volumeId: string, clients: readonly string[], call: Call): Promise<number>;
  };
  /** The value behind a `secretRef` of an attachment. Hosts are given it before they meet the attachment; it is never kept in a row or a journal. */
  secret?(ref: string, call: Call): Promise<string>;
  /** Every `secretRef` that attachments of this pool may have: with the pool, hosts forget them. */
  readonly secretRefs?: readonly string[];
  /**
   * Where hosts connect to for what is in a pool that they share, `host:port` with IPv6 in brackets: one that takes connections is enough. Agents try it from their
   * hosts. Absent: which hosts reach the pool cannot be told.
   */
  readonly endpoints?: readonly string[];
  readonly images: {
    /** Fills the pool's copy of an image, whole or not at all: a half-written copy is never visible under the image's id. */
    put(
      request: { readonly id: string; readonly format: DiskFormat; readonly virtualSizeBytes: number; readonly content: Content },
      call: Call,
    ): Promise<void>;
    /** `conflict` while a volume still depends on it. */
    delete(id: string, call: Call): Promise<void>;
    /**
     * How every host that reaches the pool reads the pool's copy, whose id is in its name there. Nothing is made for it, so nothing is to be ended. `not_found`
     * where the pool has none.
     */
    attach?(id: string, call: Call): Promise<Attachment>;
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
  /** Driver-specific settings, validated by the factory's schema; the secret ones are among them, opened. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface StorageFactory {
  readonly name: string;
  readonly scope: Scope;
  /** By their names. */
  readonly settings: Readonly<Record<string, SettingSpec>>;
  /** The first setting whose value no pool could be opened with, asked before one is registered. It looks at the values alone. */
  readonly settingFault?: (settings: Readonly<Record<string, string>>) => SettingFault | undefined;
  open(endpoint: PoolEndpoint): StorageDriver;
}
