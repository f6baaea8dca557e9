import { Type } from 'typebox';
import {
  type Action,
  type ActionSpec,
  type AnySaga,
  CloudError,
  create,
  defineAction,
  defineKind,
  type ErrorCode,
  NOTHING_TO_UNDO,
  type Plugin,
  quotaKey,
  revert,
  type Saga,
  type StepInput,
  saga,
  type Timers,
  transition,
} from '../../src/kernel/index.ts';
import type { Call } from '../../src/strategy/index.ts';
import { PROJECT, SimKernel, type SimKernelOptions } from './sim-kernel.ts';

export type Act = (call: Call) => unknown;

/** The world that sagas of tests change: it writes down what was asked of it, answers as planned, and survives crashes. */
export class Script {
  readonly lines: string[] = [];
  timers: Timers = { after: () => () => undefined };
  readonly #plans = new Map<string, Act[]>();

  /** What the next calls of this name do, one after the other; after them all is well again. */
  plan(line: string, ...acts: readonly Act[]): this {
    this.#plans.set(line, [...(this.#plans.get(line) ?? []), ...acts]);
    return this;
  }

  /** From now on, whatever happens. */
  always(line: string, act: Act): this {
    const acts: Act[] = [];
    acts.shift = () => act;
    this.#plans.set(line, acts);
    return this;
  }

  heal(): void {
    this.#plans.clear();
  }

  async play(line: string, call: Call): Promise<unknown> {
    this.lines.push(line);
    return this.#plans.get(line)?.shift()?.(call);
  }
}

export const fails = (code: ErrorCode) => () => {
  throw new CloudError(code, `Planned: ${code}.`);
};
export const hangs = () => new Promise<never>(() => undefined);

export const thing = defineKind({
  name: 'thing',
  plural: 'things',
  description: 'Something to act on.',
  scope: 'project',
  schema: Type.Object({ size: Type.Integer({ minimum: 0 }) }),
  states: { new: ['idle', 'deleted'], idle: ['busy', 'deleting'], busy: ['idle', 'deleting'], deleting: ['deleted'] },
  initial: 'new',
  indexed: ['size'],
  quota: { made: 1 },
});

export interface Params {
  readonly id: string;
  readonly tag: string;
}
export const script = (name: string) => saga<Script, Params>(name, 1);

/** An effect that plays `do NAME` and `undo NAME`. */
export const step = (name: string) => ({
  do: ({ ctx, call }: Pick<StepInput<Script, unknown, unknown>, 'ctx' | 'call'>) => ctx.play(`do ${name}`, call) as Promise<string>,
  undo: async ({ ctx, call }: Pick<StepInput<Script, unknown, unknown>, 'ctx' | 'call'>) => {
    await ctx.play(`undo ${name}`, call);
  },
});

type More = Partial<
  Pick<
    ActionSpec<typeof thing, typeof actInput, Params, Script>,
    'from' | 'satisfied' | 'accept' | 'again' | 'unwound' | 'gate' | 'permission'
  >
>;
const actInput = Type.Object({ tag: Type.Optional(Type.String()), also: Type.Optional(Type.Array(Type.String())) });

/** An action on a thing that runs the saga. `also`: ids of other things that it holds. */
export const act = (world: Script, verb: string, run: Saga<Script, Params>, more: More = {}): Action =>
  defineAction({
    kind: thing,
    verb,
    description: `Runs ${run.name}.`,
    target: 'resource',
    input: actInput,
    accept: ({ row, input }) => ({ params: { id: row.id, tag: input.tag ?? '' }, statements: [], keys: input.also ?? [] }),
    saga: run,
    context: () => world,
    ...more,
  });

/** A deletion of a thing and of those in `also`, which may be forced. */
export const deleting = (world: Script, run: Saga<Script, Params>, more: More = {}): Action => ({
  ...act(world, 'delete', run, {
    accept: ({ row, input: { also = [] } }) => ({ params: { id: row.id, tag: [row.id, ...also].join() }, statements: [], keys: also }),
    ...more,
  }),
  input: Type.Object({ ...actInput.properties, force: Type.Optional(Type.Boolean()) }),
  takes: (params) => (params as Params).tag.split(','),
});

const createInput = Type.Object({ name: Type.String({ minLength: 1 }), size: Type.Integer({ minimum: 0 }) });
interface CreateParams {
  readonly id: string;
  readonly size: number;
}

/** How many things there are of the project. */
export const MADE = quotaKey({ scope: 'project', id: PROJECT, counter: 'made' });
export const makeThing = saga<Script, CreateParams>('thing.create', 1)
  .effect('make', { ...step('make') })
  .write('idle', {
    do: ({ params }) => [transition(thing, params.id as never, { from: 'new', to: 'idle' })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

/** Makes a thing. */
export const createThing = (world: Script): Action =>
  defineAction({
    kind: thing,
    verb: 'create',
    description: 'Makes a thing.',
    target: 'collection',
    input: createInput,
    accept: ({ id, input, projectId }) => ({
      params: { id, size: input.size },
      statements: [
        create(thing, { id, projectId, name: input.name, size: input.size }),
        { op: 'adjust', counter: 'capacity/size', by: input.size },
      ],
    }),
    saga: makeThing,
    context: () => world,
    unwound: ({ id, size }) => [
      revert(thing, id as never, { from: 'new', to: 'deleted' }),
      { op: 'adjust', counter: 'capacity/size', by: -size },
    ],
  });

export const thingPlugin = (world: Script, actions: readonly Action[], more: Partial<Plugin> = {}): Plugin => ({
  id: 'things',
  version: '1',
  kinds: [thing],
  actions: [createThing(world), ...actions],
  ...more,
});

/** A kernel over things, started, with one thing made. */
export async function scripted(
  actions: (world: Script) => readonly Action[],
  { more, ...options }: Partial<Omit<SimKernelOptions, 'plugins'>> & { readonly more?: (world: Script) => Partial<Plugin> } = {},
) {
  const world = new Script();
  const sim = new SimKernel({ ...options, plugins: () => [thingPlugin(world, actions(world), more?.(world))] });
  world.timers = sim.environment.timers;
  await sim.start();
  const id = await makeOne(sim, 'one');
  world.lines.length = 0;
  return { sim, world, id };
}

export async function makeOne(sim: SimKernel, name: string): Promise<string> {
  const accepted = await sim.submit({ action: 'thing.create', input: { name, size: 1 } });
  const row = await sim.ended(accepted.operationId);
  if (row.state !== 'succeeded') throw new Error(JSON.stringify(row));
  return accepted.resourceId;
}

export const bind = (saga: AnySaga, ctx: unknown, params: unknown) => ({ saga, ctx, params });
