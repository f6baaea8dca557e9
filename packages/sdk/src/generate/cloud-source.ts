import {
  camel,
  type EndpointDescription,
  type EndpointGroup,
  type KindDescription,
  pascal,
  type ServerDescription,
  type VerbDescription,
} from '../document/index.ts';
import { comment, fields, key, quote, typeOf } from './schema-type.ts';

/** Its rows and its client are part of the protocol, and so of the runtime. */
const BUILT_IN = 'operation';

/**
 * The typed client of a server as one TypeScript module. The same description gives the same text.
 * @param runtime module that the client is made of: `@pileus/sdk`, or the path to its source
 */
export function cloudSource(server: ServerDescription, runtime: string): string {
  const kinds = server.kinds.filter(({ kind }) => kind !== BUILT_IN);
  const groups = server.groups.filter(({ endpoints }) => endpoints.some(({ type }) => type !== 'socket'));
  const body = [
    ...sharedSchemas(server, kinds).map(
      ([name, schema]) => `${comment(schema.description ?? '', '')}export type ${name} = ${typeOf(schema, 'input')};\n`,
    ),
    ...kinds.flatMap((kind) => [rowSource(kind), ...inputSources(kind), graphSource(kind), clientSource(kind)]),
    ...server.kinds.filter(({ kind }) => kind === BUILT_IN).map(graphSource),
    ...groups.map(groupSource),
    cloudClass(kinds, groups),
  ].join('\n');
  return `// Generated from the server's OpenAPI document by \`pileus-sdk generate\`. Do not edit.\n${imports(body, runtime)}\n${body}`;
}

const RUNTIME_TYPES = [
  'Answer',
  'CallOptions',
  'ChangeOptions',
  'Client',
  'ConnectOptions',
  'DeleteOptions',
  'Embedded',
  'Id',
  'Lifecycle',
  'Named',
];
const MORE_RUNTIME_TYPES = [
  'ConsoleTicket',
  'DownloadOptions',
  'Operation',
  'Pending',
  'RepeatOptions',
  'Reply',
  'Upload',
  'UploadOptions',
];

function imports(body: string, runtime: string): string {
  const used = [...RUNTIME_TYPES, ...MORE_RUNTIME_TYPES].filter((name) => new RegExp(`\\b${name}\\b`).test(body));
  return `import { BaseCloud, ${body.includes('extends Endpoints') ? 'Endpoints, ' : ''}Resource, ${used.map((name) => `type ${name}`).join(', ')} } from ${quote(runtime)};\n`;
}

/** Components that neither are rows nor inputs of verbs, but are pointed to by them. */
function sharedSchemas(server: ServerDescription, kinds: readonly KindDescription[]) {
  const own = new Set(kinds.flatMap(({ rowComponent, verbs }) => [rowComponent, ...verbs.map(({ input }) => input?.component ?? '')]));
  const referenced = new Set(
    JSON.stringify(kinds)
      .match(/#\/components\/schemas\/[\w.-]+/g)
      ?.map((path) => path.split('/').at(-1)),
  );
  return Object.entries(server.schemas).filter(
    ([name, schema]) => referenced.has(name) && !own.has(name) && schema['x-pileus-kind'] === undefined,
  );
}

function rowSource({ kind, rowComponent: name, row, states, description }: KindDescription): string {
  const { state: _, deletedAt: __, ...properties } = row.properties ?? {};
  const types = { id: `Id<${quote(kind)}>`, projectId: "Id<'project'>" };
  const table = Object.entries(states).map(([from, to]) => `  ${key(from)}: [${to.map(quote).join(', ')}],\n`);
  return `${comment(`The state machine of the kind ${kind}: where each state may go.`, '')}export const ${camel(kind)}States = {
${table.join('')}  deleted: [],
} as const;
export type ${name}State = keyof typeof ${camel(kind)}States;

export interface ${name}Fields {
${fields({ ...row, properties }, 'row', '  ', types)}}
${comment(description, '')}export type ${name} = Lifecycle<${name}Fields, ${name}State>;
`;
}

const inputSources = ({ verbs }: KindDescription): string[] =>
  verbs.flatMap(({ input, route, description }) =>
    input?.component === undefined || route === 'delete'
      ? []
      : [`${comment(description, '')}export interface ${input.component} {\n${fields(input.schema, 'input', '  ')}}\n`],
  );

/** What queries see of the kind: secrets are not to be asked about. */
function graphSource({ kind, rowComponent: name, plural, row, links }: KindDescription): string {
  const properties = Object.entries(row.properties ?? {});
  const secret = properties.filter(([, schema]) => schema['x-sealed'] === true).map(([field]) => quote(field));
  const own = kind === BUILT_IN ? name : `${name}Fields & { readonly state: ${name}State; readonly deletedAt?: string }`;
  const integers = properties.filter(([, { type }]) => type === 'integer').map(([field]) => quote(field));
  const ways = Object.entries(links).map(([link, to]) => `    readonly ${key(link)}: ${pascal(to.kind)}Graph;\n`);
  return `${comment(`What queries see of ${plural}.`, '')}export interface ${name}Graph {
  readonly fields: ${secret.length === 0 ? own : `Omit<${own}, ${secret.join(' | ')}>`};
  readonly integers: ${integers.join(' | ')};
  readonly links: {
${ways.join('')}  };
}
`;
}

function clientSource(kind: KindDescription): string {
  const { rowComponent: name, plural } = kind;
  const client = `${pascal(plural)}Client`;
  const filters = Object.keys(kind.filters).map((field) => `  readonly ${key(field)}: ${filterType(kind, field)};\n`);
  const sorts = kind.sorts.length === 0 ? 'never' : kind.sorts.map(quote).join(' | ');
  return `${comment(`What lists of ${plural} can filter by.`, '')}export interface ${name}Filter {
${filters.join('')}}

export class ${client} extends Resource<${quote(kind.kind)}, ${name}, ${name}Filter, ${sorts}, ${name}Graph> {
  constructor(client: Client) {
    super(client, { kind: ${quote(kind.kind)}, plural: ${quote(plural)} });
  }
${kind.verbs.map((verb) => verbMethod(kind, verb)).join('')}${kind.endpoints.map((endpoint) => endpointMethod(kind, endpoint)).join('')}}
`;
}

const FILTER_SCALARS: Readonly<Record<string, string>> = { integer: 'number', number: 'number', boolean: 'boolean' };

/** The row's type of the field where it is narrower than the parameter's. */
function filterType({ kind, rowComponent, row, filters }: KindDescription, field: string): string {
  if (field === 'id') return `Id<${quote(kind)}>`;
  if (field === 'projectId') return "Id<'project'>";
  if (field === 'state') return `${rowComponent}State`;
  const schema = row.properties?.[field];
  if (schema !== undefined) return typeOf(schema, 'row');
  return FILTER_SCALARS[String(filters[field]?.type)] ?? 'string';
}

const HEADS: Readonly<Record<string, string>> = { create: 'createAny', update: 'updateAny', delete: 'deleteAny' };

function verbMethod({ kind, rowComponent }: KindDescription, { verb, segment, route, description, input }: VerbDescription): string {
  const onResource = route !== 'create' && route !== 'collection';
  const options = `options: ${route === 'delete' ? 'DeleteOptions' : 'ChangeOptions'} = {}`;
  const takesInput = input !== undefined && route !== 'delete';
  const inputType = takesInput ? (input.component ?? typeOf(input.schema, 'input', '  ')) : '';
  const parameters = [
    ...(onResource ? [`${kind}: Named<${quote(kind)}>`] : []),
    ...(takesInput ? [`input: ${inputType}${input.required ? '' : ' = {}'}`] : []),
    options,
  ];
  const given = [
    ...(onResource ? [kind] : []),
    ...(HEADS[route] === undefined ? [quote(segment)] : []),
    ...(takesInput ? ['input'] : route === 'delete' ? [] : ['{}']),
    'options',
  ];
  const target = HEADS[route] ?? (onResource ? 'act' : 'actOnAll');
  const result = route === 'delete' ? 'undefined' : rowComponent;
  return `
${comment(description, '  ')}  ${verb}(${parameters.join(', ')}): Pending<${quote(kind)}, ${result}> {
    return this.${target}(${given.join(', ')});
  }
`;
}

/** `uploadContent` of images reads better as `images.upload`. */
const methodName = (name: string): string => name.replace(/^(upload|download)Content$/, '$1');

function groupSource({ segment, endpoints }: EndpointGroup): string {
  const methods = endpoints.map((endpoint) => endpointMethod(undefined, endpoint)).join('');
  return `export class ${pascal(segment)}Endpoints extends Endpoints {
  constructor(client: Client) {
    super(client, ${quote(segment)});
  }
${methods}}
`;
}

function endpointMethod(kind: KindDescription | undefined, endpoint: EndpointDescription): string {
  if (endpoint.type === 'socket') return '';
  const ids = endpoint.segments.filter((segment) => segment.startsWith('{'));
  const isOwn = (index: number) => index === 0 && kind !== undefined && endpoint.segments[0] === ids[0];
  const names = ids.map((segment, index) => (isOwn(index) ? (kind?.kind ?? '') : camel(segment.slice(1, -1))));
  const parameters = ids.map((_, index) => `${names[index]}: ${isOwn(index) ? `Named<${quote(names[index] ?? '')}>` : 'string'}`);
  let next = 0;
  const path = endpoint.segments.map((segment) => (segment.startsWith('{') ? names[next++] : quote(segment))).join(', ');
  const head = `\n${comment(endpoint.description, '  ')}  ${methodName(endpoint.name)}`;
  const answer = answerType(kind, endpoint);
  if (endpoint.type === 'upload')
    return `${head}(${[...parameters, 'content: Upload', 'options: UploadOptions = {}'].join(', ')}): Reply<${answer}> {
    return this.send(this.path(${path}), content, options);
  }
`;
  if (endpoint.type === 'download')
    return `${head}(${[...parameters, 'options: DownloadOptions = {}'].join(', ')}): AsyncGenerator<Uint8Array> {
    return this.receive(this.path(${path}), options);
  }
`;
  if (isTicket(endpoint)) return ticketMethod(endpoint, { parameters, path });
  return valueMethod(endpoint, { head, parameters, path, answer });
}

/** Endpoints of a kind that answer its row, spelled out in the document, answer the row's type. */
function answerType(kind: KindDescription | undefined, { answer }: EndpointDescription): string {
  if (answer === undefined) return 'unknown';
  const fieldsOf = (schema: { readonly properties?: object }) =>
    Object.keys(schema.properties ?? {})
      .sort()
      .join();
  if (kind !== undefined && fieldsOf(answer) === fieldsOf(kind.row)) return kind.rowComponent;
  return typeOf(answer, 'row', '  ');
}

/** An answer with a token and the path to use it at opens a socket. */
const isTicket = ({ type, method, answer }: EndpointDescription): boolean =>
  type === 'value' && method === 'POST' && answer?.properties?.token !== undefined && answer.properties.path !== undefined;

/** `openConsole(instance, 'serial')`: the fields of the body one by one. */
function ticketMethod(endpoint: EndpointDescription, text: { readonly parameters: readonly string[]; readonly path: string }): string {
  const fieldNames = Object.keys(endpoint.body?.properties ?? {});
  const required = new Set(endpoint.body?.required ?? []);
  const parameters = [
    ...text.parameters,
    ...Object.entries(endpoint.body?.properties ?? {}).map(
      ([name, schema]) => `${camel(name)}${required.has(name) ? '' : '?'}: ${typeOf(schema, 'input')}`,
    ),
    `options${fieldNames.length === required.size ? ': RepeatOptions = {}' : '?: RepeatOptions'}`,
  ];
  return `
${comment(endpoint.description, '  ')}  open${pascal(endpoint.name)}(${parameters.join(', ')}): Reply<ConsoleTicket> {
    return this.ticket(this.path(${text.path}), { ${fieldNames.join(', ')} }, options ?? {});
  }
`;
}

function valueMethod(
  { method, body, query, rehearses }: EndpointDescription,
  text: { readonly head: string; readonly parameters: readonly string[]; readonly path: string; readonly answer: string },
): string {
  const asked = Object.entries(query);
  const takesBody = body !== undefined && Object.keys(body.properties ?? {}).length > 0;
  const optional = asked.every(([, { required }]) => !required);
  const queryType = `{ ${asked.map(([name, { schema, required }]) => `readonly ${key(name)}${required ? '' : '?'}: ${typeOf(schema, 'input')}`).join('; ')} }`;
  const parameters = [
    ...text.parameters,
    ...(takesBody ? [`input: ${typeOf(body, 'input', '  ')}${(body.required ?? []).length > 0 ? '' : ' = {}'}`] : []),
    ...(asked.length === 0 ? [] : [`query: ${queryType}${optional ? ' = {}' : ''}`]),
    `options: ${method === 'GET' ? 'CallOptions' : 'RepeatOptions'} = {}`,
  ];
  const request = [
    `method: ${quote(method)}`,
    `path: this.path(${text.path})`,
    ...(body === undefined ? [] : [takesBody ? 'body: input' : 'body: {}']),
    ...(asked.length === 0 ? [] : ['query']),
  ];
  return `${text.head}(${parameters.join(', ')}): ${rehearses ? 'Answer' : 'Reply'}<${text.answer}> {
    return this.${rehearses ? 'change' : 'value'}({ ${request.join(', ')} }, options);
  }
`;
}

function cloudClass(kinds: readonly KindDescription[], groups: readonly EndpointGroup[]): string {
  const rows = kinds.map(({ kind, rowComponent }) => `  readonly ${key(kind)}: ${rowComponent};\n`);
  const parts = [
    ...kinds.map(({ plural, description }) => ({ description, name: camel(plural), type: `${pascal(plural)}Client` })),
    ...groups.map(({ segment }) => ({ description: '', name: camel(segment), type: `${pascal(segment)}Endpoints` })),
  ];
  const members = parts.map(({ name, type, description }) => `${comment(description, '  ')}  readonly ${name}: ${type};\n`);
  const makes = parts.map(({ name, type }) => `    this.${name} = new ${type}(this.client);\n`);
  return `/** The row type of each kind. */
export interface CloudRows {
  readonly operation: Operation;
${rows.join('')}}

export class Cloud extends BaseCloud<CloudRows> {
${members.join('')}
  constructor(target: ConnectOptions | Embedded) {
    super(target);
${makes.join('')}  }
}

/** A client of one cloud: by URL, by a transport of your own, or in this process. Nothing is sent yet. */
export const connect = (target: ConnectOptions | Embedded): Cloud => new Cloud(target);
`;
}
