import { create, type Id, type Statement, type transition } from '../../../kernel/index.ts';
import { nameOr } from '../../naming.ts';
import { securityGroup } from './security-group.ts';
import { securityGroupRule } from './security-group-rule.ts';

/** The group that NICs of a VPC are in unless they name others: all from its members, and everything out. */
export interface DefaultGroup {
  readonly securityGroupId: Id<'securityGroup'>;
  readonly ruleIds: readonly Id<'securityGroupRule'>[];
}

/** Rows of a new VPC's default group. */
export function defaultGroupStatements(
  owner: { readonly vpcId: Id<'vpc'>; readonly projectId: Id<'project'> },
  mint: <N extends string>(kind: N) => Id<N>,
): { readonly group: DefaultGroup; readonly statements: readonly Statement[] } {
  const securityGroupId = mint('securityGroup');
  const rules = ([4, 6] as const).flatMap((family) => [
    { id: mint('securityGroupRule'), direction: 'inbound', family, remoteGroupId: securityGroupId } as const,
    { id: mint('securityGroupRule'), direction: 'outbound', family } as const,
  ]);
  const { projectId, vpcId } = owner;
  return {
    group: { securityGroupId, ruleIds: rules.map(({ id }) => id) },
    statements: [
      create(securityGroup, {
        ...{ id: securityGroupId, projectId, vpcId },
        name: `default-${securityGroupId.slice(-12)}`,
        description: 'All from its members, and everything out.',
      }),
      ...rules.map((rule) =>
        create(securityGroupRule, { ...rule, projectId, securityGroupId, name: nameOr(undefined, securityGroupRule, rule.id) }),
      ),
    ],
  };
}

/** Moves of all its rows. */
export const defaultGroupMoves = (
  { securityGroupId, ruleIds }: DefaultGroup,
  move: typeof transition,
  to: { readonly from: 'creating' | 'available'; readonly to: 'available' | 'creating' | 'deleted' },
): readonly Statement[] => [move(securityGroup, securityGroupId, to), ...ruleIds.map((id) => move(securityGroupRule, id, to))];
