import { CloudError } from '../errors.ts';
import type { Measure, Query } from '../query/ast.ts';
import { filterOf, only, textOf, wrongAt } from '../query/json.ts';
import { parseFilter } from '../query/parser.ts';
import { badParameter, parseScalar } from './fields.ts';

export const LIMIT_DEFAULT = 50;
export const LIMIT_MAX = 1000;
const PATHS_MAX = 100;
const SORTS_MAX = 8;

const MEASURES = ['sum', 'min', 'max'] as const;

/** The parameters of lists, beside fields with their values. */
export const LIST_PARAMETERS: ReadonlySet<string> = new Set([
  ...['filter', 'fields', 'sort', 'limit', 'after', 'deleted', 'count', 'groupBy', 'allProjects'],
  ...MEASURES,
]);

const NOTHING: Query = { where: [], sort: [], limit: LIMIT_DEFAULT, deleted: false, count: false, groupBy: [], measures: [] };

/** What a list is asked for by its parameters. @throws CloudError `invalid_input` */
export function queryOfParameters(parameters: URLSearchParams): Query {
  if (parameters.size === 0) return NOTHING;
  const flag = (name: string) => parseScalar(parameters.get(name) ?? 'false', 'boolean', name) === true;
  const filter = parameters.get('filter');
  const fields = pathsOf(parameters, 'fields');
  const after = parameters.get('after');
  return {
    where: filter === null ? [] : [parseFilter(filter)],
    ...(fields.length === 0 ? {} : { fields }),
    sort: sortOf(pathsOf(parameters, 'sort')),
    limit: wholeNumber(parameters, 'limit', { minimum: flag('count') ? 0 : 1, maximum: LIMIT_MAX }) ?? LIMIT_DEFAULT,
    ...(after === null ? {} : { after }),
    deleted: flag('deleted'),
    count: flag('count'),
    groupBy: pathsOf(parameters, 'groupBy'),
    measures: MEASURES.flatMap((op) => pathsOf(parameters, op).map((field): Measure => ({ op, field }))),
  };
}

/** Paths with commas between. */
function pathsOf(parameters: URLSearchParams, name: string): readonly string[] {
  const text = parameters.get(name);
  if (text === null) return [];
  const paths = text.split(',').map((path) => path.trim());
  if (paths.length > PATHS_MAX || paths.includes('')) throw badParameter(name, `names fields, at most ${PATHS_MAX}, with commas between`);
  return paths;
}

function sortOf(paths: readonly string[]): Query['sort'] {
  if (paths.length > SORTS_MAX) throw badParameter('sort', `names at most ${SORTS_MAX} fields`);
  return paths.map((path) => (path.startsWith('-') ? { field: path.slice(1), descending: true } : { field: path, descending: false }));
}

const BODY = ['where', 'fields', 'sort', 'limit', 'after', 'deleted', 'count', 'groupBy', ...MEASURES];

/** The same as JSON. @throws CloudError `invalid_input` with the pointer to what is wrong */
export function queryOfBody(body: unknown): Query {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw wrongAt('', 'an object');
  only(body, BODY, '', undefined);
  const { where, fields, sort, limit, after, deleted, count, ...rest } = body as Readonly<Record<string, unknown>>;
  return {
    where: where === undefined ? [] : [filterOf(where, '/where')],
    ...(fields === undefined ? {} : { fields: textsOf(fields, '/fields') }),
    sort: sort === undefined ? [] : sortOf(typeof sort === 'string' ? sort.split(',') : textsOf(sort, '/sort')),
    limit: limit === undefined ? LIMIT_DEFAULT : limitOf(limit),
    ...(after === undefined ? {} : { after: textOf(after, '/after') }),
    deleted: flagOf(deleted, '/deleted'),
    count: flagOf(count, '/count'),
    groupBy: rest.groupBy === undefined ? [] : textsOf(rest.groupBy, '/groupBy'),
    measures: MEASURES.flatMap((op) =>
      rest[op] === undefined ? [] : textsOf(rest[op], `/${op}`).map((field): Measure => ({ op, field })),
    ),
  };
}

function textsOf(given: unknown, pointer: string): readonly string[] {
  if (!Array.isArray(given) || given.length > PATHS_MAX) throw wrongAt(pointer, `a list of at most ${PATHS_MAX} fields`);
  return given.map((text, index) => textOf(text, `${pointer}/${index}`));
}

function limitOf(given: unknown): number {
  if (typeof given === 'number' && Number.isInteger(given) && given >= 0 && given <= LIMIT_MAX) return given;
  throw wrongAt('/limit', `a whole number from 0 to ${LIMIT_MAX}`);
}

function flagOf(given: unknown, pointer: string): boolean {
  if (given === undefined || typeof given === 'boolean') return given === true;
  throw wrongAt(pointer, 'true or false');
}

/** A whole-number parameter, or undefined when it is not given. @throws CloudError `invalid_input` */
export function wholeNumber(
  parameters: URLSearchParams,
  name: string,
  { minimum, maximum }: { readonly minimum: number; readonly maximum: number },
): number | undefined {
  const text = parameters.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < minimum || value > maximum)
    throw badParameter(name, `is a whole number from ${minimum} to ${maximum}`);
  return value;
}

/** A misspelled parameter would otherwise be silently lost. @throws CloudError `invalid_input` */
export function onlyParameters(parameters: URLSearchParams, known: readonly string[]): void {
  for (const name of parameters.keys())
    if (!known.includes(name))
      throw new CloudError(
        'invalid_input',
        `There is no parameter ${name} here${known.length > 0 ? `; there is ${known.join(', ')}` : ''}.`,
        {
          params: { parameter: name },
        },
      );
}
