import { type TSchema, Type } from 'typebox';
import type { Action } from '../action.ts';
import { ERROR_CODES } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import type { AnyKind } from '../kind.ts';
import { operation } from '../operation.ts';
import { QueryGraph } from '../query/graph.ts';
import type { Registry } from '../registry.ts';
import { waiting } from '../standing.ts';
import { pascal } from './names.ts';
import { pageSchema, QUERY_SCHEMAS } from './openapi-lists.ts';
import { reference, schemaName } from './openapi-parameters.ts';

/** A schema as the plain JSON it stands for: TypeBox keeps more on it, out of sight. */
export const plain = (schema: TSchema): JsonObject => JSON.parse(JSON.stringify(schema)) as JsonObject;

/** The component of one operation with what is told beside its row. */
export const OPERATION_NOW = 'OperationNow';

/** The component of an action's input, e.g. `InstanceCreate`; undefined when it takes none. */
export const inputName = (action: Action): string | undefined =>
  Object.keys(action.input.properties).length === 0 ? undefined : schemaName(action.kind) + pascal(action.verb);

export function componentsOf(registry: Registry): JsonObject {
  const schemas: Record<string, Json> = { ...SHARED, ...QUERY_SCHEMAS };
  const add = (name: string, schema: JsonObject) => {
    if (name in schemas) throw new Error(`two schemas of the document are called ${name}`);
    schemas[name] = schema;
  };
  const graph = new QueryGraph(registry);
  for (const kind of registry.kinds()) {
    const name = schemaName(kind);
    const extensions = { 'x-pileus-kind': kind.name, 'x-pileus-states': kind.states, 'x-pileus-links': linksOf(graph, kind) };
    add(name, { ...plain(kind.rowSchema), description: kind.description, ...extensions });
    add(
      `${name}List`,
      pageSchema(kind === operation ? { ...reference(name), ...plain(Type.Object({ waiting: Type.Optional(waiting) })) } : reference(name)),
    );
  }
  add(OPERATION_NOW, plain(Type.Object({ ...operation.rowSchema.properties, waiting: Type.Optional(waiting) })));
  for (const action of registry.actions()) {
    const name = inputName(action);
    if (name !== undefined) add(name, { description: action.description, ...plain(action.input) });
  }
  return schemas;
}

/** Where queries go from the kind: the kind there, and whether there may be many. */
const linksOf = (graph: QueryGraph, kind: AnyKind): JsonObject =>
  Object.fromEntries([...graph.place(kind).links].map(([name, link]) => [name, { kind: link.kind.name, many: link.local === 'id' }]));

const uuid: JsonObject = { type: 'string', format: 'uuid' };

const ACCEPTED = {
  operationId: { ...uuid, description: 'Also the trace id.' },
  action: { type: 'string', description: 'e.g. `instance.create`' },
  resourceKind: { type: 'string' },
  resourceId: uuid,
  acceptedAt: { type: 'string', format: 'date-time' },
} as const;

const CHANGE = {
  cursor: { type: 'string', description: 'Place behind this change, to resume from.' },
  type: { type: 'string', enum: ['created', 'updated', 'deleted'] },
  kind: { type: 'string' },
  id: uuid,
  revision: { type: 'integer', minimum: 1 },
  row: { type: 'object', description: 'The row as of this change.' },
} as const;

const QUOTA_EFFECT = {
  scope: { type: 'string', enum: ['project', 'account'] },
  id: { ...uuid, description: 'Of the project or account.' },
  counter: { type: 'string', description: 'e.g. `vcpus`' },
  used: { type: 'integer', minimum: 0, description: 'Now.' },
  limit: { type: ['integer', 'null'], minimum: 0, description: '`null` = none.' },
  by: { type: 'integer', description: 'What it would add; negative for what it gives back.' },
} as const;

const PROBLEM = {
  type: { type: 'string', description: '`urn:pileus:error:` and the code' },
  title: { type: 'string', description: 'The short name of the code, always the same.' },
  status: { type: 'integer' },
  detail: { type: 'string', description: 'What went wrong this time, for people.' },
  code: { type: 'string', enum: Object.keys(ERROR_CODES) },
  retry: { type: 'string', enum: ['never', 'same_request', 'after_state_change'], description: 'When the same may succeed.' },
  pointer: { type: 'string', description: 'JSON pointer to the field at fault.' },
  params: { type: 'object', description: 'Values that belong to the code.' },
} as const;
const PROBLEM_REQUIRED = ['type', 'title', 'status', 'detail', 'code', 'retry'];

const DRY_RUN = {
  dryRun: { type: 'boolean', const: true },
  accepted: { type: 'boolean', description: 'False when something stands in its way.' },
  action: { type: 'string', description: 'e.g. `instance.create`' },
  resourceKind: { type: 'string' },
  resourceId: { ...uuid, description: 'Of what is there; what would be made has no id before it is.' },
  quota: {
    type: 'array',
    items: { type: 'object', required: Object.keys(QUOTA_EFFECT), properties: QUOTA_EFFECT },
    description: 'What it would use of quotas at its acceptance. Empty where something stands in its way before that is known.',
  },
  steps: {
    type: 'array',
    items: { type: 'string' },
    description: 'Of its saga, in order; none when it is satisfied already, or is no action.',
  },
  notes: { type: 'object', description: 'Why it would be decided so, e.g. the placement of an instance.' },
  blockers: {
    type: 'array',
    items: { type: 'object', required: PROBLEM_REQUIRED, properties: PROBLEM },
    description: 'All that stands in its way, as far as it was looked at: problems as the request would be answered.',
  },
} as const;
const ROW_NAME = { kind: { type: 'string' }, id: uuid, name: { type: 'string' } } as const;

const effects = (description: string, more: JsonObject): JsonObject => ({
  type: 'object',
  description,
  required: ['total', 'hidden', 'kinds', 'rows'],
  properties: {
    total: { type: 'integer', minimum: 0 },
    hidden: { type: 'boolean', description: 'There is more, which this key may not see.' },
    kinds: {
      type: 'array',
      items: {
        type: 'object',
        required: ['kind', 'total'],
        properties: { kind: { type: 'string' }, total: { type: 'integer', minimum: 1 } },
      },
    },
    rows: {
      type: 'array',
      description: 'The first of them.',
      items: { type: 'object', required: [...Object.keys(ROW_NAME), ...Object.keys(more)], properties: { ...ROW_NAME, ...more } },
    },
  },
});

const SHARED: JsonObject = {
  DeletionPreview: {
    type: 'object',
    required: ['resourceKind', 'resourceId', 'recoverable', 'deleted', 'detached', 'blocked'],
    properties: {
      resourceKind: { type: 'string' },
      resourceId: uuid,
      plan: {
        type: 'string',
        description: 'Deleting with this `plan` does exactly what is told here, or nothing. Absent while something is in the way.',
      },
      recoverable: { type: 'boolean', description: 'It goes into the trash, and can be recovered.' },
      deleted: effects('What goes: the resource first, then all that it owns.', {
        state: { type: 'string' },
        depth: { type: 'integer', minimum: 0, description: 'Steps from the resource. The deepest go first.' },
      }),
      detached: effects('What is let go of and stays.', { field: { type: 'string', description: 'The field that is cleared.' } }),
      blocked: effects('What is in the way.', { reason: { type: 'string' } }),
    },
  },
  Accepted: {
    type: 'object',
    description: 'What was accepted. A repeat with the same Idempotency-Key is answered with the same bytes.',
    required: Object.keys(ACCEPTED),
    properties: ACCEPTED,
  },
  AcceptedAndEnded: {
    type: 'object',
    description: 'What was accepted, with its operation, which has ended while the request waited.',
    required: [...Object.keys(ACCEPTED), 'operation'],
    properties: { ...ACCEPTED, operation: reference('Operation') },
  },
  DryRun: {
    type: 'object',
    description: 'What a request with `dryRun` would do. Nothing was changed.',
    required: Object.keys(DRY_RUN).filter((field) => field !== 'resourceId' && field !== 'notes'),
    properties: DRY_RUN,
  },
  Change: { type: 'object', required: Object.keys(CHANGE), properties: CHANGE },
  ChangeList: {
    type: 'object',
    required: ['items', 'next'],
    properties: {
      items: { type: 'array', items: reference('Change') },
      next: { type: 'string', description: 'Cursor to go on from.' },
    },
  },
  Problem: {
    type: 'object',
    description: 'RFC 9457 problem details.',
    required: [...PROBLEM_REQUIRED, 'requestId'],
    properties: { ...PROBLEM, requestId: { type: 'string' } },
  },
};
