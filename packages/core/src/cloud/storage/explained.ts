import { type AnyKind, describeChain, type Environment, type Reader, type RowBase } from '../../kernel/index.ts';
import type { StoredKind, StoredObject } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { image } from './image.ts';
import { type Explained, storedOwner } from './points.ts';
import { volume } from './volume.ts';

/** Whose rows explain what is stored. All else is of other modules: `storedOwner`. */
const OWN: { readonly [K in StoredKind]?: AnyKind } = { volume, image };

interface Ports extends Pick<CloudServices, 'kernel'> {
  readonly reader: Reader;
  readonly environment: Pick<Environment, 'logger'>;
}

/** What rows say of something that lies in a pool; undefined: nothing. Where a module fails to say it, nothing is removed that may be its own. */
export async function explained(
  { reader, kernel, environment }: Ports,
  { kind, id }: Pick<StoredObject, 'kind' | 'id'>,
): Promise<Explained | undefined> {
  const row: RowBase | undefined = OWN[kind] && (await reader.find(OWN[kind], id));
  if (row !== undefined) return row.deletedAt === undefined ? 'kept' : 'left';
  const told = await kernel().registry.hooks.collect(storedOwner, { kind, id }, (error, plugin): Explained => {
    environment.logger.error(
      { plugin, kind, id, error: describeChain(error) },
      'a plugin failed to say whose something in a pool is; kept',
    );
    return 'kept';
  });
  return told.includes('kept') ? 'kept' : told.find((each) => each !== undefined);
}
