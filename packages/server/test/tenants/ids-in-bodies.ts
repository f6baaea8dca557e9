import type { JsonObject, Kernel, Route } from '@pileus/core/kernel';
import { type Sown, sample } from '@pileus/core/testing';

interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly 'x-ref'?: { readonly kind: string };
}

/** A place in the body of a route that names a row of tenants: `nics`, `0`, `networkId`. */
export interface IdPlace {
  readonly route: Route;
  readonly path: readonly string[];
  /** Of the kind whose row it names. */
  readonly kind: string;
}

const ITEM = '0';
const ID_FIELD = /Ids?$/;

/** Fields whose names do not end with the kind that they name. */
const ALIASES: Readonly<Record<string, string>> = {
  peerVpc: 'vpc',
  plan: 'backupPlan',
  store: 'backupStore',
  withoutNics: 'nic',
  remoteGroup: 'securityGroup',
  isoImage: 'image',
  resource: 'image',
};

/** Names of others' systems, and of commands, which are no rows; and whom something is shared with, which is taken whether there is such a one or not. */
const NO_ROWS: ReadonlySet<string> = new Set(['externalId', 'commandId', 'with']);

type Own = ReadonlyMap<string, string>;

/** What stands beside the id, so that the answer is about the id: what else the request wants is there, and is the asker's own. */
const BESIDE: Readonly<Record<string, (own: Own, field: string) => object>> = {
  'role-bindings.create': (own, field) => ({ role: 'viewer', ...(field === 'projectId' ? { userId: own.get('user') } : {}) }),
  'shares.create': () => ({ resourceKind: 'image' }),
  'backup-plans.create': () => ({ schedule: '0 0 * * *' }),
  'instances.create': (own, field) => (field.endsWith('mageId') ? {} : { imageId: own.get('image') }),
  'instances.attachNic': (own, field) => (/^ipv6|Groups?Ids/.test(field) ? { networkId: own.get('network') } : {}),
  'tags.attach': () => ({ resourceKind: 'image', tags: { of: 'alpha' } }),
  'tags.detach': () => ({ resourceKind: 'image', keys: ['of'] }),
  'access.explain': (own, field) => ({ permission: 'image.read', ...(field === 'projectId' ? { userId: own.get('user') } : {}) }),
  'reachability.explain': (own, field) => ({
    ...{ protocol: 'tcp', port: 80 },
    ...(field === 'fromNicId' ? {} : field === 'vpcId' ? { fromAddress: '10.0.0.1' } : { fromNicId: own.get('nic') }),
    ...(field === 'toNicId' ? {} : { toAddress: '10.0.0.2' }),
  }),
};
/** The same within a list: a NIC is in a network of the asker's. */
const NIC_BESIDE = (own: Own, field: string) => (/^ipv6|Groups?Ids/.test(field) ? { networkId: own.get('network') } : {});

/** Places whose ids no answer tells of, and why; all others answer that there is none. */
export const NOT_TOLD: Readonly<Record<string, string>> = {
  'strays.adopt /withoutNics/0': 'for operators alone',
  'setting-values.set /resourceId': 'for operators alone',
  'system-tags.set /resourceId': 'plugins declare system tags, and none is here: see packages/core/test/api/system-tags.test.ts',
  'system-tags.clear /resourceId': 'the same',
  'nat-gateways.create /subnetId': 'of an external network, which an operator makes',
  'nat-gateways.create /ipv6SubnetId': 'the same',
  'nat-gateways.update /subnetId': 'the same',
  'nat-gateways.update /ipv6SubnetId': 'the same',
  'elastic-ips.create /subnetId': 'the same',
  'peerings.create /peerVpcId': 'the driver of one’s own VPC is asked first: see packages/core/test/cloud/network/vpc/peerings.test.ts',
  'access.explain /resourceId': 'whether a permission holds for a row: for one that is not seen it does not',
};

/** What rows are set to so that nothing is refused for what they are at. Of no others: somebody might go on with them. */
const AT_REST: Readonly<Record<string, JsonObject>> = {
  image: { state: 'available', format: 'raw', sizeBytes: 4096, virtualSizeBytes: 4096 },
  instance: { state: 'stopped' },
  network: { state: 'available' },
  nic: { state: 'attached' },
  securityGroup: { state: 'available' },
  subnet: { state: 'available' },
  volume: { state: 'available' },
  vpc: { state: 'available' },
};

/** Has the rows of a tenant rest that requests are about. His NAT gateway is of no VPC of his then: there is room for another. */
export async function rest(kernel: Kernel, { ids }: Sown): Promise<void> {
  const key = ids.get('natGateway') ?? '';
  const result = await kernel.observe([
    ...Object.entries(AT_REST).map(([table, set]) => ({ op: 'update', table, key: ids.get(table) ?? '', set }) as const),
    { op: 'update', table: 'natGateway', key, set: { vpcId: key } },
  ]);
  if (!result.ok) throw new Error(`not at rest: ${JSON.stringify(result)}`);
}

const schemaOf = (route: Route): Schema =>
  (route.type === 'action'
    ? route.action.input
    : route.type === 'endpoint' && 'body' in route.endpoint
      ? route.endpoint.body
      : {}) as Schema;

function* leaves(schema: Schema, path: readonly string[]): Generator<readonly [path: readonly string[], schema: Schema]> {
  for (const one of schema.anyOf ?? []) yield* leaves(one, path);
  if (schema.type === 'array') yield* leaves(schema.items ?? {}, [...path, ITEM]);
  else if (schema.type === 'object')
    for (const [field, inner] of Object.entries(schema.properties ?? {})) yield* leaves(inner, [...path, field]);
  else if (schema.type === 'string') yield [path, schema];
}

const fieldOf = (path: readonly string[]): string => path.findLast((part) => part !== ITEM) ?? '';

function kindNamed(field: string, kinds: readonly string[]): string | undefined {
  const base = field.replace(/Ids?$/, '');
  const alias = ALIASES[base];
  if (alias !== undefined) return alias;
  const suits = kinds.filter((kind) => base.toLowerCase().endsWith(kind.toLowerCase()));
  return suits.sort((a, b) => b.length - a.length)[0];
}

/** Every place of every body that names a row, with those whose kind no name tells; rows of the cloud belong to nobody and are left out. */
export function idPlaces(
  routes: readonly Route[],
  kernel: Kernel,
): { readonly places: readonly IdPlace[]; readonly unknown: readonly string[] } {
  const kinds = kernel.registry.kinds();
  const names = kinds.map(({ name }) => name as string);
  const places = new Map<string, IdPlace>();
  const unknown: string[] = [];
  for (const route of routes.filter(({ method }) => method !== 'DELETE'))
    for (const [path, schema] of leaves(schemaOf(route), [])) {
      const field = fieldOf(path);
      const isId = schema['x-ref'] !== undefined || schema.format === 'uuid' || ID_FIELD.test(field);
      if (!isId || NO_ROWS.has(field)) continue;
      const title = `${route.operationId} /${path.join('/')}`;
      const kind = schema['x-ref']?.kind ?? kindNamed(field, names);
      if (kind === undefined) unknown.push(title);
      else if (kernel.registry.kind(kind).scope !== 'cloud') places.set(title, { route, path, kind });
    }
  return { places: [...places.values()], unknown };
}

/** The body with an id at the place, and all that is required of it; ids that are required beside it are the asker's own. */
export function bodyWith({ route, path }: IdPlace, id: string, own: Own, fallback: string): object {
  const field = fieldOf(path);
  const names = [...own.keys()];
  const ownIds = (schema: Schema, but: string) =>
    Object.fromEntries(
      Object.entries(sample(schema as never, own, 'probe', fallback) as object).map(([name, value]) =>
        name !== but && value === fallback ? [name, own.get(kindNamed(name, names) ?? '') ?? fallback] : [name, value],
      ),
    );
  const put = (schema: Schema, [head, ...others]: readonly string[]): unknown => {
    if (head === undefined) return id;
    if (head === ITEM) return [put(schema.items ?? {}, others)];
    const beside = head === field && path[0] === 'nics' ? NIC_BESIDE(own, field) : {};
    return { ...ownIds(schema, head), ...beside, [head]: put(schema.properties?.[head] ?? {}, others) };
  };
  return { ...(put(schemaOf(route), path) as object), ...BESIDE[route.operationId]?.(own, field) };
}

/** What has to stand in the query of a route, with the `?` before it. */
export function queryOf(route: Route, fallback: string): string {
  const schema = route.type === 'endpoint' && 'query' in route.endpoint ? route.endpoint.query : undefined;
  const wanted = sample((schema ?? { type: 'object' }) as never, new Map(), 'probe', fallback) as Readonly<Record<string, string>>;
  return Object.keys(wanted).length === 0 ? '' : `?${new URLSearchParams(wanted)}`;
}
