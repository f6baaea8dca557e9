import type { Content } from '../../strategy/index.ts';

/** What was measured of bytes on their way into the store. */
export interface ContentFacts {
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** Where the cloud keeps the content of images, before pools take their copies. Implemented over a directory in `@pileus/core/node`. */
export interface ImageStore {
  /**
   * Takes the bytes under the id, whole or not at all; replaces what an interrupted try left. Digest and size are measured on the way.
   * @throws CloudError too_large beyond the limit
   */
  write(id: string, bytes: AsyncIterable<Uint8Array>, limitBytes: number): Promise<ContentFacts>;
  /** @throws CloudError not_found */
  open(id: string): Promise<Content>;
  /** The first bytes, for telling the format by content. */
  head(id: string, sizeBytes: number): Promise<Uint8Array>;
  /** Absent is done. */
  delete(id: string): Promise<void>;
  /** Ids with content, also with a part that an interrupted write left. */
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
