import { Type } from 'typebox';
import {
  CloudError,
  change,
  changeable,
  create,
  defineAction,
  defineDeletion,
  equals,
  expectState,
  FORWARD_ONLY,
  type Id,
  type Reader,
  type RowOf,
  revert,
  saga,
  transition,
} from '../../../kernel/index.ts';
import { nameOr } from '../../naming.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { nic } from '../nic.ts';
import { ensurePortOf } from '../ports.ts';
import { invalid } from '../refusal.ts';
import { GROUPS_PER_NIC_MAX } from './nic-groups.ts';
import { securityGroup } from './security-group.ts';
import { securityGroupMember } from './security-group-member.ts';
import { ownGroup } from './security-group-rule-create.ts';

const { properties } = securityGroupMember.schema;

/** The machine is a key of the operation: its ports are made anew with other verbs, too. */
interface MemberParams {
  readonly id: Id<'securityGroupMember'>;
  readonly nicId: Id<'nic'>;
  readonly instanceId: Id<'instance'>;
}

const memberCreation = saga<NetworkContext, MemberParams>('securityGroupMember.create', 1)
  .effect('port', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(nic, params.nicId);
      if (row.state !== 'attached') throw notAttached(row);
      await ensurePortOf(ctx, row, call, params.id);
    },
    undo: async ({ ctx, params, call }) => {
      const row = await ctx.reader.find(nic, params.nicId);
      if (row?.state === 'attached') await ensurePortOf(ctx, row, call);
    },
  })
  .write('available', {
    do: ({ params }) => [transition(securityGroupMember, params.id, { from: 'creating', to: 'available' })],
    undo: ({ params }) => [revert(securityGroupMember, params.id, { from: 'available', to: 'creating' })],
  })
  .build();

const notAttached = ({ name, state }: RowOf<typeof nic>): CloudError =>
  new CloudError('conflict', `NIC ${name} is ${state}.`, { pointer: '/nicId', params: { state } });

export const createSecurityGroupMember = (context: () => NetworkContext) =>
  defineAction({
    kind: securityGroupMember,
    verb: 'create',
    description: 'Puts a NIC into a security group; that of a running machine is filtered so at once.',
    target: 'collection',
    input: Type.Object({ nicId: properties.nicId, securityGroupId: properties.securityGroupId }),
    accept: async ({ id, input, projectId, principal, reader }) => {
      const port: RowOf<typeof nic> = await changeable(reader, nic, input.nicId, principal, '/nicId');
      if (port.state !== 'attached') throw notAttached(port);
      const { vpcId } = await reader.get(network, port.networkId);
      if (vpcId === undefined) throw invalid('/nicId', 'Security groups filter NICs within a VPC, and this one is in none.');
      const group = await ownGroup(reader, input.securityGroupId, principal, '/securityGroupId');
      if (group.vpcId !== vpcId) throw invalid('/securityGroupId', `Security group ${group.name} is of another VPC than the NIC.`);
      await refuseMore(reader, port);
      const { instanceId } = port;
      const row = {
        id,
        projectId,
        nicId: port.id,
        instanceId,
        securityGroupId: group.id,
        name: nameOr(undefined, securityGroupMember, id),
      };
      return {
        params: { id, nicId: port.id, instanceId } satisfies MemberParams,
        statements: [
          // The NIC changes with its groups: of two accepted side by side the second is decided again, and sees the first.
          change(nic, port.id, {}, { generation: port.generation, state: 'attached' }),
          expectState(securityGroup, group.id, ['available']),
          create(securityGroupMember, row),
        ],
        keys: [instanceId],
      };
    },
    refused: (failure, statement) => (failure.reason === 'stale' && statement?.op === 'update' ? 'again' : undefined),
    saga: memberCreation,
    context,
    unwound: ({ id }) => [transition(securityGroupMember, id, { from: 'creating', to: 'deleted' })],
  });

/** @throws CloudError conflict */
async function refuseMore(reader: Reader, { id }: RowOf<typeof nic>): Promise<void> {
  const members = await reader.list(securityGroupMember, equals('nicId', id));
  if (members.length >= GROUPS_PER_NIC_MAX)
    throw new CloudError('conflict', `A NIC is in at most ${GROUPS_PER_NIC_MAX} security groups.`, {
      pointer: '/nicId',
      params: { max: GROUPS_PER_NIC_MAX },
    });
}

/** With its NIC the port goes, too. */
const memberRemoval = saga<NetworkContext, MemberParams>('securityGroupMember.remove', 1)
  .effect('port', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.find(nic, params.nicId);
      if (row?.state === 'attached') await ensurePortOf(ctx, row, call);
    },
    undo: FORWARD_ONLY,
  })
  .write('deleted', {
    do: ({ params }) => [transition(securityGroupMember, params.id, { from: 'deleting', to: 'deleted' })],
    undo: FORWARD_ONLY,
  })
  .build();

export const securityGroupMemberDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: securityGroupMember,
    from: ['available'],
    remove: memberRemoval,
    trash: { withOwner: true },
    context,
    params: ({ id, nicId, instanceId }: RowOf<typeof securityGroupMember>): MemberParams => ({ id, nicId, instanceId }),
    shares: ({ instanceId }) => [instanceId],
  });
