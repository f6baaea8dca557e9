import { Type } from 'typebox';
import { CloudError, create, defineAction, expectState, type KernelServices, resourceName } from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { rowCreate, rowDeletion, rowTakenBack } from '../row-only.ts';
import { hostsCounter } from './capacity.ts';
import { cluster } from './cluster.ts';
import { zone } from './zone.ts';

const { properties } = cluster.schema;

/** Emulated processors are some twenty times slower: a host without KVM is a mistake in its firmware far more often than a wish. */
export const CLUSTER_DEFAULTS = { vcpuOvercommit: 4, memoryOvercommit: 1, allowEmulation: false, hostsMax: 45 } as const;

export const clusterCreate = ({ kernel }: KernelServices) =>
  defineAction({
    kind: cluster,
    verb: 'create',
    description: `Makes a cluster. Defaults: ${Object.entries(CLUSTER_DEFAULTS)
      .map(([field, value]) => `${field} ${value}`)
      .join(', ')}.`,
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: properties.description,
      zoneId: properties.zoneId,
      hypervisor: Type.Optional(Type.String({ description: 'Name of the hypervisor strategy. Default: the first one installed.' })),
      vcpuOvercommit: Type.Optional(properties.vcpuOvercommit),
      memoryOvercommit: Type.Optional(properties.memoryOvercommit),
      allowEmulation: Type.Optional(properties.allowEmulation),
      hostsMax: Type.Optional(properties.hostsMax),
    }),
    accept: async ({ id, input, reader }) => {
      const installed = kernel().registry.strategyNames('hypervisor');
      const hypervisor = input.hypervisor ?? installed[0];
      if (hypervisor === undefined || !installed.includes(hypervisor))
        throw new CloudError('unsupported', `No driver for the hypervisor ${hypervisor ?? ''} is installed.`, {
          pointer: '/hypervisor',
          params: { installed: [...installed] },
        });
      await reader.get(zone, input.zoneId, '/zoneId');
      const row = { ...CLUSTER_DEFAULTS, ...given(input), id, hypervisor, name: nameOr(input.name, cluster, id), zoneId: input.zoneId };
      return {
        params: { kind: cluster.name, id, counters: [hostsCounter(id)] },
        statements: [
          expectState(zone, input.zoneId, ['available']),
          create(cluster, row),
          { op: 'limit', counter: hostsCounter(id), limit: row.hostsMax },
        ],
      };
    },
    saga: rowCreate,
    context: () => null,
    unwound: rowTakenBack,
  });

export const clusterDeletion = rowDeletion(cluster, ['available'], ({ id }) => [hostsCounter(id)]);
