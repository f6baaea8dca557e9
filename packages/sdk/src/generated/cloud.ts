// Generated from the server's OpenAPI document by `pileus-sdk generate`. Do not edit.
import { BaseCloud, Endpoints, Resource, type CallOptions, type ChangeOptions, type Client, type ConnectOptions, type DeleteOptions, type Embedded, type Id, type Lifecycle, type Named, type ConsoleTicket, type Operation, type Pending, type RepeatOptions, type Reply, type Upload, type UploadOptions } from '../runtime.ts';

/** The state machine of the kind debt: where each state may go. */
export const debtStates = {
  owed: ['deleted'],
  deleted: [],
} as const;
export type DebtState = keyof typeof debtStates;

export interface DebtFields {
  readonly id: Id<'debt'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly task: string;
  /** Where it has to be done, usually a host id. */
  readonly place: string;
  readonly target: { readonly [key: string]: unknown };
  readonly operationId: Id<'operation'>;
}
/** A cleanup that is owed to a place out of reach, retried until it is done; `stateReason` tells why it failed last. `place` lists those of one host. */
export type Debt = Lifecycle<DebtFields, DebtState>;

/** What queries see of debts. */
export interface DebtGraph {
  readonly fields: DebtFields & { readonly state: DebtState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
  };
}

/** What lists of debts can filter by. */
export interface DebtFilter {
  readonly id: Id<'debt'>;
  readonly name: string;
  readonly state: DebtState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly place: string;
  readonly task: string;
}

export class DebtsClient extends Resource<'debt', Debt, DebtFilter, 'createdAt' | 'name' | 'state' | 'place' | 'task', DebtGraph> {
  constructor(client: Client) {
    super(client, { kind: 'debt', plural: 'debts' });
  }
}

/** The state machine of the kind account: where each state may go. */
export const accountStates = {
  available: ['disabled', 'deleting'],
  disabled: ['available', 'deleting'],
  deleting: ['available', 'disabled', 'deleted'],
  deleted: [],
} as const;
export type AccountState = keyof typeof accountStates;

export interface AccountFields {
  readonly id: Id<'account'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
  /** Quotas, by counter; without a limit where none is named. */
  readonly limits?: { readonly [key: string]: number };
}
/** A tenant: owns projects, and has users, groups and roles of its own. */
export type Account = Lifecycle<AccountFields, AccountState>;

/** Makes an account, with a project `default`. */
export interface AccountCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the account. */
export interface AccountUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** Sets or lifts limits of the account, for all of its projects together. */
export interface AccountSetQuota {
  /** By counter, e.g. `vcpus`; `null` lifts a limit. One below what is in use only stops growth. */
  readonly limits: { readonly [key: string]: number | null };
}

/** What queries see of accounts. */
export interface AccountGraph {
  readonly fields: AccountFields & { readonly state: AccountState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly projects: ProjectGraph;
    readonly users: UserGraph;
    readonly serviceAccounts: ServiceAccountGraph;
    readonly groups: GroupGraph;
    readonly memberships: MembershipGraph;
    readonly roles: RoleGraph;
    readonly roleBindings: RoleBindingGraph;
    readonly apiKeys: ApiKeyGraph;
    readonly sessions: SessionGraph;
    readonly quotaRequests: QuotaRequestGraph;
  };
}

/** What lists of accounts can filter by. */
export interface AccountFilter {
  readonly id: Id<'account'>;
  readonly name: string;
  readonly state: AccountState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
}

export class AccountsClient extends Resource<'account', Account, AccountFilter, 'createdAt' | 'name' | 'state', AccountGraph> {
  constructor(client: Client) {
    super(client, { kind: 'account', plural: 'accounts' });
  }

  /** Makes an account, with a project `default`. */
  create(input: AccountCreate = {}, options: ChangeOptions = {}): Pending<'account', Account> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the account. */
  update(account: Named<'account'>, input: AccountUpdate = {}, options: ChangeOptions = {}): Pending<'account', Account> {
    return this.updateAny(account, input, options);
  }

  /** Deletes the account and everything it owns. */
  delete(account: Named<'account'>, options: DeleteOptions = {}): Pending<'account', undefined> {
    return this.deleteAny(account, options);
  }

  /** Lets nobody of the account in; its machines go on. */
  disable(account: Named<'account'>, options: ChangeOptions = {}): Pending<'account', Account> {
    return this.act(account, 'disable', {}, options);
  }

  /** Lets the users of the account in again. */
  enable(account: Named<'account'>, options: ChangeOptions = {}): Pending<'account', Account> {
    return this.act(account, 'enable', {}, options);
  }

  /** Sets or lifts limits of the account, for all of its projects together. */
  setQuota(account: Named<'account'>, input: AccountSetQuota, options: ChangeOptions = {}): Pending<'account', Account> {
    return this.act(account, 'set-quota', input, options);
  }
}

/** The state machine of the kind project: where each state may go. */
export const projectStates = {
  available: ['deleting'],
  deleting: ['available', 'deleted'],
  deleted: [],
} as const;
export type ProjectState = keyof typeof projectStates;

export interface ProjectFields {
  readonly id: Id<'project'>;
  readonly accountId: Id<'account'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
  /** Quotas, by counter; without a limit where none is named. */
  readonly limits?: { readonly [key: string]: number };
}
/** What an account owns resources in. */
export type Project = Lifecycle<ProjectFields, ProjectState>;

/** Makes a project. */
export interface ProjectCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Of another account: for the operator. */
  readonly accountId?: Id<'account'> | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the project. */
export interface ProjectUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** Sets or lifts limits of the project. */
export interface ProjectSetQuota {
  /** By counter, e.g. `vcpus`; `null` lifts a limit. One below what is in use only stops growth. */
  readonly limits: { readonly [key: string]: number | null };
}

/** What queries see of projects. */
export interface ProjectGraph {
  readonly fields: ProjectFields & { readonly state: ProjectState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly account: AccountGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly operations: OperationGraph;
    readonly roleBindings: RoleBindingGraph;
    readonly apiKeys: ApiKeyGraph;
    readonly shares: ShareGraph;
    readonly quotaRequests: QuotaRequestGraph;
    readonly volumes: VolumeGraph;
    readonly images: ImageGraph;
    readonly networks: NetworkGraph;
    readonly subnets: SubnetGraph;
    readonly nics: NicGraph;
    readonly placementGroups: PlacementGroupGraph;
    readonly instances: InstanceGraph;
    readonly webhooks: WebhookGraph;
    readonly deliveries: DeliveryGraph;
    readonly tagPolicies: TagPolicyGraph;
  };
}

/** What lists of projects can filter by. */
export interface ProjectFilter {
  readonly id: Id<'project'>;
  readonly name: string;
  readonly state: ProjectState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly accountId: Id<'account'>;
}

export class ProjectsClient extends Resource<'project', Project, ProjectFilter, 'createdAt' | 'name' | 'state', ProjectGraph> {
  constructor(client: Client) {
    super(client, { kind: 'project', plural: 'projects' });
  }

  /** Makes a project. */
  create(input: ProjectCreate = {}, options: ChangeOptions = {}): Pending<'project', Project> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the project. */
  update(project: Named<'project'>, input: ProjectUpdate = {}, options: ChangeOptions = {}): Pending<'project', Project> {
    return this.updateAny(project, input, options);
  }

  /** Deletes the project and everything it owns. */
  delete(project: Named<'project'>, options: DeleteOptions = {}): Pending<'project', undefined> {
    return this.deleteAny(project, options);
  }

  /** Sets or lifts limits of the project. */
  setQuota(project: Named<'project'>, input: ProjectSetQuota, options: ChangeOptions = {}): Pending<'project', Project> {
    return this.act(project, 'set-quota', input, options);
  }
}

/** The state machine of the kind user: where each state may go. */
export const userStates = {
  enabled: ['disabled', 'deleting'],
  disabled: ['enabled', 'deleting'],
  deleting: ['enabled', 'disabled', 'deleted'],
  deleted: [],
} as const;
export type UserState = keyof typeof userStates;

export interface UserFields {
  readonly id: Id<'user'>;
  readonly accountId: Id<'account'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
  readonly email?: string;
  /** Who it is at an identity provider: the name of the provider, a colon, its id there. */
  readonly externalId?: string;
}
/** A person of an account. Signs in with a password, or as whom an identity provider says it is. */
export type User = Lifecycle<UserFields, UserState>;

/** Makes a user. The password is set apart from it. */
export interface UserCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly description?: string | undefined;
  readonly email?: string | undefined;
  /** Who it is at an identity provider: the name of the provider, a colon, its id there. */
  readonly externalId?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description, email, externalId of the user. */
export interface UserUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  readonly email?: string | null | undefined;
  readonly externalId?: string | null | undefined;
}

/** What queries see of users. */
export interface UserGraph {
  readonly fields: UserFields & { readonly state: UserState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly account: AccountGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly memberships: MembershipGraph;
    readonly roleBindings: RoleBindingGraph;
    readonly apiKeys: ApiKeyGraph;
    readonly sessions: SessionGraph;
  };
}

/** What lists of users can filter by. */
export interface UserFilter {
  readonly id: Id<'user'>;
  readonly name: string;
  readonly state: UserState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly accountId: Id<'account'>;
  readonly email: string;
}

export class UsersClient extends Resource<'user', User, UserFilter, 'createdAt' | 'name' | 'state' | 'email', UserGraph> {
  constructor(client: Client) {
    super(client, { kind: 'user', plural: 'users' });
  }

  /** Makes a user. The password is set apart from it. */
  create(input: UserCreate, options: ChangeOptions = {}): Pending<'user', User> {
    return this.createAny(input, options);
  }

  /** Changes name, description, email, externalId of the user. */
  update(user: Named<'user'>, input: UserUpdate = {}, options: ChangeOptions = {}): Pending<'user', User> {
    return this.updateAny(user, input, options);
  }

  /** Deletes the user and everything it owns. */
  delete(user: Named<'user'>, options: DeleteOptions = {}): Pending<'user', undefined> {
    return this.deleteAny(user, options);
  }

  /** Lets the user in no more. */
  disable(user: Named<'user'>, options: ChangeOptions = {}): Pending<'user', User> {
    return this.act(user, 'disable', {}, options);
  }

  /** Lets the user in again. */
  enable(user: Named<'user'>, options: ChangeOptions = {}): Pending<'user', User> {
    return this.act(user, 'enable', {}, options);
  }

  /** Sets the password of a user, and ends his sessions. */
  password(user: Named<'user'>, input: {
    readonly password: string;
  }, options: RepeatOptions = {}): Reply<{ readonly [key: string]: unknown }> {
    return this.value({ method: 'POST', path: this.path(user, 'password'), body: input }, options);
  }
}

/** The state machine of the kind serviceAccount: where each state may go. */
export const serviceAccountStates = {
  enabled: ['disabled', 'deleting'],
  disabled: ['enabled', 'deleting'],
  deleting: ['enabled', 'disabled', 'deleted'],
  deleted: [],
} as const;
export type ServiceAccountState = keyof typeof serviceAccountStates;

export interface ServiceAccountFields {
  readonly id: Id<'serviceAccount'>;
  readonly accountId: Id<'account'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
}
/** A program of an account. It has API keys and no password. */
export type ServiceAccount = Lifecycle<ServiceAccountFields, ServiceAccountState>;

/** Makes a service account. */
export interface ServiceAccountCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the serviceAccount. */
export interface ServiceAccountUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** What queries see of service-accounts. */
export interface ServiceAccountGraph {
  readonly fields: ServiceAccountFields & { readonly state: ServiceAccountState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly account: AccountGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly roleBindings: RoleBindingGraph;
    readonly apiKeys: ApiKeyGraph;
  };
}

/** What lists of service-accounts can filter by. */
export interface ServiceAccountFilter {
  readonly id: Id<'serviceAccount'>;
  readonly name: string;
  readonly state: ServiceAccountState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly accountId: Id<'account'>;
}

export class ServiceAccountsClient extends Resource<'serviceAccount', ServiceAccount, ServiceAccountFilter, 'createdAt' | 'name' | 'state', ServiceAccountGraph> {
  constructor(client: Client) {
    super(client, { kind: 'serviceAccount', plural: 'service-accounts' });
  }

  /** Makes a service account. */
  create(input: ServiceAccountCreate = {}, options: ChangeOptions = {}): Pending<'serviceAccount', ServiceAccount> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the serviceAccount. */
  update(serviceAccount: Named<'serviceAccount'>, input: ServiceAccountUpdate = {}, options: ChangeOptions = {}): Pending<'serviceAccount', ServiceAccount> {
    return this.updateAny(serviceAccount, input, options);
  }

  /** Deletes the serviceAccount and everything it owns. */
  delete(serviceAccount: Named<'serviceAccount'>, options: DeleteOptions = {}): Pending<'serviceAccount', undefined> {
    return this.deleteAny(serviceAccount, options);
  }

  /** Lets the service account in no more. */
  disable(serviceAccount: Named<'serviceAccount'>, options: ChangeOptions = {}): Pending<'serviceAccount', ServiceAccount> {
    return this.act(serviceAccount, 'disable', {}, options);
  }

  /** Lets the service account in again. */
  enable(serviceAccount: Named<'serviceAccount'>, options: ChangeOptions = {}): Pending<'serviceAccount', ServiceAccount> {
    return this.act(serviceAccount, 'enable', {}, options);
  }
}

/** The state machine of the kind group: where each state may go. */
export const groupStates = {
  available: ['deleting'],
  deleting: ['available', 'deleted'],
  deleted: [],
} as const;
export type GroupState = keyof typeof groupStates;

export interface GroupFields {
  readonly id: Id<'group'>;
  readonly accountId: Id<'account'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
  /** Which group it is at an identity provider: its users are in it while they are there. */
  readonly externalId?: string;
}
/** Users who have the same roles. */
export type Group = Lifecycle<GroupFields, GroupState>;

/** Makes a group. */
export interface GroupCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Which group it is at an identity provider: its users are in it while they are there. */
  readonly externalId?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the group. */
export interface GroupUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** What queries see of groups. */
export interface GroupGraph {
  readonly fields: GroupFields & { readonly state: GroupState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly account: AccountGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly memberships: MembershipGraph;
    readonly roleBindings: RoleBindingGraph;
  };
}

/** What lists of groups can filter by. */
export interface GroupFilter {
  readonly id: Id<'group'>;
  readonly name: string;
  readonly state: GroupState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly accountId: Id<'account'>;
}

export class GroupsClient extends Resource<'group', Group, GroupFilter, 'createdAt' | 'name' | 'state', GroupGraph> {
  constructor(client: Client) {
    super(client, { kind: 'group', plural: 'groups' });
  }

  /** Makes a group. */
  create(input: GroupCreate = {}, options: ChangeOptions = {}): Pending<'group', Group> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the group. */
  update(group: Named<'group'>, input: GroupUpdate = {}, options: ChangeOptions = {}): Pending<'group', Group> {
    return this.updateAny(group, input, options);
  }

  /** Deletes the group and everything it owns. */
  delete(group: Named<'group'>, options: DeleteOptions = {}): Pending<'group', undefined> {
    return this.deleteAny(group, options);
  }
}

/** The state machine of the kind membership: where each state may go. */
export const membershipStates = {
  available: ['deleting'],
  deleting: ['available', 'deleted'],
  deleted: [],
} as const;
export type MembershipState = keyof typeof membershipStates;

export interface MembershipFields {
  readonly id: Id<'membership'>;
  readonly accountId: Id<'account'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly groupId: Id<'group'>;
  readonly userId: Id<'user'>;
}
/** That a user is in a group. */
export type Membership = Lifecycle<MembershipFields, MembershipState>;

/** Puts a user into a group. */
export interface MembershipCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly groupId: Id<'group'>;
  readonly userId: Id<'user'>;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** What queries see of memberships. */
export interface MembershipGraph {
  readonly fields: MembershipFields & { readonly state: MembershipState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly group: GroupGraph;
    readonly user: UserGraph;
    readonly account: AccountGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of memberships can filter by. */
export interface MembershipFilter {
  readonly id: Id<'membership'>;
  readonly name: string;
  readonly state: MembershipState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly accountId: Id<'account'>;
  readonly groupId: Id<'group'>;
  readonly userId: Id<'user'>;
}

export class MembershipsClient extends Resource<'membership', Membership, MembershipFilter, 'createdAt' | 'name' | 'state' | 'groupId' | 'userId', MembershipGraph> {
  constructor(client: Client) {
    super(client, { kind: 'membership', plural: 'memberships' });
  }

  /** Puts a user into a group. */
  create(input: MembershipCreate, options: ChangeOptions = {}): Pending<'membership', Membership> {
    return this.createAny(input, options);
  }

  /** Deletes the membership and everything it owns. */
  delete(membership: Named<'membership'>, options: DeleteOptions = {}): Pending<'membership', undefined> {
    return this.deleteAny(membership, options);
  }
}

/** The state machine of the kind role: where each state may go. */
export const roleStates = {
  available: ['deleting'],
  deleting: ['available', 'deleted'],
  deleted: [],
} as const;
export type RoleState = keyof typeof roleStates;

export interface RoleFields {
  readonly id: Id<'role'>;
  readonly accountId: Id<'account'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
  readonly rules: readonly {
    /** E.g. `instance.start`, `instance.*`, `*.read` or `*`. */
    readonly permissions: readonly string[];
    /** A filter: only rows for which it holds, e.g. `name like 'web-%'`. */
    readonly when?: string;
  }[];
}
/** What those it is bound to may do. There are built-in ones beside. */
export type Role = Lifecycle<RoleFields, RoleState>;

/** Makes a role. */
export interface RoleCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly rules: readonly {
    /** E.g. `instance.start`, `instance.*`, `*.read` or `*`. */
    readonly permissions: readonly string[];
    /** A filter: only rows for which it holds, e.g. `name like 'web-%'`. */
    readonly when?: string | undefined;
  }[];
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description, rules of the role. */
export interface RoleUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  readonly rules?: readonly {
    /** E.g. `instance.start`, `instance.*`, `*.read` or `*`. */
    readonly permissions: readonly string[];
    /** A filter: only rows for which it holds, e.g. `name like 'web-%'`. */
    readonly when?: string | undefined;
  }[] | undefined;
}

/** What queries see of roles. */
export interface RoleGraph {
  readonly fields: RoleFields & { readonly state: RoleState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly account: AccountGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly roleBindings: RoleBindingGraph;
  };
}

/** What lists of roles can filter by. */
export interface RoleFilter {
  readonly id: Id<'role'>;
  readonly name: string;
  readonly state: RoleState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly accountId: Id<'account'>;
}

export class RolesClient extends Resource<'role', Role, RoleFilter, 'createdAt' | 'name' | 'state', RoleGraph> {
  constructor(client: Client) {
    super(client, { kind: 'role', plural: 'roles' });
  }

  /** Makes a role. */
  create(input: RoleCreate, options: ChangeOptions = {}): Pending<'role', Role> {
    return this.createAny(input, options);
  }

  /** Changes name, description, rules of the role. */
  update(role: Named<'role'>, input: RoleUpdate = {}, options: ChangeOptions = {}): Pending<'role', Role> {
    return this.updateAny(role, input, options);
  }

  /** Deletes the role and everything it owns. */
  delete(role: Named<'role'>, options: DeleteOptions = {}): Pending<'role', undefined> {
    return this.deleteAny(role, options);
  }
}

/** The state machine of the kind roleBinding: where each state may go. */
export const roleBindingStates = {
  available: ['deleting'],
  deleting: ['available', 'deleted'],
  deleted: [],
} as const;
export type RoleBindingState = keyof typeof roleBindingStates;

export interface RoleBindingFields {
  readonly id: Id<'roleBinding'>;
  readonly accountId: Id<'account'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  /** The name of a built-in role. */
  readonly builtIn?: string;
  readonly roleId?: Id<'role'>;
  readonly level: 'project' | 'account' | 'cloud';
  readonly inProjectId?: Id<'project'>;
  readonly userId?: Id<'user'>;
  readonly groupId?: Id<'group'>;
  readonly serviceAccountId?: Id<'serviceAccount'>;
}
/** That a user, a group or a service account has a role: in one project, in all of the account, or in the whole cloud. */
export type RoleBinding = Lifecycle<RoleBindingFields, RoleBindingState>;

/** Gives a role to a user, a group or a service account. */
export interface RoleBindingCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** The name of a built-in role, or the name or id of one of the account. */
  readonly role: string;
  readonly level?: 'project' | 'account' | 'cloud' | undefined;
  /** With the level `project`. Default: the project that is worked in. */
  readonly projectId?: Id<'project'> | undefined;
  readonly userId?: Id<'user'> | undefined;
  readonly groupId?: Id<'group'> | undefined;
  readonly serviceAccountId?: Id<'serviceAccount'> | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** What queries see of role-bindings. */
export interface RoleBindingGraph {
  readonly fields: RoleBindingFields & { readonly state: RoleBindingState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly role: RoleGraph;
    readonly inProject: ProjectGraph;
    readonly user: UserGraph;
    readonly group: GroupGraph;
    readonly serviceAccount: ServiceAccountGraph;
    readonly account: AccountGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of role-bindings can filter by. */
export interface RoleBindingFilter {
  readonly id: Id<'roleBinding'>;
  readonly name: string;
  readonly state: RoleBindingState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly accountId: Id<'account'>;
  readonly roleId: Id<'role'>;
  readonly inProjectId: Id<'project'>;
  readonly userId: Id<'user'>;
  readonly groupId: Id<'group'>;
  readonly serviceAccountId: Id<'serviceAccount'>;
}

export class RoleBindingsClient extends Resource<'roleBinding', RoleBinding, RoleBindingFilter, 'createdAt' | 'name' | 'state' | 'roleId' | 'inProjectId' | 'userId' | 'groupId' | 'serviceAccountId', RoleBindingGraph> {
  constructor(client: Client) {
    super(client, { kind: 'roleBinding', plural: 'role-bindings' });
  }

  /** Gives a role to a user, a group or a service account. */
  create(input: RoleBindingCreate, options: ChangeOptions = {}): Pending<'roleBinding', RoleBinding> {
    return this.createAny(input, options);
  }

  /** Deletes the roleBinding and everything it owns. */
  delete(roleBinding: Named<'roleBinding'>, options: DeleteOptions = {}): Pending<'roleBinding', undefined> {
    return this.deleteAny(roleBinding, options);
  }
}

/** The state machine of the kind apiKey: where each state may go. */
export const apiKeyStates = {
  active: ['revoked', 'deleting'],
  revoked: ['deleting'],
  deleting: ['active', 'revoked', 'deleted'],
  deleted: [],
} as const;
export type ApiKeyState = keyof typeof apiKeyStates;

export interface ApiKeyFields {
  readonly id: Id<'apiKey'>;
  readonly accountId: Id<'account'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
  readonly userId?: Id<'user'>;
  readonly serviceAccountId?: Id<'serviceAccount'>;
  /** The one project that it works in. */
  readonly inProjectId?: Id<'project'>;
  /** Only these of what its holder may, e.g. `instance.*`. */
  readonly permissions?: readonly string[];
  readonly expiresAt?: string;
  readonly rotatedAt?: string;
}
/** A key that a user or a service account asks with. Its secret is shown once. */
export type ApiKey = Lifecycle<ApiKeyFields, ApiKeyState>;

/** Changes name, description, expiresAt of the apiKey. */
export interface ApiKeyUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  readonly expiresAt?: string | null | undefined;
}

/** What queries see of api-keys. */
export interface ApiKeyGraph {
  readonly fields: ApiKeyFields & { readonly state: ApiKeyState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly user: UserGraph;
    readonly serviceAccount: ServiceAccountGraph;
    readonly inProject: ProjectGraph;
    readonly account: AccountGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of api-keys can filter by. */
export interface ApiKeyFilter {
  readonly id: Id<'apiKey'>;
  readonly name: string;
  readonly state: ApiKeyState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly accountId: Id<'account'>;
  readonly userId: Id<'user'>;
  readonly serviceAccountId: Id<'serviceAccount'>;
  readonly inProjectId: Id<'project'>;
}

export class ApiKeysClient extends Resource<'apiKey', ApiKey, ApiKeyFilter, 'createdAt' | 'name' | 'state' | 'userId' | 'serviceAccountId' | 'inProjectId', ApiKeyGraph> {
  constructor(client: Client) {
    super(client, { kind: 'apiKey', plural: 'api-keys' });
  }

  /** Changes name, description, expiresAt of the apiKey. */
  update(apiKey: Named<'apiKey'>, input: ApiKeyUpdate = {}, options: ChangeOptions = {}): Pending<'apiKey', ApiKey> {
    return this.updateAny(apiKey, input, options);
  }

  /** Deletes the apiKey and everything it owns. */
  delete(apiKey: Named<'apiKey'>, options: DeleteOptions = {}): Pending<'apiKey', undefined> {
    return this.deleteAny(apiKey, options);
  }

  /** Voids the key for good, from the answer on. */
  revoke(apiKey: Named<'apiKey'>, options: ChangeOptions = {}): Pending<'apiKey', ApiKey> {
    return this.act(apiKey, 'revoke', {}, options);
  }

  /** Makes an API key, for its maker unless another holder is named, and answers its secret. */
  create(input: {
    /** Lower-case letters, digits and inner hyphens; unique among live ones. */
    readonly name: string;
    readonly description?: string | undefined;
    readonly userId?: string | undefined;
    readonly serviceAccountId?: string | undefined;
    /** The one project that it may work in. */
    readonly projectId?: string | undefined;
    /** Only these of what its holder may, e.g. `instance.*`. */
    readonly permissions?: readonly string[] | undefined;
    readonly expiresAt?: string | undefined;
  }, options: RepeatOptions = {}): Reply<{
    readonly id: string;
    readonly name: string;
    /** Shown this once. */
    readonly key: string;
  }> {
    return this.value({ method: 'POST', path: this.path(), body: input }, options);
  }

  /** Gives the key a new secret, and lets the old one be good for a while. */
  rotate(apiKey: Named<'apiKey'>, input: {
    /** How long the old secret is good beside the new one. Default 3600. */
    readonly overlapSeconds?: number | undefined;
  } = {}, options: RepeatOptions = {}): Reply<{
    readonly id: string;
    /** Shown this once. */
    readonly key: string;
    readonly oldKeyUntil: string;
  }> {
    return this.value({ method: 'POST', path: this.path(apiKey, 'rotate'), body: input }, options);
  }
}

/** The state machine of the kind session: where each state may go. */
export const sessionStates = {
  active: ['revoked', 'deleting'],
  revoked: ['deleting', 'deleted'],
  deleting: ['active', 'revoked', 'deleted'],
  deleted: [],
} as const;
export type SessionState = keyof typeof sessionStates;

export interface SessionFields {
  readonly id: Id<'session'>;
  readonly accountId: Id<'account'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly userId: Id<'user'>;
  readonly expiresAt: string;
}
/** That a user has signed in. */
export type Session = Lifecycle<SessionFields, SessionState>;

/** What queries see of sessions. */
export interface SessionGraph {
  readonly fields: SessionFields & { readonly state: SessionState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly user: UserGraph;
    readonly account: AccountGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of sessions can filter by. */
export interface SessionFilter {
  readonly id: Id<'session'>;
  readonly name: string;
  readonly state: SessionState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly accountId: Id<'account'>;
  readonly expiresAt: string;
  readonly userId: Id<'user'>;
}

export class SessionsClient extends Resource<'session', Session, SessionFilter, 'createdAt' | 'name' | 'state' | 'expiresAt' | 'userId', SessionGraph> {
  constructor(client: Client) {
    super(client, { kind: 'session', plural: 'sessions' });
  }

  /** Signs the user out, from the answer on. */
  revoke(session: Named<'session'>, options: ChangeOptions = {}): Pending<'session', Session> {
    return this.act(session, 'revoke', {}, options);
  }

  /** Signs a user in by his password, and answers a token to ask with. */
  create(input: {
    /** Its name. */
    readonly account: string;
    /** Its name. */
    readonly user: string;
    readonly password: string;
  }, options: RepeatOptions = {}): Reply<{
    readonly id: string;
    /** Shown this once. */
    readonly token: string;
    readonly expiresAt: string;
    readonly userId: string;
    readonly accountId: string;
  }> {
    return this.value({ method: 'POST', path: this.path(), body: input }, options);
  }

  /** Signs a user in by a token of an identity provider, and answers a token to ask with. */
  token(input: {
    /** Its name, e.g. `oidc`. */
    readonly provider: string;
    /** An ID token that it has issued for this cloud. */
    readonly token: string;
  }, options: RepeatOptions = {}): Reply<{
    readonly id: string;
    /** Shown this once. */
    readonly token: string;
    readonly expiresAt: string;
    readonly userId: string;
    readonly accountId: string;
  }> {
    return this.value({ method: 'POST', path: this.path('token'), body: input }, options);
  }
}

/** The state machine of the kind share: where each state may go. */
export const shareStates = {
  available: ['deleting'],
  deleting: ['available', 'deleted'],
  deleted: [],
} as const;
export type ShareState = keyof typeof shareStates;

export interface ShareFields {
  readonly id: Id<'share'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  /** E.g. `image`. */
  readonly resourceKind: string;
  readonly resourceId: string;
  /** The id of a project or of an account, or `all`. */
  readonly audience: string;
}
/** That others may see and use something of the project: never change it. */
export type Share = Lifecycle<ShareFields, ShareState>;

/** Shares an image or a network with another project, with all of an account, or with everybody. */
export interface ShareCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly resourceKind: string;
  readonly resourceId: string;
  /** The id of a project or of an account, or `all`. */
  readonly with: 'all' | string;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** What queries see of shares. */
export interface ShareGraph {
  readonly fields: ShareFields & { readonly state: ShareState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly project: ProjectGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of shares can filter by. */
export interface ShareFilter {
  readonly id: Id<'share'>;
  readonly name: string;
  readonly state: ShareState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly resourceId: string;
}

export class SharesClient extends Resource<'share', Share, ShareFilter, 'createdAt' | 'name' | 'state' | 'resourceId', ShareGraph> {
  constructor(client: Client) {
    super(client, { kind: 'share', plural: 'shares' });
  }

  /** Shares an image or a network with another project, with all of an account, or with everybody. */
  create(input: ShareCreate, options: ChangeOptions = {}): Pending<'share', Share> {
    return this.createAny(input, options);
  }

  /** Deletes the share and everything it owns. */
  delete(share: Named<'share'>, options: DeleteOptions = {}): Pending<'share', undefined> {
    return this.deleteAny(share, options);
  }
}

/** The state machine of the kind quotaRequest: where each state may go. */
export const quotaRequestStates = {
  requested: ['applied', 'denied', 'deleting', 'deleted'],
  applied: ['expired', 'deleting'],
  denied: ['deleting'],
  expired: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type QuotaRequestState = keyof typeof quotaRequestStates;

export interface QuotaRequestFields {
  readonly id: Id<'quotaRequest'>;
  readonly accountId: Id<'account'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  /** Whose limits. Absent: those of the account. */
  readonly inProjectId?: Id<'project'>;
  /** By counter, e.g. `vcpus`; `null` lifts a limit. One below what is in use only stops growth. */
  readonly limits: { readonly [key: string]: number | null };
  /** Why they are asked for. */
  readonly reason?: string;
  /** When the limits go back to what they were. */
  readonly expiresAt?: string;
  /** Who asked. */
  readonly requestedBy: string;
  /** Who approved or denied it. */
  readonly decidedBy?: string;
  readonly decidedAt?: string;
  /** What that one had to say. */
  readonly answer?: string;
  /** The limits before they were granted; `null` = none. */
  readonly before?: { readonly [key: string]: number | null };
}
/** A request for other limits: approved, it sets them, for good or until a day; denied, it says why. */
export type QuotaRequest = Lifecycle<QuotaRequestFields, QuotaRequestState>;

/** Asks for other limits of a project, or of the account. */
export interface QuotaRequestCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Whose limits. Absent: those of the account. */
  readonly projectId?: Id<'project'> | undefined;
  /** By counter, e.g. `vcpus`; `null` lifts a limit. One below what is in use only stops growth. */
  readonly limits: { readonly [key: string]: number | null };
  /** Why they are asked for. */
  readonly reason?: string | undefined;
  /** When the limits go back to what they were. */
  readonly expiresAt?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Sets the limits that are asked for, until the day that was asked for. */
export interface QuotaRequestApprove {
  /** What that one had to say. */
  readonly answer?: string | undefined;
}

/** Refuses the limits that are asked for. */
export interface QuotaRequestDeny {
  /** What that one had to say. */
  readonly answer?: string | undefined;
}

/** What queries see of quota-requests. */
export interface QuotaRequestGraph {
  readonly fields: QuotaRequestFields & { readonly state: QuotaRequestState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly inProject: ProjectGraph;
    readonly account: AccountGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of quota-requests can filter by. */
export interface QuotaRequestFilter {
  readonly id: Id<'quotaRequest'>;
  readonly name: string;
  readonly state: QuotaRequestState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly accountId: Id<'account'>;
  readonly expiresAt: string;
  readonly inProjectId: Id<'project'>;
}

export class QuotaRequestsClient extends Resource<'quotaRequest', QuotaRequest, QuotaRequestFilter, 'createdAt' | 'name' | 'state' | 'expiresAt' | 'inProjectId', QuotaRequestGraph> {
  constructor(client: Client) {
    super(client, { kind: 'quotaRequest', plural: 'quota-requests' });
  }

  /** Asks for other limits of a project, or of the account. */
  create(input: QuotaRequestCreate, options: ChangeOptions = {}): Pending<'quotaRequest', QuotaRequest> {
    return this.createAny(input, options);
  }

  /** Deletes the quotaRequest and everything it owns. */
  delete(quotaRequest: Named<'quotaRequest'>, options: DeleteOptions = {}): Pending<'quotaRequest', undefined> {
    return this.deleteAny(quotaRequest, options);
  }

  /** Sets the limits that are asked for, until the day that was asked for. */
  approve(quotaRequest: Named<'quotaRequest'>, input: QuotaRequestApprove = {}, options: ChangeOptions = {}): Pending<'quotaRequest', QuotaRequest> {
    return this.act(quotaRequest, 'approve', input, options);
  }

  /** Refuses the limits that are asked for. */
  deny(quotaRequest: Named<'quotaRequest'>, input: QuotaRequestDeny = {}, options: ChangeOptions = {}): Pending<'quotaRequest', QuotaRequest> {
    return this.act(quotaRequest, 'deny', input, options);
  }

  /** Sets the limits back to what they were before; happens by itself on the day that was asked for. */
  expire(quotaRequest: Named<'quotaRequest'>, options: ChangeOptions = {}): Pending<'quotaRequest', QuotaRequest> {
    return this.act(quotaRequest, 'expire', {}, options);
  }
}

/** The state machine of the kind zone: where each state may go. */
export const zoneStates = {
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type ZoneState = keyof typeof zoneStates;

export interface ZoneFields {
  readonly id: Id<'zone'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
}
/** A place that fails and is powered as one: a data centre or a hall. */
export type Zone = Lifecycle<ZoneFields, ZoneState>;

/** Makes a zone. */
export interface ZoneCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the zone. */
export interface ZoneUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** What queries see of zones. */
export interface ZoneGraph {
  readonly fields: ZoneFields & { readonly state: ZoneState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly clusters: ClusterGraph;
    readonly pools: PoolGraph;
  };
}

/** What lists of zones can filter by. */
export interface ZoneFilter {
  readonly id: Id<'zone'>;
  readonly name: string;
  readonly state: ZoneState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
}

export class ZonesClient extends Resource<'zone', Zone, ZoneFilter, 'createdAt' | 'name' | 'state', ZoneGraph> {
  constructor(client: Client) {
    super(client, { kind: 'zone', plural: 'zones' });
  }

  /** Makes a zone. */
  create(input: ZoneCreate = {}, options: ChangeOptions = {}): Pending<'zone', Zone> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the zone. */
  update(zone: Named<'zone'>, input: ZoneUpdate = {}, options: ChangeOptions = {}): Pending<'zone', Zone> {
    return this.updateAny(zone, input, options);
  }

  /** Deletes the zone and everything it owns. */
  delete(zone: Named<'zone'>, options: DeleteOptions = {}): Pending<'zone', undefined> {
    return this.deleteAny(zone, options);
  }
}

/** The state machine of the kind cluster: where each state may go. */
export const clusterStates = {
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type ClusterState = keyof typeof clusterStates;

export interface ClusterFields {
  readonly id: Id<'cluster'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly zoneId: Id<'zone'>;
  readonly description?: string;
  /** Name of the hypervisor strategy, e.g. `kvm`. */
  readonly hypervisor: string;
  /** Virtual processors promised per hardware thread. */
  readonly vcpuOvercommit: number;
  /** Memory promised per memory of the host. */
  readonly memoryOvercommit: number;
  /** Whether hosts without hardware virtualisation may run machines here. */
  readonly allowEmulation: boolean;
  /** Hosts that the fabric takes. */
  readonly hostsMax: number;
}
/** Hosts of one hypervisor on one set of switches; machines move within it. */
export type Cluster = Lifecycle<ClusterFields, ClusterState>;

/** Makes a cluster. Defaults: vcpuOvercommit 4, memoryOvercommit 1, allowEmulation false, hostsMax 45. */
export interface ClusterCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly zoneId: Id<'zone'>;
  /** Name of the hypervisor strategy. Default: the first one installed. */
  readonly hypervisor?: string | undefined;
  /** Virtual processors promised per hardware thread. */
  readonly vcpuOvercommit?: number | undefined;
  /** Memory promised per memory of the host. */
  readonly memoryOvercommit?: number | undefined;
  /** Whether hosts without hardware virtualisation may run machines here. */
  readonly allowEmulation?: boolean | undefined;
  /** Hosts that the fabric takes. */
  readonly hostsMax?: number | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes the name, the description or the limits of the cluster. */
export interface ClusterUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  /** Virtual processors promised per hardware thread. */
  readonly vcpuOvercommit?: number | undefined;
  /** Memory promised per memory of the host. */
  readonly memoryOvercommit?: number | undefined;
  /** Whether hosts without hardware virtualisation may run machines here. */
  readonly allowEmulation?: boolean | undefined;
  /** Hosts that the fabric takes. */
  readonly hostsMax?: number | undefined;
}

/** What queries see of clusters. */
export interface ClusterGraph {
  readonly fields: ClusterFields & { readonly state: ClusterState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'hostsMax';
  readonly links: {
    readonly zone: ZoneGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly hosts: HostGraph;
    readonly pools: PoolGraph;
  };
}

/** What lists of clusters can filter by. */
export interface ClusterFilter {
  readonly id: Id<'cluster'>;
  readonly name: string;
  readonly state: ClusterState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly zoneId: Id<'zone'>;
}

export class ClustersClient extends Resource<'cluster', Cluster, ClusterFilter, 'createdAt' | 'name' | 'state' | 'zoneId', ClusterGraph> {
  constructor(client: Client) {
    super(client, { kind: 'cluster', plural: 'clusters' });
  }

  /** Makes a cluster. Defaults: vcpuOvercommit 4, memoryOvercommit 1, allowEmulation false, hostsMax 45. */
  create(input: ClusterCreate, options: ChangeOptions = {}): Pending<'cluster', Cluster> {
    return this.createAny(input, options);
  }

  /** Changes the name, the description or the limits of the cluster. */
  update(cluster: Named<'cluster'>, input: ClusterUpdate = {}, options: ChangeOptions = {}): Pending<'cluster', Cluster> {
    return this.updateAny(cluster, input, options);
  }

  /** Deletes the cluster and everything it owns. */
  delete(cluster: Named<'cluster'>, options: DeleteOptions = {}): Pending<'cluster', undefined> {
    return this.deleteAny(cluster, options);
  }
}

/** The state machine of the kind host: where each state may go. */
export const hostStates = {
  connecting: ['enabled', 'deleted'],
  enabled: ['disabled', 'maintenance', 'deleting'],
  disabled: ['enabled', 'maintenance', 'deleting'],
  maintenance: ['enabled', 'disabled', 'deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type HostState = keyof typeof hostStates;

export interface HostFields {
  readonly id: Id<'host'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly clusterId: Id<'cluster'>;
  /** How the hypervisor is reached, e.g. `qemu:///system` or `qemu+tls://hv1/system`. */
  readonly uri: string;
  /** Reference to a sealed value. */
  readonly tlsCredentials?: string;
  /** Rack or other unit that fails as one. */
  readonly failureDomain: string;
  /** What sets it apart, for instance types and requests that ask for it. */
  readonly labels?: { readonly [key: string]: string };
  /** Virtual processors promised per hardware thread. Default: as its cluster says. */
  readonly vcpuOvercommit?: number;
  /** Memory promised per memory of the host. Default: as its cluster says. */
  readonly memoryOvercommit?: number;
  readonly roles: readonly ('compute' | 'storage')[];
  /** Whether it answers. */
  readonly status: 'connecting' | 'connected' | 'disconnected';
  readonly statusReason?: string;
  readonly hostname?: string;
  readonly hostUuid?: string;
  readonly cpus?: number;
  readonly memoryBytes?: number;
  readonly cpuModel?: string;
  readonly architecture?: string;
  readonly hypervisorVersion?: string;
  readonly virtType?: 'kvm' | 'tcg' | 'simulated';
}
/** A server that runs machines, stores volumes, or both. */
export type Host = Lifecycle<HostFields, HostState>;

/** Connects a host and takes its inventory. */
export interface HostCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly clusterId: Id<'cluster'>;
  /** How the hypervisor is reached, e.g. `qemu:///system` or `qemu+tls://hv1/system`. */
  readonly uri: string;
  /** JSON with PEM texts `ca`, `cert`, `key`, for TLS. Secret: sealed before it is stored, never shown again. */
  readonly tlsCredentials?: string | undefined;
  /** Default: the name; each host fails on its own. */
  readonly failureDomain?: string | undefined;
  readonly roles?: readonly ('compute' | 'storage')[] | undefined;
  /** What sets it apart, for instance types and requests that ask for it. */
  readonly labels?: { readonly [key: string]: string } | undefined;
  /** Virtual processors promised per hardware thread. Default: as its cluster says. */
  readonly vcpuOvercommit?: number | undefined;
  /** Memory promised per memory of the host. Default: as its cluster says. */
  readonly memoryOvercommit?: number | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes the name, the address, the credentials, the failure domain, the roles, the labels or what is promised of the host. */
export interface HostUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** How the hypervisor is reached, e.g. `qemu:///system` or `qemu+tls://hv1/system`. */
  readonly uri?: string | undefined;
  /** JSON with PEM texts `ca`, `cert`, `key`, for TLS. Secret: sealed before it is stored, never shown again. */
  readonly tlsCredentials?: string | undefined;
  /** Rack or other unit that fails as one. */
  readonly failureDomain?: string | undefined;
  readonly roles?: readonly ('compute' | 'storage')[] | undefined;
  readonly labels?: { readonly [key: string]: string } | null | undefined;
  readonly vcpuOvercommit?: number | null | undefined;
  readonly memoryOvercommit?: number | null | undefined;
}

/** What queries see of hosts. */
export interface HostGraph {
  readonly fields: Omit<HostFields & { readonly state: HostState; readonly deletedAt?: string }, 'tlsCredentials'>;
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'cpus' | 'memoryBytes';
  readonly links: {
    readonly cluster: ClusterGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly strays: StrayGraph;
    readonly pools: PoolGraph;
    readonly networks: NetworkGraph;
    readonly instances: InstanceGraph;
  };
}

/** What lists of hosts can filter by. */
export interface HostFilter {
  readonly id: Id<'host'>;
  readonly name: string;
  readonly state: HostState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly status: 'connecting' | 'connected' | 'disconnected';
  readonly failureDomain: string;
  readonly clusterId: Id<'cluster'>;
}

export class HostsClient extends Resource<'host', Host, HostFilter, 'createdAt' | 'name' | 'state' | 'status' | 'failureDomain' | 'clusterId', HostGraph> {
  constructor(client: Client) {
    super(client, { kind: 'host', plural: 'hosts' });
  }

  /** Connects a host and takes its inventory. */
  create(input: HostCreate, options: ChangeOptions = {}): Pending<'host', Host> {
    return this.createAny(input, options);
  }

  /** Changes the name, the address, the credentials, the failure domain, the roles, the labels or what is promised of the host. */
  update(host: Named<'host'>, input: HostUpdate = {}, options: ChangeOptions = {}): Pending<'host', Host> {
    return this.updateAny(host, input, options);
  }

  /** Deletes the host and everything it owns. */
  delete(host: Named<'host'>, options: DeleteOptions = {}): Pending<'host', undefined> {
    return this.deleteAny(host, options);
  }

  /** Lets new machines be placed on the host. */
  enable(host: Named<'host'>, options: ChangeOptions = {}): Pending<'host', Host> {
    return this.act(host, 'enable', {}, options);
  }

  /** Places no new machines on the host; those on it go on. */
  disable(host: Named<'host'>, options: ChangeOptions = {}): Pending<'host', Host> {
    return this.act(host, 'disable', {}, options);
  }

  /** Takes the host out of use for work on it. Refused while machines run on it. */
  maintain(host: Named<'host'>, options: ChangeOptions = {}): Pending<'host', Host> {
    return this.act(host, 'maintain', {}, options);
  }

  /** Opens every connection to the host anew, and looks at it at once. */
  reconnect(host: Named<'host'>, options: ChangeOptions = {}): Pending<'host', Host> {
    return this.act(host, 'reconnect', {}, options);
  }
}

/** The state machine of the kind stray: where each state may go. */
export const strayStates = {
  quarantined: ['deleting', 'deleted'],
  deleting: ['deleted', 'quarantined'],
  deleted: [],
} as const;
export type StrayState = keyof typeof strayStates;

export interface StrayFields {
  readonly id: Id<'stray'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly hostId: Id<'host'>;
  readonly objectKind: 'machine' | 'volume' | 'seed' | 'image' | 'port' | 'network';
  readonly objectId: string;
  readonly objectName: string;
  /** Pool or host it was found in. */
  readonly place: string;
  readonly details: { readonly [key: string]: unknown };
}
/** A machine, volume, seed, copy of an image, port or network that carries our mark and is unknown to us: quarantined until it is adopted or removed, by an operator or by the policy that he has set. */
export type Stray = Lifecycle<StrayFields, StrayState>;

/** Makes the machine or volume ours again as it is, with the ids it had; a machine goes on running meanwhile. */
export interface StrayAdopt {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Name or id: of a machine whose own type is not there any more. Its size stays what it is. */
  readonly instanceType?: string | undefined;
  /** NICs of the machine to leave out. */
  readonly withoutNics?: readonly string[] | undefined;
}

/** What queries see of strays. */
export interface StrayGraph {
  readonly fields: StrayFields & { readonly state: StrayState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly host: HostGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of strays can filter by. */
export interface StrayFilter {
  readonly id: Id<'stray'>;
  readonly name: string;
  readonly state: StrayState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly objectKind: 'machine' | 'volume' | 'seed' | 'image' | 'port' | 'network';
  readonly objectId: string;
  readonly hostId: Id<'host'>;
}

export class StraysClient extends Resource<'stray', Stray, StrayFilter, 'createdAt' | 'name' | 'state' | 'objectKind' | 'objectId' | 'hostId', StrayGraph> {
  constructor(client: Client) {
    super(client, { kind: 'stray', plural: 'strays' });
  }

  /** Deletes the stray and everything it owns. */
  delete(stray: Named<'stray'>, options: DeleteOptions = {}): Pending<'stray', undefined> {
    return this.deleteAny(stray, options);
  }

  /** Destroys the thing itself. It cannot be taken back. */
  remove(stray: Named<'stray'>, options: ChangeOptions = {}): Pending<'stray', Stray> {
    return this.act(stray, 'remove', {}, options);
  }

  /** Makes the machine or volume ours again as it is, with the ids it had; a machine goes on running meanwhile. */
  adopt(stray: Named<'stray'>, input: StrayAdopt = {}, options: ChangeOptions = {}): Pending<'stray', Stray> {
    return this.act(stray, 'adopt', input, options);
  }
}

/** The state machine of the kind pool: where each state may go. */
export const poolStates = {
  creating: ['available', 'deleted'],
  available: ['disabled', 'deleting'],
  disabled: ['available', 'deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type PoolState = keyof typeof poolStates;

export interface PoolFields {
  readonly id: Id<'pool'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  /** Name of the storage strategy, e.g. `libvirt-dir`. */
  readonly driver: string;
  readonly scope: 'host' | 'cluster' | 'zone';
  /** Of a pool of scope `host`. */
  readonly hostId?: Id<'host'>;
  /** Of a pool of scope `cluster`. */
  readonly clusterId?: Id<'cluster'>;
  /** Of a pool of scope `zone`. */
  readonly zoneId?: Id<'zone'>;
  /** What the driver asks for, e.g. `path`. */
  readonly settings: { readonly [key: string]: string };
  /** What requests for storage name, e.g. `standard`. */
  readonly storageClass: string;
  /** Bytes promised per byte of the pool. */
  readonly overcommit: number;
  readonly totalBytes?: number;
  readonly freeBytes?: number;
  readonly status: 'connected' | 'disconnected';
}
/** A place that holds volumes. A pool of scope `host` pins what uses it to that host. */
export type Pool = Lifecycle<PoolFields, PoolState>;

/** Registers a pool. The driver says which of `hostId`, `clusterId`, `zoneId` it belongs to, and which settings it needs. */
export interface PoolCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Name of the storage strategy. Default: the first one installed. */
  readonly driver?: string | undefined;
  readonly hostId?: Id<'host'> | undefined;
  readonly clusterId?: Id<'cluster'> | undefined;
  readonly zoneId?: Id<'zone'> | undefined;
  /** What the driver asks for, e.g. `path`. */
  readonly settings?: { readonly [key: string]: string } | undefined;
  /** What requests for storage name, e.g. `standard`. */
  readonly storageClass?: string | undefined;
  /** Bytes promised per byte of the pool. */
  readonly overcommit?: number | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes the name, the class or the overcommit of the pool. */
export interface PoolUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** What requests for storage name, e.g. `standard`. */
  readonly storageClass?: string | undefined;
  /** Bytes promised per byte of the pool. */
  readonly overcommit?: number | undefined;
}

/** What queries see of pools. */
export interface PoolGraph {
  readonly fields: PoolFields & { readonly state: PoolState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'totalBytes' | 'freeBytes';
  readonly links: {
    readonly host: HostGraph;
    readonly cluster: ClusterGraph;
    readonly zone: ZoneGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly volumes: VolumeGraph;
  };
}

/** What lists of pools can filter by. */
export interface PoolFilter {
  readonly id: Id<'pool'>;
  readonly name: string;
  readonly state: PoolState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly scope: 'host' | 'cluster' | 'zone';
  readonly storageClass: string;
  readonly status: 'connected' | 'disconnected';
  readonly hostId: Id<'host'>;
  readonly clusterId: Id<'cluster'>;
  readonly zoneId: Id<'zone'>;
}

export class PoolsClient extends Resource<'pool', Pool, PoolFilter, 'createdAt' | 'name' | 'state' | 'scope' | 'storageClass' | 'status' | 'hostId' | 'clusterId' | 'zoneId', PoolGraph> {
  constructor(client: Client) {
    super(client, { kind: 'pool', plural: 'pools' });
  }

  /** Registers a pool. The driver says which of `hostId`, `clusterId`, `zoneId` it belongs to, and which settings it needs. */
  create(input: PoolCreate = {}, options: ChangeOptions = {}): Pending<'pool', Pool> {
    return this.createAny(input, options);
  }

  /** Changes the name, the class or the overcommit of the pool. */
  update(pool: Named<'pool'>, input: PoolUpdate = {}, options: ChangeOptions = {}): Pending<'pool', Pool> {
    return this.updateAny(pool, input, options);
  }

  /** Deletes the pool and everything it owns. */
  delete(pool: Named<'pool'>, options: DeleteOptions = {}): Pending<'pool', undefined> {
    return this.deleteAny(pool, options);
  }

  /** Lets new volumes be made in the pool. */
  enable(pool: Named<'pool'>, options: ChangeOptions = {}): Pending<'pool', Pool> {
    return this.act(pool, 'enable', {}, options);
  }

  /** Makes no new volumes in the pool; those in it stay in use. */
  disable(pool: Named<'pool'>, options: ChangeOptions = {}): Pending<'pool', Pool> {
    return this.act(pool, 'disable', {}, options);
  }
}

/** The state machine of the kind volume: where each state may go. */
export const volumeStates = {
  creating: ['available', 'deleted'],
  available: ['attached', 'deleting'],
  attached: ['available', 'deleting'],
  deleting: ['deleted', 'trashed'],
  trashed: ['available', 'attached', 'deleting'],
  deleted: [],
} as const;
export type VolumeState = keyof typeof volumeStates;

export interface VolumeFields {
  readonly id: Id<'volume'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
  readonly poolId: Id<'pool'>;
  /** A multiple of 512, at least 512. */
  readonly sizeBytes: number;
  /** The image it is a clone of. */
  readonly imageId?: Id<'image'>;
  /** The machine it is attached to. */
  readonly instanceId?: Id<'instance'>;
  readonly deleteWithInstance: boolean;
  /** Place on the machine; 0 is the root disk. */
  readonly slot?: number;
  readonly limits?: {
    /** 0 lifts the limit. */
    readonly iopsPerSecond?: number;
    /** 0 lifts the limit. */
    readonly bytesPerSecond?: number;
  };
  /** `missing` while its pool answers and does not have it: somebody removed the disk behind our back. */
  readonly status: 'present' | 'missing';
  readonly statusReason?: string;
  /** Present while it lies in the trash. */
  readonly trash?: {
    /** When it was deleted. */
    readonly at: string;
    /** What was deleted; all that went with it is recovered or expunged with it. */
    readonly rootId: string;
    /** The state it was in. */
    readonly from: string;
  };
}
/** A disk. It outlives the machines it is attached to, unless it was made to go with one. */
export type Volume = Lifecycle<VolumeFields, VolumeState>;

/** Makes a volume, empty or cloned from an image, in the pool given or in the emptiest that fits. */
export interface VolumeCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** A multiple of 512, at least 512. Default: the size of the image. */
  readonly sizeBytes?: number | undefined;
  readonly imageId?: Id<'image'> | undefined;
  readonly poolId?: Id<'pool'> | undefined;
  readonly storageClass?: string | undefined;
  /** A host that must reach it. */
  readonly hostId?: Id<'host'> | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the volume. */
export interface VolumeUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** Grows a volume that is not attached. */
export interface VolumeResize {
  /** A multiple of 512, at least 512. Not smaller than now. */
  readonly sizeBytes: number;
}

/** Deletes a volume that lies in the trash for good, with all that was deleted with it. */
export interface VolumeExpunge {
  /** Go on where a host is out of reach, leaving the rest of the cleanup as a visible debt; also passes an operation that needs attention. */
  readonly force?: boolean | undefined;
}

/** Limits a disk, at once where it is in use. */
export interface VolumeSetLimits {
  readonly limits: {
    /** 0 lifts the limit. */
    readonly iopsPerSecond?: number | undefined;
    /** 0 lifts the limit. */
    readonly bytesPerSecond?: number | undefined;
  };
}

/** What queries see of volumes. */
export interface VolumeGraph {
  readonly fields: VolumeFields & { readonly state: VolumeState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'sizeBytes' | 'slot';
  readonly links: {
    readonly pool: PoolGraph;
    readonly image: ImageGraph;
    readonly instance: InstanceGraph;
    readonly project: ProjectGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of volumes can filter by. */
export interface VolumeFilter {
  readonly id: Id<'volume'>;
  readonly name: string;
  readonly state: VolumeState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly status: 'present' | 'missing';
  readonly poolId: Id<'pool'>;
  readonly imageId: Id<'image'>;
  readonly instanceId: Id<'instance'>;
}

export class VolumesClient extends Resource<'volume', Volume, VolumeFilter, 'createdAt' | 'name' | 'state' | 'status' | 'poolId' | 'imageId' | 'instanceId', VolumeGraph> {
  constructor(client: Client) {
    super(client, { kind: 'volume', plural: 'volumes' });
  }

  /** Makes a volume, empty or cloned from an image, in the pool given or in the emptiest that fits. */
  create(input: VolumeCreate = {}, options: ChangeOptions = {}): Pending<'volume', Volume> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the volume. */
  update(volume: Named<'volume'>, input: VolumeUpdate = {}, options: ChangeOptions = {}): Pending<'volume', Volume> {
    return this.updateAny(volume, input, options);
  }

  /** Deletes the volume and everything it owns. */
  delete(volume: Named<'volume'>, options: DeleteOptions = {}): Pending<'volume', undefined> {
    return this.deleteAny(volume, options);
  }

  /** Grows a volume that is not attached. */
  resize(volume: Named<'volume'>, input: VolumeResize, options: ChangeOptions = {}): Pending<'volume', Volume> {
    return this.act(volume, 'resize', input, options);
  }

  /** Brings a volume back from the trash, with all that was deleted with it. */
  recover(volume: Named<'volume'>, options: ChangeOptions = {}): Pending<'volume', Volume> {
    return this.act(volume, 'recover', {}, options);
  }

  /** Deletes a volume that lies in the trash for good, with all that was deleted with it. */
  expunge(volume: Named<'volume'>, input: VolumeExpunge = {}, options: ChangeOptions = {}): Pending<'volume', Volume> {
    return this.act(volume, 'expunge', input, options);
  }

  /** Limits a disk, at once where it is in use. */
  setLimits(volume: Named<'volume'>, input: VolumeSetLimits, options: ChangeOptions = {}): Pending<'volume', Volume> {
    return this.act(volume, 'set-limits', input, options);
  }
}

/** The state machine of the kind image: where each state may go. */
export const imageStates = {
  awaiting_content: ['available', 'deleting', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted', 'trashed'],
  trashed: ['awaiting_content', 'available', 'deleting'],
  deleted: [],
} as const;
export type ImageState = keyof typeof imageStates;

export interface ImageFields {
  readonly id: Id<'image'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
  readonly guestOs: 'linux' | 'windows';
  readonly firmware: 'bios' | 'uefi';
  readonly diskBus: 'virtio' | 'scsi' | 'sata';
  readonly sourceUrl?: string;
  /** As found in the content. */
  readonly format?: 'raw' | 'qcow2';
  /** Of the content. */
  readonly sizeBytes?: number;
  /** Of the disk a guest sees; no volume made from it may be smaller. */
  readonly virtualSizeBytes?: number;
  /** Of the content. */
  readonly sha256?: string;
  /** Present while it lies in the trash. */
  readonly trash?: {
    /** When it was deleted. */
    readonly at: string;
    /** What was deleted; all that went with it is recovered or expunged with it. */
    readonly rootId: string;
    /** The state it was in. */
    readonly from: string;
  };
}
/** A disk that machines are cloned from. Its content never changes. */
export type Image = Lifecycle<ImageFields, ImageState>;

/** Registers an image. Its content is uploaded to `/images/{id}/content`, or fetched from `sourceUrl`. */
export interface ImageCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly guestOs?: 'linux' | 'windows' | undefined;
  readonly firmware?: 'bios' | 'uefi' | undefined;
  readonly diskBus?: 'virtio' | 'scsi' | 'sata' | undefined;
  readonly sourceUrl?: string | undefined;
  /** Of the content. */
  readonly sha256?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the image. */
export interface ImageUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** Deletes a image that lies in the trash for good, with all that was deleted with it. */
export interface ImageExpunge {
  /** Go on where a host is out of reach, leaving the rest of the cleanup as a visible debt; also passes an operation that needs attention. */
  readonly force?: boolean | undefined;
}

/** What queries see of images. */
export interface ImageGraph {
  readonly fields: ImageFields & { readonly state: ImageState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'sizeBytes' | 'virtualSizeBytes';
  readonly links: {
    readonly project: ProjectGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly volumes: VolumeGraph;
  };
}

/** What lists of images can filter by. */
export interface ImageFilter {
  readonly id: Id<'image'>;
  readonly name: string;
  readonly state: ImageState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
}

export class ImagesClient extends Resource<'image', Image, ImageFilter, 'createdAt' | 'name' | 'state', ImageGraph> {
  constructor(client: Client) {
    super(client, { kind: 'image', plural: 'images' });
  }

  /** Registers an image. Its content is uploaded to `/images/{id}/content`, or fetched from `sourceUrl`. */
  create(input: ImageCreate = {}, options: ChangeOptions = {}): Pending<'image', Image> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the image. */
  update(image: Named<'image'>, input: ImageUpdate = {}, options: ChangeOptions = {}): Pending<'image', Image> {
    return this.updateAny(image, input, options);
  }

  /** Deletes the image and everything it owns. */
  delete(image: Named<'image'>, options: DeleteOptions = {}): Pending<'image', undefined> {
    return this.deleteAny(image, options);
  }

  /** Makes an image available whose content has just been uploaded; the upload does this by itself. */
  complete(image: Named<'image'>, options: ChangeOptions = {}): Pending<'image', Image> {
    return this.act(image, 'complete', {}, options);
  }

  /** Brings a image back from the trash, with all that was deleted with it. */
  recover(image: Named<'image'>, options: ChangeOptions = {}): Pending<'image', Image> {
    return this.act(image, 'recover', {}, options);
  }

  /** Deletes a image that lies in the trash for good, with all that was deleted with it. */
  expunge(image: Named<'image'>, input: ImageExpunge = {}, options: ChangeOptions = {}): Pending<'image', Image> {
    return this.act(image, 'expunge', input, options);
  }

  /** Uploads the content of an image: qcow2 or raw, of a disk of whole sectors (512 bytes). A digest in `Repr-Digest` is verified. After a failed upload the image awaits its content as before; `stateReason` tells what failed. */
  upload(image: Named<'image'>, content: Upload, options: UploadOptions = {}): Reply<Image> {
    return this.send(this.path(image, 'content'), content, options);
  }

  /** The content of an image, as it was uploaded. */
  download(image: Named<'image'>, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
    return this.receive(this.path(image, 'content'), options);
  }
}

/** The state machine of the kind network: where each state may go. */
export const networkStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type NetworkState = keyof typeof networkStates;

export interface NetworkFields {
  readonly id: Id<'network'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
  /** Name of the network strategy, e.g. `libvirt`. */
  readonly driver: string;
  readonly scope: 'host' | 'cluster' | 'zone';
  /** Of a network of scope `host`. */
  readonly hostId?: Id<'host'>;
  /** Whether machines reach out through the host. */
  readonly mode: 'nat' | 'isolated';
  /** DNS domain told to guests. */
  readonly domain?: string;
}
/** A layer-2 segment of a project. A network of scope `host` lives on one host and pins what uses it. */
export type Network = Lifecycle<NetworkFields, NetworkState>;

/** Makes a network with its subnets. */
export interface NetworkCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Network strategy. Default: the first one installed. */
  readonly driver?: string | undefined;
  /** Default: nat. */
  readonly mode?: 'nat' | 'isolated' | undefined;
  /** For a driver of scope `host`: where. Default: the idlest host. */
  readonly hostId?: Id<'host'> | undefined;
  readonly domain?: string | undefined;
  readonly subnets: readonly {
    /** Lower-case letters, digits and inner hyphens; unique among live ones. */
    readonly name?: string | undefined;
    /** In canonical form, e.g. `10.10.0.0/24`. */
    readonly cidr: string;
    /** Default: the first address. */
    readonly gateway?: string | undefined;
    /** Default: the gateway. */
    readonly dnsServers?: readonly string[] | undefined;
  }[];
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the network. */
export interface NetworkUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** What queries see of networks. */
export interface NetworkGraph {
  readonly fields: NetworkFields & { readonly state: NetworkState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly host: HostGraph;
    readonly project: ProjectGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly subnets: SubnetGraph;
    readonly nics: NicGraph;
  };
}

/** What lists of networks can filter by. */
export interface NetworkFilter {
  readonly id: Id<'network'>;
  readonly name: string;
  readonly state: NetworkState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly hostId: Id<'host'>;
}

export class NetworksClient extends Resource<'network', Network, NetworkFilter, 'createdAt' | 'name' | 'state' | 'hostId', NetworkGraph> {
  constructor(client: Client) {
    super(client, { kind: 'network', plural: 'networks' });
  }

  /** Makes a network with its subnets. */
  create(input: NetworkCreate, options: ChangeOptions = {}): Pending<'network', Network> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the network. */
  update(network: Named<'network'>, input: NetworkUpdate = {}, options: ChangeOptions = {}): Pending<'network', Network> {
    return this.updateAny(network, input, options);
  }

  /** Deletes the network and everything it owns. */
  delete(network: Named<'network'>, options: DeleteOptions = {}): Pending<'network', undefined> {
    return this.deleteAny(network, options);
  }
}

/** The state machine of the kind subnet: where each state may go. */
export const subnetStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type SubnetState = keyof typeof subnetStates;

export interface SubnetFields {
  readonly id: Id<'subnet'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly networkId: Id<'network'>;
  /** Network in canonical form, e.g. `10.10.0.0/24`. */
  readonly cidr: string;
  /** Default: the first address. */
  readonly gateway: string;
  /** Default: the gateway. */
  readonly dnsServers: readonly string[];
  /** First address handed out. */
  readonly firstAddress: string;
  /** Last address handed out. */
  readonly lastAddress: string;
}
/** A range of addresses on a network, handed out by the cloud. */
export type Subnet = Lifecycle<SubnetFields, SubnetState>;

/** Adds a range of addresses to a network. */
export interface SubnetCreate {
  readonly networkId: Id<'network'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** In canonical form, e.g. `10.10.0.0/24`. */
  readonly cidr: string;
  /** Default: the first address. */
  readonly gateway?: string | undefined;
  /** Default: the gateway. */
  readonly dnsServers?: readonly string[] | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** What queries see of subnets. */
export interface SubnetGraph {
  readonly fields: SubnetFields & { readonly state: SubnetState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly network: NetworkGraph;
    readonly project: ProjectGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly nics: NicGraph;
  };
}

/** What lists of subnets can filter by. */
export interface SubnetFilter {
  readonly id: Id<'subnet'>;
  readonly name: string;
  readonly state: SubnetState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly cidr: string;
  readonly networkId: Id<'network'>;
}

export class SubnetsClient extends Resource<'subnet', Subnet, SubnetFilter, 'createdAt' | 'name' | 'state' | 'cidr' | 'networkId', SubnetGraph> {
  constructor(client: Client) {
    super(client, { kind: 'subnet', plural: 'subnets' });
  }

  /** Adds a range of addresses to a network. */
  create(input: SubnetCreate, options: ChangeOptions = {}): Pending<'subnet', Subnet> {
    return this.createAny(input, options);
  }

  /** Deletes the subnet and everything it owns. */
  delete(subnet: Named<'subnet'>, options: DeleteOptions = {}): Pending<'subnet', undefined> {
    return this.deleteAny(subnet, options);
  }
}

/** The state machine of the kind nic: where each state may go. */
export const nicStates = {
  creating: ['attached', 'deleted'],
  attached: ['deleting'],
  deleting: ['deleted', 'trashed'],
  trashed: ['attached', 'deleting'],
  deleted: [],
} as const;
export type NicState = keyof typeof nicStates;

export interface NicFields {
  readonly id: Id<'nic'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly instanceId: Id<'instance'>;
  readonly networkId: Id<'network'>;
  readonly subnetId: Id<'subnet'>;
  readonly mac: string;
  readonly address: string;
  readonly slot: number;
  readonly limits?: {
    /** 0 lifts the limit. */
    readonly inboundBytesPerSecond?: number;
    /** 0 lifts the limit. */
    readonly outboundBytesPerSecond?: number;
  };
  /** Present while it lies in the trash. */
  readonly trash?: {
    /** When it was deleted. */
    readonly at: string;
    /** What was deleted; all that went with it is recovered or expunged with it. */
    readonly rootId: string;
    /** The state it was in. */
    readonly from: string;
  };
}
/** A machine on a network: a MAC and its addresses. Made and deleted with the machine, or attached and detached live. */
export type Nic = Lifecycle<NicFields, NicState>;

/** Limits a NIC, at once where it is in use. */
export interface NicSetLimits {
  readonly limits: {
    /** 0 lifts the limit. */
    readonly inboundBytesPerSecond?: number | undefined;
    /** 0 lifts the limit. */
    readonly outboundBytesPerSecond?: number | undefined;
  };
}

/** What queries see of nics. */
export interface NicGraph {
  readonly fields: NicFields & { readonly state: NicState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'slot';
  readonly links: {
    readonly instance: InstanceGraph;
    readonly network: NetworkGraph;
    readonly subnet: SubnetGraph;
    readonly project: ProjectGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of nics can filter by. */
export interface NicFilter {
  readonly id: Id<'nic'>;
  readonly name: string;
  readonly state: NicState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly address: string;
  readonly mac: string;
  readonly instanceId: Id<'instance'>;
  readonly networkId: Id<'network'>;
  readonly subnetId: Id<'subnet'>;
}

export class NicsClient extends Resource<'nic', Nic, NicFilter, 'createdAt' | 'name' | 'state' | 'address' | 'mac' | 'instanceId' | 'networkId' | 'subnetId', NicGraph> {
  constructor(client: Client) {
    super(client, { kind: 'nic', plural: 'nics' });
  }

  /** Limits a NIC, at once where it is in use. */
  setLimits(nic: Named<'nic'>, input: NicSetLimits, options: ChangeOptions = {}): Pending<'nic', Nic> {
    return this.act(nic, 'set-limits', input, options);
  }
}

/** The state machine of the kind placementGroup: where each state may go. */
export const placementGroupStates = {
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type PlacementGroupState = keyof typeof placementGroupStates;

export interface PlacementGroupFields {
  readonly id: Id<'placementGroup'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
  /** Together, or apart. A soft policy is kept where there is room for that. */
  readonly policy: 'affinity' | 'antiAffinity' | 'softAffinity' | 'softAntiAffinity';
  /** What they share, or do not. */
  readonly over: 'host' | 'failureDomain' | 'cluster';
  /** Of policy `affinity`: where its members are, or were last. */
  readonly domain?: string;
}
/** Machines that keep together, or apart. */
export type PlacementGroup = Lifecycle<PlacementGroupFields, PlacementGroupState>;

/** Makes a group of machines that keep together, or apart. `over`: default `host`. Its policy never changes. */
export interface PlacementGroupCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Together, or apart. A soft policy is kept where there is room for that. */
  readonly policy: 'affinity' | 'antiAffinity' | 'softAffinity' | 'softAntiAffinity';
  /** What they share, or do not. */
  readonly over?: 'host' | 'failureDomain' | 'cluster' | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the placementGroup. */
export interface PlacementGroupUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** What queries see of placement-groups. */
export interface PlacementGroupGraph {
  readonly fields: PlacementGroupFields & { readonly state: PlacementGroupState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly project: ProjectGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly instances: InstanceGraph;
  };
}

/** What lists of placement-groups can filter by. */
export interface PlacementGroupFilter {
  readonly id: Id<'placementGroup'>;
  readonly name: string;
  readonly state: PlacementGroupState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
}

export class PlacementGroupsClient extends Resource<'placementGroup', PlacementGroup, PlacementGroupFilter, 'createdAt' | 'name' | 'state', PlacementGroupGraph> {
  constructor(client: Client) {
    super(client, { kind: 'placementGroup', plural: 'placement-groups' });
  }

  /** Makes a group of machines that keep together, or apart. `over`: default `host`. Its policy never changes. */
  create(input: PlacementGroupCreate, options: ChangeOptions = {}): Pending<'placementGroup', PlacementGroup> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the placementGroup. */
  update(placementGroup: Named<'placementGroup'>, input: PlacementGroupUpdate = {}, options: ChangeOptions = {}): Pending<'placementGroup', PlacementGroup> {
    return this.updateAny(placementGroup, input, options);
  }

  /** Deletes the placementGroup and everything it owns. */
  delete(placementGroup: Named<'placementGroup'>, options: DeleteOptions = {}): Pending<'placementGroup', undefined> {
    return this.deleteAny(placementGroup, options);
  }
}

/** The state machine of the kind instanceType: where each state may go. */
export const instanceTypeStates = {
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type InstanceTypeState = keyof typeof instanceTypeStates;

export interface InstanceTypeFields {
  readonly id: Id<'instanceType'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly version: number;
  readonly vcpus: number;
  readonly memoryBytes: number;
  /** Up to here processors can be added to a running machine. */
  readonly vcpusMax: number;
  /** Up to here memory can be added to a running machine. */
  readonly memoryBytesMax: number;
  /** Labels that its hosts must have. */
  readonly hostLabels?: { readonly [key: string]: string };
  /** Weight against other machines of the host; control groups of version 2 take no more than 10,000. */
  readonly cpuShares?: number;
}
/** A size of machine. A version never changes; its name means the newest. */
export type InstanceType = Lifecycle<InstanceTypeFields, InstanceTypeState>;

/** Makes a new size of machine. */
export interface InstanceTypeCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly vcpus: number;
  readonly memoryBytes: number;
  /** Up to here processors can be added to a running machine. */
  readonly vcpusMax?: number | undefined;
  /** Up to here memory can be added to a running machine. */
  readonly memoryBytesMax?: number | undefined;
  /** Weight against other machines of the host; control groups of version 2 take no more than 10,000. */
  readonly cpuShares?: number | undefined;
  /** Labels that its hosts must have. */
  readonly hostLabels?: { readonly [key: string]: string } | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Makes the next version of a size; the versions before stay as they are. */
export interface InstanceTypeRevise {
  readonly vcpus: number;
  readonly memoryBytes: number;
  /** Up to here processors can be added to a running machine. */
  readonly vcpusMax?: number | undefined;
  /** Up to here memory can be added to a running machine. */
  readonly memoryBytesMax?: number | undefined;
  /** Weight against other machines of the host; control groups of version 2 take no more than 10,000. */
  readonly cpuShares?: number | undefined;
  /** Labels that its hosts must have. */
  readonly hostLabels?: { readonly [key: string]: string } | undefined;
}

/** What queries see of instance-types. */
export interface InstanceTypeGraph {
  readonly fields: InstanceTypeFields & { readonly state: InstanceTypeState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'version' | 'vcpus' | 'memoryBytes' | 'vcpusMax' | 'memoryBytesMax' | 'cpuShares';
  readonly links: {
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly instances: InstanceGraph;
  };
}

/** What lists of instance-types can filter by. */
export interface InstanceTypeFilter {
  readonly id: Id<'instanceType'>;
  readonly name: string;
  readonly state: InstanceTypeState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
}

export class InstanceTypesClient extends Resource<'instanceType', InstanceType, InstanceTypeFilter, 'createdAt' | 'name' | 'state', InstanceTypeGraph> {
  constructor(client: Client) {
    super(client, { kind: 'instanceType', plural: 'instance-types' });
  }

  /** Makes a new size of machine. */
  create(input: InstanceTypeCreate, options: ChangeOptions = {}): Pending<'instanceType', InstanceType> {
    return this.createAny(input, options);
  }

  /** Deletes the instanceType and everything it owns. */
  delete(instanceType: Named<'instanceType'>, options: DeleteOptions = {}): Pending<'instanceType', undefined> {
    return this.deleteAny(instanceType, options);
  }

  /** Makes the next version of a size; the versions before stay as they are. */
  revise(instanceType: Named<'instanceType'>, input: InstanceTypeRevise, options: ChangeOptions = {}): Pending<'instanceType', InstanceType> {
    return this.act(instanceType, 'revise', input, options);
  }
}

/** The state machine of the kind instance: where each state may go. */
export const instanceStates = {
  creating: ['running', 'stopped', 'deleted'],
  running: ['stopped', 'suspended', 'crashed', 'missing', 'deleting'],
  suspended: ['running', 'stopped', 'crashed', 'missing', 'deleting'],
  stopped: ['running', 'suspended', 'crashed', 'missing', 'deleting'],
  crashed: ['running', 'stopped', 'suspended', 'missing', 'deleting'],
  missing: ['running', 'stopped', 'suspended', 'crashed', 'deleting'],
  deleting: ['deleted', 'trashed'],
  trashed: ['stopped', 'deleting'],
  deleted: [],
} as const;
export type InstanceState = keyof typeof instanceStates;

export interface InstanceFields {
  readonly id: Id<'instance'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly description?: string;
  readonly instanceTypeId: Id<'instanceType'>;
  /** Where it is; absent while it waits for room. */
  readonly hostId?: Id<'host'>;
  /** Hosts that were lost while it was made on them: what arrives there late is removed. */
  readonly formerHostIds?: readonly Id<'host'>[];
  readonly placementGroupId?: Id<'placementGroup'>;
  /** Where its placement group counts it: the host, failure domain or cluster it was placed in. */
  readonly placementDomain?: string;
  /** The image its root disk was cloned from. */
  readonly imageId?: Id<'image'>;
  readonly vcpus: number;
  readonly memoryBytes: number;
  readonly vcpusMax: number;
  readonly memoryBytesMax: number;
  readonly cpuShares?: number;
  readonly guestOs: 'linux' | 'windows';
  readonly firmware: 'bios' | 'uefi';
  readonly diskBus: 'virtio' | 'scsi' | 'sata';
  readonly hostname: string;
  readonly sshKeys: readonly string[];
  /** Reference to a sealed value. */
  readonly userData?: string;
  /** What was asked for last. */
  readonly desiredPower: 'running' | 'suspended' | 'stopped';
  /** Present while it lies in the trash. */
  readonly trash?: {
    /** When it was deleted. */
    readonly at: string;
    /** What was deleted; all that went with it is recovered or expunged with it. */
    readonly rootId: string;
    /** The state it was in. */
    readonly from: string;
  };
}
/** A virtual machine. */
export type Instance = Lifecycle<InstanceFields, InstanceState>;

/** Makes a machine from an image, with its disks and NICs, and starts it. */
export interface InstanceCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Name (the newest version) or id. */
  readonly instanceType: string;
  /** The image its root disk is cloned from. */
  readonly imageId: Id<'image'>;
  /** Default: as large as the image. */
  readonly rootVolume?: {
    /** Lower-case letters, digits and inner hyphens; unique among live ones. */
    readonly name?: string | undefined;
    /** A multiple of 512, at least 512. */
    readonly sizeBytes?: number | undefined;
    readonly storageClass?: string | undefined;
    readonly limits?: {
      /** 0 lifts the limit. */
      readonly iopsPerSecond?: number | undefined;
      /** 0 lifts the limit. */
      readonly bytesPerSecond?: number | undefined;
    } | undefined;
    /** Default: true for the root disk, false for others. */
    readonly deleteWithInstance?: boolean | undefined;
  } | undefined;
  /** More new disks. */
  readonly volumes?: readonly {
    /** Lower-case letters, digits and inner hyphens; unique among live ones. */
    readonly name?: string | undefined;
    /** A multiple of 512, at least 512. */
    readonly sizeBytes: number;
    readonly storageClass?: string | undefined;
    readonly limits?: {
      /** 0 lifts the limit. */
      readonly iopsPerSecond?: number | undefined;
      /** 0 lifts the limit. */
      readonly bytesPerSecond?: number | undefined;
    } | undefined;
    /** Default: true for the root disk, false for others. */
    readonly deleteWithInstance?: boolean | undefined;
  }[] | undefined;
  /** Disks that are there already. */
  readonly attachVolumeIds?: readonly Id<'volume'>[] | undefined;
  readonly nics?: readonly {
    readonly networkId?: Id<'network'> | undefined;
    readonly subnetId?: Id<'subnet'> | undefined;
    /** Default: one that is free. */
    readonly address?: string | undefined;
    readonly limits?: {
      /** 0 lifts the limit. */
      readonly inboundBytesPerSecond?: number | undefined;
      /** 0 lifts the limit. */
      readonly outboundBytesPerSecond?: number | undefined;
    } | undefined;
  }[] | undefined;
  readonly hostname?: string | undefined;
  /** OpenSSH public keys, as in `.pub` files, for who logs in first. */
  readonly sshKeys?: readonly string[] | undefined;
  /** cloud-init user data. Secret: sealed before it is stored, never shown again. */
  readonly userData?: string | undefined;
  /** Only there. */
  readonly hostId?: Id<'host'> | undefined;
  /** Labels that its host must have, beside those that its type asks for. */
  readonly hostLabels?: { readonly [key: string]: string } | undefined;
  /** Machines it keeps together with, or apart from. */
  readonly placementGroupId?: Id<'placementGroup'> | undefined;
  /** Where no host has room: `fail` (default), or `wait` until there is; the operation shows `waitsFor` then, and can be cancelled. */
  readonly whenFull?: 'fail' | 'wait' | undefined;
  /** Default: true. */
  readonly start?: boolean | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the instance. */
export interface InstanceUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** Asks the guest to power off, and forces it when it does not. */
export interface InstanceStop {
  /** At once, without asking the guest. */
  readonly force?: boolean | undefined;
  /** How long the guest may take before it is forced. */
  readonly timeoutSeconds?: number | undefined;
}

/** Attaches a volume; a running guest sees it at once. */
export interface InstanceAttachVolume {
  readonly volumeId: Id<'volume'>;
}

/** Detaches a volume; a running guest must let go of it. */
export interface InstanceDetachVolume {
  readonly volumeId: Id<'volume'>;
}

/** Gives the machine another NIC; a running guest sees it at once. */
export interface InstanceAttachNic {
  readonly networkId?: Id<'network'> | undefined;
  readonly subnetId?: Id<'subnet'> | undefined;
  readonly address?: string | undefined;
  readonly limits?: {
    /** 0 lifts the limit. */
    readonly inboundBytesPerSecond?: number | undefined;
    /** 0 lifts the limit. */
    readonly outboundBytesPerSecond?: number | undefined;
  } | undefined;
}

/** Takes a NIC from the machine; its address is free again. */
export interface InstanceDetachNic {
  readonly nicId: Id<'nic'>;
}

/** Gives the machine more processors or memory while it runs (up to its maxima), or any size while it is stopped. */
export interface InstanceResize {
  readonly vcpus?: number | undefined;
  readonly memoryBytes?: number | undefined;
}

/** Changes the weight of the machine against others of its host, at once where it runs. */
export interface InstanceSetCpuShares {
  readonly cpuShares: number;
}

/** Deletes a instance that lies in the trash for good, with all that was deleted with it. */
export interface InstanceExpunge {
  /** Go on where a host is out of reach, leaving the rest of the cleanup as a visible debt; also passes an operation that needs attention. */
  readonly force?: boolean | undefined;
}

/** What queries see of instances. */
export interface InstanceGraph {
  readonly fields: Omit<InstanceFields & { readonly state: InstanceState; readonly deletedAt?: string }, 'userData'>;
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'vcpus' | 'memoryBytes' | 'vcpusMax' | 'memoryBytesMax' | 'cpuShares';
  readonly links: {
    readonly instanceType: InstanceTypeGraph;
    readonly host: HostGraph;
    readonly placementGroup: PlacementGroupGraph;
    readonly project: ProjectGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly volumes: VolumeGraph;
    readonly nics: NicGraph;
  };
}

/** What lists of instances can filter by. */
export interface InstanceFilter {
  readonly id: Id<'instance'>;
  readonly name: string;
  readonly state: InstanceState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly hostname: string;
  readonly guestOs: 'linux' | 'windows';
  readonly instanceTypeId: Id<'instanceType'>;
  readonly hostId: Id<'host'>;
  readonly placementGroupId: Id<'placementGroup'>;
}

export class InstancesClient extends Resource<'instance', Instance, InstanceFilter, 'createdAt' | 'name' | 'state' | 'hostname' | 'guestOs' | 'instanceTypeId' | 'hostId' | 'placementGroupId', InstanceGraph> {
  constructor(client: Client) {
    super(client, { kind: 'instance', plural: 'instances' });
  }

  /** Makes a machine from an image, with its disks and NICs, and starts it. */
  create(input: InstanceCreate, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the instance. */
  update(instance: Named<'instance'>, input: InstanceUpdate = {}, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.updateAny(instance, input, options);
  }

  /** Deletes the instance and everything it owns. */
  delete(instance: Named<'instance'>, options: DeleteOptions = {}): Pending<'instance', undefined> {
    return this.deleteAny(instance, options);
  }

  /** Starts a machine that is not running. */
  start(instance: Named<'instance'>, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'start', {}, options);
  }

  /** Asks the guest to power off, and forces it when it does not. */
  stop(instance: Named<'instance'>, input: InstanceStop = {}, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'stop', input, options);
  }

  /** Freezes a running machine, keeping its memory. */
  suspend(instance: Named<'instance'>, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'suspend', {}, options);
  }

  /** Lets a suspended machine go on. */
  resume(instance: Named<'instance'>, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'resume', {}, options);
  }

  /** Asks the guest to restart. */
  reboot(instance: Named<'instance'>, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'reboot', {}, options);
  }

  /** Presses the reset button. */
  reset(instance: Named<'instance'>, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'reset', {}, options);
  }

  /** Attaches a volume; a running guest sees it at once. */
  attachVolume(instance: Named<'instance'>, input: InstanceAttachVolume, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'attach-volume', input, options);
  }

  /** Detaches a volume; a running guest must let go of it. */
  detachVolume(instance: Named<'instance'>, input: InstanceDetachVolume, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'detach-volume', input, options);
  }

  /** Gives the machine another NIC; a running guest sees it at once. */
  attachNic(instance: Named<'instance'>, input: InstanceAttachNic = {}, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'attach-nic', input, options);
  }

  /** Takes a NIC from the machine; its address is free again. */
  detachNic(instance: Named<'instance'>, input: InstanceDetachNic, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'detach-nic', input, options);
  }

  /** Gives the machine more processors or memory while it runs (up to its maxima), or any size while it is stopped. */
  resize(instance: Named<'instance'>, input: InstanceResize = {}, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'resize', input, options);
  }

  /** Changes the weight of the machine against others of its host, at once where it runs. */
  setCpuShares(instance: Named<'instance'>, input: InstanceSetCpuShares, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'set-cpu-shares', input, options);
  }

  /** Brings a instance back from the trash, with all that was deleted with it. */
  recover(instance: Named<'instance'>, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'recover', {}, options);
  }

  /** Deletes a instance that lies in the trash for good, with all that was deleted with it. */
  expunge(instance: Named<'instance'>, input: InstanceExpunge = {}, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'expunge', input, options);
  }

  /** A one-time token, good for a minute, that opens a console of the machine over WebSocket. */
  openConsole(instance: Named<'instance'>, type?: 'serial' | 'vnc', options?: RepeatOptions): Reply<ConsoleTicket> {
    return this.ticket(this.path(instance, 'console'), { type }, options ?? {});
  }

  /** Closes all consoles of the machine and voids their tokens. */
  consoleRevoke(instance: Named<'instance'>, options: RepeatOptions = {}): Reply<{ readonly [key: string]: unknown }> {
    return this.value({ method: 'POST', path: this.path(instance, 'console', 'revoke'), body: {} }, options);
  }
}

/** The state machine of the kind webhook: where each state may go. */
export const webhookStates = {
  available: ['disabled', 'failing', 'deleting', 'deleted'],
  disabled: ['available', 'deleting'],
  failing: ['available', 'disabled', 'deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type WebhookState = keyof typeof webhookStates;

export interface WebhookFields {
  readonly id: Id<'webhook'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  /** Where events are sent, by POST. HTTPS, unless the configuration allows it. */
  readonly url: string;
  /** Kinds whose changes it is told of, e.g. `instance`. */
  readonly kinds: readonly string[];
  /** Only of rows that are in one of these states after the change, e.g. `failed`. */
  readonly states?: readonly string[];
  /** Only of rows for which this holds after the change, in the language of lists; over fields of the one kind. */
  readonly when?: string;
  /** Default: all. */
  readonly types?: readonly ('created' | 'updated' | 'deleted')[];
  /** Reference to a sealed value. */
  readonly secret?: string;
  /** Nothing behind this cursor was sent while it was failing; `replay` with it sends that. */
  readonly missedAfter?: string;
  readonly description?: string;
}
/** A place outside that is told of changes in its project: signed CloudEvents, at least once, in order for each resource. */
export type Webhook = Lifecycle<WebhookFields, WebhookState>;

/** Makes a webhook: from now on it is sent what it wants of the changes in its project. */
export interface WebhookCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Where events are sent, by POST. HTTPS, unless the configuration allows it. */
  readonly url: string;
  /** Kinds whose changes it is told of, e.g. `instance`. */
  readonly kinds: readonly string[];
  /** Only of rows that are in one of these states after the change, e.g. `failed`. */
  readonly states?: readonly string[] | undefined;
  /** Only of rows for which this holds after the change, in the language of lists; over fields of the one kind. */
  readonly when?: string | undefined;
  /** Default: all. */
  readonly types?: readonly ('created' | 'updated' | 'deleted')[] | undefined;
  /** What events are signed with (Standard Webhooks): `whsec_` and 24 to 64 random bytes as base64. Secret: sealed before it is stored, never shown again. */
  readonly secret: string;
  readonly description?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes where events are sent, which ones, or what they are signed with. */
export interface WebhookUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Where events are sent, by POST. HTTPS, unless the configuration allows it. */
  readonly url?: string | undefined;
  /** Kinds whose changes it is told of, e.g. `instance`. */
  readonly kinds?: readonly string[] | undefined;
  readonly states?: readonly string[] | null | undefined;
  readonly types?: readonly ('created' | 'updated' | 'deleted')[] | null | undefined;
  readonly when?: string | null | undefined;
  /** What events are signed with (Standard Webhooks): `whsec_` and 24 to 64 random bytes as base64. Secret: sealed before it is stored, never shown again. */
  readonly secret?: string | undefined;
  readonly description?: string | null | undefined;
}

/** Sends again what it wants of the changes behind a cursor, as far as they are kept, in their order, after what is waiting. */
export interface WebhookReplay {
  /** A cursor of the change feed; `0.0` = all that is kept. */
  readonly after: string;
}

/** What queries see of webhooks. */
export interface WebhookGraph {
  readonly fields: Omit<WebhookFields & { readonly state: WebhookState; readonly deletedAt?: string }, 'secret'>;
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly project: ProjectGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly deliveries: DeliveryGraph;
  };
}

/** What lists of webhooks can filter by. */
export interface WebhookFilter {
  readonly id: Id<'webhook'>;
  readonly name: string;
  readonly state: WebhookState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
}

export class WebhooksClient extends Resource<'webhook', Webhook, WebhookFilter, 'createdAt' | 'name' | 'state', WebhookGraph> {
  constructor(client: Client) {
    super(client, { kind: 'webhook', plural: 'webhooks' });
  }

  /** Makes a webhook: from now on it is sent what it wants of the changes in its project. */
  create(input: WebhookCreate, options: ChangeOptions = {}): Pending<'webhook', Webhook> {
    return this.createAny(input, options);
  }

  /** Changes where events are sent, which ones, or what they are signed with. */
  update(webhook: Named<'webhook'>, input: WebhookUpdate = {}, options: ChangeOptions = {}): Pending<'webhook', Webhook> {
    return this.updateAny(webhook, input, options);
  }

  /** Deletes the webhook and everything it owns. */
  delete(webhook: Named<'webhook'>, options: DeleteOptions = {}): Pending<'webhook', undefined> {
    return this.deleteAny(webhook, options);
  }

  /** Sends events again, first those that are still waiting. */
  enable(webhook: Named<'webhook'>, options: ChangeOptions = {}): Pending<'webhook', Webhook> {
    return this.act(webhook, 'enable', {}, options);
  }

  /** Sends nothing more. What happens meanwhile is not kept for it. */
  disable(webhook: Named<'webhook'>, options: ChangeOptions = {}): Pending<'webhook', Webhook> {
    return this.act(webhook, 'disable', {}, options);
  }

  /** Sends again what it wants of the changes behind a cursor, as far as they are kept, in their order, after what is waiting. */
  replay(webhook: Named<'webhook'>, input: WebhookReplay, options: ChangeOptions = {}): Pending<'webhook', Webhook> {
    return this.act(webhook, 'replay', input, options);
  }
}

/** The state machine of the kind delivery: where each state may go. */
export const deliveryStates = {
  dead: ['deleting', 'deleted'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type DeliveryState = keyof typeof deliveryStates;

export interface DeliveryFields {
  readonly id: Id<'delivery'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  /** Absent for a callback. */
  readonly webhookId?: Id<'webhook'>;
  readonly url: string;
  /** The same each time that it is sent. */
  readonly eventId: string;
  readonly resourceKind: string;
  readonly resourceId: string;
  readonly attempts: number;
  /** Why the last attempt failed. */
  readonly lastError?: string;
  /** As it was sent: CloudEvents 1.0. */
  readonly event: { readonly [key: string]: unknown };
}
/** An event that could not be delivered however often it was tried. `replay` tries again. */
export type Delivery = Lifecycle<DeliveryFields, DeliveryState>;

/** What queries see of deliveries. */
export interface DeliveryGraph {
  readonly fields: DeliveryFields & { readonly state: DeliveryState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'attempts';
  readonly links: {
    readonly webhook: WebhookGraph;
    readonly project: ProjectGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of deliveries can filter by. */
export interface DeliveryFilter {
  readonly id: Id<'delivery'>;
  readonly name: string;
  readonly state: DeliveryState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly eventId: string;
  readonly resourceId: string;
  readonly webhookId: Id<'webhook'>;
}

export class DeliveriesClient extends Resource<'delivery', Delivery, DeliveryFilter, 'createdAt' | 'name' | 'state' | 'eventId' | 'resourceId' | 'webhookId', DeliveryGraph> {
  constructor(client: Client) {
    super(client, { kind: 'delivery', plural: 'deliveries' });
  }

  /** Deletes the delivery and everything it owns. */
  delete(delivery: Named<'delivery'>, options: DeleteOptions = {}): Pending<'delivery', undefined> {
    return this.deleteAny(delivery, options);
  }

  /** Sends the event again, after what is waiting. It is a delivery no longer then. */
  replay(delivery: Named<'delivery'>, options: ChangeOptions = {}): Pending<'delivery', Delivery> {
    return this.act(delivery, 'replay', {}, options);
  }
}

/** The state machine of the kind tag: where each state may go. */
export const tagStates = {
  available: ['deleted'],
  deleted: [],
} as const;
export type TagState = keyof typeof tagStates;

export interface TagFields {
  readonly id: Id<'tag'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  /** E.g. `instance`. */
  readonly resourceKind: string;
  readonly resourceId: string;
  /** Letters, digits and `. _ : / @ -`, up to 127. */
  readonly key: string;
  /** Up to 255 characters. */
  readonly value: string;
}
/** A word about a resource, by which its owner finds and groups it: a key with a value. Goes with the resource. */
export type Tag = Lifecycle<TagFields, TagState>;

/** Tags resources: up to 500 of one kind at once, all or none. */
export interface TagAttach {
  /** E.g. `instance`. */
  readonly resourceKind: string;
  readonly resourceIds: readonly string[];
  /** Keys with their values; one that is there gets the new value. */
  readonly tags: { readonly [key: string]: unknown };
}

/** Takes tags from resources: up to 500 of one kind at once, all or none. */
export interface TagDetach {
  /** E.g. `instance`. */
  readonly resourceKind: string;
  readonly resourceIds: readonly string[];
  /** One that is not there is gone already. */
  readonly keys: readonly string[];
}

/** What queries see of tags. */
export interface TagGraph {
  readonly fields: TagFields & { readonly state: TagState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly project: ProjectGraph;
  };
}

/** What lists of tags can filter by. */
export interface TagFilter {
  readonly id: Id<'tag'>;
  readonly name: string;
  readonly state: TagState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
}

export class TagsClient extends Resource<'tag', Tag, TagFilter, 'createdAt' | 'name' | 'state', TagGraph> {
  constructor(client: Client) {
    super(client, { kind: 'tag', plural: 'tags' });
  }

  /** Tags resources: up to 500 of one kind at once, all or none. */
  attach(input: TagAttach, options: ChangeOptions = {}): Pending<'tag', Tag> {
    return this.actOnAll('attach', input, options);
  }

  /** Takes tags from resources: up to 500 of one kind at once, all or none. */
  detach(input: TagDetach, options: ChangeOptions = {}): Pending<'tag', Tag> {
    return this.actOnAll('detach', input, options);
  }
}

/** The state machine of the kind tagPolicy: where each state may go. */
export const tagPolicyStates = {
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type TagPolicyState = keyof typeof tagPolicyStates;

export interface TagPolicyFields {
  readonly id: Id<'tagPolicy'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  /** Letters, digits and `. _ : / @ -`, up to 127. */
  readonly key: string;
  /** Kinds that it is about, e.g. `instance`. */
  readonly kinds: readonly string[];
  /** None of these kinds is made without the tag, and it is not taken away. Default: no. */
  readonly required?: boolean;
  /** Values that the tag may have. Default: any. */
  readonly values?: readonly string[];
  /** Kinds of what is made along with the resource and goes with it, e.g. `volume` and `nic`: these get the tag, too. */
  readonly copyTo?: readonly string[];
}
/** What a project asks of a tag: where it must be, what it may say, and what it is copied to. */
export type TagPolicy = Lifecycle<TagPolicyFields, TagPolicyState>;

/** Asks something of a tag, of all that is made in the project from now on. */
export interface TagPolicyCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Letters, digits and `. _ : / @ -`, up to 127. */
  readonly key: string;
  /** Kinds that it is about, e.g. `instance`. */
  readonly kinds: readonly string[];
  /** None of these kinds is made without the tag, and it is not taken away. Default: no. */
  readonly required?: boolean | undefined;
  /** Values that the tag may have. Default: any. */
  readonly values?: readonly string[] | undefined;
  /** Kinds of what is made along with the resource and goes with it, e.g. `volume` and `nic`: these get the tag, too. */
  readonly copyTo?: readonly string[] | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, kinds, required, values, copyTo of the tagPolicy. */
export interface TagPolicyUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Kinds that it is about, e.g. `instance`. */
  readonly kinds?: readonly string[] | undefined;
  readonly required?: boolean | null | undefined;
  readonly values?: readonly string[] | null | undefined;
  readonly copyTo?: readonly string[] | null | undefined;
}

/** What queries see of tag-policies. */
export interface TagPolicyGraph {
  readonly fields: TagPolicyFields & { readonly state: TagPolicyState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly project: ProjectGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of tag-policies can filter by. */
export interface TagPolicyFilter {
  readonly id: Id<'tagPolicy'>;
  readonly name: string;
  readonly state: TagPolicyState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
}

export class TagPoliciesClient extends Resource<'tagPolicy', TagPolicy, TagPolicyFilter, 'createdAt' | 'name' | 'state', TagPolicyGraph> {
  constructor(client: Client) {
    super(client, { kind: 'tagPolicy', plural: 'tag-policies' });
  }

  /** Asks something of a tag, of all that is made in the project from now on. */
  create(input: TagPolicyCreate, options: ChangeOptions = {}): Pending<'tagPolicy', TagPolicy> {
    return this.createAny(input, options);
  }

  /** Changes name, kinds, required, values, copyTo of the tagPolicy. */
  update(tagPolicy: Named<'tagPolicy'>, input: TagPolicyUpdate = {}, options: ChangeOptions = {}): Pending<'tagPolicy', TagPolicy> {
    return this.updateAny(tagPolicy, input, options);
  }

  /** Deletes the tagPolicy and everything it owns. */
  delete(tagPolicy: Named<'tagPolicy'>, options: DeleteOptions = {}): Pending<'tagPolicy', undefined> {
    return this.deleteAny(tagPolicy, options);
  }
}

/** The state machine of the kind systemTag: where each state may go. */
export const systemTagStates = {
  available: ['deleted'],
  deleted: [],
} as const;
export type SystemTagState = keyof typeof systemTagStates;

export interface SystemTagFields {
  readonly id: Id<'systemTag'>;
  readonly projectId: Id<'project'>;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name: string;
  readonly stateReason?: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  };
  readonly generation: number;
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly revision: number;
  readonly schemaVersion: number;
  /** E.g. `instance`. */
  readonly resourceKind: string;
  readonly resourceId: string;
  /** E.g. `racks.only`. */
  readonly tag: string;
  /** The tag, and of one with several values also which. */
  readonly token: string;
  /** As text. Absent where it is secret. */
  readonly value?: string;
  /** The same of one that is a number. */
  readonly number?: number;
  /** Reference to a sealed value. */
  readonly secretValue?: string;
  /** The operator alone sees it. */
  readonly adminOnly: boolean;
}
/** A typed word on a resource, of those that plugins declare, that steers what is done with it. Goes with the resource. */
export type SystemTag = Lifecycle<SystemTagFields, SystemTagState>;

/** Puts a system tag on a resource. One that has a single value gets the new one. */
export interface SystemTagSet {
  /** E.g. `racks.only`. */
  readonly tag: string;
  /** E.g. `instance`. */
  readonly resourceKind: string;
  readonly resourceId: string;
  /** As text, e.g. `rack-2`, `4` or `true`. */
  readonly value?: string | undefined;
  /** In place of `value` where the tag is secret. Secret: sealed before it is stored, never shown again. */
  readonly secretValue?: string | undefined;
}

/** Takes a system tag from a resource: this value of it, or all. */
export interface SystemTagClear {
  /** E.g. `racks.only`. */
  readonly tag: string;
  /** E.g. `instance`. */
  readonly resourceKind: string;
  readonly resourceId: string;
  /** As text, e.g. `rack-2`, `4` or `true`. */
  readonly value?: string | undefined;
}

/** What queries see of system-tags. */
export interface SystemTagGraph {
  readonly fields: Omit<SystemTagFields & { readonly state: SystemTagState; readonly deletedAt?: string }, 'secretValue'>;
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'number';
  readonly links: {
    readonly project: ProjectGraph;
  };
}

/** What lists of system-tags can filter by. */
export interface SystemTagFilter {
  readonly id: Id<'systemTag'>;
  readonly name: string;
  readonly state: SystemTagState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly tag: string;
}

export class SystemTagsClient extends Resource<'systemTag', SystemTag, SystemTagFilter, 'createdAt' | 'name' | 'state' | 'tag', SystemTagGraph> {
  constructor(client: Client) {
    super(client, { kind: 'systemTag', plural: 'system-tags' });
  }

  /** Puts a system tag on a resource. One that has a single value gets the new one. */
  set(input: SystemTagSet, options: ChangeOptions = {}): Pending<'systemTag', SystemTag> {
    return this.actOnAll('set', input, options);
  }

  /** Takes a system tag from a resource: this value of it, or all. */
  clear(input: SystemTagClear, options: ChangeOptions = {}): Pending<'systemTag', SystemTag> {
    return this.actOnAll('clear', input, options);
  }

  /** The system tags that there are, with what they take. */
  getKnown(options: CallOptions = {}): Reply<{
    readonly items: readonly {
      readonly name: string;
      readonly description: string;
      /** Of what it may be put on. */
      readonly kinds: readonly string[];
      /** JSON schema of its value. */
      readonly value: { readonly [key: string]: unknown };
      /** Several values at once. */
      readonly many: boolean;
      readonly lifecycle: 'resource' | 'ephemeral';
      readonly adminOnly: boolean;
      readonly secret: boolean;
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path('known') }, options);
  }

  /** What a system tag affects, or would affect if it were on the resource named. */
  getAffected(query: { readonly tag: string; readonly resourceId?: string; readonly allProjects?: boolean }, options: CallOptions = {}): Reply<{
    readonly tag: string;
    /** Of each kind that it steers, and that the caller may read, what he sees. */
    readonly affects: readonly {
      readonly kind: string;
      readonly count: number;
      /** The first 100. */
      readonly items: readonly {
        readonly id: string;
        readonly name: string;
      }[];
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path('affected'), query }, options);
  }
}

/** What queries see of operations. */
export interface OperationGraph {
  readonly fields: Operation;
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'epoch' | 'keyCount' | 'attempt' | 'stepsDone' | 'percent';
  readonly links: {
    readonly project: ProjectGraph;
  };
}

export class AccessEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'access');
  }

  /** Answers who asks, where, and what he may. */
  get(options: CallOptions = {}): Reply<{
    readonly actor: string;
    readonly accountId: string;
    readonly projectId: string;
    /** All that it may, on some row at least. */
    readonly permissions: readonly string[];
  }> {
    return this.value({ method: 'GET', path: this.path() }, options);
  }

  /** Answers the built-in roles. */
  getRoles(options: CallOptions = {}): Reply<{
    readonly items: readonly {
      readonly name: string;
      readonly description: string;
      readonly levels: readonly string[];
      readonly permissions: readonly string[];
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path('roles') }, options);
  }

  /** Tells whether the caller may do something, what was looked at, and which role would let him. */
  explain(input: {
    /** E.g. `instance.start`. */
    readonly permission: string;
    /** Whether it holds for this row. */
    readonly resourceId?: string | undefined;
  }, options: RepeatOptions = {}): Reply<{
    readonly permission: string;
    readonly allowed: boolean;
    readonly reason: string;
    /** At least at this level a role has to be bound: project, account or cloud. */
    readonly level: string;
    /** Those of the caller, which were looked at. */
    readonly bindings: readonly {
      readonly id: string;
      readonly role: string;
      readonly level: string;
      readonly inProjectId: string | null;
    }[];
    /** Roles that hold it: built-in ones, and those of the account. */
    readonly grantedBy: readonly string[];
  }> {
    return this.value({ method: 'POST', path: this.path('explain'), body: input }, options);
  }
}

export class LogoutEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'logout');
  }

  /** Ends the session that is asked with. */
  create(options: RepeatOptions = {}): Reply<{ readonly [key: string]: unknown }> {
    return this.value({ method: 'POST', path: this.path() }, options);
  }
}

export class PasswordEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'password');
  }

  /** Changes the password of who asks, and ends his other sessions. */
  create(input: {
    readonly current: string;
    readonly password: string;
  }, options: RepeatOptions = {}): Reply<{ readonly [key: string]: unknown }> {
    return this.value({ method: 'POST', path: this.path(), body: input }, options);
  }
}

export class QuotaEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'quota');
  }

  /** Answers what the project and its account use of each quota, and the limits. */
  get(query: { readonly project?: string; readonly account?: string } = {}, options: CallOptions = {}): Reply<{
    readonly items: readonly {
      /** An account uses what all of its projects use. */
      readonly scope: 'project' | 'account';
      /** Of the project or account. */
      readonly id: string;
      readonly name: string;
      /** e.g. `vcpus` */
      readonly counter: string;
      readonly used: number;
      /** `null` = none. */
      readonly limit: number | null;
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path(), query }, options);
  }
}

export class RecoveryEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'recovery');
  }

  /** Tells whether the store was restored and waits for an operator. */
  get(options: CallOptions = {}): Reply<{
    /** False after a restore, until an operator confirms it; automatic removal is off meanwhile. */
    readonly confirmed: boolean;
    /** Changes with every restore. */
    readonly incarnation: string;
  }> {
    return this.value({ method: 'GET', path: this.path() }, options);
  }

  /** Confirms a restore: strays have been looked through, and what the store calls deleted may be removed again. */
  confirm(options: RepeatOptions = {}): Reply<{
    /** False after a restore, until an operator confirms it; automatic removal is off meanwhile. */
    readonly confirmed: boolean;
    /** Changes with every restore. */
    readonly incarnation: string;
  }> {
    return this.value({ method: 'POST', path: this.path('confirm') }, options);
  }
}

export class CallbacksEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'callbacks');
  }

  /** What callbacks of this project are signed with (Standard Webhooks). */
  getSecret(options: CallOptions = {}): Reply<{
    readonly secret: string;
  }> {
    return this.value({ method: 'GET', path: this.path('secret') }, options);
  }
}

export class BackupsEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'backups');
  }

  /** A consistent copy of the store, taken while it is in use, in the backup directory of the server. */
  create(input: {
    /** Lower-case letters, digits and inner hyphens; unique among live ones. */
    readonly name?: string | undefined;
  } = {}, options: RepeatOptions = {}): Reply<{
    /** On the server. */
    readonly path: string;
    readonly takenAt: string;
  }> {
    return this.value({ method: 'POST', path: this.path(), body: input }, options);
  }
}

export class AuditEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'audit');
  }

  /** Who has changed what, newest first: one entry for each call that was accepted. */
  get(query: { readonly actor?: string; readonly action?: string; readonly resourceKind?: string; readonly resourceId?: string; readonly result?: 'pending' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted' | 'unknown'; readonly since?: string; readonly until?: string; readonly of?: 'project' | 'account' | 'cloud'; readonly limit?: number; readonly after?: string } = {}, options: CallOptions = {}): Reply<{
    readonly items: readonly {
      /** Of an action also the id of its operation. */
      readonly id: string;
      /** When it was accepted. */
      readonly at: string;
      readonly actor: string;
      readonly action: string;
      readonly projectId?: string;
      readonly accountId?: string;
      readonly resourceKind?: string;
      readonly resourceId?: string;
      /** What was asked for, without secrets; what is long by its digest. */
      readonly request?: { readonly [key: string]: unknown };
      /** Fields that were asked to change: `from` what they were, `to` what they were to be. */
      readonly changes?: { readonly [key: string]: unknown };
      /** `pending` until it is sealed; `interrupted`: the server stopped while it was under way, and how far it came is not known; `unknown`: of before there was a chain. */
      readonly result: 'pending' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted' | 'unknown';
      readonly endedAt?: string;
      /** Why it failed: `code` and `message`. */
      readonly error?: { readonly [key: string]: unknown };
      /** Of bytes that were uploaded. */
      readonly contentSha256?: string;
      /** Of its end, in the change feed. */
      readonly revision?: number;
      /** Its place in the chain; 0 until it is sealed. */
      readonly number: number;
      /** The hash of the link before it. */
      readonly previous?: string;
      /** SHA-256 of the canonical JSON of all its other fields. */
      readonly hash?: string;
    }[];
    readonly next?: string;
  }> {
    return this.value({ method: 'GET', path: this.path(), query }, options);
  }

  /** Looks at every link of the chain that the audit is, of all projects, and names what was tampered with. */
  getVerify(query: { readonly number?: number; readonly hash?: string } = {}, options: CallOptions = {}): Reply<{
    /** Whether every link is there, unchanged and in its place. */
    readonly whole: boolean;
    /** Links that were looked at. */
    readonly links: number;
    /** What is left follows this link; what came before was removed by retention. */
    readonly anchor: {
      readonly number: number;
      readonly hash: string;
    };
    /** The newest link. Kept elsewhere and asked for again, it proves that nothing before it was made anew. */
    readonly head: {
      readonly number: number;
      readonly hash: string;
    };
    /** Calls that have not ended, or are about to be sealed. */
    readonly unsealed: number;
    /** The first hundred. */
    readonly faults: readonly {
      readonly number: number;
      readonly id?: string;
      /** `changed`: it is not what was sealed. `missing`: no entry has this number. `duplicate`: another has it, too. `unlinked`: it does not follow the one before it, so that one of both was made anew. `replaced`: it is not the link that was asked for. */
      readonly fault: 'changed' | 'missing' | 'duplicate' | 'unlinked' | 'replaced';
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path('verify'), query }, options);
  }
}

export class OrphansEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'orphans');
  }

  /** Rows that refer to nothing that lives, and what absent plugins have left. Looks through all rows. */
  get(options: CallOptions = {}): Reply<{
    /** Rows that refer to one that is deleted or was never there: of each field the first 100. There should be none. */
    readonly orphans: readonly {
      readonly kind: string;
      readonly id: string;
      readonly name: string;
      readonly state: string;
      /** The field that points to nothing that lives. */
      readonly field: string;
      readonly refersTo: {
        readonly kind: string;
        readonly id: string;
      };
    }[];
    /** Kinds whose plugin is not there: their rows can be read, and nothing can be done to them. */
    readonly absentPlugins: readonly {
      readonly plugin: string;
      readonly kind: string;
      /** Live rows. */
      readonly total: number;
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path() }, options);
  }
}

/** The row type of each kind. */
export interface CloudRows {
  readonly operation: Operation;
  readonly debt: Debt;
  readonly account: Account;
  readonly project: Project;
  readonly user: User;
  readonly serviceAccount: ServiceAccount;
  readonly group: Group;
  readonly membership: Membership;
  readonly role: Role;
  readonly roleBinding: RoleBinding;
  readonly apiKey: ApiKey;
  readonly session: Session;
  readonly share: Share;
  readonly quotaRequest: QuotaRequest;
  readonly zone: Zone;
  readonly cluster: Cluster;
  readonly host: Host;
  readonly stray: Stray;
  readonly pool: Pool;
  readonly volume: Volume;
  readonly image: Image;
  readonly network: Network;
  readonly subnet: Subnet;
  readonly nic: Nic;
  readonly placementGroup: PlacementGroup;
  readonly instanceType: InstanceType;
  readonly instance: Instance;
  readonly webhook: Webhook;
  readonly delivery: Delivery;
  readonly tag: Tag;
  readonly tagPolicy: TagPolicy;
  readonly systemTag: SystemTag;
}

export class Cloud extends BaseCloud<CloudRows> {
  /** A cleanup that is owed to a place out of reach, retried until it is done; `stateReason` tells why it failed last. `place` lists those of one host. */
  readonly debts: DebtsClient;
  /** A tenant: owns projects, and has users, groups and roles of its own. */
  readonly accounts: AccountsClient;
  /** What an account owns resources in. */
  readonly projects: ProjectsClient;
  /** A person of an account. Signs in with a password, or as whom an identity provider says it is. */
  readonly users: UsersClient;
  /** A program of an account. It has API keys and no password. */
  readonly serviceAccounts: ServiceAccountsClient;
  /** Users who have the same roles. */
  readonly groups: GroupsClient;
  /** That a user is in a group. */
  readonly memberships: MembershipsClient;
  /** What those it is bound to may do. There are built-in ones beside. */
  readonly roles: RolesClient;
  /** That a user, a group or a service account has a role: in one project, in all of the account, or in the whole cloud. */
  readonly roleBindings: RoleBindingsClient;
  /** A key that a user or a service account asks with. Its secret is shown once. */
  readonly apiKeys: ApiKeysClient;
  /** That a user has signed in. */
  readonly sessions: SessionsClient;
  /** That others may see and use something of the project: never change it. */
  readonly shares: SharesClient;
  /** A request for other limits: approved, it sets them, for good or until a day; denied, it says why. */
  readonly quotaRequests: QuotaRequestsClient;
  /** A place that fails and is powered as one: a data centre or a hall. */
  readonly zones: ZonesClient;
  /** Hosts of one hypervisor on one set of switches; machines move within it. */
  readonly clusters: ClustersClient;
  /** A server that runs machines, stores volumes, or both. */
  readonly hosts: HostsClient;
  /** A machine, volume, seed, copy of an image, port or network that carries our mark and is unknown to us: quarantined until it is adopted or removed, by an operator or by the policy that he has set. */
  readonly strays: StraysClient;
  /** A place that holds volumes. A pool of scope `host` pins what uses it to that host. */
  readonly pools: PoolsClient;
  /** A disk. It outlives the machines it is attached to, unless it was made to go with one. */
  readonly volumes: VolumesClient;
  /** A disk that machines are cloned from. Its content never changes. */
  readonly images: ImagesClient;
  /** A layer-2 segment of a project. A network of scope `host` lives on one host and pins what uses it. */
  readonly networks: NetworksClient;
  /** A range of addresses on a network, handed out by the cloud. */
  readonly subnets: SubnetsClient;
  /** A machine on a network: a MAC and its addresses. Made and deleted with the machine, or attached and detached live. */
  readonly nics: NicsClient;
  /** Machines that keep together, or apart. */
  readonly placementGroups: PlacementGroupsClient;
  /** A size of machine. A version never changes; its name means the newest. */
  readonly instanceTypes: InstanceTypesClient;
  /** A virtual machine. */
  readonly instances: InstancesClient;
  /** A place outside that is told of changes in its project: signed CloudEvents, at least once, in order for each resource. */
  readonly webhooks: WebhooksClient;
  /** An event that could not be delivered however often it was tried. `replay` tries again. */
  readonly deliveries: DeliveriesClient;
  /** A word about a resource, by which its owner finds and groups it: a key with a value. Goes with the resource. */
  readonly tags: TagsClient;
  /** What a project asks of a tag: where it must be, what it may say, and what it is copied to. */
  readonly tagPolicies: TagPoliciesClient;
  /** A typed word on a resource, of those that plugins declare, that steers what is done with it. Goes with the resource. */
  readonly systemTags: SystemTagsClient;
  readonly access: AccessEndpoints;
  readonly logout: LogoutEndpoints;
  readonly password: PasswordEndpoints;
  readonly quota: QuotaEndpoints;
  readonly recovery: RecoveryEndpoints;
  readonly callbacks: CallbacksEndpoints;
  readonly backups: BackupsEndpoints;
  readonly audit: AuditEndpoints;
  readonly orphans: OrphansEndpoints;

  constructor(target: ConnectOptions | Embedded) {
    super(target);
    this.debts = new DebtsClient(this.client);
    this.accounts = new AccountsClient(this.client);
    this.projects = new ProjectsClient(this.client);
    this.users = new UsersClient(this.client);
    this.serviceAccounts = new ServiceAccountsClient(this.client);
    this.groups = new GroupsClient(this.client);
    this.memberships = new MembershipsClient(this.client);
    this.roles = new RolesClient(this.client);
    this.roleBindings = new RoleBindingsClient(this.client);
    this.apiKeys = new ApiKeysClient(this.client);
    this.sessions = new SessionsClient(this.client);
    this.shares = new SharesClient(this.client);
    this.quotaRequests = new QuotaRequestsClient(this.client);
    this.zones = new ZonesClient(this.client);
    this.clusters = new ClustersClient(this.client);
    this.hosts = new HostsClient(this.client);
    this.strays = new StraysClient(this.client);
    this.pools = new PoolsClient(this.client);
    this.volumes = new VolumesClient(this.client);
    this.images = new ImagesClient(this.client);
    this.networks = new NetworksClient(this.client);
    this.subnets = new SubnetsClient(this.client);
    this.nics = new NicsClient(this.client);
    this.placementGroups = new PlacementGroupsClient(this.client);
    this.instanceTypes = new InstanceTypesClient(this.client);
    this.instances = new InstancesClient(this.client);
    this.webhooks = new WebhooksClient(this.client);
    this.deliveries = new DeliveriesClient(this.client);
    this.tags = new TagsClient(this.client);
    this.tagPolicies = new TagPoliciesClient(this.client);
    this.systemTags = new SystemTagsClient(this.client);
    this.access = new AccessEndpoints(this.client);
    this.logout = new LogoutEndpoints(this.client);
    this.password = new PasswordEndpoints(this.client);
    this.quota = new QuotaEndpoints(this.client);
    this.recovery = new RecoveryEndpoints(this.client);
    this.callbacks = new CallbacksEndpoints(this.client);
    this.backups = new BackupsEndpoints(this.client);
    this.audit = new AuditEndpoints(this.client);
    this.orphans = new OrphansEndpoints(this.client);
  }
}

/** A client of one cloud: by URL, by a transport of your own, or in this process. Nothing is sent yet. */
export const connect = (target: ConnectOptions | Embedded): Cloud => new Cloud(target);
