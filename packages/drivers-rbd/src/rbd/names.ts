import type { StoredKind } from '@pileus/core/strategy';

/**
 * Images of the pool by their names. What is being filled, or taken apart, has a name of its own until it is whole, or gone: a rename shows it, or hides it, in
 * one instant. Only such a name says that what is in the trash was deleted by us: others, too, call what they keep `volume-` and an id, and may put it, or what
 * is ours and alive, there. Snapshots have the ids they were given; `BASE` is the one that clones of an image are made of.
 */
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const WHOLE = new RegExp(`^(volume|image|seed)-(${UUID})$`);
const PART = new RegExp(`^part-(volume|image|seed|luks)-(${UUID})-[0-9a-f]{12}$`);

/** A volume that is being filled, as others than encrypted ones never are: as `part-volume-…` volumes are taken apart alone. */
export type PartKind = StoredKind | 'luks';

/** What things are while they are filled. */
export const filledAs = (kind: StoredKind): PartKind => (kind === 'volume' ? 'luks' : kind);

export const BASE = 'base';

export const nameOf = (kind: StoredKind, id: string): string => `${kind}-${id}`;
export const volumeName = (id: string): string => nameOf('volume', id);
export const imageName = (id: string): string => nameOf('image', id);
export const seedName = (id: string): string => nameOf('seed', id);

/** What all parts of one thing begin with; what none of anything else does. */
export const partPrefix = (kind: PartKind, id: string): string => `part-${kind}-${id}-`;
export const PARTS = 'part-';

export function partName(kind: PartKind, id: string): string {
  return partPrefix(kind, id) + Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString('hex');
}

/** What an image of the pool is, if it is ours and whole. */
export function readName(name: string): { readonly kind: StoredKind; readonly id: string } | undefined {
  const [, kind, id] = WHOLE.exec(name) ?? [];
  return kind === undefined || id === undefined ? undefined : { kind: kind as StoredKind, id };
}

/** The name that a part is to have when it is whole, or had before. */
export function wholeName(part: string): string | undefined {
  const [, kind, id] = PART.exec(part) ?? [];
  return id && nameOf(kind === 'luks' ? 'volume' : (kind as StoredKind), id);
}

/** What an image of the pool was, or is to be, if it is a part. */
export const partKind = (name: string): PartKind | undefined => PART.exec(name)?.[1] as PartKind | undefined;
