import { Type } from 'typebox';
import {
  CloudError,
  change,
  defineAction,
  equals,
  type Id,
  type JsonObject,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  resourceName,
  saga,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { hostLimits, hostsCounter, promisedOf } from './capacity.ts';
import { cluster } from './cluster.ts';
import { host } from './host.ts';

type Settings = Partial<Pick<RowOf<typeof cluster>, 'vcpuOvercommit' | 'memoryOvercommit' | 'hostsMax'>>;

/** What is promised of hosts changes for all of them together with the cluster. Machines that are over it stay; only nothing more is placed. */
const updateCluster = saga<{ readonly reader: Reader }, { readonly clusterId: Id<'cluster'>; readonly set: Settings & JsonObject }>(
  'cluster.update',
  1,
)
  .effect('hosts', {
    do: async ({ ctx, params }) => {
      const row = await ctx.reader.get(cluster, params.clusterId);
      const hosts = await ctx.reader.list(host, equals('clusterId', params.clusterId));
      return {
        vcpuOvercommit: row.vcpuOvercommit,
        memoryOvercommit: row.memoryOvercommit,
        hosts: hosts.flatMap(({ id, cpus, memoryBytes, vcpuOvercommit, memoryOvercommit }) =>
          cpus === undefined || memoryBytes === undefined
            ? []
            : [{ id, cpus, memoryBytes, ...given({ vcpuOvercommit, memoryOvercommit }) }],
        ),
      };
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('set', {
    do: ({ params: { clusterId, set }, out }) => [
      change(cluster, clusterId, set),
      ...(set.hostsMax === undefined ? [] : [{ op: 'limit', counter: hostsCounter(clusterId), limit: set.hostsMax } as const]),
      ...out.hosts.hosts.flatMap((entry) => hostLimits(entry.id, entry, promisedOf(entry, { ...out.hosts, ...set }))),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const { properties } = cluster.schema;

export const clusterUpdate = (context: { readonly reader: Reader }) =>
  defineAction({
    kind: cluster,
    verb: 'update',
    description: 'Changes the name, the description or the limits of the cluster.',
    target: 'resource',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: Type.Optional(Type.Union([Type.String({ maxLength: 1024 }), Type.Null()])),
      vcpuOvercommit: Type.Optional(properties.vcpuOvercommit),
      memoryOvercommit: Type.Optional(properties.memoryOvercommit),
      allowEmulation: Type.Optional(properties.allowEmulation),
      hostsMax: Type.Optional(properties.hostsMax),
    }),
    accept: ({ id, input }) => {
      if (Object.keys(input).length === 0) throw new CloudError('invalid_input', 'Nothing to change was given.', { pointer: '' });
      return { params: { clusterId: id, set: input as Settings & JsonObject }, statements: [] };
    },
    saga: updateCluster,
    context: () => context,
  });
