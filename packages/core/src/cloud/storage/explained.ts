import type { AnyKind, Reader, RowBase } from '../../kernel/index.ts';
import type { StoredKind, StoredObject } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { image } from './image.ts';
import { type Explained, storedOwner } from './points.ts';
import { volume } from './volume.ts';

/** Whose rows explain what is stored. All else is of other modules: `storedOwner`. */
const OWN: { readonly [K in StoredKind]?: AnyKind } = { volume, image };

/** What rows say of something that lies in a pool; undefined: nothing. */
export async function explained(
  { reader, kernel }: { readonly reader: Reader } & Pick<CloudServices, 'kernel'>,
  { kind, id }: Pick<StoredObject, 'kind' | 'id'>,
): Promise<Explained | undefined> {
  const row: RowBase | undefined = OWN[kind] && (await reader.find(OWN[kind], id));
  if (row !== undefined) return row.deletedAt === undefined ? 'kept' : 'left';
  return (await kernel().registry.hooks.collect(storedOwner, { kind, id })).find((told) => told !== undefined);
}
