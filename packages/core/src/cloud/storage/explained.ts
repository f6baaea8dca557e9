import { type AnyKind, describeChain, type Environment, type Reader, type RowBase } from '../../kernel/index.ts';
import type { StoredKind, StoredObject } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { image } from './image.ts';
import { type Explained, storedOwner } from './points.ts';
import { volume } from './volume.ts';

/** Whose rows explain what is stored. All else is of other modules: `storedOwner`. */
const OWN: { readonly [K in StoredKind]?: AnyKind } = { volume, image };
/** Of one kind. */
const ASKED_AT_ONCE = 100;

interface Ports extends Pick<CloudServices, 'kernel' | 'slices'> {
  readonly reader: Reader;
  readonly environment: Pick<Environment, 'logger'>;
}

/** What is known of something that lies in a pool. */
export interface Explanation {
  readonly as: Explained;
  /** Of a volume or an image, as it was when it was asked for. */
  readonly row?: RowBase;
}

/** What rows say of what lies in a pool, by object; nothing of what they do not explain. Where a module fails to say it, nothing is removed that may be its own. */
export async function explained(ports: Ports, objects: readonly StoredObject[]): Promise<ReadonlyMap<StoredObject, Explanation>> {
  const known = new Map<StoredObject, Explanation>();
  for (const [kind, all] of Map.groupBy(objects, (object) => object.kind))
    for (let from = 0; from < all.length; from += ASKED_AT_ONCE) {
      if (from > 0) await ports.slices.turn();
      const some = all.slice(from, from + ASKED_AT_ONCE);
      for (const [object, explanation] of await explainedOf(ports, kind, some)) known.set(object, explanation);
    }
  return known;
}

async function explainedOf(
  ports: Ports,
  kind: StoredKind,
  objects: readonly StoredObject[],
): Promise<ReadonlyMap<StoredObject, Explanation>> {
  const own = OWN[kind];
  const ids = objects.map(({ id }) => id);
  const rows: ReadonlyMap<string, RowBase> = own === undefined ? new Map() : await ports.slices.named(ports.reader, own, ids);
  const others = await toldOf(
    ports,
    kind,
    ids.filter((id) => !rows.has(id)),
  );
  const known = new Map<StoredObject, Explanation>();
  for (const object of objects) {
    const row = rows.get(object.id);
    const told = others.get(object.id);
    if (row !== undefined) known.set(object, { as: row.deletedAt === undefined ? 'kept' : 'left', row });
    else if (told !== undefined) known.set(object, { as: told });
  }
  return known;
}

async function toldOf(ports: Ports, kind: StoredKind, ids: readonly string[]): Promise<ReadonlyMap<string, Explained>> {
  if (ids.length === 0) return new Map();
  let fails = false;
  const answers = await ports.kernel().registry.hooks.collect(storedOwner, { kind, ids }, (error, plugin) => {
    fails = true;
    if (ids.length > 1) return new Map<string, Explained>();
    const fields = { plugin, kind, id: ids[0], error: describeChain(error) };
    ports.environment.logger.error(fields, 'a plugin failed to say whose something in a pool is; kept');
    return new Map<string, Explained>(ids.map((id) => [id, 'kept']));
  });
  const told = new Map<string, Explained>();
  if (fails && ids.length > 1) {
    for (const id of ids) for (const [of, as] of await toldOf(ports, kind, [id])) told.set(of, as);
    return told;
  }
  for (const answer of answers) for (const [id, as] of answer) if (told.get(id) !== 'kept') told.set(id, as);
  return told;
}
