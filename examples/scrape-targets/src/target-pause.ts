import { defineAction, revert, saga, transition } from '@pileus/core/kernel';
import { Type } from 'typebox';
import { entryOf } from './directory.ts';
import { scrapeTarget } from './target.ts';
import type { EntryParams, TargetContext } from './target-create.ts';

const pauseSaga = saga<TargetContext, EntryParams>('scrapeTarget.pause', 1)
  .effect('unlisted', {
    do: ({ ctx, params }) => ctx.directory.remove(params.id),
    undo: ({ ctx, params }) => ctx.directory.put(params.entry),
  })
  .write('paused', {
    do: ({ params }) => [transition(scrapeTarget, params.id, { from: 'active', to: 'paused' })],
    undo: ({ params }) => [revert(scrapeTarget, params.id, { from: 'paused', to: 'active' })],
  })
  .build();

const resumeSaga = saga<TargetContext, EntryParams>('scrapeTarget.resume', 1)
  .effect('listed', {
    do: ({ ctx, params }) => ctx.directory.put(params.entry),
    undo: ({ ctx, params }) => ctx.directory.remove(params.id),
  })
  .write('active', {
    do: ({ params }) => [transition(scrapeTarget, params.id, { from: 'paused', to: 'active' })],
    undo: ({ params }) => [revert(scrapeTarget, params.id, { from: 'active', to: 'paused' })],
  })
  .build();

export const pauseTarget = (context: () => TargetContext) =>
  defineAction({
    kind: scrapeTarget,
    verb: 'pause',
    description: 'Stops collecting for a while; the target stays, with its name and its place in the quota.',
    target: 'resource',
    input: Type.Object({}),
    from: ['active'],
    satisfied: ({ state }) => state === 'paused',
    accept: ({ id, row }) => ({ params: { id, entry: entryOf(row) }, statements: [] }),
    saga: pauseSaga,
    context,
  });

export const resumeTarget = (context: () => TargetContext) =>
  defineAction({
    kind: scrapeTarget,
    verb: 'resume',
    description: 'Collects again.',
    target: 'resource',
    input: Type.Object({}),
    from: ['paused'],
    satisfied: ({ state }) => state === 'active',
    accept: ({ id, row }) => ({ params: { id, entry: entryOf(row) }, statements: [] }),
    saga: resumeSaga,
    context,
  });
