import { Type } from 'typebox';
import {
  CloudError,
  type CommitResult,
  create,
  defineAction,
  equals,
  expectState,
  forgetSealed,
  type Id,
  NOTHING_TO_UNDO,
  resourceName,
  revert,
  type Statement,
  saga,
  secret,
  transition,
} from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { refuseTwice } from '../taints.ts';
import { forgetHostCapacity, hostLimits, hostsCounter, noHostCapacity, promisedOf } from './capacity.ts';
import { cluster } from './cluster.ts';
import { host } from './host.ts';
import { forgetHost, type HostContext } from './host-context.ts';
import { inventoryFields, refuseUnfit } from './host-inventory.ts';
import { endpointOf } from './hosts.ts';

interface CreateHostParams {
  readonly hostId: Id<'host'>;
  readonly clusterId: Id<'cluster'>;
  /** Reference to what is sealed. */
  readonly tlsCredentials?: string;
}

const createHost = saga<HostContext, CreateHostParams>('host.create', 1)
  .effect('inventory', {
    do: async ({ ctx, params, call }) => {
      const of = await ctx.reader.get(cluster, params.clusterId);
      const seen = await (await ctx.hosts.hypervisor(params.hostId)).inventory(call);
      refuseUnfit(seen, of);
      const twin = (await ctx.reader.list(host, equals('hostUuid', seen.hostUuid))).find((row) => row.id !== params.hostId);
      if (twin !== undefined)
        throw new CloudError('name_taken', `This is host ${twin.name} already.`, { params: { field: 'hostUuid', hostId: twin.id } });
      return { seen, promised: promisedOf(await ctx.reader.get(host, params.hostId), of) };
    },
    undo: ({ ctx, params }) => forgetHost(ctx, params.hostId),
  })
  .write('enabled', {
    do: ({ params, out: { inventory } }) => [
      transition(host, params.hostId, {
        from: 'connecting',
        to: 'enabled',
        set: { ...inventoryFields(inventory.seen), status: 'connected' },
      }),
      ...hostLimits(params.hostId, inventory.seen, inventory.promised),
    ],
    undo: ({ params }) => [revert(host, params.hostId, { from: 'enabled', to: 'connecting' }), ...noHostCapacity(params.hostId)],
  })
  .effect('watch', { do: ({ ctx, params }) => ctx.watch.add(params.hostId), undo: NOTHING_TO_UNDO })
  .build();

const { properties } = host.schema;

export const hostCreate = (context: HostContext) =>
  defineAction({
    kind: host,
    verb: 'create',
    description: 'Connects a host and takes its inventory.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      clusterId: properties.clusterId,
      uri: properties.uri,
      tlsCredentials: Type.Optional(secret({ description: 'JSON with PEM texts `ca`, `cert`, `key`, for TLS.' })),
      failureDomain: Type.Optional(
        Type.String({ minLength: 1, maxLength: 63, description: 'Default: the name; each host fails on its own.' }),
      ),
      roles: Type.Optional(properties.roles),
      labels: properties.labels,
      taints: properties.taints,
      vcpuOvercommit: properties.vcpuOvercommit,
      memoryOvercommit: properties.memoryOvercommit,
    }),
    accept: async ({ id, input, reader, seal }) => {
      refuseTwice(input.taints);
      const of = await reader.get(cluster, input.clusterId, '/clusterId');
      const tls = input.tlsCredentials === undefined ? undefined : checkedCredentials(input.tlsCredentials);
      await context.hosts.refuseUnreachable(of.hypervisor, endpointOf(id, input.uri, tls));
      const credentials = tls === undefined ? undefined : await seal(tls);
      const name = nameOr(input.name, host, id);
      const row = {
        ...given({ tlsCredentials: credentials?.reference, labels: input.labels, taints: input.taints }),
        ...given({ vcpuOvercommit: input.vcpuOvercommit, memoryOvercommit: input.memoryOvercommit }),
        id,
        name,
        clusterId: input.clusterId,
        uri: input.uri,
        failureDomain: input.failureDomain ?? name,
        roles: input.roles ?? (['compute', 'storage'] as const).slice(),
        status: 'connecting' as const,
      };
      return {
        params: { hostId: id, clusterId: input.clusterId, ...given({ tlsCredentials: credentials?.reference }) },
        statements: [
          expectState(cluster, input.clusterId, ['available']),
          { op: 'adjust', counter: hostsCounter(input.clusterId), by: 1 },
          ...(credentials === undefined ? [] : [credentials.statement]),
          create(host, row),
          ...noHostCapacity(id),
        ],
      };
    },
    refused: clusterFull,
    saga: createHost,
    context: () => context,
    unwound: ({ hostId, clusterId, tlsCredentials }) => [
      transition(host, hostId, { from: 'connecting', to: 'deleted' }),
      { op: 'adjust', counter: hostsCounter(clusterId), by: -1 },
      ...forgetHostCapacity(hostId),
      ...(tlsCredentials === undefined ? [] : [forgetSealed(tlsCredentials)]),
    ],
  });

function clusterFull(failure: Extract<CommitResult, { ok: false }>, statement: Statement | undefined): CloudError | undefined {
  if (failure.reason !== 'exceeded' || statement?.op !== 'adjust' || !statement.counter.startsWith('capacity/cluster/')) return undefined;
  return new CloudError('no_capacity', 'The cluster takes no more hosts.', { params: { reasons: { cluster: 'hostsMax is reached' } } });
}

/** @throws CloudError invalid_input */
export function checkedCredentials(text: string): string {
  const refuse = () =>
    new CloudError('invalid_input', 'TLS credentials are JSON with the PEM texts ca, cert and key.', { pointer: '/tlsCredentials' });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw refuse();
  }
  const fields = parsed as Record<string, unknown> | null;
  if (typeof fields !== 'object' || !['ca', 'cert', 'key'].every((field) => typeof fields?.[field] === 'string')) throw refuse();
  return text;
}
