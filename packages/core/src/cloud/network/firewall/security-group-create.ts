import { Type } from 'typebox';
import {
  CloudError,
  create,
  defineAction,
  defineDeletion,
  expectState,
  type Id,
  type Reader,
  type RowOf,
  resourceName,
  transition,
  updateAction,
} from '../../../kernel/index.ts';
import { given, nameOr } from '../../naming.ts';
import { type KeptParams, keptCreation, keptRemoval } from '../kept.ts';
import type { NetworkContext } from '../network-context.ts';
import { joinedVpc } from '../vpc/own-vpc.ts';
import { vpc } from '../vpc/vpc.ts';
import { keptGroup } from './group-kept.ts';
import { securityGroup } from './security-group.ts';

const groupCreation = keptCreation(keptGroup);

export const createSecurityGroup = (context: () => NetworkContext) =>
  defineAction({
    kind: securityGroup,
    verb: 'create',
    description: 'Makes a security group without rules: its members take and send nothing until it has some.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: securityGroup.schema.properties.description,
      vpcId: securityGroup.schema.properties.vpcId,
    }),
    accept: async ({ id, input, projectId, principal, reader }) => {
      const parent = await joinedVpc(reader, input.vpcId, principal);
      (await context().fabrics.of(parent)).keeper('securityGroups');
      const { description } = input;
      const row = { id, projectId, vpcId: parent.id, name: nameOr(input.name, securityGroup, id), ...given({ description }) };
      return { params: { id } satisfies KeptParams, statements: [expectState(vpc, parent.id, ['available']), create(securityGroup, row)] };
    },
    saga: groupCreation,
    context,
    unwound: ({ id }) => [transition(securityGroup, id as Id<'securityGroup'>, { from: 'creating', to: 'deleted' })],
  });

export const updateSecurityGroup = updateAction(securityGroup, ['description']);

export const securityGroupDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: securityGroup,
    from: ['available'],
    remove: keptRemoval(keptGroup),
    context,
    params: (row: RowOf<typeof securityGroup>): KeptParams => ({ id: row.id }),
    alone: refuseDefault,
  });

/** New NICs of the VPC go into it. */
async function refuseDefault(row: RowOf<typeof securityGroup>, reader: Reader): Promise<CloudError | undefined> {
  const parent = await reader.find(vpc, row.vpcId);
  if (parent === undefined || parent.deletedAt !== undefined || parent.defaultSecurityGroupId !== row.id) return undefined;
  return new CloudError('conflict', `It is the default group of VPC ${parent.name}, and goes with that; its rules can be deleted.`, {
    params: { vpcId: parent.id },
  });
}
