import { ANY_PROJECT, lacks, type Principal, type Reach, readPermission, visibleRows } from '../access.ts';
import { CloudError } from '../errors.ts';
import type { AnyKind } from '../kind.ts';
import type { Condition, ListQuery, Store } from '../store.ts';
import { badParameter, type FieldType, filterFields, parseScalar, sortFields } from './fields.ts';
import { parseFilter, unknownField } from './filter.ts';

export const LIMIT_DEFAULT = 50;
export const LIMIT_MAX = 1000;

const PARAMETERS = new Set(['filter', 'sort', 'limit', 'after', 'deleted', 'allProjects']);

/** What is known of a kind's lists before any request. */
export interface ListPlan {
  readonly kind: AnyKind;
  readonly fields: ReadonlyMap<string, FieldType>;
  readonly sorts: readonly string[];
}
export const planList = (kind: AnyKind): ListPlan => ({ kind, fields: filterFields(kind), sorts: sortFields(kind) });

/** One page of rows as JSON, made of the stored texts as they are. @throws CloudError `invalid_input` */
export async function listPage(plan: ListPlan, store: Store, principal: Principal, parameters: URLSearchParams): Promise<Uint8Array> {
  const limit = wholeNumber(parameters, 'limit', { minimum: 1, maximum: LIMIT_MAX }) ?? LIMIT_DEFAULT;
  const sort = parseSort(plan, parameters.get('sort'));
  const after = parameters.get('after');
  const where = conditionOf(plan, principal, parameters);
  const rows = await store.list({
    table: plan.kind.name,
    ...(where === undefined ? {} : { where }),
    deleted: parameters.get('deleted') !== null && parseScalar(parameters.get('deleted') ?? '', 'boolean', 'deleted') === true,
    order: sort.order,
    ...(after === null ? {} : { after: readCursor(after, sort) }),
    // One more, to know whether more follow.
    limit: limit + 1,
  });
  const page = rows.slice(0, limit);
  const next = rows.length > limit ? `,"next":"${writeCursor(JSON.parse(page.at(-1) ?? ''), sort)}"` : '';
  return pageBytes(page, `]${next}}`);
}

const HEAD = Buffer.from('{"items":[');
const COMMA = ','.charCodeAt(0);
const BYTES_OF_CHARACTER_MAX = 4;

/**
 * Each text is written once, to where it is sent from: joined first, it would be copied twice more. Most hold nothing but ASCII, and take a byte a character;
 * to count the bytes first takes a quarter of the whole.
 */
function pageBytes(rows: readonly string[], tail: string): Uint8Array {
  const length = rows.reduce((sum, row) => sum + row.length, HEAD.length + Math.max(0, rows.length - 1) + tail.length);
  // With room for one character more than is thought to come: a text that takes more bytes than that is then never cut to just its length.
  const bytes = Buffer.allocUnsafeSlow(length + BYTES_OF_CHARACTER_MAX);
  let at = HEAD.copy(bytes);
  for (const [index, row] of rows.entries()) {
    if (index > 0) at = bytes.writeUInt8(COMMA, at);
    const written = bytes.write(row, at);
    if (written !== row.length) return Buffer.from(`${HEAD}${rows.join(',')}${tail}`);
    at += written;
  }
  bytes.write(tail, at);
  return bytes.subarray(0, length);
}

function conditionOf({ kind, fields }: ListPlan, principal: Principal, parameters: URLSearchParams): Condition | undefined {
  const visible = visibleRows(kind, principal, readPermission(kind), reachOf(principal, parameters));
  const parts = visible === undefined ? [] : [visible];
  const filter = parameters.get('filter');
  if (filter !== null) parts.push(parseFilter(filter, fields));
  for (const name of new Set(parameters.keys())) {
    if (PARAMETERS.has(name)) continue;
    const type = fields.get(name);
    if (type === undefined) throw unknownField(name, fields);
    parts.push({ field: name, op: 'in', value: parameters.getAll(name).map((text) => parseScalar(text, type, name)) });
  }
  return parts.length <= 1 ? parts[0] : { and: parts };
}

/** Whether rows of every project are asked for. @throws CloudError `permission_denied` for who may not, `invalid_input` */
export function reachOf(principal: Principal, parameters: URLSearchParams): Reach {
  const text = parameters.get('allProjects');
  const allProjects = text !== null && parseScalar(text, 'boolean', 'allProjects') === true;
  if (allProjects && !principal.allows(ANY_PROJECT)) throw lacks(ANY_PROJECT);
  return { allProjects };
}

interface Sort {
  readonly text: string;
  readonly order: NonNullable<ListQuery['order']>;
}

/** Ids are minted in order of creation, so that order needs no other field. */
function parseSort({ sorts }: ListPlan, text: string | null): Sort {
  if (text === null) return { text: '', order: [] };
  const descending = text.startsWith('-');
  const field = descending ? text.slice(1) : text;
  if (!sorts.includes(field)) throw badParameter('sort', `is one of ${sorts.join(', ')}, with - before it for descending order`);
  return { text, order: [{ field: field === 'createdAt' ? 'id' : field, descending }] };
}

type Place = readonly (string | number | null)[];

function writeCursor(row: Readonly<Record<string, unknown>>, sort: Sort): string {
  const place = [...sort.order.map(({ field }) => placeOf(row[field])), row.id];
  return Buffer.from(JSON.stringify([sort.text, ...place])).toString('base64url');
}

/** A value as the store orders it. */
function placeOf(value: unknown): string | number | null {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'string' || typeof value === 'number' ? value : null;
}

function readCursor(text: string, sort: Sort): Place {
  const [sortText, ...place] = parseArray(Buffer.from(text, 'base64url').toString());
  const sound = place.length === sort.order.length + 1 && place.every(isPlace) && typeof place.at(-1) === 'string';
  if (sortText !== sort.text || !sound) throw badParameter('after', 'is no cursor that a list with this sort answered');
  return place as Place;
}

const isPlace = (value: unknown): boolean => value === null || typeof value === 'string' || typeof value === 'number';

function parseArray(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
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
