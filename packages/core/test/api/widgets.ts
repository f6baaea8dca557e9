import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import {
  ANY_PROJECT,
  CloudError,
  create,
  defineAction,
  defineDeletion,
  defineKind,
  type Endpoint,
  type Id,
  type KernelServices,
  NOTHING_TO_UNDO,
  type Plugin,
  type Principal,
  ref,
  resourceName,
  saga,
  secret,
  transition,
  updateAction,
} from '../../src/kernel/index.ts';

/** A small cloud to serve: shelves of the operator, widgets of tenants that stand on them. */
export const shelf = defineKind({
  name: 'shelf',
  plural: 'shelves',
  description: 'Where widgets stand.',
  scope: 'cloud',
  schema: Type.Object({}),
  states: { available: ['deleting'], deleting: ['available', 'deleted'] },
  initial: 'available',
});

export const widget = defineKind({
  name: 'widget',
  plural: 'widgets',
  description: 'A thing that spins.',
  scope: 'project',
  schema: Type.Object({
    sizeBytes: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    color: Type.Optional(Type.Union([Type.Literal('red'), Type.Literal('green')])),
    shiny: Type.Optional(Type.Boolean()),
    note: Type.Optional(Type.String({ maxLength: 4096 })),
    shelfId: Type.Optional(ref('shelf', 'restrict')),
    password: Type.Optional(secret()),
  }),
  states: {
    creating: ['still', 'deleted'],
    still: ['spinning', 'deleting'],
    spinning: ['still', 'deleting'],
    deleting: ['deleted', 'still', 'spinning'],
  },
  initial: 'creating',
  indexed: ['sizeBytes', 'color', 'shiny'],
  quota: { widgets: 1, widgetBytes: 'sizeBytes' },
});

interface Named {
  readonly widgetId: Id<'widget'>;
}

/** What a test makes steps wait for, fail with, and counts them by. */
export class Workshop {
  spins = 0;
  uploaded = 0;
  polished = 0;
  tickets = 0;
  gate: Promise<void> = Promise.resolve();
  failure: CloudError | undefined;
}

export const PROJECT = '00000000-0000-7000-8000-000000000001' as Id<'project'>;
export const OTHER_PROJECT = '00000000-0000-7000-8000-000000000002' as Id<'project'>;

export const ACCOUNT = '00000000-0000-7000-8000-000000000009' as Id<'account'>;

/** All but what is the operator's alone. */
const isTenants = (permission: string): boolean => permission !== ANY_PROJECT;

export const principalOf = (projectId: Id<'project'> = PROJECT, allows: (permission: string) => boolean = isTenants): Principal => ({
  actor: `key:${projectId.slice(-4)}`,
  projectId,
  accountId: ACCOUNT,
  allows,
});

const createWidget = saga<Workshop, Named>('widget.create', 1)
  .effect('build', {
    do: async ({ ctx }) => {
      await ctx.gate;
      if (ctx.failure !== undefined) throw ctx.failure;
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('still', {
    do: ({ params }) => [transition(widget, params.widgetId, { from: 'creating', to: 'still' })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const spinWidget = saga<Workshop, Named>('widget.spin', 1)
  .effect('turn', {
    do: async ({ ctx }) => {
      await ctx.gate;
      if (ctx.failure !== undefined) throw ctx.failure;
      ctx.spins += 1;
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('spinning', {
    do: ({ params }) => [transition(widget, params.widgetId, { from: 'still', to: 'spinning' })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const removeWidget = saga<null, Named>('widget.remove', 1)
  .write('deleted', {
    do: ({ params }) => [transition(widget, params.widgetId, { from: 'deleting', to: 'deleted' })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const removeShelf = saga<null, { readonly shelfId: Id<'shelf'> }>('shelf.remove', 1)
  .write('deleted', {
    do: ({ params }) => [transition(shelf, params.shelfId, { from: 'deleting', to: 'deleted' })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const createShelf = saga<null, null>('shelf.create', 1).build();

const actionsOf = (workshop: Workshop) => [
  defineAction({
    kind: shelf,
    verb: 'create',
    description: 'Puts up a shelf.',
    target: 'collection',
    input: Type.Object({ name: resourceName() }),
    accept: ({ id, input }) => ({ params: null, statements: [create(shelf, { id, name: input.name })] }),
    saga: createShelf,
    context: () => null,
  }),
  defineAction({
    kind: widget,
    verb: 'create',
    description: 'Makes a widget.',
    target: 'collection',
    input: Type.Object({
      name: resourceName(),
      sizeBytes: widget.schema.properties.sizeBytes,
      color: widget.schema.properties.color,
      shiny: widget.schema.properties.shiny,
      note: widget.schema.properties.note,
      shelf: Type.Optional(Type.String({ format: 'uuid' })),
      password: widget.schema.properties.password,
    }),
    accept: async ({ id, input, projectId, reader, seal }) => {
      const { shelf: shelfId, password, ...fields } = input;
      const on = shelfId === undefined ? {} : { shelfId: (await reader.get(shelf, shelfId, '/shelf')).id };
      const sealed = password === undefined ? undefined : await seal(password);
      return {
        params: { widgetId: id },
        statements: [
          create(widget, { id, projectId, ...fields, ...on, ...(sealed === undefined ? {} : { password: sealed.reference }) }),
          ...(sealed === undefined ? [] : [sealed.statement]),
        ],
      };
    },
    unwound: ({ widgetId }) => [transition(widget, widgetId, { from: ['creating', 'deleted'], to: 'deleted' })],
    saga: createWidget,
    context: () => workshop,
  }),
  defineAction({
    kind: widget,
    verb: 'spinUp',
    description: 'Sets the widget spinning.',
    target: 'resource',
    input: Type.Object({}),
    from: ['still'],
    satisfied: (row) => row.state === 'spinning',
    accept: ({ id }) => ({ params: { widgetId: id }, statements: [] }),
    saga: spinWidget,
    context: () => workshop,
  }),
];

const changesOf = (workshop: Workshop): readonly Endpoint[] => [
  {
    type: 'change',
    method: 'POST',
    path: '/widgets/{id}/polish',
    summary: 'Polishes a widget.',
    permission: 'widget.polish',
    action: 'widget.polish',
    body: Type.Object({ times: Type.Optional(Type.Integer({ minimum: 1 })) }),
    answer: Type.Object({ polished: Type.Integer(), at: Type.String(), again: Type.Boolean() }),
    handle: async ({ body, begin, at, again }) => {
      const { times = 1 } = body as { readonly times?: number };
      if (times > 99) throw new CloudError('conflict', 'It would wear away.');
      await begin([], { times });
      await workshop.gate;
      if (workshop.failure !== undefined) throw workshop.failure;
      workshop.polished += times;
      return { polished: workshop.polished, at, again };
    },
  },
  {
    type: 'change',
    method: 'POST',
    path: '/shelved',
    summary: 'Makes a widget that is there at once.',
    permission: 'widget.create',
    action: 'widget.shelve',
    body: Type.Object({ name: Type.String() }),
    answer: Type.Object({}),
    handle: async ({ principal: { projectId }, body, begin }) => {
      const { name } = body as { readonly name: string };
      const id = `00000000-0000-7000-8000-00000000aaaa` as Id<'widget'>;
      await begin([create(widget, { id, projectId, name, sizeBytes: 1 })]);
      return {};
    },
  },
  {
    type: 'change',
    method: 'POST',
    path: '/widgets/{id}/ticket',
    summary: 'A ticket to a widget.',
    permission: 'widget.ticket',
    action: 'widget.ticket',
    noDryRun: 'It is torn up by itself.',
    isOneTime: true,
    answer: Type.Object({ ticket: Type.String() }),
    handle: async ({ begin }) => {
      await begin();
      workshop.tickets += 1;
      return { ticket: `secret-${workshop.tickets}` };
    },
  },
];

const endpointsOf = (workshop: Workshop): readonly Endpoint[] => [
  {
    type: 'value',
    method: 'POST',
    path: '/widgets/{id}/measure',
    summary: 'Measures a widget.',
    permission: 'widget.measure',
    query: Type.Object({ precise: Type.Optional(Type.Boolean()), times: Type.Optional(Type.Integer()) }),
    body: Type.Object({ unit: Type.Union([Type.Literal('mm'), Type.Literal('inch')]) }),
    answer: Type.Object({ id: Type.String(), unit: Type.String(), precise: Type.Boolean() }),
    handle: async ({ params, query, body }) => ({
      id: params.id,
      unit: (body as { unit: string }).unit,
      precise: query.precise === true,
    }),
  },
  {
    type: 'upload',
    method: 'PUT',
    path: '/widgets/{id}/picture',
    summary: 'Stores a picture.',
    permission: 'widget.picture',
    action: 'widget.picture',
    noDryRun: 'It is seen when it is there.',
    answer: Type.Object({ sizeBytes: Type.Integer() }),
    handle: async ({ bytes, begin }) => {
      let sizeBytes = 0;
      const digest = createHash('sha256');
      await begin();
      for await (const chunk of bytes) {
        sizeBytes += chunk.length;
        digest.update(chunk);
        workshop.uploaded = sizeBytes;
        if (workshop.failure !== undefined) throw workshop.failure;
        await workshop.gate;
      }
      return { answer: { sizeBytes }, sha256: digest.digest('hex') };
    },
  },
  ...changesOf(workshop),
  {
    type: 'download',
    method: 'GET',
    path: '/widgets/{id}/picture',
    summary: 'The picture.',
    permission: 'widget.picture',
    handle: async () => ({
      mediaType: 'text/plain',
      tag: 'alphabet',
      sizeBytes: 26,
      async *open() {
        yield Buffer.from('abcdefghij');
        yield Buffer.from('klmnopqrstuvwxyz');
      },
    }),
  },
  {
    type: 'socket',
    method: 'GET',
    path: '/widgets/{id}/echo',
    summary: 'Answers what it is told.',
    permission: 'none',
    query: Type.Object({ ticket: Type.Optional(Type.String()) }),
    handle: async ({ principal, query }) => {
      if (!principal.allows('widget.echo') && query.ticket !== 'sesame') throw new CloudError('unauthenticated', 'A ticket is needed.');
      return new TransformStream<Uint8Array, Uint8Array>();
    },
  },
];

export const widgetPlugin =
  (workshop: Workshop = new Workshop()) =>
  (_services: KernelServices): readonly Plugin[] => [
    {
      id: 'widgets',
      version: '1',
      kinds: [shelf, widget],
      actions: [...actionsOf(workshop), updateAction(widget, ['note', 'sizeBytes'])],
      deletions: [
        defineDeletion({
          kind: shelf,
          from: ['available'],
          remove: removeShelf,
          context: () => null,
          params: (row) => ({ shelfId: row.id as Id<'shelf'> }),
        }),
        defineDeletion({
          kind: widget,
          from: ['still', 'spinning'],
          remove: removeWidget,
          context: () => null,
          params: (row) => ({ widgetId: row.id as Id<'widget'> }),
        }),
      ],
      endpoints: endpointsOf(workshop),
    },
  ];
