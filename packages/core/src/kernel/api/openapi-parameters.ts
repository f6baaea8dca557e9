import type { JsonObject } from '../json.ts';
import type { AnyKind } from '../kind.ts';
import { LIMIT_MAX } from './list-query.ts';
import { pascal } from './names.ts';

/** What the document says of one route, beside its path and who may. */
export interface Described {
  readonly summary: string;
  readonly parameters?: readonly JsonObject[];
  readonly requestBody?: JsonObject;
  readonly responses: JsonObject;
  readonly extensions?: JsonObject;
}

export const reference = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });

/** The component of a kind's rows, e.g. `Instance`. */
export const schemaName = (kind: AnyKind): string => pascal(kind.name);

export const content = (schema: JsonObject): JsonObject => ({ 'application/json': { schema } });

export const json = (description: string, schema: JsonObject): JsonObject => ({ description, content: content(schema) });

export const queryParameter = (name: string, schema: JsonObject, description: string, required = false): JsonObject => ({
  name,
  in: 'query',
  description,
  ...(required ? { required } : {}),
  schema,
});

export const headerParameter = (name: string, description: string, schema: JsonObject = {}): JsonObject => ({
  name,
  in: 'header',
  description,
  schema: { type: 'string', ...schema },
});

export const limitParameter = (preset: number): JsonObject =>
  queryParameter('limit', { type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: preset }, 'Items at most.');

export const allProjectsParameter = queryParameter(
  'allProjects',
  { type: 'boolean', default: false },
  'Of every project, for who has the permission `project.any`.',
);
