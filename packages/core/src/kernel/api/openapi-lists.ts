import type { JsonObject } from '../json.ts';
import type { AnyKind } from '../kind.ts';
import { filterFields, sortFields } from './fields.ts';
import { LIMIT_DEFAULT, LIMIT_MAX } from './list-query.ts';

import {
  allProjectsParameter,
  content,
  type Described,
  json,
  limitParameter,
  queryParameter,
  reference,
  schemaName,
} from './openapi-parameters.ts';

const PATHS = 'with commas between, e.g. `name,stateReason.code`';
const FAR_PATHS = `${PATHS}, also of what references lead to, e.g. \`host.name\`, and of tags, e.g. \`tags.env\``;

export function describeList({ kind }: { readonly kind: AnyKind }): Described {
  const fields = filterFields(kind);
  return {
    summary: `Lists ${kind.plural}.`,
    parameters: [
      queryParameter(
        'filter',
        { type: 'string' },
        "Over every field, along the graph both ways, e.g. `state = 'running' and has(volumes: sizeBytes > 100GiB)`. The grammar is in the guide to queries.",
      ),
      queryParameter(
        'fields',
        { type: 'string' },
        `Fields to answer in the place of whole rows, ${PATHS}; items then lack all others, required ones too.`,
      ),
      queryParameter(
        'sort',
        { type: 'string', 'x-pileus-sorts': [...sortFields(kind)] },
        'Fields to sort by, with commas between, `-` before one for descending order; also of what references lead to, e.g. `host.name`. Default: order of creation.',
      ),
      limitParameter(LIMIT_DEFAULT),
      queryParameter('after', { type: 'string' }, '`next` of the page before.'),
      queryParameter('deleted', { type: 'boolean', default: false }, 'Also deleted ones.'),
      queryParameter('count', { type: 'boolean', default: false }, 'Also how many there are; `limit=0` for that alone.'),
      queryParameter('groupBy', { type: 'string' }, `Answers groups in the place of rows: fields that each has in common, ${FAR_PATHS}.`),
      ...MEASURES.map(([name, what]) => queryParameter(name, { type: 'string' }, `${what} of these fields, in each group, ${FAR_PATHS}.`)),
      ...(kind.scope === 'cloud' ? [] : [allProjectsParameter]),
      ...[...fields].map(([field, type]) => queryParameter(field, { type }, `Only those with this ${field}; repeated: any of them.`)),
    ],
    responses: { 200: json('A page.', reference(`${schemaName(kind)}List`)) },
  };
}

const MEASURES = [
  ['sum', 'The sum'],
  ['min', 'The least'],
  ['max', 'The greatest'],
] as const;

export const describeQuery = ({ kind }: { readonly kind: AnyKind }): Described => ({
  summary: `Lists ${kind.plural}, asked as JSON. A read: it needs no Idempotency-Key.`,
  ...(kind.scope === 'cloud' ? {} : { parameters: [allProjectsParameter] }),
  requestBody: { required: false, content: content(reference('Query')) },
  responses: { 200: json('A page.', reference(`${schemaName(kind)}List`)) },
  extensions: { 'x-pileus-type': 'query' },
});

const path: JsonObject = { type: 'string', description: 'Path of a field, e.g. `nics.subnet.cidr`.' };
const paths = (description: string): JsonObject => ({ type: 'array', items: { type: 'string' }, maxItems: 100, description });
const filter = reference('Filter');
const filters: JsonObject = { type: 'array', items: filter };
const value = reference('FilterValue');

const object = (properties: JsonObject, required: readonly string[] = Object.keys(properties)): JsonObject => ({
  type: 'object',
  additionalProperties: false,
  required: [...required],
  properties,
});
const compares = (ops: readonly string[], of: JsonObject): JsonObject =>
  object({ field: path, op: { type: 'string', enum: [...ops] }, value: of });

/** The components of queries that are asked as JSON. */
export const QUERY_SCHEMAS: JsonObject = {
  Filter: {
    description: 'A condition. A text is read as in the parameter `filter`.',
    anyOf: [
      { type: 'string' },
      compares(['=', '!=', '<', '<=', '>', '>='], value),
      compares(['in', 'not in'], { type: 'array', items: value, maxItems: 1000 }),
      compares(['like', 'not like'], { type: 'string' }),
      object({ field: path, op: { type: 'string', enum: ['null', 'not null'] } }),
      object({ has: { ...path, description: 'Path to rows of another kind, a list or a map, of which one is enough.' }, where: filter }, [
        'has',
      ]),
      object({ and: filters }),
      object({ or: filters }),
      object({ not: filter }),
    ],
  },
  FilterValue: {
    anyOf: [
      { type: 'string' },
      { type: 'number' },
      { type: 'boolean' },
      { ...object({ nowPlusMs: { type: 'number' } }), description: 'A time, so many milliseconds from now.' },
      { ...object({ durationMs: { type: 'number' } }), description: 'For fields of time, turned to their unit.' },
    ],
  },
  Query: object(
    {
      where: filter,
      fields: paths('Fields to answer in the place of whole rows; items then lack all others, required ones too.'),
      sort: paths('Fields to sort by, `-` before one for descending order.'),
      limit: { type: 'integer', minimum: 0, maximum: LIMIT_MAX, default: LIMIT_DEFAULT },
      after: { type: 'string' },
      deleted: { type: 'boolean', default: false },
      count: { type: 'boolean', default: false },
      groupBy: paths('Answers groups in the place of rows: fields that each has in common.'),
      ...Object.fromEntries(MEASURES.map(([name, what]) => [name, paths(`${what} of these fields, in each group.`)])),
    },
    [],
  ),
  QueryGroup: {
    type: 'object',
    required: ['by', 'count'],
    properties: {
      by: { type: 'object', description: 'What all in the group have in common.' },
      count: { type: 'integer' },
      sum: { type: 'object', description: 'Decimal texts: sums of whole numbers are exact.' },
      min: { type: 'object' },
      max: { type: 'object' },
    },
  },
};

/** A page of rows. */
export const pageSchema = (items: JsonObject): JsonObject => ({
  type: 'object',
  required: ['items', 'cursor'],
  properties: {
    items: { type: 'array', items, description: 'With `fields` these have those fields alone: others are absent, required ones too.' },
    next: { type: 'string', description: 'Cursor of the next page; absent on the last.' },
    cursor: { type: 'string', description: 'Place in the change feed: watch from there to miss nothing.' },
    count: { type: 'integer', description: 'How many there are, when asked for.' },
    groups: { type: 'array', items: reference('QueryGroup'), description: 'In the place of items, when asked for.' },
    moreGroups: { type: 'boolean', description: 'There are more groups than the limit.' },
    unindexed: {
      type: 'array',
      items: { type: 'string' },
      description: 'Fields without an index, e.g. `instance.memoryBytes`, for which rows were looked at one by one.',
    },
  },
});
