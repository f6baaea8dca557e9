import { isDeepStrictEqual } from 'node:util';
import {
  type AnyKind,
  both,
  CloudError,
  type Condition,
  equals,
  isCloudError,
  isMeant,
  type KernelServices,
  lacks,
  type PermissionFact,
  Permissions,
  type Principal,
  parseRule,
} from '../../kernel/index.ts';
import { type Grant, type Reach, reachOf } from './reach.ts';
import { type RoleBinding, type Rule, role, roleBinding } from './role.ts';

interface BuiltInRole {
  readonly description: string;
  readonly levels: readonly Grant['level'][];
  readonly permissions: readonly string[] | ((all: readonly PermissionFact[]) => readonly string[]);
}

/** Roles that are there without being made. At which level one is bound says how far it reaches. */
export const BUILT_IN_ROLES: Readonly<Record<string, BuiltInRole>> = {
  operator: { description: 'Everything, everywhere.', levels: ['cloud'], permissions: ['*'] },
  auditor: {
    description: 'Reads everything, also the audit.',
    levels: ['cloud', 'account'],
    permissions: ['*.read', 'audit.account', 'project.any'],
  },
  accountAdmin: { description: 'Everything in the account.', levels: ['account'], permissions: ['*'] },
  projectAdmin: { description: 'Everything in the project, and who may what there.', levels: ['project'], permissions: ['*'] },
  member: {
    description: 'Makes, uses and deletes what a project has; shares nothing.',
    levels: ['project', 'account'],
    permissions: (all) => [...new Set(all.filter(isOfMembers).map(({ kind }) => `${kind?.name}.*`)), '*.read'],
  },
  viewer: { description: 'Reads what there is.', levels: ['project', 'account'], permissions: ['*.read'] },
};

const isOfMembers = ({ scope, kind }: PermissionFact): boolean => scope === 'project' && kind !== undefined && !OF_ADMINS.has(kind.name);

/** Kinds of a project that members use, but do not decide about. */
const OF_ADMINS: ReadonlySet<string> = new Set(['share', 'tagPolicy']);

type Bound = Pick<RoleBinding, 'level'> & Partial<Pick<RoleBinding, 'builtIn' | 'roleId' | 'inProjectId'>>;

/** What is misspelled would grant nothing, and nobody would notice. */
export const unknownPermission = (given: string, pointer: string): CloudError =>
  new CloudError(
    'invalid_input',
    `No permission is called ${given}. They are like instance.start, instance.*, *.read or *; GET /v1/access lists those that one has.`,
    {
      pointer,
    },
  );

/** What roles mean, and who may hand them out. */
export class Roles {
  readonly #services: KernelServices;
  readonly #conditions = new Map<string, Condition | undefined>();
  #permissions: Permissions | undefined;

  constructor(services: KernelServices) {
    this.#services = services;
  }

  get permissions(): Permissions {
    this.#permissions ??= new Permissions(this.#services.kernel().registry);
    return this.#permissions;
  }

  /** The patterns of a built-in role. */
  permissionsOf(name: string): readonly string[] {
    const { permissions = [] } = BUILT_IN_ROLES[name] ?? {};
    return typeof permissions === 'function' ? permissions(this.permissions.all()) : permissions;
  }

  /** The filter of a rule for rows of one kind; undefined where the kind lacks the fields, so that the rule grants nothing of it. */
  conditionOf(kind: AnyKind, when: string): Condition | undefined {
    const key = `${kind.name} ${when}`;
    if (!this.#conditions.has(key)) this.#conditions.set(key, this.#parsed(kind, when));
    return this.#conditions.get(key);
  }

  /** @throws CloudError `invalid_input` for what means nothing, `permission_denied` for what the caller has not himself */
  assertRules(rules: readonly Rule[], principal: Principal): void {
    for (const [index, { permissions, when }] of rules.entries()) {
      const meant = permissions.map((pattern) => this.permissions.all().filter(({ name }) => isMeant(pattern, name)));
      const empty = meant.findIndex((facts) => facts.length === 0);
      if (empty >= 0) throw unknownPermission(permissions[empty] ?? '', `/rules/${index}/permissions/${empty}`);
      const kinds = [...new Set(meant.flat().flatMap(({ kind }) => (kind === undefined || kind.scope === 'cloud' ? [] : [kind])))];
      if (when !== undefined && !kinds.some((kind) => this.conditionOf(kind, when) !== undefined)) throw this.#unfit(when, kinds, index);
    }
    this.#assertHeld(rules, { level: 'account', accountId: principal.accountId }, principal);
  }

  /**
   * Nobody hands out what he has not himself: neither by a binding, nor by a group or credentials of somebody who has it.
   * @throws CloudError `permission_denied`
   */
  async assertCovered(
    principal: Principal,
    given: { readonly bindings?: readonly Bound[]; readonly groupIds?: readonly string[]; readonly subjectId?: string },
  ): Promise<void> {
    if (principal.isRestricted === true) throw new CloudError('permission_denied', 'A key that is restricted gives nothing away.');
    const bindings = [...(given.bindings ?? []), ...(await this.#boundTo(given))];
    for (const binding of bindings) {
      const { level, inProjectId } = binding;
      const levels = binding.builtIn === undefined ? [level] : (BUILT_IN_ROLES[binding.builtIn]?.levels ?? []);
      if (!levels.includes(level))
        throw new CloudError('invalid_input', `The role ${binding.builtIn} is for the level ${levels.join(' or ')}, not for ${level}.`, {
          pointer: '/level',
        });
      if (level === 'cloud' && !principal.allows('project.any')) throw lacks('project.any', principal);
      const where = { level, accountId: principal.accountId as string, ...(inProjectId === undefined ? {} : { inProjectId }) };
      this.#assertHeld(await this.rulesOf(binding), where, principal);
    }
  }

  /** The same for a role that is given other rules, wherever it is bound. @throws CloudError */
  async assertChange(roleId: string, rules: readonly Rule[], principal: Principal): Promise<void> {
    this.assertRules(rules, principal);
    const bound = await this.#services.reader.list(roleBinding, both(equals('roleId', roleId), equals('level', 'cloud')), { limit: 1 });
    if (bound.length > 0 && !principal.allows('project.any')) throw lacks('project.any', principal);
  }

  /** The rules of a bound role: none of one that is gone. */
  async rulesOf({ builtIn, roleId }: Bound): Promise<readonly Rule[]> {
    if (builtIn !== undefined) return [{ permissions: [...this.permissionsOf(builtIn)] }];
    const row = roleId === undefined ? undefined : await this.#services.reader.find(role, roleId);
    return row?.state === 'available' ? row.rules : [];
  }

  /** Of one kind what is wrong with the filter is told; of several each lacks something else. */
  #unfit(when: string, [kind, other]: readonly AnyKind[], index: number): CloudError {
    try {
      if (kind !== undefined && other === undefined) parseRule(when, kind, this.#services.kernel().registry);
    } catch (error) {
      if (isCloudError(error)) return new CloudError('invalid_input', error.publicMessage, { pointer: `/rules/${index}/when` });
    }
    return new CloudError('invalid_input', `No kind that it is about can be filtered by: ${when}`, { pointer: `/rules/${index}/when` });
  }

  #parsed(kind: AnyKind, when: string): Condition | undefined {
    try {
      return parseRule(when, kind, this.#services.kernel().registry);
    } catch {
      return undefined;
    }
  }

  /** The bindings of a user or service account, and of groups. */
  async #boundTo({ groupIds = [], subjectId }: { readonly groupIds?: readonly string[]; readonly subjectId?: string }) {
    const { reader } = this.#services;
    const own = subjectId === undefined ? [] : [equals('userId', subjectId), equals('serviceAccountId', subjectId)];
    const or = [...own, ...groupIds.map((id) => equals('groupId', id))];
    return or.length === 0 ? [] : reader.list(roleBinding, both({ or }, equals('state', 'available')));
  }

  #assertHeld(rules: readonly Rule[], where: Pick<Grant, 'level' | 'accountId' | 'inProjectId'>, principal: Principal): void {
    const at = { projectId: where.inProjectId ?? principal.projectId, accountId: where.accountId };
    for (const fact of this.permissions.all()) {
      const isGiven = rules.some(({ permissions }) => permissions.some((pattern) => isMeant(pattern, fact.name)));
      const reach = isGiven ? reachOf(fact, where, at) : undefined;
      if (reach === undefined) continue;
      const limit = principal.limits?.(fact.name);
      if (!principal.allows(fact.name) || (limit !== undefined && !covers(limit, reach))) throw lacks(fact.name, principal);
    }
  }
}

/** Whether what one is limited to is, among others, what is given. */
const covers = (limit: Condition, reach: Reach): boolean =>
  isDeepStrictEqual(limit, reach) || ('or' in limit && limit.or.some((part) => covers(part, reach)));
