import type { Call, Fault, SettingFault, SettingSpec } from './call.ts';

export interface KeyPage {
  /** Ascending by their bytes; 1000 at most. */
  readonly keys: readonly string[];
  /** Whether there are more behind the last one. */
  readonly hasMore: boolean;
}

/**
 * A place outside of all pools that keeps objects by key. It knows nothing of what is in them: they come encrypted. Keys are parts of lower-case letters, digits,
 * `.`, `_` and `-`, with slashes between them, 512 characters at most; no part begins with a dot, and no key is the folder of another. An object has 256 MiB at most.
 */
export interface BackupStoreDriver {
  /** Makes the place usable and proves that it can be written to. Repeatable. */
  ensureStore(call: Call): Promise<void>;
  /** Whole or not at all, durable when it answers: a half-written object is never seen. In the place of what is there under the key. */
  put(key: string, bytes: Uint8Array, call: Call): Promise<void>;
  /** Undefined only when absence is certain. */
  get(key: string, call: Call): Promise<Uint8Array | undefined>;
  /** False only when absence is certain. */
  has(key: string, call: Call): Promise<boolean>;
  /** Absent is done. */
  delete(key: string, call: Call): Promise<void>;
  /** A page of the keys that begin with the prefix, behind the key `after`. The prefix ends with a slash. */
  list(request: { readonly prefix: string; readonly after?: string }, call: Call): Promise<KeyPage>;
  classify(error: unknown): Fault;
  close(): Promise<void>;
}

export interface BackupStoreEndpoint {
  readonly storeId: string;
  /** Driver-specific settings, validated by the factory's schema; the secret ones are among them, opened. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface BackupStoreFactory {
  readonly name: string;
  /** By their names. */
  readonly settings: Readonly<Record<string, SettingSpec>>;
  /** The first setting whose value no store could be opened with, asked before one is registered. It looks at the values alone. */
  readonly settingFault?: (settings: Readonly<Record<string, string>>) => SettingFault | undefined;
  open(endpoint: BackupStoreEndpoint): BackupStoreDriver;
}
