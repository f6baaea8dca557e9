import type { Attachment, Extent, SnapshotRef, StoredObject } from '../../src/strategy/index.ts';
import type { SimContent } from './content.ts';

export interface SimSnapshot {
  readonly id: string;
  readonly sizeBytes: number;
  readonly content: SimContent;
}

/** What sets a volume of several machines apart. */
export interface SimShared {
  /** The running machines that write to it, each `host/machine`. */
  readonly users: Set<string>;
  /** Those of them that cannot be seen: frozen for a while. */
  readonly hidden: Set<string>;
  /** By machine: who is known to have it open for it. */
  readonly known: Map<string, readonly string[]>;
}

export interface SimStored extends StoredObject {
  sizeBytes: number;
  /** What a clone of this image is at least. */
  readonly virtualSizeBytes: number;
  readonly imageId: string | undefined;
  /** Hosts from which it is reachable. */
  readonly attachedTo: Set<string>;
  /** The running machine that writes to it, `host/machine`; never of one that is shareable. */
  user: string | undefined;
  readonly shared: SimShared | undefined;
  /** Machines that have it in their drive, `host/machine`. */
  readonly readers: Set<string>;
  /** Who has its lock: also who went down with its host, until another takes it. */
  holder: string | undefined;
  /** Its user has neither a watch nor the lock: frozen for a while, and never wrote. No fence finds it. */
  isUserHidden: boolean;
  /** Clients that have it open besides, as a test opens them. */
  readonly clients: Set<string>;
  /** Whose writes are refused for ever. */
  readonly shutOut: Set<string>;
  /** Volumes cloned from this image. */
  clones: number;
  content: SimContent;
  /** In the order they were made. */
  snapshots: readonly SimSnapshot[];
  /** The snapshot that it was cloned from, until it is flattened. */
  parent: SnapshotRef | undefined;
  /** The same, kept: by it, and by `imageId`, a repeated creation is known. */
  madeFrom: string | undefined;
  /** What opens it, where its content is encrypted. */
  encryptionKey: string | undefined;
  /** What opens it, too, while its key is being changed. */
  otherKey: string | undefined;
  /** With it since it was last opened to write. */
  mark?: string | undefined;
  /** Of one that was made empty: where a copy of a disk was written to. */
  written?: readonly Extent[];
  /** It depends neither on its image any more, nor on a snapshot. */
  isFlat: boolean;
}

/** What others have put there. */
export interface SimOthers {
  readonly sizeBytes: number;
  readonly content: SimContent;
  /** Who has it open. */
  readonly users?: readonly string[];
  /** The pool could not go on with it, as it could not with a clone. */
  readonly isUnfit?: boolean;
}

/** The machines that have it open for writing. */
export const usersOf = ({ user, shared }: Pick<SimStored, 'user' | 'shared'>): readonly string[] => [
  ...(user === undefined ? [] : [user]),
  ...(shared?.users ?? []),
];

/** The one of them that is on the host. */
export const userOn = (stored: Pick<SimStored, 'user' | 'shared'>, hostname: string): string | undefined =>
  usersOf(stored).find((each) => each.startsWith(`${hostname}/`));

/** Whether it is encrypted, and by this key. */
export const opens = ({ encryptionKey, otherKey }: Pick<SimStored, 'encryptionKey' | 'otherKey'>, key: string | undefined): boolean =>
  encryptionKey !== undefined && (encryptionKey === key || (otherKey !== undefined && otherKey === key));

/** Which thing of which pool an attachment means, in the forms that `SimPool` gives. */
export function locate(attachment: Attachment): { readonly poolId: string; readonly shared: boolean; readonly thing: string } | undefined {
  if (attachment.type === 'nfs') return { poolId: attachment.export.slice(1), shared: true, thing: attachment.path };
  if (attachment.type === 'rbd') return { poolId: attachment.pool, shared: true, thing: attachment.image };
  if (attachment.type !== 'file') return undefined;
  const [, poolId, thing] = /^\/sim\/(.+)\/((?:volume|seed|image)\/[^/]+)$/.exec(attachment.path) ?? [];
  return poolId === undefined || thing === undefined ? undefined : { poolId, shared: false, thing };
}
