import type { Content } from '../../strategy/index.ts';

/** What was measured of bytes on their way into the store. */
export interface ContentFacts {
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** An upload that can be gone on with: that of one image and of content of one digest. */
export interface PartName {
  readonly id: string;
  /** What the whole has to have. Lower-case hex. */
  readonly sha256: string;
}

/** What has come of an upload that is not at its end. */
export interface Part extends PartName {
  readonly sizeBytes: number;
  /** When bytes came last, in milliseconds since the epoch. */
  readonly changedAtMs: number;
}

/** Where the cloud keeps the content of images, before pools take their copies. Implemented over a directory in `@pileus/core/node`. */
export interface ImageStore {
  /**
   * Takes the bytes under the id, whole or not at all; replaces what an interrupted try left. Digest and size are measured on the way.
   * @throws CloudError too_large beyond the limit
   */
  write(id: string, bytes: AsyncIterable<Uint8Array>, limitBytes: number): Promise<ContentFacts>;
  /**
   * Puts the bytes behind the first `fromBytes` of the part, drops what was behind them, and takes the whole under the id if it has the digest. Where the
   * source of the bytes fails, what has come stays, also when the process ends; after any other failure nothing does. Parts of the id with other digests
   * are removed. What is here already may have to be read again, which takes its time: `assertWanted` is asked on the way, and what it throws ends that; the
   * part stays as it is.
   * @throws CloudError too_large beyond the limit, invalid_input for another digest, conflict when the part is shorter than `fromBytes`
   */
  append(
    part: PartName & { readonly fromBytes: number },
    bytes: AsyncIterable<Uint8Array>,
    limitBytes: number,
    assertWanted?: () => void,
  ): Promise<ContentFacts>;
  /** What has come of an upload; undefined when that is nothing. */
  part(name: PartName): Promise<Part | undefined>;
  /** All parts, those included whose upload is at work. */
  parts(): Promise<readonly Part[]>;
  /** Absent is done. */
  deletePart(name: PartName): Promise<void>;
  /**
   * With `sha256`, reading it from its start to its end throws `internal` when it does not have that digest any more.
   * @throws CloudError not_found
   */
  open(id: string, sha256?: string): Promise<Content>;
  /** The first bytes, for telling the format by content. */
  head(id: string, sizeBytes: number): Promise<Uint8Array>;
  /** The content and the parts of it. Absent is done. */
  delete(id: string): Promise<void>;
  /** Ids with content, also with a part of it. */
  list(): Promise<readonly string[]>;
}

/**
 * Gets what is at a URL, over redirects to allowed URLs only. Ends when the signal aborts.
 * @throws CloudError refused for a redirect elsewhere, not_found, unavailable
 */
export type FetchUrl = (
  url: string,
  options: { readonly allowed: (url: string) => boolean; readonly signal: AbortSignal },
) => Promise<AsyncIterable<Uint8Array>>;

/**
 * Reads a file of this machine that is, whatever links lead to it, below one of the directories. Ends when the signal aborts.
 * @throws CloudError refused for one that is elsewhere or no regular file, not_found
 */
export type OpenFile = (
  path: string,
  options: { readonly directories: readonly string[]; readonly signal: AbortSignal },
) => Promise<AsyncIterable<Uint8Array>>;
