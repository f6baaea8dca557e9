import { defineDeletion, FORWARD_ONLY, saga, transition } from '@pileus/core/kernel';
import { type ScrapeTarget, scrapeTarget, type TargetParams } from './target.ts';
import type { TargetContext } from './target-create.ts';

const removeSaga = saga<TargetContext, TargetParams>('scrapeTarget.remove', 1)
  .effect('unlisted', { do: ({ ctx, params }) => ctx.directory.remove(params.id), undo: FORWARD_ONLY })
  .write('deleted', {
    do: ({ params }) => [transition(scrapeTarget, params.id, { from: 'deleting', to: 'deleted' })],
    undo: FORWARD_ONLY,
  })
  .build();

/** Asked for, or with the machine. */
export const deletionOfTarget = (context: () => TargetContext) =>
  defineDeletion({
    kind: scrapeTarget,
    from: ['active', 'paused'],
    remove: removeSaga,
    context,
    params: ({ id }: ScrapeTarget): TargetParams => ({ id }),
  });
