import { Type } from 'typebox';
import {
  CloudError,
  create,
  defineAction,
  defineDeletion,
  type Id,
  type RowOf,
  resourceName,
  revert,
  saga,
  transition,
  updateAction,
} from '../../../kernel/index.ts';
import { nameOr } from '../../naming.ts';
import type { CloudServices } from '../../services.ts';
import type { Fabrics } from '../fabrics.ts';
import { type DefaultGroup, defaultGroupMoves, defaultGroupStatements } from '../firewall/default-group.ts';
import { keptGroup } from '../firewall/group-kept.ts';
import { ensureKept, type KeptParams, keptRemoval, removeKept } from '../kept.ts';
import type { NetworkContext } from '../network-context.ts';
import { vpc } from './vpc.ts';
import { keptVpc } from './vpc-kept.ts';

const { properties } = vpc.schema;

interface VpcParams {
  readonly id: Id<'vpc'>;
  readonly group: DefaultGroup;
}

const vpcCreation = saga<NetworkContext, VpcParams>('vpc.create', 1)
  .effect('realize', {
    do: ({ ctx, params, call }) => ensureKept(keptVpc, ctx, params.id, call),
    undo: ({ ctx, params, call }) => removeKept(keptVpc, ctx, params.id, call),
  })
  .effect('group', {
    do: ({ ctx, params, call }) => ensureKept(keptGroup, ctx, params.group.securityGroupId, call),
    undo: ({ ctx, params, call }) => removeKept(keptGroup, ctx, params.group.securityGroupId, call),
  })
  .write('available', {
    do: ({ params: { id, group } }) => {
      const move = { from: 'creating', to: 'available' } as const;
      return [transition(vpc, id, move), ...defaultGroupMoves(group, transition, move)];
    },
    undo: ({ params: { id, group } }) => {
      const move = { from: 'available', to: 'creating' } as const;
      return [revert(vpc, id, move), ...defaultGroupMoves(group, revert, move)];
    },
  })
  .build();

export const createVpc = (services: CloudServices, context: () => NetworkContext) =>
  defineAction({
    kind: vpc,
    verb: 'create',
    description: 'Makes a VPC: its networks come after it.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: properties.description,
      driver: Type.Optional(Type.String({ description: 'Network strategy. Default: the first one installed that makes VPCs.' })),
      domain: Type.Optional({
        ...properties.domain,
        description: 'DNS domain in which its machines have names. Default: its name and `.internal`.',
      }),
    }),
    accept: async ({ id, input, projectId, mint }) => {
      const { name: driver, scope } = vpcFactory(services, input.driver);
      const fabric = await services.fabrics.of({ driver });
      for (const sort of ['vpcs', 'securityGroups'] as const) fabric.keeper(sort);
      const name = nameOr(input.name, vpc, id);
      const { group, statements } = defaultGroupStatements({ vpcId: id, projectId }, mint);
      const row = create(vpc, {
        ...{ id, projectId, name, driver, scope },
        domain: input.domain ?? `${name}.internal`,
        defaultSecurityGroupId: group.securityGroupId,
        ...(input.description === undefined ? {} : { description: input.description }),
      });
      return { params: { id, group } satisfies VpcParams, statements: [row, ...statements], keys: [group.securityGroupId] };
    },
    saga: vpcCreation,
    context,
    unwound: ({ id, group }) => {
      const move = { from: 'creating', to: 'deleted' } as const;
      return [transition(vpc, id, move), ...defaultGroupMoves(group, transition, move)];
    },
  });

export const updateVpc = updateAction(vpc, ['description']);

export const vpcDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: vpc,
    from: ['available'],
    remove: keptRemoval(keptVpc),
    context,
    params: (row: RowOf<typeof vpc>): KeptParams => ({ id: row.id }),
  });

/** @throws CloudError unsupported */
function vpcFactory({ kernel, fabrics }: CloudServices, asked: string | undefined): ReturnType<Fabrics['factory']> {
  const makesVpcs = (name: string) => fabrics.factory(name).modes?.includes('routed') === true;
  const driver = asked ?? kernel().registry.strategyNames('network').find(makesVpcs);
  if (driver === undefined) throw new CloudError('unsupported', 'No network driver that makes VPCs is installed.', { pointer: '/driver' });
  if (!makesVpcs(driver)) throw new CloudError('unsupported', `The network driver ${driver} does not make VPCs.`, { pointer: '/driver' });
  return fabrics.factory(driver);
}
