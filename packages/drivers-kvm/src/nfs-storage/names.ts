import type { DiskFormat, StoredKind } from '@pileus/core/strategy';

/** Made by who runs the server, on the disk that is exported: where it is missing, what is seen is not the pool, whatever else is missing. */
export const MARK_NAME = 'pileus-pool';
/** A folder for what is not whole yet. What is whole gets its name by one call. */
export const PARTS_NAME = 'parts';

export interface PoolFile {
  readonly kind: StoredKind;
  readonly id: string;
  readonly format: DiskFormat;
}

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const NAME = new RegExp(`^(volume|image|seed)-(${UUID})\\.(qcow2|raw)$`);

export const fileName = ({ kind, id, format }: PoolFile): string => `${kind}-${id}.${format}`;

/** What a file of the pool is, if it is ours. */
export function readName(name: string): PoolFile | undefined {
  const [, kind, id, format] = NAME.exec(name) ?? [];
  return id === undefined ? undefined : { kind: kind as StoredKind, id, format: format as DiskFormat };
}

/** Another one for every attempt, so that what an earlier one sent and lands late is not in it. */
export const partName = (kind: StoredKind, id: string, attempt: string): string => `${partPrefix(kind, id)}${attempt}`;
export const partPrefix = (kind: StoredKind, id: string): string => `${kind}-${id}-`;
