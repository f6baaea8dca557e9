import {
  type Condition,
  type Id,
  isMeant,
  type JsonObject,
  type PermissionFact,
  type Principal,
  readPermission,
} from '../../kernel/index.ts';
import { type Grant, is, type Reach, reachOf } from './reach.ts';
import type { Rule } from './role.ts';
import { BUILT_IN_ROLES, type Roles } from './roles.ts';

/** Who asks, by credentials of his own. */
export interface Caller {
  readonly actor: string;
  /** Absent for a group, which asks for nothing itself. */
  readonly subject?: { readonly kind: 'user' | 'serviceAccount'; readonly id: string };
  readonly credentialId: string;
  readonly projectId: Id<'project'>;
  readonly accountId: Id<'account'>;
  /** Of an API key that may do only some of what its subject may. */
  readonly permissions?: readonly string[];
  /** Of an API key that works in this project alone. */
  readonly isTied?: boolean;
  /** Finds him again. */
  readonly renewed: () => Principal | Promise<Principal>;
}

interface Decision {
  readonly isAllowed: boolean;
  readonly limit?: Condition;
}

/** A principal by what was bound to him. Deny by default; each permission is decided once. */
export class Grantee implements Principal {
  readonly actor: string;
  readonly subject?: NonNullable<Caller['subject']>;
  readonly credentialId: string;
  readonly projectId: Id<'project'>;
  readonly accountId: Id<'account'>;
  readonly isRestricted: boolean;
  readonly #caller: Caller;
  readonly #grants: readonly Grant[];
  readonly #roles: Roles;
  readonly #decisions = new Map<string, Decision>();

  constructor(caller: Caller, grants: readonly Grant[], roles: Roles) {
    this.actor = caller.actor;
    if (caller.subject !== undefined) this.subject = caller.subject;
    this.credentialId = caller.credentialId;
    this.projectId = caller.projectId;
    this.accountId = caller.accountId;
    this.isRestricted = caller.permissions !== undefined || caller.isTied === true;
    this.#caller = caller;
    this.#grants = grants;
    this.#roles = roles;
  }

  renewed(): Principal | Promise<Principal> {
    return this.#caller.renewed();
  }

  allows(permission: string): boolean {
    return this.#decided(permission).isAllowed;
  }

  limits(permission: string): Condition | undefined {
    return this.#decided(permission).limit;
  }

  explain(permission: string): JsonObject {
    const fact = this.#roles.permissions.find(permission);
    return {
      level: fact?.scope ?? 'cloud',
      bindings: this.#grants.map(({ bindingId, role, level, inProjectId = null }) => ({ id: bindingId, role, level, inProjectId })),
      grantedBy: Object.entries(BUILT_IN_ROLES).flatMap(([name, { levels }]) =>
        this.#roles.permissionsOf(name).some((pattern) => isMeant(pattern, permission)) && this.#reach(fact, levels) ? [name] : [],
      ),
      ...(this.#isOutsideKey(permission) ? { reason: 'The API key is restricted to other permissions.' } : {}),
    };
  }

  /** Whether a role that is bound at one of the levels reaches what the permission is about. */
  #reach(fact: PermissionFact | undefined, levels: readonly Grant['level'][]): boolean {
    const { accountId } = this;
    return (
      fact !== undefined && levels.some((level) => reachOf(fact, { level, accountId, inProjectId: this.projectId }, this) !== undefined)
    );
  }

  #isOutsideKey(permission: string): boolean {
    const { permissions } = this.#caller;
    return permissions !== undefined && !permissions.some((pattern) => isMeant(pattern, permission));
  }

  #decided(permission: string): Decision {
    const known = this.#decisions.get(permission);
    if (known !== undefined) return known;
    const decision = this.#decide(permission);
    this.#decisions.set(permission, decision);
    return decision;
  }

  #decide(permission: string): Decision {
    const fact = this.#roles.permissions.find(permission);
    if (fact === undefined) return { isAllowed: false };
    const own = ownOperations(fact, this.#caller);
    if (this.#isOutsideKey(permission)) return own.length === 0 ? { isAllowed: false } : { isAllowed: true, limit: own[0] as Condition };
    const some = [...own, ...selfReach(fact, this.#caller)];
    for (const grant of this.#grants)
      for (const rule of grant.rules) {
        const reach = rule.permissions.some((pattern) => isMeant(pattern, permission)) ? this.#reachOf(fact, grant, rule) : undefined;
        if (reach === 'all') return { isAllowed: true };
        if (reach !== undefined) some.push(reach);
      }
    if (some.length === 0) return { isAllowed: false };
    return { isAllowed: true, limit: some.length === 1 ? (some[0] as Condition) : { or: some } };
  }

  #reachOf(fact: PermissionFact, grant: Grant, rule: Rule): Reach | undefined {
    const reach = reachOf(fact, grant, this);
    if (reach === undefined || rule.when === undefined) return reach;
    // A condition is on rows: what has none it cannot be on.
    if (fact.kind === undefined) return undefined;
    const when = this.#roles.conditionOf(fact.kind, rule.when);
    if (when === undefined) return undefined;
    return reach === 'all' ? when : { and: [reach, when] };
  }
}

/** Who may ask for something may see what comes of it, and take it back. */
const ownOperations = ({ name }: PermissionFact, { actor, subject }: Caller): readonly Condition[] =>
  subject !== undefined && (name === 'operation.read' || name === 'operation.cancel') ? [is('actor', actor)] : [];

/** Everybody sees who he is, and keeps his own keys and sessions. */
function selfReach({ name, kind }: PermissionFact, { subject }: Caller): readonly Condition[] {
  if (subject === undefined) return [];
  if (kind?.name === subject.kind && name === readPermission(kind)) return [is('id', subject.id)];
  if (kind?.name === 'apiKey') return [is(subject.kind === 'user' ? 'userId' : 'serviceAccountId', subject.id)];
  return kind?.name === 'session' && subject.kind === 'user' ? [is('userId', subject.id)] : [];
}
