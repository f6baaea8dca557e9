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
  type Principal,
  type Reader,
  type RowOf,
  resourceName,
  saga,
  transition,
} from '../../../kernel/index.ts';
import { given, nameOr } from '../../naming.ts';
import { ensureKept, type PartChange, type PartParams, parentOf, partChange, partCreation } from '../kept.ts';
import type { NetworkContext } from '../network-context.ts';
import { invalid } from '../refusal.ts';
import { keptGroup } from './group-kept.ts';
import { type RuleTerms, ruleInput, ruleTerms, termsText } from './rule-input.ts';
import { securityGroup } from './security-group.ts';
import { securityGroupRule } from './security-group-rule.ts';

/** A group is compared whole when one of its rules changes. */
export const RULES_PER_GROUP_MAX = 128;

type GroupRow = RowOf<typeof securityGroup>;

/** A live group of the project. @throws CloudError not_found, conflict */
export async function ownGroup(reader: Reader, id: string, principal: Principal, pointer: string): Promise<GroupRow> {
  const row: GroupRow = await changeable(reader, securityGroup, id, principal, pointer);
  if (row.state === 'available') return row;
  throw new CloudError('conflict', `Security group ${row.name} is ${row.state}.`, { pointer, params: { state: row.state } });
}

const ruleCreation = partCreation(securityGroupRule, keptGroup);

export const createSecurityGroupRule = (context: () => NetworkContext) =>
  defineAction({
    kind: securityGroupRule,
    verb: 'create',
    description: 'Allows new connections from or to the members of a group. Those that are there already are not touched.',
    target: 'collection',
    input: ruleInput,
    accept: async ({ id, input, projectId, principal, reader }) => {
      const { name, description, securityGroupId, ...terms } = input;
      const rule = ruleTerms(terms);
      const group = await ownGroup(reader, securityGroupId, principal, '/securityGroupId');
      const remote = rule.remoteGroupId === undefined ? undefined : await ownGroup(reader, rule.remoteGroupId, principal, '/remoteGroupId');
      if (remote !== undefined && remote.vpcId !== group.vpcId)
        throw invalid('/remoteGroupId', 'That group is of another VPC. Of another VPC only addresses can be named.');
      await refuseRule(reader, group, termsText(rule));
      const { id: _, ...own } = { id, ...rule };
      const row = {
        ...own,
        id,
        projectId,
        securityGroupId: group.id,
        name: nameOr(name, securityGroupRule, id),
        ...given({ description }),
      };
      return {
        params: { id, parentId: group.id } satisfies PartParams,
        statements: [
          // The group changes with its rules: of two accepted side by side the second is decided again, and sees the first.
          change(securityGroup, group.id, {}, { generation: group.generation, state: 'available' }),
          ...(remote === undefined || remote.id === group.id ? [] : [expectState(securityGroup, remote.id, ['available'])]),
          create(securityGroupRule, row),
        ],
        keys: [group.id],
      };
    },
    refused: (failure, statement) => (failure.reason === 'stale' && statement?.op === 'update' ? 'again' : undefined),
    saga: ruleCreation,
    context,
    unwound: ({ id }) => [transition(securityGroupRule, id as Id<'securityGroupRule'>, { from: 'creating', to: 'deleted' })],
  });

/** @throws CloudError conflict */
async function refuseRule(reader: Reader, group: GroupRow, terms: string, exceptId?: string): Promise<void> {
  const all = await reader.list(securityGroupRule, equals('securityGroupId', group.id));
  const rules = all.filter(({ id }) => id !== exceptId);
  const same = rules.find((rule) => rule.state !== 'deleting' && termsText(rule) === terms);
  if (same !== undefined)
    throw new CloudError('conflict', `Rule ${same.name} of the group says the same.`, { pointer: '', params: { ruleId: same.id } });
  if (rules.length >= RULES_PER_GROUP_MAX)
    throw new CloudError('conflict', `A security group takes at most ${RULES_PER_GROUP_MAX} rules; a rule takes many networks.`, {
      pointer: '/securityGroupId',
      params: { max: RULES_PER_GROUP_MAX },
    });
}

const { properties } = securityGroupRule.schema;

export const updateSecurityGroupRule = (context: () => NetworkContext) =>
  defineAction({
    kind: securityGroupRule,
    verb: 'update',
    description: 'Changes the networks that a rule is about, or what it is called.',
    target: 'resource',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: Type.Optional(Type.Union([Type.String({ maxLength: 1024 }), Type.Null()])),
      cidrs: Type.Optional(Type.Union([properties.cidrs, Type.Null()], { description: 'Null: anybody.' })),
    }),
    from: ['available'],
    accept: async ({ row, input, reader }) => {
      if (Object.keys(input).length === 0) throw invalid('', 'Nothing to change was given.');
      const group = await reader.get(securityGroup, row.securityGroupId);
      if (input.cidrs !== undefined) await refuseRule(reader, group, termsText(changedTerms(row, input.cidrs)), row.id);
      const guards =
        input.cidrs === undefined ? [] : [change(securityGroup, group.id, {}, { generation: group.generation, state: 'available' })];
      return { params: { id: row.id, parentId: group.id, set: input } satisfies PartChange, statements: guards, keys: [group.id] };
    },
    refused: ({ reason }, statement) => (reason === 'stale' && statement?.op === 'update' ? 'again' : undefined),
    saga: partChange(securityGroupRule, keptGroup),
    context,
  });

/** @throws CloudError invalid_input */
function changedTerms({ cidrs: _, ...row }: RowOf<typeof securityGroupRule>, cidrs: string[] | null): RuleTerms {
  if (row.remoteGroupId !== undefined) throw invalid('/cidrs', 'The rule is about members of a group, not about addresses.');
  return ruleTerms(cidrs === null ? row : { ...row, cidrs });
}

/**
 * As the removal of any part, but one that names another group is taken out also when its own group goes, too: groups of a VPC may name each other, and none
 * can go that is named.
 */
const ruleRemoval = saga<NetworkContext, PartParams & { readonly namesAnother: boolean }>('securityGroupRule.remove', 1)
  .effect('realize', {
    do: async ({ ctx, params, call }) => {
      const group = await ctx.reader.get(securityGroup, params.parentId);
      if (params.namesAnother || group.state !== 'deleting') await ensureKept(keptGroup, ctx, params.parentId, call);
    },
    undo: FORWARD_ONLY,
  })
  .write('deleted', {
    do: ({ params }) => [transition(securityGroupRule, params.id as Id<'securityGroupRule'>, { from: 'deleting', to: 'deleted' })],
    undo: FORWARD_ONLY,
  })
  .build();

export const securityGroupRuleDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: securityGroupRule,
    from: ['available'],
    remove: ruleRemoval,
    context,
    params: ({ id, securityGroupId, remoteGroupId }: RowOf<typeof securityGroupRule>) => ({
      id,
      parentId: securityGroupId,
      namesAnother: remoteGroupId !== undefined && remoteGroupId !== securityGroupId,
    }),
    shares: parentOf,
  });
