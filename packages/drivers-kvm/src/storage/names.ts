import type { DiskFormat, StoredKind } from '@pileus/core/strategy';

/**
 * The files of a pool. An image is two: its content, and a mark that is made when the content is whole. Libvirt cannot rename a volume, and what it copies
 * is visible while it grows, so a file that takes an instant to make is what says that the other one is complete.
 */
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const PATTERNS = {
  volume: new RegExp(`^volume-(${UUID})\\.(qcow2|raw)$`),
  seed: new RegExp(`^seed-(${UUID})\\.iso$`),
  image: new RegExp(`^image-(${UUID})\\.(qcow2|raw)$`),
  imageMark: new RegExp(`^image-(${UUID})\\.complete$`),
} as const;

/** Of one machine, or raw of several. */
export const volumeName = (id: string, format: DiskFormat = 'qcow2'): string => `volume-${id}.${format}`;
export const seedName = (id: string): string => `seed-${id}.iso`;
export const imageName = (id: string, format: DiskFormat): string => `image-${id}.${format}`;
export const imageMarkName = (id: string): string => `image-${id}.complete`;

/** The files of which one being there says that a thing is there. */
export function presenceNames(kind: StoredKind, id: string): readonly string[] {
  if (kind === 'volume') return [volumeName(id), volumeName(id, 'raw')];
  return [kind === 'seed' ? seedName(id) : imageMarkName(id)];
}

export interface PoolFile {
  readonly kind: keyof typeof PATTERNS;
  readonly id: string;
}

/** What a file of the pool is, if it is ours. */
export function readName(name: string): PoolFile | undefined {
  for (const kind of ['volume', 'seed', 'image', 'imageMark'] as const) {
    const id = PATTERNS[kind].exec(name)?.[1];
    if (id !== undefined) return { kind, id };
  }
  return undefined;
}
