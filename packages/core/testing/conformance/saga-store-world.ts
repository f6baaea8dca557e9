import { Type } from 'typebox';
import {
  type Action,
  announce,
  CloudError,
  create,
  defineAction,
  defineKind,
  FORWARD_ONLY,
  NOTHING_TO_UNDO,
  notice,
  onNotice,
  type Plugin,
  revert,
  type StepInput,
  saga,
  transition,
} from '../../src/kernel/index.ts';

/** What the sagas of the suite change beside the store: it outlives every crash. */
export class Shelf {
  /** By box, each under the name of what was put there. */
  readonly things = new Map<string, Set<string>>();
  /** What was done, in order: `put ID`, `paint WORD`. */
  readonly lines: string[] = [];
  /** Steps that fail, with what; `undo STEP` for the way back. */
  readonly fails = new Map<string, CloudError>();
  /** Steps that do not end until they are let. */
  readonly holds = new Map<string, Promise<unknown>>();
  /** Whether the way back leaves lids to a cleanup. */
  owesLids = false;
  /** Whom the notice of a full box has told, by operation. */
  readonly told = new Set<string>();

  async act(step: string, { call }: Pick<StepInput<Shelf, unknown, unknown>, 'call'>, change: () => void): Promise<void> {
    call.onProgress?.(0.5);
    await this.holds.get(step);
    const failure = this.fails.get(step);
    if (failure !== undefined) throw failure;
    change();
  }

  put(id: string, what: string): void {
    this.things.set(id, (this.things.get(id) ?? new Set()).add(what));
  }

  take(id: string, what: string): void {
    const there = this.things.get(id);
    there?.delete(what);
    if (there?.size === 0) this.things.delete(id);
  }
}

/** How many boxes are full, and how much is in all boxes: counters that must be what the rows say. */
export const FULL_BOXES = 'suite/full';
export const LITRES = 'suite/litres';
export const boxFilled = notice<{ operationId: string }>('box.filled');

export const box = defineKind({
  name: 'box',
  plural: 'boxes',
  description: 'Something to fill.',
  scope: 'project',
  schema: Type.Object({ litres: Type.Integer({ minimum: 0 }) }),
  states: { new: ['full', 'deleted'], full: ['deleted'] },
  initial: 'new',
  quota: { boxes: 1, boxLitres: 'litres' },
});

interface Params {
  readonly id: string;
  readonly litres: number;
}
const CORNERS = ['left', 'right'];

/** An effect, a light one, a fan-out, a write with a counter and a notice, and an effect behind it: each sort of step that is journaled in its own way. */
export const fillBox = saga<Shelf, Params>('box.create', 1)
  .effect('bottom', {
    do: async (input) => {
      const { ctx, params } = input;
      await ctx.act('bottom', input, () => ctx.put(params.id, 'bottom'));
      return { of: params.id };
    },
    undo: async (input) => input.ctx.act('undo bottom', input, () => input.ctx.take(input.params.id, 'bottom')),
  })
  .effect('label', {
    do: async (input) => input.ctx.act('label', input, () => input.ctx.put(input.params.id, 'label')),
    undo: async (input) => input.ctx.act('undo label', input, () => input.ctx.take(input.params.id, 'label')),
    light: true,
  })
  .each('corner', {
    items: () => CORNERS,
    limit: 2,
    do: async (input) => {
      await input.ctx.act(`corner ${input.item}`, input, () => input.ctx.put(input.params.id, input.item));
      return input.item;
    },
    undo: async (input) => input.ctx.act(`undo corner ${input.item}`, input, () => input.ctx.take(input.params.id, input.item)),
  })
  .write('full', {
    do: ({ params, operationId }) => [
      transition(box, params.id as never, { from: 'new', to: 'full' }),
      { op: 'adjust', counter: FULL_BOXES, by: 1 },
      announce(boxFilled, `${operationId}-filled`, { operationId }),
    ],
    undo: ({ params }) => [revert(box, params.id as never, { from: 'full', to: 'new' }), { op: 'adjust', counter: FULL_BOXES, by: -1 }],
  })
  .effect('lid', {
    do: async (input) => input.ctx.act('lid', input, () => input.ctx.put(input.params.id, 'lid')),
    undo: async (input) =>
      input.ctx.act('undo lid', input, () => {
        input.ctx.take(input.params.id, 'lid');
        if (input.ctx.owesLids) input.owe({ task: 'lid.remove', place: 'cellar', target: { id: input.params.id } });
      }),
  })
  .build();

/** What is on the shelf of a box that is whole. */
export const WHOLE = ['bottom', 'label', 'left', 'lid', 'right'];

const createBox = (shelf: Shelf): Action =>
  defineAction({
    kind: box,
    verb: 'create',
    description: 'Makes a box and fills it.',
    target: 'collection',
    input: Type.Object({ name: Type.String(), litres: Type.Integer({ minimum: 0 }) }),
    accept: ({ id, input, projectId }) => ({
      params: { id, litres: input.litres },
      statements: [
        create(box, { id, projectId, name: input.name, litres: input.litres }),
        { op: 'adjust', counter: LITRES, by: input.litres },
      ],
    }),
    saga: fillBox,
    context: () => shelf,
    unwound: ({ id, litres }) => [revert(box, id as never, { from: 'new', to: 'deleted' }), { op: 'adjust', counter: LITRES, by: -litres }],
  });

interface Word {
  readonly word: string;
}
const paintSaga = saga<Shelf, Word>('box.paint', 1)
  .effect('paint', {
    do: async (input) => input.ctx.act(`paint ${input.params.word}`, input, () => input.ctx.lines.push(`paint ${input.params.word}`)),
    undo: NOTHING_TO_UNDO,
  })
  .build();

/** Paints a word on a box, and on all that `also` names. */
const paintBox = (shelf: Shelf): Action =>
  defineAction({
    kind: box,
    verb: 'paint',
    description: 'Paints a word on it.',
    target: 'resource',
    input: Type.Object({ word: Type.String(), also: Type.Optional(Type.Array(Type.String())) }),
    accept: ({ input }) => ({ params: { word: input.word }, statements: [], keys: input.also ?? [] }),
    saga: paintSaga,
    context: () => shelf,
  });

const breakSaga = saga<Shelf, Params>('box.break', 1)
  .effect('smash', {
    do: async (input) => input.ctx.act('smash', input, () => input.ctx.things.delete(input.params.id)),
    undo: FORWARD_ONLY,
  })
  .write('gone', {
    do: ({ params }) => [
      transition(box, params.id as never, { from: 'full', to: 'deleted' }),
      { op: 'adjust', counter: FULL_BOXES, by: -1 },
      { op: 'adjust', counter: LITRES, by: -params.litres },
    ],
    undo: FORWARD_ONLY,
  })
  .build();

const breakBox = (shelf: Shelf): Action =>
  defineAction({
    kind: box,
    verb: 'break',
    description: 'Breaks it for good.',
    target: 'resource',
    input: Type.Object({}),
    accept: ({ row }) => ({ params: { id: row.id, litres: row.litres }, statements: [] }),
    saga: breakSaga,
    context: () => shelf,
  });

/** @param knows whether it has the action that makes boxes: a release without it parks what it finds of it */
export const boxPlugin = (shelf: Shelf, knows = true): Plugin => ({
  id: 'boxes',
  version: '1',
  kinds: [box],
  actions: [paintBox(shelf), breakBox(shelf), ...(knows ? [createBox(shelf)] : [])],
  points: [boxFilled],
  hooks: [onNotice(boxFilled, ({ operationId }) => void shelf.told.add(operationId))],
  debts: [{ task: 'lid.remove', pay: async () => {} }],
});

export const refused = (): CloudError => new CloudError('conflict', 'The suite wants it to fail.');
