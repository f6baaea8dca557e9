import { Type } from 'typebox';
import {
  both,
  CloudError,
  create,
  equals,
  expectState,
  type Id,
  type Principal,
  type Reader,
  type RowOf,
  type Statement,
  usable,
} from '../../../kernel/index.ts';
import { nameOr } from '../../naming.ts';
import { isThere } from '../kept.ts';
import { network } from '../network.ts';
import type { nic } from '../nic.ts';
import { invalid } from '../refusal.ts';
import { vpc } from '../vpc/vpc.ts';
import { securityGroup } from './security-group.ts';
import { securityGroupMember } from './security-group-member.ts';

/** What a NIC's port is filtered by grows with them. */
export const GROUPS_PER_NIC_MAX = 8;

/** What a request says of a new NIC's groups. */
export const nicGroups = Type.Array(Type.String({ format: 'uuid' }), {
  maxItems: GROUPS_PER_NIC_MAX,
  uniqueItems: true,
  description:
    'Security groups that filter a NIC within a VPC. Default: the default one of the VPC, or none in a network of another project; in none it takes and sends nothing.',
});

/** The groups that a NIC's port is filtered by, of a NIC within a VPC. */
export async function groupsOfNic(reader: Reader, row: RowOf<typeof nic>, arriving?: string): Promise<readonly string[]> {
  const members = await reader.list(securityGroupMember, equals('nicId', row.id));
  return members
    .filter((member) => isThere(member, row, arriving))
    .map(({ securityGroupId }) => securityGroupId)
    .sort();
}

/**
 * The groups of a new NIC: those asked for, or the default one of its VPC; an empty list means none. Undefined outside of VPCs. The default group trusts its
 * members: those who are only guests of the network do not get into it unasked.
 * @throws CloudError not_found, invalid_input, conflict, with pointers below `at`
 */
export async function groupsOfNewNic(
  reader: Reader,
  { vpcId, projectId }: RowOf<typeof network>,
  asked: readonly string[] | undefined,
  { at, principal }: { readonly at: string; readonly principal: Principal },
): Promise<readonly Id<'securityGroup'>[] | undefined> {
  const pointer = `${at}/securityGroupIds`;
  if (vpcId === undefined) {
    if (asked === undefined) return undefined;
    throw invalid(pointer, 'Security groups filter NICs within a VPC, and this network is in none.');
  }
  if (asked === undefined && projectId !== principal.projectId) return [];
  if (asked === undefined) return [(await reader.get(vpc, vpcId)).defaultSecurityGroupId as Id<'securityGroup'>];
  return Promise.all(asked.map((id, index) => groupOf(reader, id, vpcId, { pointer: `${pointer}/${index}`, principal })));
}

async function groupOf(
  reader: Reader,
  id: string,
  vpcId: string,
  { pointer, principal }: { readonly pointer: string; readonly principal: Principal },
): Promise<Id<'securityGroup'>> {
  const row = await usable(reader, securityGroup, id, principal, pointer);
  if (row.vpcId !== vpcId) throw invalid(pointer, `Security group ${row.name} is of another VPC than the network.`);
  if (row.state !== 'available') throw new CloudError('conflict', `Security group ${row.name} is ${row.state}.`, { pointer });
  return row.id;
}

/** Rows that put a new NIC into its groups, and their ids. */
export function membersOfNewNic(
  groupIds: readonly Id<'securityGroup'>[],
  owner: { readonly nicId: Id<'nic'>; readonly instanceId: Id<'instance'>; readonly projectId: Id<'project'> },
  mint: <N extends string>(kind: N) => Id<N>,
): { readonly memberIds: readonly Id<'securityGroupMember'>[]; readonly statements: readonly Statement[] } {
  const members = groupIds.map((securityGroupId) => ({ id: mint('securityGroupMember'), securityGroupId }));
  return {
    memberIds: members.map(({ id }) => id),
    statements: members.flatMap(({ id, securityGroupId }) => [
      expectState(securityGroup, securityGroupId, ['available']),
      create(securityGroupMember, { ...owner, id, securityGroupId, name: nameOr(undefined, securityGroupMember, id) }),
    ]),
  };
}

interface FoundNic {
  readonly id: Id<'nic'>;
  readonly networkId: string;
  readonly instanceId: Id<'instance'>;
  readonly projectId?: Id<'project'>;
}

/** Rows that put NICs which were found into the default groups of their VPCs: which others they were in nobody knows any more. */
export async function membersOfFound(
  reader: Reader,
  nics: readonly FoundNic[],
  mint: <N extends string>(kind: N) => Id<N>,
): Promise<readonly Statement[]> {
  const found = nics.map(async ({ id: nicId, networkId, instanceId, projectId }) => {
    const { vpcId } = await reader.get(network, networkId);
    if (vpcId === undefined || projectId === undefined) return [];
    const securityGroupId = (await reader.get(vpc, vpcId)).defaultSecurityGroupId as Id<'securityGroup'>;
    const id = mint('securityGroupMember');
    const row = { id, projectId, nicId, instanceId, securityGroupId, name: nameOr(undefined, securityGroupMember, id) };
    return [expectState(securityGroup, securityGroupId, ['available']), create(securityGroupMember, { ...row, state: 'available' })];
  });
  return (await Promise.all(found)).flat();
}

/** What makes a NIC a member of groups, and goes with it. */
export const availableMembers = async (reader: Reader, nicId: string): Promise<readonly Id<'securityGroupMember'>[]> =>
  (await reader.list(securityGroupMember, both(equals('nicId', nicId), equals('state', 'available')))).map(({ id }) => id);
