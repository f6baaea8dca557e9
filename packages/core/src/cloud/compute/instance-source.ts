import type { Static } from 'typebox';
import { bytesText, CloudError, type Id, type RowOf, usable } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { deprecationOf, type Iso, image, isoFor, refuseIso, refuseObsolete } from '../storage/contract.ts';
import type { ComputeServices } from './context.ts';
import type { CreatePlan, CreateRequest } from './instance-accept.ts';
import type { InstanceInput, volumeInput } from './instance-input.ts';

/** @throws CloudError not_found, conflict */
export async function findImage(
  { environment }: ComputeServices,
  { input, principal, reader }: CreateRequest,
): Promise<RowOf<typeof image> | undefined> {
  if (input.imageId === undefined) return undefined;
  const row = await usable(reader, image, input.imageId, principal, '/imageId');
  refuseObsolete(row, environment.clock, '/imageId');
  refuseIso(row, '/imageId');
  if (row.state === 'available' && row.virtualSizeBytes !== undefined) return row;
  throw new CloudError('conflict', `Image ${row.name} is ${row.state}; it needs its content first.`, { pointer: '/imageId' });
}

/** @throws CloudError invalid_input for a machine that would have nothing to boot from */
export async function findIso({ environment }: ComputeServices, { input, principal, reader }: CreateRequest): Promise<Iso | undefined> {
  if (input.isoImageId !== undefined) return isoFor(reader, principal, input.isoImageId, environment.clock, '/isoImageId');
  if (input.imageId !== undefined) return undefined;
  throw new CloudError('invalid_input', 'A machine needs an image, or an ISO to install from.', { pointer: '/imageId' });
}

/** @throws CloudError unsupported */
export async function refuseDriveless({ hosts, pools }: ComputeServices, hostId: string, poolId: string | undefined): Promise<void> {
  (await hosts.hypervisor(hostId)).need('drive');
  if (poolId !== undefined) (await pools.open(poolId)).needImageAttach();
}

/** What is said of what it is made from. */
export const deprecated = ({ source, iso }: Pick<CreatePlan, 'source' | 'iso'>) =>
  (source && deprecationOf(source)) ?? (iso && deprecationOf(iso));

export type Wanted = Static<typeof volumeInput> & { readonly id: Id<'volume'>; readonly imageId?: Id<'image'>; readonly owned: boolean };

/** Its disks, the root disk first. @throws CloudError invalid_input */
export function wantedVolumes(
  input: InstanceInput,
  source: RowOf<typeof image> | undefined,
  mint: (kind: 'volume') => Id<'volume'>,
): readonly Wanted[] {
  const imageBytes = source?.virtualSizeBytes ?? 0;
  const sizeBytes = input.rootVolume?.sizeBytes ?? imageBytes;
  if (sizeBytes === 0) throw new CloudError('invalid_input', 'An empty root disk needs a size.', { pointer: '/rootVolume/sizeBytes' });
  if (sizeBytes < imageBytes)
    throw new CloudError('invalid_input', `The image needs a root disk of at least ${bytesText(imageBytes)}.`, {
      pointer: '/rootVolume/sizeBytes',
    });
  const owned = input.rootVolume?.deleteWithInstance ?? true;
  const root: Wanted = { ...input.rootVolume, id: mint('volume'), sizeBytes, owned, ...given({ imageId: source?.id }) };
  return [root, ...(input.volumes ?? []).map((entry) => ({ ...entry, id: mint('volume'), owned: entry.deleteWithInstance ?? false }))];
}
