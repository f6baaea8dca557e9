import { Type } from 'typebox';
import {
  CloudError,
  change,
  defineAction,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  type JsonObject,
  NOTHING_TO_UNDO,
  resourceName,
  saga,
  secret,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { refuseTwice } from '../taints.ts';
import { hostLimits, promisedOf } from './capacity.ts';
import { cluster } from './cluster.ts';
import { host } from './host.ts';
import { forgetHost, type HostContext } from './host-context.ts';
import { checkedCredentials } from './host-create.ts';
import { refuseOther } from './host-inventory.ts';
import { endpointOf } from './hosts.ts';

interface UpdateHostParams {
  readonly hostId: Id<'host'>;
  readonly set: JsonObject;
}

const sealedIn = ({ tlsCredentials }: JsonObject) => (typeof tlsCredentials === 'string' ? [forgetSealed(tlsCredentials)] : []);

/** A new address or new credentials are kept only if the same host answers there. */
const steps = (version: number) =>
  saga<HostContext, UpdateHostParams>('host.update', version)
    .effect('before', {
      do: async ({ ctx, params }): Promise<JsonObject> => {
        const row = (await ctx.reader.get(host, params.hostId)) as unknown as JsonObject;
        return Object.fromEntries(Object.keys(params.set).map((field) => [field, row[field] ?? null]));
      },
      undo: NOTHING_TO_UNDO,
    })
    .write('set', {
      do: ({ params }) => [change(host, params.hostId, params.set)],
      undo: ({ params, out }) => [change(host, params.hostId, out.before)],
    })
    .effect('reopen', {
      do: async ({ ctx, params, call }) => {
        if (!('uri' in params.set) && !('tlsCredentials' in params.set)) return;
        await forgetHost(ctx, params.hostId);
        refuseOther(await ctx.reader.get(host, params.hostId), await (await ctx.hosts.hypervisor(params.hostId)).inventory(call));
      },
      // Whoever comes next opens it with what the row says then.
      undo: ({ ctx, params }) => forgetHost(ctx, params.hostId),
    });

export const updateHostBefore = steps(1).build();
/** Until the new credentials have been tried the old ones are needed to go back. */
const updateHost = steps(2)
  .effect('promised', {
    do: async ({ ctx, params: { hostId, set }, out }) => {
      if (!('vcpuOvercommit' in set) && !('memoryOvercommit' in set)) return null;
      const { cpus, memoryBytes, clusterId, vcpuOvercommit, memoryOvercommit } = await ctx.reader.get(host, hostId);
      // The next look at a host without an inventory sets its limits.
      if (cpus === undefined || memoryBytes === undefined) return null;
      const { vcpuOvercommit: vcpus, memoryOvercommit: memory } = await ctx.reader.get(cluster, clusterId);
      const of = { vcpuOvercommit: vcpus, memoryOvercommit: memory };
      const now = given({ vcpuOvercommit, memoryOvercommit });
      return { has: { cpus, memoryBytes }, before: promisedOf({ ...now, ...out.before }, of), after: promisedOf(now, of) };
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('limits', {
    do: ({ params, out: { promised } }) => (promised === null ? [] : hostLimits(params.hostId, promised.has, promised.after)),
    undo: ({ params, out: { promised } }) => (promised === null ? [] : hostLimits(params.hostId, promised.has, promised.before)),
  })
  .write('credentials', { do: ({ out }) => sealedIn(out.before), undo: FORWARD_ONLY })
  .build();

const { properties } = host.schema;

export const hostUpdate = (context: HostContext) =>
  defineAction({
    kind: host,
    verb: 'update',
    description:
      'Changes the name, the address, the credentials, the failure domain, the roles, the labels, the taints or what is promised of the host.',
    target: 'resource',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      uri: Type.Optional(properties.uri),
      tlsCredentials: Type.Optional(secret({ description: 'JSON with PEM texts `ca`, `cert`, `key`, for TLS.' })),
      failureDomain: Type.Optional(properties.failureDomain),
      roles: Type.Optional(properties.roles),
      labels: Type.Optional(Type.Union([properties.labels, Type.Null()])),
      taints: Type.Optional(Type.Union([properties.taints, Type.Null()])),
      vcpuOvercommit: Type.Optional(Type.Union([properties.vcpuOvercommit, Type.Null()])),
      memoryOvercommit: Type.Optional(Type.Union([properties.memoryOvercommit, Type.Null()])),
    }),
    from: ['enabled', 'disabled', 'maintenance'],
    accept: async ({ id, input, row, reader, seal }) => {
      if (Object.keys(input).length === 0) throw new CloudError('invalid_input', 'Nothing to change was given.', { pointer: '' });
      refuseTwice(input.taints);
      const { tlsCredentials, ...plain } = input;
      const tls = tlsCredentials === undefined ? undefined : checkedCredentials(tlsCredentials);
      if (input.uri !== undefined) {
        // With others those of before need not be opened, nor can they where their key is lost.
        const known = tls ?? (row.tlsCredentials === undefined ? undefined : await context.secrets.open(row.tlsCredentials));
        const { hypervisor } = await reader.get(cluster, row.clusterId);
        await context.hosts.refuseUnreachable(hypervisor, endpointOf(id, input.uri, known));
      }
      const credentials = tls === undefined ? undefined : await seal(tls);
      const set = { ...plain, ...given({ tlsCredentials: credentials?.reference }) } as JsonObject;
      return {
        params: { hostId: id, set },
        statements: credentials === undefined ? [] : [credentials.statement],
        // What the cluster promises must not change at the same time.
        keys: 'vcpuOvercommit' in input || 'memoryOvercommit' in input ? [row.clusterId] : [],
      };
    },
    saga: updateHost,
    context: () => context,
    unwound: ({ set }) => sealedIn(set),
  });
