import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CloudError,
  create,
  defineAction,
  defineKind,
  type Id,
  type Migration,
  NOTHING_TO_UNDO,
  type Plugin,
  resourceName,
  saga,
  transition,
} from '@pileus/core/kernel';
import { Type } from 'typebox';

export type Release = 'last' | 'next';

const HEAVY = 50;
const weight = Type.Integer({ minimum: 1, maximum: 100 });
const states = { creating: ['ready', 'deleted'], ready: ['deleted'] } as const;
const declared = { name: 'crate', plural: 'crates', description: 'A box.', scope: 'project', states, initial: 'creating' } as const;

/** Gained two columns, of which one is unique. */
const nextCrate = defineKind({
  ...declared,
  schema: Type.Object({
    weight,
    wood: Type.Optional(Type.String({ maxLength: 20 })),
    grade: Type.Optional(Type.Union([Type.Literal('light'), Type.Literal('heavy')])),
    serial: Type.Optional(Type.String({ maxLength: 80 })),
  }),
  indexed: ['weight', 'grade'],
  unique: [['serial']],
});

/** To the eyes of the compiler the same, so that one action is made for both. */
const lastCrate = defineKind({
  ...declared,
  schema: Type.Object({ weight, wood: Type.Optional(Type.String({ maxLength: 20 })) }),
  indexed: ['weight'],
}) as unknown as typeof nextCrate;

const gradeOf = (kilos: number): 'light' | 'heavy' => (kilos < HEAVY ? 'light' : 'heavy');

interface Named {
  readonly crateId: Id<'crate'>;
  readonly name: string;
}

/** Where crates are made: what is done to one is a file, so that it outlives who has done it. */
export class Yard {
  readonly directory: string;
  /** Work on crates whose names say so never ends. */
  readonly isStuck: boolean;

  constructor(directory: string, isStuck: boolean) {
    this.directory = directory;
    this.isStuck = isStuck;
  }

  async put({ crateId, name }: Named, part: string): Promise<void> {
    if (this.isStuck && name.startsWith(`stuck-${part}`)) await this.#forEver(crateId);
    if (part === 'nails' && name.includes('bad')) throw new CloudError('conflict', 'The wood has split.');
    await writeFile(join(this.directory, `${crateId}.${part}`), '');
  }

  async take({ crateId, name }: Named, part: string): Promise<void> {
    if (this.isStuck && name.startsWith('stuck-undo')) await this.#forEver(crateId);
    await rm(join(this.directory, `${crateId}.${part}`), { force: true });
  }

  /** What was done to each crate that there is anything of. */
  async parts(): Promise<ReadonlyMap<string, readonly string[]>> {
    const files = (await readdir(this.directory)).map((file) => file.split('.') as [string, string]).sort();
    return new Map([...Map.groupBy(files, ([id]) => id)].map(([id, found]) => [id, found.map(([, part]) => part)]));
  }

  async #forEver(crateId: string): Promise<void> {
    await writeFile(join(this.directory, `${crateId}.stuck`), '');
    await new Promise(() => {});
  }
}

const part = (name: string) => ({
  do: ({ ctx, params }: { readonly ctx: Yard; readonly params: Named }) => ctx.put(params, name),
  undo: ({ ctx, params }: { readonly ctx: Yard; readonly params: Named }) => ctx.take(params, name),
});

const ready = {
  do: ({ params }: { readonly params: Named }) => [transition(lastCrate, params.crateId, { from: 'creating', to: 'ready' })],
  undo: NOTHING_TO_UNDO,
} as const;

const lastMake = saga<Yard, Named>('crate.make', 1)
  .effect('planks', part('planks'))
  .effect('nails', part('nails'))
  .write('ready', ready)
  .build();

/** Paints what it makes, and does so before the nails. */
const nextMake = saga<Yard, Named>('crate.make', 2)
  .effect('planks', part('planks'))
  .effect('paint', part('paint'))
  .effect('nails', part('nails'))
  .write('ready', ready)
  .build();

const wood: Migration = { plugin: 'crates', number: 1, table: 'crate', up: (row) => ({ ...row, wood: row.wood ?? 'oak' }) };

const actionOf = (release: Release, yard: Yard) => {
  const [kind, make] = release === 'last' ? [lastCrate, lastMake] : [nextCrate, nextMake];
  return defineAction({
    kind,
    verb: 'create',
    description: 'Makes a crate.',
    target: 'collection',
    input: Type.Object({ name: resourceName(), weight }),
    accept: ({ id, input, projectId }) => {
      const gained = release === 'last' ? {} : { grade: gradeOf(input.weight), serial: `serial-${input.name}` };
      return { params: { crateId: id, name: input.name }, statements: [create(kind, { id, projectId, wood: 'oak', ...input, ...gained })] };
    },
    unwound: ({ crateId }) => [transition(kind, crateId, { from: ['creating', 'deleted'], to: 'deleted' })],
    saga: make,
    context: () => yard,
  });
};

/**
 * Two releases of a plugin that differ in all that a minor release may: a migration, columns, indexes, and the steps of a saga, of which the next one keeps
 * the old version. `migrating` is told of each row.
 */
export function crates(release: Release, yard: Yard, migrating: () => void): Plugin {
  const grade: Migration = {
    ...{ plugin: 'crates', number: 2, table: 'crate' },
    up: (row) => {
      migrating();
      return { ...row, grade: gradeOf(Number(row.weight)), serial: `serial-${row.name}` };
    },
  };
  const gained = release === 'last' ? { migrations: [wood] } : { migrations: [wood, grade], sagas: [lastMake] };
  return {
    ...{ id: 'crates', version: release === 'last' ? '1' : '2' },
    kinds: [release === 'last' ? lastCrate : nextCrate],
    actions: [actionOf(release, yard)],
    ...gained,
  };
}
