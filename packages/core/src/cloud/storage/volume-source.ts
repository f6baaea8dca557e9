import {
  type Clock,
  CloudError,
  changeable,
  type Id,
  type JsonObject,
  type Principal,
  type Reader,
  type RowOf,
  type Statement,
  usable,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { deprecationOf, image, refuseIso, refuseObsolete, unusable } from './image.ts';
import type { StorageContext } from './removal.ts';
import { snapshot } from './snapshots/snapshot.ts';
import { refuseUnkept, snapshotRows } from './snapshots/snapshot-rows.ts';
import type { ImageFacts } from './storage-pool.ts';
import { volume } from './volume.ts';
import type { CreateVolumeParams } from './volume-create.ts';
import type { NewVolume } from './volume-rows.ts';

/** What a volume is made from, and what that asks of its creation. */
export interface VolumeSource {
  readonly what: 'image' | 'snapshot' | 'volume';
  /** The least that it can have. */
  readonly sizeBytes: number;
  /** Where it has to be. */
  readonly poolId?: Id<'pool'>;
  /** The volume whose content it gets, or that of a snapshot of it. */
  readonly content?: Pick<RowOf<typeof volume>, 'encryptionKey'>;
  readonly row?: Pick<NewVolume, 'imageId' | 'snapshotId'>;
  readonly params?: Pick<CreateVolumeParams, 'imageId' | 'snapshot' | 'between'>;
  readonly statements?: readonly Statement[];
  readonly keys?: readonly string[];
  readonly notes?: JsonObject;
}

interface Asked {
  readonly imageId?: string;
  readonly snapshotId?: string;
  readonly volumeId?: string;
  readonly poolId?: string;
}

const SOURCES = ['imageId', 'snapshotId', 'volumeId'] as const;

/** @returns undefined for an empty volume. @throws CloudError invalid_input, not_found, conflict, unsupported */
export async function sourceFor(
  context: Pick<StorageContext, 'pools'> & { readonly clock: Clock },
  reader: Reader,
  principal: Principal,
  asked: Asked,
  mint: (kind: 'snapshot') => Id<'snapshot'>,
): Promise<VolumeSource | undefined> {
  const [, second] = SOURCES.filter((field) => asked[field] !== undefined);
  if (second !== undefined) throw new CloudError('invalid_input', 'A volume is made from one thing.', { pointer: `/${second}` });
  if (asked.imageId !== undefined) return ofImage(await imageFor(reader, principal, asked.imageId, context.clock));
  if (asked.snapshotId !== undefined) return beside(asked, await ofSnapshot(context, reader, principal, asked.snapshotId));
  if (asked.volumeId !== undefined) return beside(asked, await ofVolume(context, reader, principal, asked.volumeId, mint('snapshot')));
  return undefined;
}

/** @throws CloudError invalid_input */
function beside({ poolId }: Asked, source: VolumeSource): VolumeSource {
  if (poolId === undefined || poolId === source.poolId) return source;
  throw new CloudError('invalid_input', `What is cloned from a ${source.what} is in the pool of that.`, {
    pointer: '/poolId',
    params: { poolId: source.poolId ?? null },
  });
}

const ofImage = ({ id, virtualSizeBytes, deprecation }: UsableImage): VolumeSource => ({
  what: 'image',
  sizeBytes: virtualSizeBytes,
  row: { imageId: id },
  params: { imageId: id },
  ...given({ notes: deprecation === undefined ? undefined : { deprecatedImage: deprecation } }),
});

/** Below the snapshot may lie an image, on which the clone depends, too. */
async function ofSnapshot(context: Pick<StorageContext, 'pools'>, reader: Reader, principal: Principal, id: string): Promise<VolumeSource> {
  const kept = await changeable(reader, snapshot, id, principal, '/snapshotId');
  if (kept.state !== 'available')
    throw new CloudError('conflict', `Snapshot ${kept.name} is ${kept.state}.`, { pointer: '/snapshotId', params: { state: kept.state } });
  const content = await reader.get(volume, kept.volumeId);
  const { imageId } = content;
  (await context.pools.open(kept.poolId)).needSnapshots();
  return {
    what: 'snapshot',
    sizeBytes: kept.sizeBytes,
    poolId: kept.poolId,
    content,
    row: { snapshotId: kept.id, ...given({ imageId }) },
    params: { snapshot: { id: kept.id, volumeId: kept.volumeId } },
    keys: [kept.id],
  };
}

async function ofVolume(
  context: Pick<StorageContext, 'pools'>,
  reader: Reader,
  principal: Principal,
  volumeId: string,
  id: Id<'snapshot'>,
): Promise<VolumeSource> {
  const source = await changeable(reader, volume, volumeId, principal, '/volumeId');
  await refuseUnkept(context, source, '/volumeId');
  const { imageId } = source;
  const between = { id, system: true };
  return {
    what: 'volume',
    sizeBytes: source.sizeBytes,
    poolId: source.poolId,
    content: source,
    row: given({ imageId }),
    params: { snapshot: { id, volumeId: source.id }, between: snapshotRows.wanted(source, between) },
    statements: snapshotRows.insert(source, between),
    keys: [source.id],
  };
}

type UsableImage = ImageFacts & { readonly id: Id<'image'>; readonly deprecation?: JsonObject };

/** What pools need to know of an image. @throws CloudError conflict while it has no content, or is being deleted */
export function imageFacts(row: RowOf<typeof image>, pointer = '/imageId'): ImageFacts {
  if (row.format === undefined || row.virtualSizeBytes === undefined || row.state !== 'available') throw unusable(row, pointer);
  const format = row.format === 'iso' ? 'raw' : row.format;
  return { id: row.id, format, virtualSizeBytes: row.virtualSizeBytes, ...given({ sha256: row.sha256 }) };
}

/** An image that the caller may use, with its content. @throws CloudError not_found, conflict */
export async function imageFor(reader: Reader, principal: Principal, imageId: string, clock: Clock): Promise<UsableImage> {
  const row = await usable(reader, image, imageId, principal, '/imageId');
  refuseObsolete(row, clock, '/imageId');
  refuseIso(row, '/imageId');
  return { ...imageFacts(row), id: row.id, ...given({ deprecation: deprecationOf(row) }) };
}
