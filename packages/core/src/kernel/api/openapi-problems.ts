import { ERROR_CODES } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { reference } from './openapi-parameters.ts';
import type { Route } from './routes.ts';

/** One response for each status that any error has, e.g. `Problem404`. */
export function problemResponses(): JsonObject {
  const codes = new Map<number, string[]>();
  for (const [code, { http }] of Object.entries(ERROR_CODES)) codes.set(http, [...(codes.get(http) ?? []), `\`${code}\``]);
  return Object.fromEntries(
    [...codes].map(([status, names]) => [
      `Problem${status}`,
      { description: `A problem: ${names.join(', ')}.`, content: { 'application/problem+json': { schema: reference('Problem') } } },
    ]),
  );
}

/** The responses of a route when it fails. */
export const problemsOf = (route: Route): JsonObject =>
  Object.fromEntries(statusesOf(route).map((status) => [status, { $ref: `#/components/responses/Problem${status}` }]));

function statusesOf(route: Route): readonly number[] {
  // Parameters are always checked, and the bound on what is under way holds for all.
  const always = [400, 401, 429, 500, 503];
  // Any type of a body that cannot be read is refused, also where none is wanted.
  const sent = route.method === 'GET' ? [] : [415];
  return [...new Set([...always, ...sent, ...ownStatuses(route)])].sort((a, b) => a - b);
}

function ownStatuses(route: Route): readonly number[] {
  switch (route.type) {
    case 'document':
      return [];
    case 'list':
      return [403];
    case 'query':
      return [403, 413];
    case 'get':
    case 'deletion':
      return [403, 404];
    case 'events':
    case 'changes':
      return [403, 410];
    case 'steer':
      return [403, 404, 409, 422];
    case 'action':
      return [403, 404, 409, 422, 504, ...(route.action.target === 'resource' ? [412] : []), ...(route.input === 'body' ? [413] : [])];
    case 'endpoint':
      return [
        403,
        404,
        409,
        504,
        ...{ value: route.method === 'POST' ? [413] : [], change: [413, 422], upload: [413, 422], download: [416], socket: [] }[
          route.endpoint.type
        ],
      ];
  }
}
