import type { Content } from '../../strategy/index.ts';

/** Where the cloud keeps the content of images, before pools take their copies. Implemented over a directory in `@pileus/core/node`. */
export interface ImageStore {
  /** Takes the bytes under the id, whole or not at all; replaces what an interrupted try left. Digest and size are measured on the way. */
  write(id: string, bytes: AsyncIterable<Uint8Array>, limitBytes: number): Promise<{ readonly sizeBytes: number; readonly sha256: string }>;
  /** @throws CloudError not_found */
  open(id: string): Promise<Content>;
  /** The first bytes, for telling the format by content. */
  head(id: string, sizeBytes: number): Promise<Uint8Array>;
  delete(id: string): Promise<void>;
  list(): Promise<readonly string[]>;
}
