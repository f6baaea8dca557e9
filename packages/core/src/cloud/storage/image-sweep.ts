import { describeChain, type Kernel } from '../../kernel/index.ts';
import { removalAllowed } from '../topology/contract.ts';
import { image } from './image.ts';
import type { ImageContext } from './image-context.ts';
import type { Part } from './image-store.ts';
import { imagePartHours } from './settings.ts';

type Services = { readonly kernel: () => Kernel } & Parameters<typeof removalAllowed>[0];

const LOOK_MS = 600_000;
const HOUR_MS = 3600_000;

/** Until when a part waits for its upload to be gone on with, in milliseconds since the epoch. */
export const keptUntilMs = ({ settings }: Pick<ImageContext, 'settings'>, { changedAtMs }: Part): number =>
  changedAtMs + settings.global(imagePartHours) * HOUR_MS;

/**
 * At start: content that an upload or a deletion left when the process ended. After a restore nothing is swept: what the store calls awaited may have
 * come since. Content without any row stays, for the same reason. What has come of an upload stays, too, to be gone on with.
 */
export async function sweepImages(context: ImageContext, services: Services): Promise<void> {
  const { imageStore, reader, uploads } = context;
  const { environment } = services.kernel().services;
  if (!(await removalAllowed(services))) return;
  const parts = new Set((await imageStore.parts()).map(({ id }) => id));
  for (const id of await imageStore.list()) {
    const row = await reader.find(image, id);
    if (row === undefined || row.state === 'available' || row.state === 'trashed' || services.kernel().holds(id) || uploads.has(id))
      continue;
    if (row.state === 'awaiting_content' && parts.has(id)) continue;
    await imageStore.delete(id).catch((error: unknown) => {
      environment.logger.warn({ imageId: id, error: describeChain(error) }, 'left-over image content was not removed');
    });
  }
}

/** Has parts of uploads that nobody goes on with removed, within ten minutes of their time. Answers how to stop. */
export function startPartExpiry(context: ImageContext, services: Services): () => Promise<void> {
  const { environment } = services.kernel().services;
  let stopped = false;
  let cancel = () => {};
  let working: Promise<void> = Promise.resolve();
  const look = () => {
    working = expireParts(context, services)
      .catch((error: unknown) => environment.logger.warn({ error: describeChain(error) }, 'parts of uploads were not looked through'))
      .then(() => {
        if (!stopped) cancel = environment.timers.after(LOOK_MS, look);
      });
  };
  look();
  return async () => {
    stopped = true;
    cancel();
    await working;
  };
}

async function expireParts(context: ImageContext, services: Services): Promise<void> {
  const { imageStore, reader, uploads } = context;
  const nowMs = services.kernel().services.environment.clock.nowMs();
  const due = (await imageStore.parts()).filter((part) => keptUntilMs(context, part) <= nowMs);
  if (due.length === 0 || !(await removalAllowed(services))) return;
  for (const part of due) {
    // A part without any row is of an image that a restore has taken back; whose row is not awaited goes with the image.
    const row = await reader.find(image, part.id);
    if (row !== undefined && !uploads.has(part.id)) await imageStore.deletePart(part);
  }
}
