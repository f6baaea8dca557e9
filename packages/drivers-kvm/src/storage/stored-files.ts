import type { StoredKind, StoredObject } from '@pileus/core/strategy';
import type { Deadline } from '../deadline.ts';
import type { StorageVolume } from '../libvirt/index.ts';
import { inspectImage } from './images.ts';
import { presenceNames, readName } from './names.ts';
import { type DirPool, findOneOf } from './pool.ts';

/** What is in a file, or two, of a folder. */
export async function inspectFile(pool: DirPool, kind: StoredKind, id: string, deadline: Deadline): Promise<StoredObject | undefined> {
  if (kind === 'image') return inspectImage(pool, id, deadline);
  const volume = await findOneOf(pool, presenceNames(kind, id), deadline);
  const view = volume && (await pool.view(volume, deadline));
  return view && { kind, id, sizeBytes: view.capacityBytes };
}

/** What of a folder's files is ours. */
export async function listFiles(pool: DirPool, all: readonly StorageVolume[], deadline: Deadline): Promise<readonly StoredObject[]> {
  const things = all
    .flatMap((volume) => readName(volume.name) ?? [])
    .flatMap(({ kind, id }) => (kind === 'image' ? [] : [{ kind: kind === 'imageMark' ? 'image' : kind, id } as const]));
  const stored = await Promise.all(things.map(({ kind, id }) => inspectFile(pool, kind, id, deadline)));
  return stored.filter((each) => each !== undefined);
}
