import { linkSchemas } from './links.ts';
import { camel, componentOf, type Link, resolve, type Schema, type Schemas } from './schema.ts';

/** What a server offers, read from its OpenAPI document: the kinds, and what can be done with each. */
export interface ServerDescription {
  readonly kinds: readonly KindDescription[];
  /** What belongs to no kind, e.g. `recovery`. */
  readonly groups: readonly EndpointGroup[];
  readonly schemas: Schemas;
}

export interface KindDescription {
  /** e.g. `instanceType` */
  readonly kind: string;
  /** Path segment, e.g. `instance-types`. */
  readonly plural: string;
  readonly description: string;
  /** Component of its rows, e.g. `InstanceType`. */
  readonly rowComponent: string;
  readonly row: Schema;
  /** The state machine: for each state, where it may go. */
  readonly states: Readonly<Record<string, readonly string[]>>;
  /** Fields that lists can filter by. */
  readonly filters: Readonly<Record<string, Schema>>;
  /** Fields that have an index to sort by; lists of few rows sort by any. */
  readonly sorts: readonly string[];
  /** Where queries go from rows of this kind. */
  readonly links: Readonly<Record<string, Link>>;
  readonly verbs: readonly VerbDescription[];
  readonly endpoints: readonly EndpointDescription[];
}

export interface EndpointGroup {
  /** First path segment. */
  readonly segment: string;
  readonly endpoints: readonly EndpointDescription[];
}

export type VerbRoute = 'create' | 'update' | 'delete' | 'resource' | 'collection';

/** An action: answered with 202, ends as an operation. */
export interface VerbDescription {
  /** Camel case, e.g. `attachVolume`. */
  readonly verb: string;
  /** As in the path, e.g. `attach-volume`. */
  readonly segment: string;
  readonly route: VerbRoute;
  readonly description: string;
  /** Absent when it takes nothing. */
  readonly input?: { readonly component: string | undefined; readonly schema: Schema; readonly required: boolean };
  /** Kinds of what it makes beside its resource: the id of the first that is in the operation's `notes`, e.g. as `volumeId`. */
  readonly makes: readonly string[];
}

/** A computed value, an upload, a download, a socket. */
export interface EndpointDescription {
  /** As the server calls it, e.g. `uploadContent`. */
  readonly name: string;
  readonly type: 'value' | 'upload' | 'download' | 'socket';
  /** It takes `dryRun`. */
  readonly rehearses: boolean;
  readonly method: string;
  /** Segments behind the plural, e.g. `['{id}', 'content']`. */
  readonly segments: readonly string[];
  readonly description: string;
  readonly query: Readonly<Record<string, { readonly schema: Schema; readonly required: boolean }>>;
  readonly body?: Schema;
  readonly answer?: Schema;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}
interface Media {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}
interface OperationObject {
  readonly operationId?: string;
  readonly summary?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Media & { readonly required?: boolean };
  readonly responses?: Readonly<Record<string, Media>>;
  readonly 'x-pileus-action'?: string;
  readonly 'x-pileus-makes'?: readonly string[];
  readonly 'x-pileus-type'?: string;
}
interface Route {
  readonly path: string;
  readonly method: string;
  readonly operation: OperationObject;
}

/** Reads the document of a Pileus server. What it does not know (other paths, newer extensions) it leaves out. @throws TypeError for another document */
export function describeServer(document: unknown): ServerDescription {
  const {
    openapi,
    paths = {},
    components,
  } = (document ?? {}) as {
    readonly openapi?: unknown;
    readonly paths?: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
    readonly components?: { readonly schemas?: Schemas };
  };
  const declared = components?.schemas ?? {};
  const names = Object.values(declared).flatMap((schema) => schema['x-pileus-kind'] ?? []);
  if (typeof openapi !== 'string' || names.length === 0) throw new TypeError('This is not the OpenAPI document of a Pileus server.');
  const schemas = linkSchemas(declared, names);
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Route => ({ path, method: method.toUpperCase(), operation })),
  );
  const kinds = Object.entries(schemas).flatMap(([component, row]) => describeKind(component, row, routes, schemas) ?? []);
  return { kinds, groups: groupsOf(routes, kinds), schemas };
}

/** Served by this client in other ways. */
const OWN_WAYS = new Set(['events', 'changes', 'openapi.json']);

function groupsOf(routes: readonly Route[], kinds: readonly KindDescription[]): EndpointGroup[] {
  const plurals = new Set(kinds.map(({ plural }) => plural));
  const segments = new Set(routes.flatMap(({ path }) => /^\/v1\/([^/]+)/.exec(path)?.[1] ?? []));
  return [...segments]
    .filter((segment) => !plurals.has(segment) && !OWN_WAYS.has(segment))
    .map((segment) => {
      const base = `/v1/${segment}`;
      const own = routes.filter(({ path }) => path === base || path.startsWith(`${base}/`));
      return { segment, endpoints: own.map((route) => describeEndpoint(route, base)) };
    });
}

function describeKind(component: string, row: Schema, routes: readonly Route[], schemas: Schemas): KindDescription | undefined {
  const kind = row['x-pileus-kind'];
  const list = kind === undefined ? undefined : routes.find((route) => isListOf(route, component, schemas));
  if (kind === undefined || list === undefined) return undefined;
  const plural = list.path.slice('/v1/'.length);
  const own = routes.filter(({ path }) => path === list.path || path.startsWith(`${list.path}/`));
  const parameters = list.operation.parameters ?? [];
  const sort = parameters.find(({ name }) => name === 'sort')?.schema;
  return {
    kind,
    plural,
    description: row.description ?? '',
    rowComponent: component,
    row,
    states: row['x-pileus-states'] ?? {},
    filters: Object.fromEntries(
      parameters
        .filter(({ in: place, name }) => place === 'query' && name in (row.properties ?? {}))
        .map(({ name, schema = {} }) => [name, schema]),
    ),
    sorts: sort?.['x-pileus-sorts'] ?? [],
    links: row['x-pileus-links'] ?? {},
    verbs: own
      .filter(({ operation }) => operation['x-pileus-action'] !== undefined)
      .map((route) => describeVerb(route, list.path, schemas)),
    endpoints: own.flatMap((route) => (isEndpoint(route, list.path) ? [describeEndpoint(route, list.path)] : [])),
  };
}

/** The route that answers pages of a component: `{ items: Component[] }`. */
function isListOf({ path, method, operation }: Route, component: string, schemas: Schemas): boolean {
  if (method !== 'GET' || !/^\/v1\/[^/]+$/.test(path)) return false;
  const answer = jsonOf(operation.responses?.['200']);
  const items = answer === undefined ? undefined : resolve(answer, schemas).properties?.items?.items;
  return typeof items === 'object' && componentOf(items) === component;
}

const jsonOf = (media: Media | undefined): Schema | undefined =>
  Object.entries(media?.content ?? {}).find(([type]) => /^application\/(.+\+)?json$/.test(type))?.[1].schema;

function describeVerb({ path, method, operation }: Route, collection: string, schemas: Schemas): VerbDescription {
  const segments = path.slice(collection.length).split('/').slice(1);
  const route = routeOf(method, segments);
  const segment = route === 'resource' || route === 'collection' ? (segments.at(-1) ?? '') : route;
  const schema = method === 'DELETE' ? querySchema(operation) : jsonOf(operation.requestBody);
  const input = schema === undefined ? undefined : resolve(schema, schemas);
  return {
    verb: camel(segment),
    segment,
    route,
    description: operation.summary ?? '',
    makes: operation['x-pileus-makes'] ?? [],
    ...(schema === undefined || input === undefined
      ? {}
      : { input: { component: componentOf(schema), schema: input, required: (input.required ?? []).length > 0 } }),
  };
}

function routeOf(method: string, segments: readonly string[]): VerbRoute {
  if (method === 'PATCH') return 'update';
  if (method === 'DELETE') return 'delete';
  if (segments.length === 0) return 'create';
  return segments[0] === 'actions' ? 'collection' : 'resource';
}

/** No part of an input. */
const isDryRun = ({ in: place, name }: { readonly in: string; readonly name: string }): boolean => place === 'query' && name === 'dryRun';

/** What it answers when it is done. */
const doneOf = (answer: Schema | undefined): Schema | undefined =>
  answer?.anyOf?.find((schema) => componentOf(schema) !== 'DryRun') ?? answer;

function querySchema(operation: OperationObject): Schema | undefined {
  const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query' && !isDryRun(parameter));
  if (query.length === 0) return undefined;
  return {
    type: 'object',
    properties: Object.fromEntries(query.map(({ name, schema = {}, description = '' }) => [name, { description, ...schema }])),
    required: query.filter(({ required }) => required === true).map(({ name }) => name),
  };
}

const STEERING = new Set(['cancel', 'retry', 'skip']);

/** Neither list, read nor action; previews and the verbs of operations are this client's own. */
function isEndpoint({ path, method, operation }: Route, collection: string): boolean {
  const type = operation['x-pileus-type'];
  if (operation['x-pileus-action'] !== undefined || type === 'deletion' || type === 'query') return false;
  const [first, second, ...more] = path.slice(collection.length).split('/').slice(1);
  if (first === undefined) return method !== 'GET';
  if (second === undefined) return !(method === 'GET' && first === '{idOrName}');
  return !(collection === '/v1/operations' && more.length === 0 && STEERING.has(second));
}

function describeEndpoint({ path, method, operation }: Route, collection: string): EndpointDescription {
  const type = operation['x-pileus-type'];
  const body = jsonOf(operation.requestBody);
  const answer = doneOf(jsonOf(operation.responses?.['200']));
  const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query' && !isDryRun(parameter));
  return {
    name: operation.operationId?.split('.').at(-1) ?? '',
    rehearses: (operation.parameters ?? []).some(isDryRun),
    type: type === 'upload' || type === 'download' || type === 'socket' ? type : 'value',
    method,
    segments: path.slice(collection.length).split('/').slice(1),
    description: operation.summary ?? '',
    query: Object.fromEntries(query.map(({ name, schema = {}, required = false }) => [name, { schema, required }])),
    ...(body === undefined ? {} : { body }),
    ...(answer === undefined ? {} : { answer }),
  };
}
