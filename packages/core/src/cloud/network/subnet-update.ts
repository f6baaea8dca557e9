import { Type } from 'typebox';
import { CloudError, change, defineAction, type Id, NOTHING_TO_UNDO, resourceName, saga } from '../../kernel/index.ts';
import { network } from './network.ts';
import { type NetworkContext, realize } from './network-context.ts';
import { invalid } from './refusal.ts';
import { subnet } from './subnet.ts';
import { type Told, toldToGuests } from './subnet-row.ts';

interface UpdateParams {
  readonly subnetId: Id<'subnet'>;
  readonly networkId: Id<'network'>;
  readonly name?: string;
  readonly told?: Told;
}

const subnetUpdate = saga<NetworkContext, UpdateParams>('subnet.update', 1)
  .effect('realize', {
    do: async ({ ctx, params: { networkId, subnetId, told }, call }) => {
      if (told !== undefined) await realize(ctx, networkId, call, { changing: { subnetId, told } });
    },
    undo: async ({ ctx, params, call }) => {
      if (params.told !== undefined) await realize(ctx, params.networkId, call);
    },
  })
  .write('changed', {
    do: ({ params: { subnetId, name, told } }) => [change(subnet, subnetId, { ...(name === undefined ? {} : { name }), ...told } as never)],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const { properties } = subnet.schema;

export const updateSubnet = (context: () => NetworkContext) =>
  defineAction({
    kind: subnet,
    verb: 'update',
    description: 'Changes the name of the subnet, and what guests are told with their next lease.',
    target: 'resource',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      dnsServers: Type.Optional(Type.Union([properties.dnsServers, Type.Null()], { description: 'Null: as if nothing had been said.' })),
      hostRoutes: Type.Optional(Type.Union([properties.hostRoutes, Type.Null()], { description: 'Null: none.' })),
    }),
    from: ['available'],
    accept: async ({ row, input, reader }) => {
      const { name, ...asked } = input;
      if (Object.keys(input).length === 0) throw invalid('', 'Nothing to change was given.');
      const parent = await reader.get(network, row.networkId);
      const [field] = Object.keys(asked);
      // Elsewhere a network would have to be taken down for it.
      if (field !== undefined && parent.mode !== 'routed' && parent.mode !== 'provider')
        throw new CloudError('unsupported', `In networks of mode ${parent.mode} it stays as it was made.`, { pointer: `/${field}` });
      const params: UpdateParams = {
        ...{ subnetId: row.id, networkId: parent.id },
        ...(name === undefined ? {} : { name }),
        ...(field === undefined ? {} : { told: toldToGuests(row, asked) }),
      };
      return { params, statements: [], keys: [parent.id] };
    },
    saga: subnetUpdate,
    context,
  });
