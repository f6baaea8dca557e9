import { describeChain, type Kernel } from '../../kernel/index.ts';
import { removalAllowed } from '../topology/contract.ts';
import { image } from './image.ts';
import type { ImageContext } from './image-context.ts';

/**
 * At start: content that an upload or a deletion left when the process ended. After a restore nothing is swept: what the store calls awaited may have
 * come since. Content without any row stays, for the same reason.
 */
export async function sweepImages(
  context: ImageContext,
  services: { readonly kernel: () => Kernel } & Parameters<typeof removalAllowed>[0],
): Promise<void> {
  const { imageStore, reader, uploads } = context;
  const { environment } = services.kernel().services;
  if (!(await removalAllowed(services))) return;
  for (const id of await imageStore.list()) {
    const row = await reader.find(image, id);
    if (row === undefined || row.state === 'available' || row.state === 'trashed' || services.kernel().holds(id) || uploads.has(id))
      continue;
    await imageStore.delete(id).catch((error: unknown) => {
      environment.logger.warn({ imageId: id, error: describeChain(error) }, 'left-over image content was not removed');
    });
  }
}
