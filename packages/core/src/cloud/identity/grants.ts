import type { Condition, Reader, RowOf } from '../../kernel/index.ts';
import { membership } from './group.ts';
import type { project } from './project.ts';
import { type Grant, is } from './reach.ts';
import { type RoleBinding, role, roleBinding } from './role.ts';
import type { Roles } from './roles.ts';

export interface Bindings {
  readonly bindings: readonly RoleBinding[];
  /** The groups by which some of them are his. */
  readonly memberships: readonly RowOf<typeof membership>[];
}

/** What is bound to a user or service account, also by groups. */
export async function bindingsOf(reader: Reader, subjectId: string): Promise<Bindings> {
  const memberships = await reader.list(membership, is('userId', subjectId));
  const or = [is('userId', subjectId), is('serviceAccountId', subjectId), ...memberships.map(({ groupId }) => is('groupId', groupId))];
  return { bindings: await reader.list(roleBinding, available({ or })), memberships };
}

/** What is bound to a group itself. */
export const bindingsOfGroup = async (reader: Reader, groupId: string): Promise<Bindings> => ({
  bindings: await reader.list(roleBinding, available(is('groupId', groupId))),
  memberships: [],
});

const available = (bound: Condition): Condition => ({ and: [is('state', 'available'), bound] });

export function grantsOf(reader: Reader, roles: Roles, bindings: readonly RoleBinding[], accountId: string): Promise<readonly Grant[]> {
  return Promise.all(
    bindings.map(async (binding): Promise<Grant> => {
      const named = binding.builtIn ?? (await reader.find(role, binding.roleId ?? ''))?.name ?? '';
      const { level, inProjectId } = binding;
      const rules = await roles.rulesOf(binding);
      return { level, accountId, rules, bindingId: binding.id, role: named, ...(inProjectId === undefined ? {} : { inProjectId }) };
    }),
  );
}

/** What reaches further than the one project that a key is tied to ends there. */
export const within = (grant: Grant, { id, accountId }: Pick<RowOf<typeof project>, 'id' | 'accountId'>): Grant =>
  grant.level === 'project' ? grant : { ...grant, level: 'project', accountId: accountId ?? grant.accountId, inProjectId: id };

/** Whether one of them lets work in a project of the account. */
export const worksIn = (
  grants: readonly Grant[],
  accountId: string,
  { id, accountId: of }: Pick<RowOf<typeof project>, 'id' | 'accountId'>,
) => grants.some(({ level, inProjectId }) => level === 'cloud' || (of === accountId && (level === 'account' || inProjectId === id)));
