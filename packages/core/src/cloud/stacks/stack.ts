import { Type } from 'typebox';
import { defineKind, type JsonObject, type RowOf, ref } from '../../kernel/index.ts';

/** Revisions of a stack that are kept, to go back to. */
export const REVISIONS_MAX = 20;

const plain = (description: string) => Type.Unsafe<JsonObject>({ type: 'object', description });

export const stack = defineKind({
  name: 'stack',
  plural: 'stacks',
  description: 'Resources that are declared together: a template says what there is to be, and applying it makes it so, all or nothing.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    revisionNumber: Type.Integer({ minimum: 0, description: 'Of what was applied last; it grows with each change of it.' }),
    outputs: Type.Optional(plain('What its template answers, e.g. the id of a network.')),
  }),
  states: {
    creating: ['ready', 'deleted'],
    ready: ['updating', 'deleting'],
    updating: ['ready', 'deleting'],
    deleting: ['deleted'],
  },
  initial: 'creating',
  quota: { stacks: 1 },
});
export type Stack = RowOf<typeof stack>;

/** What was applied to one resource. */
export interface AppliedResource {
  /** Its properties as they were resolved, without secrets. */
  readonly properties: JsonObject;
  /** Those of its row's fields as they were right after. */
  readonly found: JsonObject;
}

export const stackRevision = defineKind({
  name: 'stackRevision',
  plural: 'stack-revisions',
  description: `A template that was applied to a stack. The last ${REVISIONS_MAX} are kept; \`rollback\` applies one again.`,
  scope: 'project',
  schema: Type.Object({
    stackId: ref('stack', 'cascade'),
    number: Type.Integer({ minimum: 1 }),
    template: plain('Without secrets, which are sealed apart.'),
    parameters: plain('Their values, without secrets.'),
    secrets: Type.Unsafe<Readonly<Record<string, string>>>({
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'References to sealed values, by their places in the template and the parameters.',
    }),
    applied: Type.Unsafe<Readonly<Record<string, AppliedResource>>>({
      type: 'object',
      description: 'The properties of each resource as they were resolved, and its fields as they were found right after.',
    }),
  }),
  states: { available: ['deleting', 'deleted'], deleting: ['deleted'] },
  initial: 'available',
  unique: [['stackId', 'number']],
});
export type StackRevision = RowOf<typeof stackRevision>;

export const stackResource = defineKind({
  name: 'stackResource',
  plural: 'stack-resources',
  description: 'A resource of a stack, by its name in the template. It goes when the resource goes.',
  scope: 'project',
  attached: { max: 1 },
  schema: Type.Object({
    // No ref: it goes with the stack in an order of its own, before what it is about.
    stackId: Type.String({ format: 'uuid' }),
    logicalName: Type.String({ maxLength: 63 }),
    resourceKind: Type.String({ maxLength: 63 }),
    resourceId: Type.String({ format: 'uuid' }),
    after: Type.Array(Type.String(), { description: 'Names of what it needs: made before it, deleted after it.' }),
    keep: Type.Boolean({ description: 'It stays when the stack or the template lets it go.' }),
  }),
  states: { available: ['deleting', 'deleted'], deleting: ['deleted'] },
  initial: 'available',
  unique: [['stackId', 'logicalName']],
  indexed: ['stackId', 'resourceKind', 'resourceId'],
});
export type StackResource = RowOf<typeof stackResource>;
