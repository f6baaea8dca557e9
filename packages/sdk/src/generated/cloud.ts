// Generated from the server's OpenAPI document by `pileus-sdk generate`. Do not edit.
import { BaseCloud, Endpoints, Resource, type Answer, type CallOptions, type ChangeOptions, type Client, type ConnectOptions, type DeleteOptions, type Embedded, type Id, type Lifecycle, type Named, type ConsoleTicket, type DownloadOptions, type Operation, type Pending, type RepeatOptions, type Reply, type Upload, type UploadOptions } from '../runtime.ts';

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
    readonly stackResources: StackResourceGraph;
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
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly operations: OperationGraph;
    readonly roleBindings: RoleBindingGraph;
    readonly apiKeys: ApiKeyGraph;
    readonly shares: ShareGraph;
    readonly quotaRequests: QuotaRequestGraph;
    readonly volumes: VolumeGraph;
    readonly attachments: AttachmentGraph;
    readonly images: ImageGraph;
    readonly snapshots: SnapshotGraph;
    readonly snapshotGroups: SnapshotGroupGraph;
    readonly backupPlans: BackupPlanGraph;
    readonly backupSets: BackupSetGraph;
    readonly volumeBackups: BackupGraph;
    readonly vpcs: VpcGraph;
    readonly routes: RouteGraph;
    readonly peerings: PeeringGraph;
    readonly networks: NetworkGraph;
    readonly subnets: SubnetGraph;
    readonly nics: NicGraph;
    readonly securityGroups: SecurityGroupGraph;
    readonly securityGroupRules: SecurityGroupRuleGraph;
    readonly securityGroupMembers: SecurityGroupMemberGraph;
    readonly dnsRecords: DnsRecordGraph;
    readonly reservedAddresses: ReservedAddressGraph;
    readonly natGateways: NatGatewayGraph;
    readonly natPortBlocks: NatPortBlockGraph;
    readonly elasticIps: ElasticIpGraph;
    readonly portForwards: PortForwardGraph;
    readonly loadBalancers: LoadBalancerGraph;
    readonly listeners: ListenerGraph;
    readonly backends: BackendGraph;
    readonly placementGroups: PlacementGroupGraph;
    readonly instances: InstanceGraph;
    readonly webhooks: WebhookGraph;
    readonly deliveries: DeliveryGraph;
    readonly stacks: StackGraph;
    readonly stackRevisions: StackRevisionGraph;
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
    readonly stackResources: StackResourceGraph;
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
  }, options: RepeatOptions = {}): Answer<{ readonly [key: string]: unknown }> {
    return this.change({ method: 'POST', path: this.path(user, 'password'), body: input }, options);
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
    readonly stackResources: StackResourceGraph;
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
    readonly stackResources: StackResourceGraph;
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
    readonly stackResources: StackResourceGraph;
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
    /** A filter: only rows for which it holds, e.g. `name like 'web-%'` or `tags.env = 'dev'`. */
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
    /** A filter: only rows for which it holds, e.g. `name like 'web-%'` or `tags.env = 'dev'`. */
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
    /** A filter: only rows for which it holds, e.g. `name like 'web-%'` or `tags.env = 'dev'`. */
    readonly when?: string | undefined;
  }[] | undefined;
}

/** What queries see of roles. */
export interface RoleGraph {
  readonly fields: RoleFields & { readonly state: RoleState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly account: AccountGraph;
    readonly stackResources: StackResourceGraph;
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
    readonly stackResources: StackResourceGraph;
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
    readonly stackResources: StackResourceGraph;
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
    readonly userId?: Id<'user'> | undefined;
    readonly serviceAccountId?: Id<'serviceAccount'> | undefined;
    /** The one project that it may work in. */
    readonly projectId?: Id<'project'> | undefined;
    /** Only these of what its holder may, e.g. `instance.*`. */
    readonly permissions?: readonly string[] | undefined;
    readonly expiresAt?: string | undefined;
  }, options: RepeatOptions = {}): Answer<{
    readonly id: string;
    readonly name: string;
    /** Shown this once. */
    readonly key: string;
  }> {
    return this.change({ method: 'POST', path: this.path(), body: input }, options);
  }

  /** Gives the key a new secret, and lets the old one be good for a while. */
  rotate(apiKey: Named<'apiKey'>, input: {
    /** How long the old secret is good beside the new one. Default 3600. */
    readonly overlapSeconds?: number | undefined;
  } = {}, options: RepeatOptions = {}): Answer<{
    readonly id: string;
    /** Shown this once. */
    readonly key: string;
    readonly oldKeyUntil: string;
  }> {
    return this.change({ method: 'POST', path: this.path(apiKey, 'rotate'), body: input }, options);
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
    readonly stackResources: StackResourceGraph;
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
    readonly stackResources: StackResourceGraph;
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
    readonly stackResources: StackResourceGraph;
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
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly settingValues: SettingValueGraph;
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
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly settingValues: SettingValueGraph;
    readonly hosts: HostGraph;
    readonly pools: PoolGraph;
    readonly physicalNetworks: PhysicalNetworkGraph;
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
  /** What keeps off machines whose type does not tolerate it, e.g. `[{ "key": "gpu", "effect": "hard" }]`. Those that are there stay. */
  readonly taints?: readonly {
    /** Of one host no two are the same. */
    readonly key: string;
    readonly value?: string;
    /** `hard`: no machine that does not tolerate it is placed there. `soft`: only those that find no room elsewhere. */
    readonly effect: 'hard' | 'soft';
  }[];
  /** Virtual processors promised per hardware thread. Default: as its cluster says. */
  readonly vcpuOvercommit?: number;
  /** Memory promised per memory of the host. Default: as its cluster says. */
  readonly memoryOvercommit?: number;
  /** `compute`: machines are placed there. `storage`: it may be given pools of its own. What is there already stays. */
  readonly roles: readonly ('compute' | 'storage')[];
  /** Whether it answers. */
  readonly status: 'connecting' | 'connected' | 'disconnected';
  readonly statusReason?: string;
  /** What may keep machines that run there from their networks, by network driver; absent where nothing is known. */
  readonly networkTroubles?: readonly {
    readonly driver: string;
    /** In words that follow the name of the host. */
    readonly reason: string;
    readonly since: string;
  }[];
  /** `fit`: its ways to storage are as the settings `storageNetwork.*` want them. `warned`: not all. `unfit`: not all, and no machine is placed here for that. `unknown`: no agent tells of them. Absent: its cluster has no physical network of the role `storage`. */
  readonly storageNetworkStatus?: 'fit' | 'warned' | 'unfit' | 'unknown';
  /** Its way to each physical network of the role `storage`, as its agent tells it. */
  readonly storageNetworks?: readonly {
    readonly physicalNetworkId: Id<'physicalNetwork'>;
    /** The link of the host that leads there; absent where none is known. */
    readonly link?: string;
    readonly isUp?: boolean;
    /** Of all of it, megabits a second; absent where it does not tell. */
    readonly speedMbits?: number;
    readonly mtuBytes?: number;
    readonly bond?: {
      readonly name: string;
      readonly mode?: string;
      readonly members: readonly {
        readonly name: string;
        readonly isUp: boolean;
        readonly speedMbits?: number;
      }[];
    };
    /** What is sent there goes on inside of other packets. */
    readonly isOverlay?: boolean;
    readonly findings: readonly {
      readonly code: 'not_told' | 'not_there' | 'down' | 'overlay' | 'slow' | 'speed_unknown' | 'not_bonded' | 'bond_degraded' | 'small_mtu' | 'shared';
      readonly level: 'warning' | 'error';
      /** What there is. */
      readonly found: string;
      /** What is wanted. */
      readonly wanted: string;
      readonly since: string;
    }[];
  }[];
  /** Pools of its cluster and zone that it does not reach, though they are well: no machine that needs one is placed here. */
  readonly unreachedPools?: readonly {
    readonly poolId: Id<'pool'>;
    readonly reason: string;
    readonly since: string;
  }[];
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
  /** `compute`: machines are placed there. `storage`: it may be given pools of its own. What is there already stays. */
  readonly roles?: readonly ('compute' | 'storage')[] | undefined;
  /** What sets it apart, for instance types and requests that ask for it. */
  readonly labels?: { readonly [key: string]: string } | undefined;
  /** What keeps off machines whose type does not tolerate it, e.g. `[{ "key": "gpu", "effect": "hard" }]`. Those that are there stay. */
  readonly taints?: readonly {
    /** Of one host no two are the same. */
    readonly key: string;
    readonly value?: string | undefined;
    /** `hard`: no machine that does not tolerate it is placed there. `soft`: only those that find no room elsewhere. */
    readonly effect: 'hard' | 'soft';
  }[] | undefined;
  /** Virtual processors promised per hardware thread. Default: as its cluster says. */
  readonly vcpuOvercommit?: number | undefined;
  /** Memory promised per memory of the host. Default: as its cluster says. */
  readonly memoryOvercommit?: number | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes the name, the address, the credentials, the failure domain, the roles, the labels, the taints or what is promised of the host. */
export interface HostUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** How the hypervisor is reached, e.g. `qemu:///system` or `qemu+tls://hv1/system`. */
  readonly uri?: string | undefined;
  /** JSON with PEM texts `ca`, `cert`, `key`, for TLS. Secret: sealed before it is stored, never shown again. */
  readonly tlsCredentials?: string | undefined;
  /** Rack or other unit that fails as one. */
  readonly failureDomain?: string | undefined;
  /** `compute`: machines are placed there. `storage`: it may be given pools of its own. What is there already stays. */
  readonly roles?: readonly ('compute' | 'storage')[] | undefined;
  readonly labels?: { readonly [key: string]: string } | null | undefined;
  readonly taints?: readonly {
    /** Of one host no two are the same. */
    readonly key: string;
    readonly value?: string | undefined;
    /** `hard`: no machine that does not tolerate it is placed there. `soft`: only those that find no room elsewhere. */
    readonly effect: 'hard' | 'soft';
  }[] | null | undefined;
  readonly vcpuOvercommit?: number | null | undefined;
  readonly memoryOvercommit?: number | null | undefined;
}

/** Migrates all machines that run on the host to others, 4 at once, and takes it out of use for work on it. Stopped machines stay. When one cannot go, or it is cancelled, the host is as it was; those that have gone over stay there. */
export interface HostDrain {
  /** How long the memory of a machine may take to go over; then it stays where it is. Default: 1800. */
  readonly timeoutSeconds?: number | undefined;
}

/** What queries see of hosts. */
export interface HostGraph {
  readonly fields: Omit<HostFields & { readonly state: HostState; readonly deletedAt?: string }, 'tlsCredentials'>;
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'cpus' | 'memoryBytes';
  readonly links: {
    readonly cluster: ClusterGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly settingValues: SettingValueGraph;
    readonly strays: StrayGraph;
    readonly agents: AgentGraph;
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

  /** Changes the name, the address, the credentials, the failure domain, the roles, the labels, the taints or what is promised of the host. */
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

  /** Takes the host out of use for work on it. Refused while machines run on it, or are on their way to it. */
  maintain(host: Named<'host'>, options: ChangeOptions = {}): Pending<'host', Host> {
    return this.act(host, 'maintain', {}, options);
  }

  /** Opens every connection to the host anew, and looks at it at once. */
  reconnect(host: Named<'host'>, options: ChangeOptions = {}): Pending<'host', Host> {
    return this.act(host, 'reconnect', {}, options);
  }

  /** Migrates all machines that run on the host to others, 4 at once, and takes it out of use for work on it. Stopped machines stay. When one cannot go, or it is cancelled, the host is as it was; those that have gone over stay there. */
  drain(host: Named<'host'>, input: HostDrain = {}, options: ChangeOptions = {}): Pending<'host', Host> {
    return this.act(host, 'drain', input, options);
  }

  /** How much of its memory and processors a host uses at this moment. */
  getUsage(host: Named<'host'>, options: CallOptions = {}): Reply<{
    /** Memory of the host that all that runs there takes. */
    readonly usedMemoryBytes: number;
    /** Share of its processors that was at work since it was observed before. Absent when it was not. */
    readonly cpuRatio?: number;
    readonly observedAt: string;
  }> {
    return this.value({ method: 'GET', path: this.path(host, 'usage') }, options);
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
  readonly objectKind: 'machine' | 'snapshot' | 'volume' | 'seed' | 'image' | 'dnsRecord' | 'loadBalancer' | 'portForward' | 'elasticIp' | 'natGateway' | 'peering' | 'port' | 'network' | 'securityGroup' | 'vpc';
  readonly objectId: string;
  readonly objectName: string;
  /** Pool, host or, of a snapshot, volume it was found in. */
  readonly place: string;
  readonly details: { readonly [key: string]: unknown };
}
/** A machine, snapshot, volume, seed, copy of an image, port, network or object around networks that carries our mark and is unknown to us: quarantined until it is adopted or removed, by an operator or by the policy that he has set. */
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
    readonly stackResources: StackResourceGraph;
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
  readonly objectKind: 'machine' | 'snapshot' | 'volume' | 'seed' | 'image' | 'dnsRecord' | 'loadBalancer' | 'portForward' | 'elasticIp' | 'natGateway' | 'peering' | 'port' | 'network' | 'securityGroup' | 'vpc';
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

/** The state machine of the kind agent: where each state may go. */
export const agentStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type AgentState = keyof typeof agentStates;

export interface AgentFields {
  readonly id: Id<'agent'>;
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
  /** Where it listens, e.g. `https://192.0.2.7:7430`. */
  readonly url: string;
  /** SHA-256 of its certificate, in lower-case hex: nobody else is taken for it. */
  readonly fingerprint: string;
  /** Whether it answers. */
  readonly status: 'connecting' | 'connected' | 'lost';
  readonly statusReason?: string;
  /** Of its journal: another one has forgotten what it was told. */
  readonly agentId?: string;
  /** That it runs. */
  readonly release?: string;
  /** The newest version of the contract that both sides speak. */
  readonly contractVersion?: number;
  /** Release of the kernel of its host. */
  readonly kernel?: string;
}
/** The program on a host that serves its machines metadata and names, and whatever else needs somebody there. */
export type Agent = Lifecycle<AgentFields, AgentState>;

/** Connects the agent of a host. */
export interface AgentCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly hostId: Id<'host'>;
  /** Where it listens, e.g. `https://192.0.2.7:7430`. */
  readonly url: string;
  /** SHA-256 of its certificate, in lower-case hex: nobody else is taken for it. */
  readonly fingerprint: string;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, url, fingerprint of the agent. */
export interface AgentUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Where it listens, e.g. `https://192.0.2.7:7430`. */
  readonly url?: string | undefined;
  /** SHA-256 of its certificate, in lower-case hex: nobody else is taken for it. */
  readonly fingerprint?: string | undefined;
}

/** What queries see of agents. */
export interface AgentGraph {
  readonly fields: AgentFields & { readonly state: AgentState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'contractVersion';
  readonly links: {
    readonly host: HostGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of agents can filter by. */
export interface AgentFilter {
  readonly id: Id<'agent'>;
  readonly name: string;
  readonly state: AgentState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly status: 'connecting' | 'connected' | 'lost';
  readonly hostId: Id<'host'>;
}

export class AgentsClient extends Resource<'agent', Agent, AgentFilter, 'createdAt' | 'name' | 'state' | 'status' | 'hostId', AgentGraph> {
  constructor(client: Client) {
    super(client, { kind: 'agent', plural: 'agents' });
  }

  /** Connects the agent of a host. */
  create(input: AgentCreate, options: ChangeOptions = {}): Pending<'agent', Agent> {
    return this.createAny(input, options);
  }

  /** Changes name, url, fingerprint of the agent. */
  update(agent: Named<'agent'>, input: AgentUpdate = {}, options: ChangeOptions = {}): Pending<'agent', Agent> {
    return this.updateAny(agent, input, options);
  }

  /** Deletes the agent and everything it owns. */
  delete(agent: Named<'agent'>, options: DeleteOptions = {}): Pending<'agent', undefined> {
    return this.deleteAny(agent, options);
  }
}

/** The state machine of the kind storageClass: where each state may go. */
export const storageClassStates = {
  available: ['deleting', 'deleted'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type StorageClassState = keyof typeof storageClassStates;

export interface StorageClassFields {
  readonly id: Id<'storageClass'>;
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
  /** Copies of each byte that its pools keep at least. Default: no promise. */
  readonly replicas?: number;
  /** Copies of what is written that its pools have at least before they say so; with fewer, writes wait. Default: no promise. */
  readonly replicasMin?: number;
  /** In its pools no two copies share one of these: the one or the other, e.g. `host`, `rack`. Default: no promise. */
  readonly failureDomains?: readonly string[];
  /** What its pools are made of, e.g. `ssd`. Default: no promise. */
  readonly deviceClass?: string;
  /** Whether what is made in it is encrypted, asked for or not; its pools can do that. Holds for new volumes. Default: false. */
  readonly encrypted?: boolean;
  /** Reads and writes a second that a volume may do, by its size; without, as many as its pool can. Limits of its own may be tighter. */
  readonly iopsPerSecond?: {
    /** Of every volume. */
    readonly base: number;
    /** More for each GiB of its size. */
    readonly perGib: number;
    /** Never more than this. */
    readonly max?: number;
  };
  /** Bytes a second that a volume may do, by its size; without, as many as its pool can. Limits of its own may be tighter. */
  readonly bytesPerSecond?: {
    /** Of every volume. */
    readonly base: number;
    /** More for each GiB of its size. */
    readonly perGib: number;
    /** Never more than this. */
    readonly max?: number;
  };
}
/** What storage of this name promises: how many copies, of what kind, and how much it does in a second. Pools keep it. */
export type StorageClass = Lifecycle<StorageClassFields, StorageClassState>;

/** Says what storage of a name promises. Pools that carry the name have to keep it. */
export interface StorageClassCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Copies of each byte that its pools keep at least. Default: no promise. */
  readonly replicas?: number | undefined;
  /** Copies of what is written that its pools have at least before they say so; with fewer, writes wait. Default: no promise. */
  readonly replicasMin?: number | undefined;
  /** In its pools no two copies share one of these: the one or the other, e.g. `host`, `rack`. Default: no promise. */
  readonly failureDomains?: readonly string[] | undefined;
  /** What its pools are made of, e.g. `ssd`. Default: no promise. */
  readonly deviceClass?: string | undefined;
  /** Whether what is made in it is encrypted, asked for or not; its pools can do that. Holds for new volumes. Default: false. */
  readonly encrypted?: boolean | undefined;
  /** Reads and writes a second that a volume may do, by its size; without, as many as its pool can. Limits of its own may be tighter. */
  readonly iopsPerSecond?: {
    /** Of every volume. */
    readonly base: number;
    /** More for each GiB of its size. */
    readonly perGib: number;
    /** Never more than this. */
    readonly max?: number | undefined;
  } | undefined;
  /** Bytes a second that a volume may do, by its size; without, as many as its pool can. Limits of its own may be tighter. */
  readonly bytesPerSecond?: {
    /** Of every volume. */
    readonly base: number;
    /** More for each GiB of its size. */
    readonly perGib: number;
    /** Never more than this. */
    readonly max?: number | undefined;
  } | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description, replicas, replicasMin, failureDomains, deviceClass, encrypted, iopsPerSecond, bytesPerSecond of the storageClass. */
export interface StorageClassUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  readonly replicas?: number | null | undefined;
  readonly replicasMin?: number | null | undefined;
  readonly failureDomains?: readonly string[] | null | undefined;
  readonly deviceClass?: string | null | undefined;
  readonly encrypted?: boolean | null | undefined;
  readonly iopsPerSecond?: {
    /** Of every volume. */
    readonly base: number;
    /** More for each GiB of its size. */
    readonly perGib: number;
    /** Never more than this. */
    readonly max?: number | undefined;
  } | null | undefined;
  readonly bytesPerSecond?: {
    /** Of every volume. */
    readonly base: number;
    /** More for each GiB of its size. */
    readonly perGib: number;
    /** Never more than this. */
    readonly max?: number | undefined;
  } | null | undefined;
}

/** What queries see of storage-classes. */
export interface StorageClassGraph {
  readonly fields: StorageClassFields & { readonly state: StorageClassState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'replicas' | 'replicasMin';
  readonly links: {
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly pools: PoolGraph;
  };
}

/** What lists of storage-classes can filter by. */
export interface StorageClassFilter {
  readonly id: Id<'storageClass'>;
  readonly name: string;
  readonly state: StorageClassState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
}

export class StorageClassesClient extends Resource<'storageClass', StorageClass, StorageClassFilter, 'createdAt' | 'name' | 'state', StorageClassGraph> {
  constructor(client: Client) {
    super(client, { kind: 'storageClass', plural: 'storage-classes' });
  }

  /** Says what storage of a name promises. Pools that carry the name have to keep it. */
  create(input: StorageClassCreate = {}, options: ChangeOptions = {}): Pending<'storageClass', StorageClass> {
    return this.createAny(input, options);
  }

  /** Changes name, description, replicas, replicasMin, failureDomains, deviceClass, encrypted, iopsPerSecond, bytesPerSecond of the storageClass. */
  update(storageClass: Named<'storageClass'>, input: StorageClassUpdate = {}, options: ChangeOptions = {}): Pending<'storageClass', StorageClass> {
    return this.updateAny(storageClass, input, options);
  }

  /** Deletes the storageClass and everything it owns. */
  delete(storageClass: Named<'storageClass'>, options: DeleteOptions = {}): Pending<'storageClass', undefined> {
    return this.deleteAny(storageClass, options);
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
  /** Reference to a sealed value. */
  readonly secrets?: string;
  /** What requests for storage name, e.g. `standard`. */
  readonly storageClass: string;
  /** What the class of that name promises, where there is such. */
  readonly classId?: Id<'storageClass'>;
  /** Bytes promised per byte of the pool. */
  readonly overcommit: number;
  readonly totalBytes?: number;
  readonly freeBytes?: number;
  /** There is more of it than 2^53−1 bytes (8 PiB), or by `overcommit` more may be promised of it: no more than that is counted, and promised to volumes. */
  readonly isCapped?: boolean;
  /** Copies of each byte; absent where its driver cannot tell. */
  readonly replicas?: number;
  /** With fewer copies writes wait. */
  readonly replicasMin?: number;
  /** What two copies never share, e.g. `host`. */
  readonly failureDomain?: string;
  /** What it is made of, e.g. `ssd`. */
  readonly deviceClass?: string;
  /** Whether volumes in it can be encrypted; absent until it has been looked at. */
  readonly encrypts?: boolean;
  /** `degraded`: fewer copies than promised; `unavailable`: some reads or writes wait. Nothing new is placed in either. */
  readonly health?: 'healthy' | 'degraded' | 'unavailable';
  /** In its backend's own words. */
  readonly healthReason?: string;
  /** Its backend warns that it will soon refuse writes, or more of it is used than the setting `pools.nearlyFullShare` says: nothing new is placed there. */
  readonly isNearlyFull?: boolean;
  /** How it does not keep what its class promises: nothing new is placed there meanwhile. */
  readonly shortfall?: string;
  readonly status: 'connected' | 'disconnected';
  /** Why it is disconnected: what the last looks at it were answered. */
  readonly statusReason?: string;
  /** When it was disconnected or `unavailable` in the last 30 days, by the looks at it, the last one last. */
  readonly outages?: readonly {
    readonly from: string;
    /** Absent while it lasts. */
    readonly to?: string;
    readonly reason: string;
  }[];
  /** These take more of 30 days than the setting `pools.availabilityTarget` leaves them. */
  readonly isBelowTarget?: boolean;
  /** Of a deleted one that may have had copies of images: when they were removed. No pool is registered at its place for a while after that. */
  readonly copiesRemovedAt?: string;
}
/** A place that holds volumes. A pool of scope `host` pins what uses it to that host. */
export type Pool = Lifecycle<PoolFields, PoolState>;

/** Registers a pool. The driver says which of `hostId`, `clusterId`, `zoneId` it belongs to, and which settings it needs. */
export interface PoolCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Name of the storage strategy. Default: the first one installed whose pools belong there. */
  readonly driver?: string | undefined;
  readonly hostId?: Id<'host'> | undefined;
  readonly clusterId?: Id<'cluster'> | undefined;
  readonly zoneId?: Id<'zone'> | undefined;
  /** What the driver asks for, e.g. `path`. */
  readonly settings?: { readonly [key: string]: string } | undefined;
  /** What the driver asks for and marks as secret, e.g. `key`. */
  readonly secrets?: { readonly [key: string]: string } | undefined;
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

/** Gives the pool other secrets, and other settings that say who asks. They are tried first; what is under way, and machines that run, go on with those of before. */
export interface PoolChangeCredentials {
  /** What the driver asks for, e.g. `path`. */
  readonly settings?: { readonly [key: string]: string } | undefined;
  /** What the driver asks for and marks as secret, e.g. `key`. */
  readonly secrets?: { readonly [key: string]: string } | undefined;
}

/** Makes a disk that others have put into the pool a volume of the project that is worked in, with all that is in it. Nothing is copied: from then on it is the volume, and goes with it. */
export interface PoolAdopt {
  /** What it is called in the pool. */
  readonly disk: string;
  /** A multiple of 512, at least 512. As the list of unknown disks shows it: nothing else than what was looked at is taken. */
  readonly sizeBytes: number;
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
}

/** What queries see of pools. */
export interface PoolGraph {
  readonly fields: Omit<PoolFields & { readonly state: PoolState; readonly deletedAt?: string }, 'secrets'>;
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'totalBytes' | 'freeBytes' | 'replicas' | 'replicasMin';
  readonly links: {
    readonly host: HostGraph;
    readonly cluster: ClusterGraph;
    readonly zone: ZoneGraph;
    readonly class: StorageClassGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly volumesByPool: VolumeGraph;
    readonly volumesByMovingToPool: VolumeGraph;
    readonly volumesByLeftPool: VolumeGraph;
    readonly snapshots: SnapshotGraph;
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
  readonly classId: Id<'storageClass'>;
}

export class PoolsClient extends Resource<'pool', Pool, PoolFilter, 'createdAt' | 'name' | 'state' | 'scope' | 'storageClass' | 'status' | 'hostId' | 'clusterId' | 'zoneId' | 'classId', PoolGraph> {
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

  /** Gives the pool other secrets, and other settings that say who asks. They are tried first; what is under way, and machines that run, go on with those of before. */
  changeCredentials(pool: Named<'pool'>, input: PoolChangeCredentials = {}, options: ChangeOptions = {}): Pending<'pool', Pool> {
    return this.act(pool, 'change-credentials', input, options);
  }

  /** Makes a disk that others have put into the pool a volume of the project that is worked in, with all that is in it. Nothing is copied: from then on it is the volume, and goes with it. */
  adopt(pool: Named<'pool'>, input: PoolAdopt, options: ChangeOptions = {}): Pending<'pool', Pool> {
    return this.act(pool, 'adopt', input, options);
  }

  /** Lets new volumes be made in the pool. */
  enable(pool: Named<'pool'>, options: ChangeOptions = {}): Pending<'pool', Pool> {
    return this.act(pool, 'enable', {}, options);
  }

  /** Makes no new volumes in the pool; those in it stay in use. */
  disable(pool: Named<'pool'>, options: ChangeOptions = {}): Pending<'pool', Pool> {
    return this.act(pool, 'disable', {}, options);
  }

  /** A page of what others have put into the pool: disks that are none of this cloud, which `adopt` makes volumes. */
  getUnknownDisks(pool: Named<'pool'>, query: { readonly after?: string } = {}, options: CallOptions = {}): Reply<{
    readonly disks: readonly {
      readonly name: string;
      readonly sizeBytes: number;
    }[];
    /** Asks for the next page; absent with the last one. */
    readonly next?: string;
  }> {
    return this.value({ method: 'GET', path: this.path(pool, 'unknown-disks'), query }, options);
  }

  /** How much of the last 30 days a pool could be had, by the looks at it, and what is left of the time in which it may not. */
  getAvailability(pool: Named<'pool'>, options: CallOptions = {}): Reply<{
    /** Since when that is known: the beginning of the days, or of the pool. */
    readonly since: string;
    /** Of the time since then. */
    readonly availableShare: number;
    /** What it is to be over 30 days, by the setting pools.availabilityTarget. */
    readonly target: number;
    readonly outageSeconds: number;
    /** For so long it may yet be away within these days. */
    readonly budgetLeftSeconds: number;
    /** When it was disconnected or `unavailable` in the last 30 days, by the looks at it, the last one last. */
    readonly outages: readonly {
      readonly from: string;
      /** Absent while it lasts. */
      readonly to?: string;
      readonly reason: string;
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path(pool, 'availability') }, options);
  }

  /** Which of the hosts that are to reach a pool do, by what their agents can connect to. */
  getHosts(pool: Named<'pool'>, options: CallOptions = {}): Reply<{
    /** How many do. */
    readonly reached: number;
    /** How many do not. */
    readonly unreached: number;
    /** Of how many it is not known: they have no agent, the pool is away itself, or its driver names no place to connect to. */
    readonly unknown: number;
    readonly hosts: readonly {
      readonly hostId: string;
      readonly name: string;
      /** Absent where it is not known. */
      readonly isReached?: boolean;
      /** Why not. */
      readonly reason?: string;
      /** Since when it has not been. */
      readonly since?: string;
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path(pool, 'hosts') }, options);
  }
}

/** The state machine of the kind volume: where each state may go. */
export const volumeStates = {
  creating: ['available', 'attached', 'deleted'],
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
  /** Where it is being moved to. */
  readonly movingToPoolId?: Id<'pool'>;
  /** Where a move may have left something of it: that is removed, and until then it moves nowhere else. */
  readonly leftPoolId?: Id<'pool'>;
  /** Pools that it has left lately, to which it does not return yet. */
  readonly leftPools?: readonly {
    readonly poolId: Id<'pool'>;
    readonly at: string;
  }[];
  /** Pools that it was in within the last 30 days, the last one last. */
  readonly pastPools?: readonly {
    readonly poolId: Id<'pool'>;
    readonly until: string;
  }[];
  /** A multiple of 512, at least 512. */
  readonly sizeBytes: number;
  /** The image it is a clone of. */
  readonly imageId?: Id<'image'>;
  /** The snapshot it is a clone of, until it is flattened or that is deleted. */
  readonly snapshotId?: Id<'snapshot'>;
  /** The snapshot that its content goes on from: taken, or reverted to, last. */
  readonly currentSnapshotId?: Id<'snapshot'>;
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
  /** Several machines may have it at once, each by an `attachment`, and `instanceId` stays empty. Said when it is made, for good. Default: false. */
  readonly shareable?: boolean;
  /** Its content is encrypted (LUKS) before it leaves its host; the cloud keeps the key. Default: false. */
  readonly encrypted?: boolean;
  /** Reference to a sealed value. */
  readonly encryptionKey?: string;
  /** Reference to a sealed value. */
  readonly otherKey?: string;
  /** The newest point in time that a backup of it has. */
  readonly backedUpAt?: string;
  /** `missing` while its pool answers and does not have it: somebody removed the disk behind our back. */
  readonly status: 'present' | 'missing';
  readonly statusReason?: string;
  /** When it could not be had in the last 30 days though its pool could: the host of its machine did not reach that, or it was `missing`. The last one last. */
  readonly outages?: readonly {
    readonly from: string;
    /** Absent while it lasts. */
    readonly to?: string;
    readonly reason: string;
  }[];
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

/** Makes a volume: empty or cloned from an image, in the pool given or in the emptiest that fits; or cloned from a snapshot or a volume, beside that. */
export interface VolumeCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** A multiple of 512, at least 512. Default: the size of what it is made from. */
  readonly sizeBytes?: number | undefined;
  /** The image that it is cloned from. */
  readonly imageId?: Id<'image'> | undefined;
  /** The snapshot that it is cloned from, in the pool of that. */
  readonly snapshotId?: Id<'snapshot'> | undefined;
  /** The volume whose content of now it gets, in the pool of that. */
  readonly volumeId?: Id<'volume'> | undefined;
  /** The pool to make it in. */
  readonly poolId?: Id<'pool'> | undefined;
  readonly storageClass?: string | undefined;
  /** A host that must reach it. */
  readonly hostId?: Id<'host'> | undefined;
  /** Whether its content is encrypted. Default: as the class of its pool demands, else false; what is cloned from a snapshot or a volume is as that. */
  readonly encrypted?: boolean | undefined;
  /** Whether several machines may have it at once, as cluster file systems want; what they write at once is for them to agree on. It is made empty and not encrypted, in a pool that offers that. Default: false. */
  readonly shareable?: boolean | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the volume. */
export interface VolumeUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** Grows a volume, also under a machine that is on: its guest sees it at once. */
export interface VolumeResize {
  /** A multiple of 512, at least 512. Not smaller than now. */
  readonly sizeBytes: number;
}

/** Moves a volume to another pool: by copy, after which it is the volume. Its machine may be on; the guest goes on but for a moment. A clone is independent then. */
export interface VolumeMove {
  /** Where to. */
  readonly poolId?: Id<'pool'> | undefined;
  /** In place of a pool: to the emptiest of this class that fits. */
  readonly storageClass?: string | undefined;
  /** Reads both again, and compares, before the source is removed; not of a machine that is on. Default: false. */
  readonly verify?: boolean | undefined;
  /** As much is copied at most while its machine is on. Default: as fast as it goes. */
  readonly bytesPerSecond?: number | undefined;
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
  readonly fields: Omit<VolumeFields & { readonly state: VolumeState; readonly deletedAt?: string }, 'encryptionKey' | 'otherKey'>;
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'sizeBytes' | 'slot';
  readonly links: {
    readonly pool: PoolGraph;
    readonly movingToPool: PoolGraph;
    readonly leftPool: PoolGraph;
    readonly image: ImageGraph;
    readonly snapshot: SnapshotGraph;
    readonly instance: InstanceGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly attachments: AttachmentGraph;
    readonly snapshots: SnapshotGraph;
    readonly backupPlans: BackupPlanGraph;
    readonly volumeBackups: BackupGraph;
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
  readonly movingToPoolId: Id<'pool'>;
  readonly leftPoolId: Id<'pool'>;
  readonly imageId: Id<'image'>;
  readonly snapshotId: Id<'snapshot'>;
  readonly instanceId: Id<'instance'>;
}

export class VolumesClient extends Resource<'volume', Volume, VolumeFilter, 'createdAt' | 'name' | 'state' | 'status' | 'poolId' | 'movingToPoolId' | 'leftPoolId' | 'imageId' | 'snapshotId' | 'instanceId', VolumeGraph> {
  constructor(client: Client) {
    super(client, { kind: 'volume', plural: 'volumes' });
  }

  /** Makes a volume: empty or cloned from an image, in the pool given or in the emptiest that fits; or cloned from a snapshot or a volume, beside that. */
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

  /** Grows a volume, also under a machine that is on: its guest sees it at once. */
  resize(volume: Named<'volume'>, input: VolumeResize, options: ChangeOptions = {}): Pending<'volume', Volume> {
    return this.act(volume, 'resize', input, options);
  }

  /** Moves a volume to another pool: by copy, after which it is the volume. Its machine may be on; the guest goes on but for a moment. A clone is independent then. */
  move(volume: Named<'volume'>, input: VolumeMove = {}, options: ChangeOptions = {}): Pending<'volume', Volume> {
    return this.act(volume, 'move', input, options);
  }

  /** Gives an encrypted volume another key: the one of before opens it no more. Of one without snapshots that nobody uses, or whose machine is off; where its pool can, also while that is on. */
  rotateKey(volume: Named<'volume'>, options: ChangeOptions = {}): Pending<'volume', Volume> {
    return this.act(volume, 'rotate-key', {}, options);
  }

  /** Makes a clone independent of the snapshot or image that it was cloned from, by copying what it shares with that. */
  flatten(volume: Named<'volume'>, options: ChangeOptions = {}): Pending<'volume', Volume> {
    return this.act(volume, 'flatten', {}, options);
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

  /** How much of the last days a volume could be had: by the outages of the pools that it was in, while it was there, the times in which the host of its machine did not reach its pool, and those in which that did not have it. */
  getAvailability(volume: Named<'volume'>, query: { readonly days?: number } = {}, options: CallOptions = {}): Reply<{
    /** Since when that is told: the beginning of the days, or of the volume. */
    readonly since: string;
    /** Of the time since then. */
    readonly availableShare: number;
    /** What it is to be over the days, by the setting pools.availabilityTarget. */
    readonly target: number;
    /** Whether more of the days was lost than that leaves. */
    readonly isBelowTarget: boolean;
    /** In all. What several outages have in common counts once. */
    readonly outageSeconds: number;
    /** For so long it may yet be away within these days. */
    readonly budgetLeftSeconds: number;
    /** Since then, the last one last. Why a pool was away is told to who may see pools. */
    readonly outages: readonly {
      readonly from: string;
      /** Absent while it lasts. */
      readonly to?: string;
      readonly reason: string;
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path(volume, 'availability'), query }, options);
  }

  /** What its pool and the host of its machine can do for a volume: whether snapshots can be taken of it, and backups made of it while its machine is on. */
  getCapabilities(volume: Named<'volume'>, options: CallOptions = {}): Reply<{
    /** Whether snapshots of it can be taken. */
    readonly snapshots: boolean;
    readonly backups: {
      /** Whether it can be backed up at all: what is in it can be read. */
      readonly possible: boolean;
      /** Whether it can be backed up while a machine that has it runs or is suspended. Where not, that is refused with `in_use`: stop the machine first, or detach the volume. */
      readonly whileOn: boolean;
      /** Why not: `pool`, which keeps no snapshots and has nothing laid aside in it; `hypervisor`, that of its host copies no disks in use; `encrypted`, what would be laid aside would lie in the clear; `shareable`, several machines may write to it: it is detached first. */
      readonly reason?: 'pool' | 'hypervisor' | 'encrypted' | 'shareable';
    };
  }> {
    return this.value({ method: 'GET', path: this.path(volume, 'capabilities') }, options);
  }
}

/** The state machine of the kind attachment: where each state may go. */
export const attachmentStates = {
  attached: ['deleting', 'deleted'],
  deleting: ['deleted', 'trashed'],
  trashed: ['attached', 'deleting'],
  deleted: [],
} as const;
export type AttachmentState = keyof typeof attachmentStates;

export interface AttachmentFields {
  readonly id: Id<'attachment'>;
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
  readonly volumeId: Id<'volume'>;
  readonly instanceId: Id<'instance'>;
  /** Place on the machine, among all its disks. */
  readonly slot: number;
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
/** A volume of several machines, as one of them has it. Made where such a volume is attached, and gone where it is detached, or with the machine. */
export type Attachment = Lifecycle<AttachmentFields, AttachmentState>;

/** What queries see of attachments. */
export interface AttachmentGraph {
  readonly fields: AttachmentFields & { readonly state: AttachmentState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'slot';
  readonly links: {
    readonly volume: VolumeGraph;
    readonly instance: InstanceGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of attachments can filter by. */
export interface AttachmentFilter {
  readonly id: Id<'attachment'>;
  readonly name: string;
  readonly state: AttachmentState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly volumeId: Id<'volume'>;
  readonly instanceId: Id<'instance'>;
}

export class AttachmentsClient extends Resource<'attachment', Attachment, AttachmentFilter, 'createdAt' | 'name' | 'state' | 'volumeId' | 'instanceId', AttachmentGraph> {
  constructor(client: Client) {
    super(client, { kind: 'attachment', plural: 'attachments' });
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
  /** The volume that it was captured from. */
  readonly capturedFrom?: string;
  /** As found in the content. Nothing is cloned from an `iso`: it is put into the drives of machines. */
  readonly format?: 'raw' | 'qcow2' | 'iso';
  /** Of the content. */
  readonly sizeBytes?: number;
  /** Of the disk a guest sees; no volume made from it may be smaller. */
  readonly virtualSizeBytes?: number;
  /** Of the content. */
  readonly sha256?: string;
  /** Since when something else should be used. */
  readonly deprecatedAt?: string;
  /** From when on nothing new is made from it. What is made already stays. */
  readonly obsoleteAt?: string;
  /** What to use in its place: the name or id of an image, or a word about it. */
  readonly replacement?: string;
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
/** A disk that machines are cloned from, or an ISO that they read in their drive. Its content never changes. */
export type Image = Lifecycle<ImageFields, ImageState>;

/** Registers an image. Its content is uploaded to `/images/{id}/content`, or fetched from `sourceUrl`: an URL, or a `file:` URL of a file on the server, which operators may name. */
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

/** Makes an image of what a volume, a snapshot or the root disk of an instance has. Of one that runs it has what a loss of power would leave. */
export interface ImageCapture {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** The instance whose root disk is captured. */
  readonly instanceId?: Id<'instance'> | undefined;
  /** The volume that is captured as it is now. */
  readonly volumeId?: Id<'volume'> | undefined;
  /** The snapshot that is captured. */
  readonly snapshotId?: Id<'snapshot'> | undefined;
  readonly guestOs?: 'linux' | 'windows' | undefined;
  readonly firmware?: 'bios' | 'uefi' | undefined;
  readonly diskBus?: 'virtio' | 'scsi' | 'sata' | undefined;
  /** Images are not encrypted. Of a volume that is, one is made only where `false` is said: what is in there is in the clear in it. */
  readonly encrypted?: boolean | undefined;
}

/** Says that something else should be used. What is made from the image is told so, and from `obsoleteAt` on nothing new is made from it. Asked again, it says anew what holds. */
export interface ImageDeprecate {
  /** From when on nothing new is made from it. What is made already stays. */
  readonly obsoleteAt?: string | undefined;
  /** What to use in its place: the name or id of an image, or a word about it. */
  readonly replacement?: string | undefined;
}

/** Deletes an image that lies in the trash for good, with all that was deleted with it. */
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
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly volumes: VolumeGraph;
    readonly instances: InstanceGraph;
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
  readonly sha256: string;
}

export class ImagesClient extends Resource<'image', Image, ImageFilter, 'createdAt' | 'name' | 'state' | 'sha256', ImageGraph> {
  constructor(client: Client) {
    super(client, { kind: 'image', plural: 'images' });
  }

  /** Registers an image. Its content is uploaded to `/images/{id}/content`, or fetched from `sourceUrl`: an URL, or a `file:` URL of a file on the server, which operators may name. */
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

  /** Makes an image of what a volume, a snapshot or the root disk of an instance has. Of one that runs it has what a loss of power would leave. */
  capture(input: ImageCapture = {}, options: ChangeOptions = {}): Pending<'image', Image> {
    return this.actOnAll('capture', input, options);
  }

  /** Makes an image available whose content has just been uploaded; the upload does this by itself. */
  complete(image: Named<'image'>, options: ChangeOptions = {}): Pending<'image', Image> {
    return this.act(image, 'complete', {}, options);
  }

  /** Says that something else should be used. What is made from the image is told so, and from `obsoleteAt` on nothing new is made from it. Asked again, it says anew what holds. */
  deprecate(image: Named<'image'>, input: ImageDeprecate = {}, options: ChangeOptions = {}): Pending<'image', Image> {
    return this.act(image, 'deprecate', input, options);
  }

  /** Takes back that the image is deprecated. */
  reinstate(image: Named<'image'>, options: ChangeOptions = {}): Pending<'image', Image> {
    return this.act(image, 'reinstate', {}, options);
  }

  /** Brings an image back from the trash, with all that was deleted with it. */
  recover(image: Named<'image'>, options: ChangeOptions = {}): Pending<'image', Image> {
    return this.act(image, 'recover', {}, options);
  }

  /** Deletes an image that lies in the trash for good, with all that was deleted with it. */
  expunge(image: Named<'image'>, input: ImageExpunge = {}, options: ChangeOptions = {}): Pending<'image', Image> {
    return this.act(image, 'expunge', input, options);
  }

  /** Uploads the content of an image: qcow2 or raw, of a disk of whole sectors (512 bytes), or an ISO. A digest in `Repr-Digest` is verified. With it, what has come of an upload that breaks off is kept for a day (`images.partHours`), and `Content-Range: bytes 4096-8191/8192` goes on with it: from any byte that is here or the first that is not, to the end. After a failed upload the image awaits its content as before; `stateReason` tells what failed. */
  upload(image: Named<'image'>, content: Upload, options: UploadOptions = {}): Reply<Image> {
    return this.send(this.path(image, 'content'), content, options);
  }

  /** The content of an image, as it was uploaded. */
  download(image: Named<'image'>, options: DownloadOptions = {}): AsyncGenerator<Uint8Array> {
    return this.receive(this.path(image, 'content'), options);
  }

  /** How much of its content has come: all of it, or what an upload that broke off has left, and until when that is kept to be gone on with. */
  getContentReceived(image: Named<'image'>, query: { readonly sha256: string }, options: CallOptions = {}): Reply<{
    readonly receivedBytes: number;
    readonly keptUntil?: string;
  }> {
    return this.value({ method: 'GET', path: this.path(image, 'content', 'received'), query }, options);
  }
}

/** The state machine of the kind snapshot: where each state may go. */
export const snapshotStates = {
  creating: ['available', 'deleting', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type SnapshotState = keyof typeof snapshotStates;

export interface SnapshotFields {
  readonly id: Id<'snapshot'>;
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
  readonly volumeId: Id<'volume'>;
  /** Where it lies: beside its volume. */
  readonly poolId: Id<'pool'>;
  /** Of the volume at that time. It counts as a whole, whatever it shares with others. */
  readonly sizeBytes: number;
  /** The snapshot that the content of the volume went on from when this one was taken. Absent for the first. */
  readonly parentId?: string;
  /** The machine that the volume was attached to then. */
  readonly instanceId?: Id<'instance'>;
  /** Those taken of a machine at the same instant. */
  readonly groupId?: Id<'snapshotGroup'>;
  /** Kept for a purpose of the cloud, e.g. a backup: no tenant sees it, and it goes with its volume. */
  readonly system: boolean;
  /** `missing` while its pool answers and does not have it: somebody removed it behind our back. `unknown` until it was made, and for ever where that was given up. */
  readonly status: 'unknown' | 'present' | 'missing';
  readonly statusReason?: string;
}
/** A volume as it was at one point in time: its content and its size. */
export type Snapshot = Lifecycle<SnapshotFields, SnapshotState>;

/** Takes a snapshot of a volume, whether a machine uses it or not. Of one that runs it has what a loss of power would leave. */
export interface SnapshotCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly volumeId: Id<'volume'>;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the snapshot. */
export interface SnapshotUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** What queries see of snapshots. */
export interface SnapshotGraph {
  readonly fields: SnapshotFields & { readonly state: SnapshotState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'sizeBytes';
  readonly links: {
    readonly volume: VolumeGraph;
    readonly pool: PoolGraph;
    readonly instance: InstanceGraph;
    readonly group: SnapshotGroupGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly volumes: VolumeGraph;
    readonly volumeBackups: BackupGraph;
  };
}

/** What lists of snapshots can filter by. */
export interface SnapshotFilter {
  readonly id: Id<'snapshot'>;
  readonly name: string;
  readonly state: SnapshotState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly status: 'unknown' | 'present' | 'missing';
  readonly parentId: string;
  readonly sizeBytes: number;
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly instanceId: Id<'instance'>;
  readonly groupId: Id<'snapshotGroup'>;
}

export class SnapshotsClient extends Resource<'snapshot', Snapshot, SnapshotFilter, 'createdAt' | 'name' | 'state' | 'status' | 'parentId' | 'sizeBytes' | 'volumeId' | 'poolId' | 'instanceId' | 'groupId', SnapshotGraph> {
  constructor(client: Client) {
    super(client, { kind: 'snapshot', plural: 'snapshots' });
  }

  /** Takes a snapshot of a volume, whether a machine uses it or not. Of one that runs it has what a loss of power would leave. */
  create(input: SnapshotCreate, options: ChangeOptions = {}): Pending<'snapshot', Snapshot> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the snapshot. */
  update(snapshot: Named<'snapshot'>, input: SnapshotUpdate = {}, options: ChangeOptions = {}): Pending<'snapshot', Snapshot> {
    return this.updateAny(snapshot, input, options);
  }

  /** Deletes the snapshot and everything it owns. */
  delete(snapshot: Named<'snapshot'>, options: DeleteOptions = {}): Pending<'snapshot', undefined> {
    return this.deleteAny(snapshot, options);
  }

  /** Gives the volume the content and the size that it had. What was written since is lost; all snapshots stay. */
  revert(snapshot: Named<'snapshot'>, options: ChangeOptions = {}): Pending<'snapshot', Snapshot> {
    return this.act(snapshot, 'revert', {}, options);
  }
}

/** The state machine of the kind snapshotGroup: where each state may go. */
export const snapshotGroupStates = {
  creating: ['available', 'deleting', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type SnapshotGroupState = keyof typeof snapshotGroupStates;

export interface SnapshotGroupFields {
  readonly id: Id<'snapshotGroup'>;
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
  /** The machine they were taken of. */
  readonly instanceId?: Id<'instance'>;
  /** `filesystem`: the guest had written everything out. `crash`: as after a loss of power, all disks at the same instant; also of a machine that was off, whose guest may have been stopped by force. */
  readonly consistency?: 'filesystem' | 'crash';
}
/** All disks of a machine at one instant: a snapshot of each. */
export type SnapshotGroup = Lifecycle<SnapshotGroupFields, SnapshotGroupState>;

/** Changes name, description of the snapshotGroup. */
export interface SnapshotGroupUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** What queries see of snapshot-groups. */
export interface SnapshotGroupGraph {
  readonly fields: SnapshotGroupFields & { readonly state: SnapshotGroupState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly instance: InstanceGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly snapshots: SnapshotGraph;
  };
}

/** What lists of snapshot-groups can filter by. */
export interface SnapshotGroupFilter {
  readonly id: Id<'snapshotGroup'>;
  readonly name: string;
  readonly state: SnapshotGroupState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly instanceId: Id<'instance'>;
}

export class SnapshotGroupsClient extends Resource<'snapshotGroup', SnapshotGroup, SnapshotGroupFilter, 'createdAt' | 'name' | 'state' | 'instanceId', SnapshotGroupGraph> {
  constructor(client: Client) {
    super(client, { kind: 'snapshotGroup', plural: 'snapshot-groups' });
  }

  /** Changes name, description of the snapshotGroup. */
  update(snapshotGroup: Named<'snapshotGroup'>, input: SnapshotGroupUpdate = {}, options: ChangeOptions = {}): Pending<'snapshotGroup', SnapshotGroup> {
    return this.updateAny(snapshotGroup, input, options);
  }

  /** Deletes the snapshotGroup and everything it owns. */
  delete(snapshotGroup: Named<'snapshotGroup'>, options: DeleteOptions = {}): Pending<'snapshotGroup', undefined> {
    return this.deleteAny(snapshotGroup, options);
  }

  /** Gives all disks that it has snapshots of the content and the size that they had. The machine must be off. */
  revert(snapshotGroup: Named<'snapshotGroup'>, options: ChangeOptions = {}): Pending<'snapshotGroup', SnapshotGroup> {
    return this.act(snapshotGroup, 'revert', {}, options);
  }
}

/** The state machine of the kind backupStore: where each state may go. */
export const backupStoreStates = {
  creating: ['available', 'deleted'],
  available: ['disabled', 'deleting'],
  disabled: ['available', 'deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type BackupStoreState = keyof typeof backupStoreStates;

export interface BackupStoreFields {
  readonly id: Id<'backupStore'>;
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
  /** Name of the strategy, e.g. `directory`. */
  readonly driver: string;
  /** What the driver asks for, e.g. `path`. */
  readonly settings: { readonly [key: string]: string };
  /** Reference to a sealed value. */
  readonly secrets?: string;
  /** Reference to a sealed value. */
  readonly key?: string;
}
/** A place outside of all pools that keeps backups, encrypted with a key that only this cloud has. */
export type BackupStore = Lifecycle<BackupStoreFields, BackupStoreState>;

/** Registers a place that keeps backups. The driver says which settings it needs. */
export interface BackupStoreCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Name of the strategy. Default: the first one installed. */
  readonly driver?: string | undefined;
  /** What the driver asks for, e.g. `path`. */
  readonly settings?: { readonly [key: string]: string } | undefined;
  /** What the driver asks for and marks as secret, e.g. `key`. */
  readonly secrets?: { readonly [key: string]: string } | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the backupStore. */
export interface BackupStoreUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** Gives the store other secrets, and other settings that say who asks. They are tried first; what is under way goes on with those of before. */
export interface BackupStoreChangeCredentials {
  /** What the driver asks for, e.g. `path`. */
  readonly settings?: { readonly [key: string]: string } | undefined;
  /** What the driver asks for and marks as secret, e.g. `key`. */
  readonly secrets?: { readonly [key: string]: string } | undefined;
}

/** What queries see of backup-stores. */
export interface BackupStoreGraph {
  readonly fields: Omit<BackupStoreFields & { readonly state: BackupStoreState; readonly deletedAt?: string }, 'secrets' | 'key'>;
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly backupPlans: BackupPlanGraph;
    readonly volumeBackups: BackupGraph;
  };
}

/** What lists of backup-stores can filter by. */
export interface BackupStoreFilter {
  readonly id: Id<'backupStore'>;
  readonly name: string;
  readonly state: BackupStoreState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
}

export class BackupStoresClient extends Resource<'backupStore', BackupStore, BackupStoreFilter, 'createdAt' | 'name' | 'state', BackupStoreGraph> {
  constructor(client: Client) {
    super(client, { kind: 'backupStore', plural: 'backup-stores' });
  }

  /** Registers a place that keeps backups. The driver says which settings it needs. */
  create(input: BackupStoreCreate = {}, options: ChangeOptions = {}): Pending<'backupStore', BackupStore> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the backupStore. */
  update(backupStore: Named<'backupStore'>, input: BackupStoreUpdate = {}, options: ChangeOptions = {}): Pending<'backupStore', BackupStore> {
    return this.updateAny(backupStore, input, options);
  }

  /** Deletes the backupStore and everything it owns. */
  delete(backupStore: Named<'backupStore'>, options: DeleteOptions = {}): Pending<'backupStore', undefined> {
    return this.deleteAny(backupStore, options);
  }

  /** Gives the store other secrets, and other settings that say who asks. They are tried first; what is under way goes on with those of before. */
  changeCredentials(backupStore: Named<'backupStore'>, input: BackupStoreChangeCredentials = {}, options: ChangeOptions = {}): Pending<'backupStore', BackupStore> {
    return this.act(backupStore, 'change-credentials', input, options);
  }

  /** Lets new backups into the store again. */
  enable(backupStore: Named<'backupStore'>, options: ChangeOptions = {}): Pending<'backupStore', BackupStore> {
    return this.act(backupStore, 'enable', {}, options);
  }

  /** Lets no new backups into the store. What is there can be restored. */
  disable(backupStore: Named<'backupStore'>, options: ChangeOptions = {}): Pending<'backupStore', BackupStore> {
    return this.act(backupStore, 'disable', {}, options);
  }
}

/** The state machine of the kind backupPlan: where each state may go. */
export const backupPlanStates = {
  available: ['disabled', 'deleting', 'deleted'],
  disabled: ['available', 'deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type BackupPlanState = keyof typeof backupPlanStates;

export interface BackupPlanFields {
  readonly id: Id<'backupPlan'>;
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
  /** It backs up this volume; */
  readonly volumeId?: Id<'volume'>;
  /** or all volumes of this machine; */
  readonly instanceId?: Id<'instance'>;
  /** or all volumes with this tag: `key` or `key=value`; with `atOneInstant` all machines with it. */
  readonly tag?: string;
  /** It makes sets: all disks of a machine as they are at one instant. Then `keepCount` is of sets of each machine. */
  readonly atOneInstant?: boolean;
  readonly storeId: Id<'backupStore'>;
  /** Minute, hour, day of the month, month and day of the week, as cron has them, e.g. `30 2 * * *`; or `@hourly`, `@daily`, `@weekly`, `@monthly`. */
  readonly schedule: string;
  /** What the schedule is in, e.g. `Europe/Berlin`. */
  readonly timeZone: string;
  /** So many of each volume are kept at most: the newest. Default: all. */
  readonly keepCount?: number;
  /** Older ones go, but never the last one that is left of a volume. Default: none. */
  readonly keepDays?: number;
  /** Each backup is restored for a test as soon as it is made. */
  readonly verify: boolean;
  /** When it begins next. */
  readonly nextRunAt?: string;
  /** When it has begun last. */
  readonly lastRunAt?: string;
  /** Why the last time it has not asked for all backups, e.g. since the one before is still being copied. */
  readonly lastRefusal?: string;
  /** All that it backs up can be brought back as it was then, or later. Absent while that is not so for some of it. */
  readonly recoveryPointAt?: string;
  /** What it took in the last tests to restore the volume that took longest. */
  readonly recoverySeconds?: number;
}
/** Backs up volumes, or whole machines, again and again, and keeps some of what it has made. */
export type BackupPlan = Lifecycle<BackupPlanFields, BackupPlanState>;

/** Makes a plan, which backs up a volume, a machine or what has a tag whenever its schedule says. */
export interface BackupPlanCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** It backs up this volume; */
  readonly volumeId?: Id<'volume'> | undefined;
  /** or all volumes of this machine; */
  readonly instanceId?: Id<'instance'> | undefined;
  /** or all volumes with this tag: `key` or `key=value`; with `atOneInstant` all machines with it. */
  readonly tag?: string | undefined;
  /** It makes sets: all disks of a machine as they are at one instant. Then `keepCount` is of sets of each machine. */
  readonly atOneInstant?: boolean | undefined;
  /** Default: the first store that was registered and takes backups. */
  readonly storeId?: Id<'backupStore'> | undefined;
  /** Minute, hour, day of the month, month and day of the week, as cron has them, e.g. `30 2 * * *`; or `@hourly`, `@daily`, `@weekly`, `@monthly`. */
  readonly schedule: string;
  /** What the schedule is in, e.g. `Europe/Berlin`. Default: 'UTC'. */
  readonly timeZone?: string | undefined;
  /** So many of each volume are kept at most: the newest. Default: all. */
  readonly keepCount?: number | undefined;
  /** Older ones go, but never the last one that is left of a volume. Default: none. */
  readonly keepDays?: number | undefined;
  /** Restore each backup for a test as soon as it is made. Default: false. */
  readonly verify?: boolean | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes when it runs, and what is kept of what it makes. */
export interface BackupPlanUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  /** Minute, hour, day of the month, month and day of the week, as cron has them, e.g. `30 2 * * *`; or `@hourly`, `@daily`, `@weekly`, `@monthly`. */
  readonly schedule?: string | undefined;
  /** What the schedule is in, e.g. `Europe/Berlin`. */
  readonly timeZone?: string | undefined;
  readonly keepCount?: number | null | undefined;
  readonly keepDays?: number | null | undefined;
  /** Each backup is restored for a test as soon as it is made. */
  readonly verify?: boolean | undefined;
}

/** What queries see of backup-plans. */
export interface BackupPlanGraph {
  readonly fields: BackupPlanFields & { readonly state: BackupPlanState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'keepCount' | 'keepDays' | 'recoverySeconds';
  readonly links: {
    readonly volume: VolumeGraph;
    readonly instance: InstanceGraph;
    readonly store: BackupStoreGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly backupSets: BackupSetGraph;
    readonly volumeBackups: BackupGraph;
  };
}

/** What lists of backup-plans can filter by. */
export interface BackupPlanFilter {
  readonly id: Id<'backupPlan'>;
  readonly name: string;
  readonly state: BackupPlanState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly nextRunAt: string;
  readonly volumeId: Id<'volume'>;
  readonly instanceId: Id<'instance'>;
  readonly storeId: Id<'backupStore'>;
}

export class BackupPlansClient extends Resource<'backupPlan', BackupPlan, BackupPlanFilter, 'createdAt' | 'name' | 'state' | 'nextRunAt' | 'volumeId' | 'instanceId' | 'storeId', BackupPlanGraph> {
  constructor(client: Client) {
    super(client, { kind: 'backupPlan', plural: 'backup-plans' });
  }

  /** Makes a plan, which backs up a volume, a machine or what has a tag whenever its schedule says. */
  create(input: BackupPlanCreate, options: ChangeOptions = {}): Pending<'backupPlan', BackupPlan> {
    return this.createAny(input, options);
  }

  /** Changes when it runs, and what is kept of what it makes. */
  update(backupPlan: Named<'backupPlan'>, input: BackupPlanUpdate = {}, options: ChangeOptions = {}): Pending<'backupPlan', BackupPlan> {
    return this.updateAny(backupPlan, input, options);
  }

  /** Deletes the backupPlan and everything it owns. */
  delete(backupPlan: Named<'backupPlan'>, options: DeleteOptions = {}): Pending<'backupPlan', undefined> {
    return this.deleteAny(backupPlan, options);
  }

  /** Lets it run again, from the next time of its schedule on. */
  enable(backupPlan: Named<'backupPlan'>, options: ChangeOptions = {}): Pending<'backupPlan', BackupPlan> {
    return this.act(backupPlan, 'enable', {}, options);
  }

  /** Makes no more backups. What it has made stays as long as it says. */
  disable(backupPlan: Named<'backupPlan'>, options: ChangeOptions = {}): Pending<'backupPlan', BackupPlan> {
    return this.act(backupPlan, 'disable', {}, options);
  }

  /** Has it run within a minute, beside its schedule. */
  run(backupPlan: Named<'backupPlan'>, options: ChangeOptions = {}): Pending<'backupPlan', BackupPlan> {
    return this.act(backupPlan, 'run', {}, options);
  }
}

/** The state machine of the kind backupSet: where each state may go. */
export const backupSetStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type BackupSetState = keyof typeof backupSetStates;

export interface BackupSetFields {
  readonly id: Id<'backupSet'>;
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
  /** The machine; absent until it is made, and when that was deleted. */
  readonly instanceId?: Id<'instance'>;
  /** As the machine was called. */
  readonly instanceName: string;
  /** The plan that has made it, and removes it in its time. */
  readonly planId?: Id<'backupPlan'>;
  /** The instant. */
  readonly takenAt?: string;
  /** `filesystem`: the guest had written everything out. `crash`: as after a loss of power, all disks at the same instant; also of a machine that was off, whose guest may have been stopped by force. */
  readonly consistency?: 'filesystem' | 'crash';
}
/** All disks of a machine as they were at one instant: a backup of each. It goes, and is restored, as a whole. */
export type BackupSet = Lifecycle<BackupSetFields, BackupSetState>;

/** Backs up all disks of a machine as they are at one instant, by snapshots that go when it is made. The machine stands still for these alone, not while they are copied. */
export interface BackupSetCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** The machine. */
  readonly instanceId: Id<'instance'>;
  /** Default: the first store that was registered and takes backups. */
  readonly storeId?: Id<'backupStore'> | undefined;
  /** The plan that it is counted with. */
  readonly planId?: Id<'backupPlan'> | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the backupSet. */
export interface BackupSetUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** Makes a new volume of each backup in it: all disks of the machine as they were at that instant. The machine stays as it is. */
export interface BackupSetRestore {
  /** Of the new volumes, each with the place of its disk behind it: `db-0`, `db-1`. */
  readonly name?: string | undefined;
  readonly poolId?: Id<'pool'> | undefined;
  readonly storageClass?: string | undefined;
  /** A host that must reach the new volume. */
  readonly hostId?: Id<'host'> | undefined;
  /** Whether it is encrypted, with a key of its own. Default: as the volume was, or as the class demands that is named, or that of the pool. */
  readonly encrypted?: boolean | undefined;
}

/** What queries see of backup-sets. */
export interface BackupSetGraph {
  readonly fields: BackupSetFields & { readonly state: BackupSetState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly instance: InstanceGraph;
    readonly plan: BackupPlanGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly volumeBackups: BackupGraph;
  };
}

/** What lists of backup-sets can filter by. */
export interface BackupSetFilter {
  readonly id: Id<'backupSet'>;
  readonly name: string;
  readonly state: BackupSetState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly takenAt: string;
  readonly instanceId: Id<'instance'>;
  readonly planId: Id<'backupPlan'>;
}

export class BackupSetsClient extends Resource<'backupSet', BackupSet, BackupSetFilter, 'createdAt' | 'name' | 'state' | 'takenAt' | 'instanceId' | 'planId', BackupSetGraph> {
  constructor(client: Client) {
    super(client, { kind: 'backupSet', plural: 'backup-sets' });
  }

  /** Backs up all disks of a machine as they are at one instant, by snapshots that go when it is made. The machine stands still for these alone, not while they are copied. */
  create(input: BackupSetCreate, options: ChangeOptions = {}): Pending<'backupSet', BackupSet> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the backupSet. */
  update(backupSet: Named<'backupSet'>, input: BackupSetUpdate = {}, options: ChangeOptions = {}): Pending<'backupSet', BackupSet> {
    return this.updateAny(backupSet, input, options);
  }

  /** Deletes the backupSet and everything it owns. */
  delete(backupSet: Named<'backupSet'>, options: DeleteOptions = {}): Pending<'backupSet', undefined> {
    return this.deleteAny(backupSet, options);
  }

  /** Makes a new volume of each backup in it: all disks of the machine as they were at that instant. The machine stays as it is. */
  restore(backupSet: Named<'backupSet'>, input: BackupSetRestore = {}, options: ChangeOptions = {}): Pending<'backupSet', BackupSet> {
    return this.act(backupSet, 'restore', input, options);
  }
}

/** The state machine of the kind backup: where each state may go. */
export const backupStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type BackupState = keyof typeof backupStates;

export interface BackupFields {
  readonly id: Id<'backup'>;
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
  /** What it is of; absent when that was deleted. */
  readonly volumeId?: Id<'volume'>;
  /** As the volume was called. */
  readonly volumeName: string;
  readonly storeId: Id<'backupStore'>;
  /** The plan that has made it, and removes it in its time. */
  readonly planId?: Id<'backupPlan'>;
  /** Those of all disks of a machine at the same instant. */
  readonly setId?: Id<'backupSet'>;
  /** Of one in a set: the place of its disk on the machine; 0 is the root disk. */
  readonly slot?: number;
  /** The same beside the volume, until the next backup is made: from there it is restored at once. */
  readonly snapshotId?: Id<'snapshot'>;
  /** Its volume was encrypted: what is restored of it is, too, unless that is asked otherwise. */
  readonly encrypted?: boolean;
  /** Of the volume. This counts for the quota, however little of it is kept anew. */
  readonly sizeBytes: number;
  /** The point in time. */
  readonly takenAt?: string;
  /** What was read of the volume to make it. */
  readonly readBytes?: number;
  /** What the store did not have yet; without what a try had put that was interrupted. */
  readonly newBytes?: number;
  /** When it was last read back in full. */
  readonly checkedAt?: string;
  /** What that showed. A damaged one cannot be restored whole. */
  readonly condition?: 'sound' | 'damaged';
  /** What it took to restore it for a test: the time that a recovery would take. */
  readonly restoreSeconds?: number;
  /** What is missing or changed. */
  readonly damage?: string;
}
/** What was in a volume at one point in time, kept outside of its pool. It is whole by itself, and outlives the volume. */
export type Backup = Lifecycle<BackupFields, BackupState>;

/** Keeps what is in a volume now, or in a snapshot of one, outside of its pool. The volume may be in use meanwhile where its pool keeps snapshots, or is a folder of a host whose hypervisor copies disks in use; elsewhere its machine must be off. */
export interface BackupCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** What is in this volume now; */
  readonly volumeId?: Id<'volume'> | undefined;
  /** or what this snapshot has. It can be deleted as soon as the backup is made. */
  readonly snapshotId?: Id<'snapshot'> | undefined;
  /** Default: the first store that was registered and takes backups. */
  readonly storeId?: Id<'backupStore'> | undefined;
  /** The plan that it is counted with. */
  readonly planId?: Id<'backupPlan'> | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the backup. */
export interface BackupUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** Makes a new volume with what the backup has. The volume it was made of stays as it is. */
export interface BackupRestore {
  /** Of the new volume. */
  readonly name?: string | undefined;
  readonly poolId?: Id<'pool'> | undefined;
  readonly storageClass?: string | undefined;
  /** A host that must reach the new volume. */
  readonly hostId?: Id<'host'> | undefined;
  /** Whether it is encrypted, with a key of its own. Default: as the volume was, or as the class demands that is named, or that of the pool. */
  readonly encrypted?: boolean | undefined;
}

/** Reads all of a backup and shows in what condition it is. With `restore` also into a volume, which is compared and removed. */
export interface BackupVerify {
  /** Restores it for a test, which shows how long that takes. It needs room in a pool and the quota for a volume. */
  readonly restore?: boolean | undefined;
}

/** What queries see of volume-backups. */
export interface BackupGraph {
  readonly fields: BackupFields & { readonly state: BackupState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'slot' | 'sizeBytes' | 'readBytes' | 'newBytes' | 'restoreSeconds';
  readonly links: {
    readonly volume: VolumeGraph;
    readonly store: BackupStoreGraph;
    readonly plan: BackupPlanGraph;
    readonly set: BackupSetGraph;
    readonly snapshot: SnapshotGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of volume-backups can filter by. */
export interface BackupFilter {
  readonly id: Id<'backup'>;
  readonly name: string;
  readonly state: BackupState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly takenAt: string;
  readonly condition: 'sound' | 'damaged';
  readonly volumeId: Id<'volume'>;
  readonly storeId: Id<'backupStore'>;
  readonly planId: Id<'backupPlan'>;
  readonly setId: Id<'backupSet'>;
  readonly snapshotId: Id<'snapshot'>;
}

export class VolumeBackupsClient extends Resource<'backup', Backup, BackupFilter, 'createdAt' | 'name' | 'state' | 'takenAt' | 'condition' | 'volumeId' | 'storeId' | 'planId' | 'setId' | 'snapshotId', BackupGraph> {
  constructor(client: Client) {
    super(client, { kind: 'backup', plural: 'volume-backups' });
  }

  /** Keeps what is in a volume now, or in a snapshot of one, outside of its pool. The volume may be in use meanwhile where its pool keeps snapshots, or is a folder of a host whose hypervisor copies disks in use; elsewhere its machine must be off. */
  create(input: BackupCreate = {}, options: ChangeOptions = {}): Pending<'backup', Backup> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the backup. */
  update(backup: Named<'backup'>, input: BackupUpdate = {}, options: ChangeOptions = {}): Pending<'backup', Backup> {
    return this.updateAny(backup, input, options);
  }

  /** Deletes the backup and everything it owns. */
  delete(backup: Named<'backup'>, options: DeleteOptions = {}): Pending<'backup', undefined> {
    return this.deleteAny(backup, options);
  }

  /** Makes a new volume with what the backup has. The volume it was made of stays as it is. */
  restore(backup: Named<'backup'>, input: BackupRestore = {}, options: ChangeOptions = {}): Pending<'backup', Backup> {
    return this.act(backup, 'restore', input, options);
  }

  /** Reads all of a backup and shows in what condition it is. With `restore` also into a volume, which is compared and removed. */
  verify(backup: Named<'backup'>, input: BackupVerify = {}, options: ChangeOptions = {}): Pending<'backup', Backup> {
    return this.act(backup, 'verify', input, options);
  }
}

/** The state machine of the kind fabric: where each state may go. */
export const fabricStates = {
  ready: ['lost'],
  lost: ['ready'],
  deleted: [],
} as const;
export type FabricState = keyof typeof fabricStates;

export interface FabricFields {
  readonly id: Id<'fabric'>;
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
  readonly driver: string;
  /** Left in the fabric when it was first used, or built anew. */
  readonly life: string;
  /** Why changes do not come through: what hosts share does not answer, or does not follow. Absent where it does. */
  readonly trouble?: string;
  /** Left there from time to time; it only grows. */
  readonly serial: number;
}
/** What a network driver programs, as the cloud last knew it. One that comes back empty or from yesterday is `lost`: nothing is changed there until an operator has it built anew. */
export type Fabric = Lifecycle<FabricFields, FabricState>;

/** What queries see of fabrics. */
export interface FabricGraph {
  readonly fields: FabricFields & { readonly state: FabricState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'serial';
  readonly links: {
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of fabrics can filter by. */
export interface FabricFilter {
  readonly id: Id<'fabric'>;
  readonly name: string;
  readonly state: FabricState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
}

export class FabricsClient extends Resource<'fabric', Fabric, FabricFilter, 'createdAt' | 'name' | 'state', FabricGraph> {
  constructor(client: Client) {
    super(client, { kind: 'fabric', plural: 'fabrics' });
  }

  /** Takes a fabric that is lost into use as it is now: with the next look all that belongs there is made anew, and what does not is removed or quarantined. */
  rebuild(fabric: Named<'fabric'>, options: ChangeOptions = {}): Pending<'fabric', Fabric> {
    return this.act(fabric, 'rebuild', {}, options);
  }
}

/** The state machine of the kind physicalNetwork: where each state may go. */
export const physicalNetworkStates = {
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type PhysicalNetworkState = keyof typeof physicalNetworkStates;

export interface PhysicalNetworkFields {
  readonly id: Id<'physicalNetwork'>;
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
  /** Whose hosts are connected: machines elsewhere cannot use it. */
  readonly clusterId: Id<'cluster'>;
  /** What its hosts call it, e.g. `physnet1`. */
  readonly label: string;
  readonly role: 'tenant' | 'storage' | 'management' | 'external';
  /** Of one of the role `storage` or `management`: where its hosts have addresses on it, by which their links to it are found. Default: by its label. */
  readonly cidr?: string;
  readonly mtuBytes: number;
  /** VLANs that networks may use; none: untagged alone. */
  readonly firstVlanId?: number;
  readonly lastVlanId?: number;
  /** In what frames travel from host to host. Absent: as they are, on the wire. */
  readonly encapsulation?: 'vxlan' | 'geneve';
  /** Keys that networks may use, with an encapsulation. */
  readonly firstTunnelKey?: number;
  readonly lastTunnelKey?: number;
}
/** Switches and cables that hosts are connected to. Its role says what may be on it: machines never reach those of storage and management. */
export type PhysicalNetwork = Lifecycle<PhysicalNetworkFields, PhysicalNetworkState>;

/** Tells of a physical network that the hosts of a cluster are connected to. */
export interface PhysicalNetworkCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Whose hosts are connected: machines elsewhere cannot use it. */
  readonly clusterId: Id<'cluster'>;
  /** What its hosts call it, e.g. `physnet1`. */
  readonly label: string;
  readonly role: 'tenant' | 'storage' | 'management' | 'external';
  /** Of one of the role `storage` or `management`: where its hosts have addresses on it, by which their links to it are found. Default: by its label. */
  readonly cidr?: string | undefined;
  /** Default: 1500, or 1450 with an encapsulation. */
  readonly mtuBytes?: number | undefined;
  /** VLANs that networks may use; none: untagged alone. */
  readonly firstVlanId?: number | undefined;
  readonly lastVlanId?: number | undefined;
  /** In what frames travel from host to host. Absent: as they are, on the wire. */
  readonly encapsulation?: 'vxlan' | 'geneve' | undefined;
  /** Default, with an encapsulation: 1. */
  readonly firstTunnelKey?: number | undefined;
  /** Default, with an encapsulation: 16777215. */
  readonly lastTunnelKey?: number | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description, cidr of the physicalNetwork. */
export interface PhysicalNetworkUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  readonly cidr?: string | null | undefined;
}

/** What queries see of physical-networks. */
export interface PhysicalNetworkGraph {
  readonly fields: PhysicalNetworkFields & { readonly state: PhysicalNetworkState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'mtuBytes' | 'firstVlanId' | 'lastVlanId' | 'firstTunnelKey' | 'lastTunnelKey';
  readonly links: {
    readonly cluster: ClusterGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly networks: NetworkGraph;
  };
}

/** What lists of physical-networks can filter by. */
export interface PhysicalNetworkFilter {
  readonly id: Id<'physicalNetwork'>;
  readonly name: string;
  readonly state: PhysicalNetworkState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly clusterId: Id<'cluster'>;
}

export class PhysicalNetworksClient extends Resource<'physicalNetwork', PhysicalNetwork, PhysicalNetworkFilter, 'createdAt' | 'name' | 'state' | 'clusterId', PhysicalNetworkGraph> {
  constructor(client: Client) {
    super(client, { kind: 'physicalNetwork', plural: 'physical-networks' });
  }

  /** Tells of a physical network that the hosts of a cluster are connected to. */
  create(input: PhysicalNetworkCreate, options: ChangeOptions = {}): Pending<'physicalNetwork', PhysicalNetwork> {
    return this.createAny(input, options);
  }

  /** Changes name, description, cidr of the physicalNetwork. */
  update(physicalNetwork: Named<'physicalNetwork'>, input: PhysicalNetworkUpdate = {}, options: ChangeOptions = {}): Pending<'physicalNetwork', PhysicalNetwork> {
    return this.updateAny(physicalNetwork, input, options);
  }

  /** Deletes the physicalNetwork and everything it owns. */
  delete(physicalNetwork: Named<'physicalNetwork'>, options: DeleteOptions = {}): Pending<'physicalNetwork', undefined> {
    return this.deleteAny(physicalNetwork, options);
  }
}

/** The state machine of the kind vpc: where each state may go. */
export const vpcStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type VpcState = keyof typeof vpcStates;

export interface VpcFields {
  readonly id: Id<'vpc'>;
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
  /** Name of the network strategy, e.g. `ovn`. */
  readonly driver: string;
  readonly scope: 'host' | 'cluster' | 'zone';
  /** DNS domain in which its machines have names. */
  readonly domain: string;
  /** Of NICs that name none: all from its members, everything out. */
  readonly defaultSecurityGroupId: Id<'securityGroup'>;
}
/** An address space of a project with a router of its own that runs on every host. Two of them may use the same addresses. */
export type Vpc = Lifecycle<VpcFields, VpcState>;

/** Makes a VPC: its networks come after it. */
export interface VpcCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Network strategy. Default: the first one installed that makes VPCs. */
  readonly driver?: string | undefined;
  /** DNS domain in which its machines have names. Default: its name and `.internal`. */
  readonly domain?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the vpc. */
export interface VpcUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** What queries see of vpcs. */
export interface VpcGraph {
  readonly fields: VpcFields & { readonly state: VpcState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly routes: RouteGraph;
    readonly peerings: PeeringGraph;
    readonly networks: NetworkGraph;
    readonly securityGroups: SecurityGroupGraph;
    readonly dnsRecords: DnsRecordGraph;
    readonly natGateways: NatGatewayGraph;
    readonly loadBalancers: LoadBalancerGraph;
  };
}

/** What lists of vpcs can filter by. */
export interface VpcFilter {
  readonly id: Id<'vpc'>;
  readonly name: string;
  readonly state: VpcState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
}

export class VpcsClient extends Resource<'vpc', Vpc, VpcFilter, 'createdAt' | 'name' | 'state', VpcGraph> {
  constructor(client: Client) {
    super(client, { kind: 'vpc', plural: 'vpcs' });
  }

  /** Makes a VPC: its networks come after it. */
  create(input: VpcCreate = {}, options: ChangeOptions = {}): Pending<'vpc', Vpc> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the vpc. */
  update(vpc: Named<'vpc'>, input: VpcUpdate = {}, options: ChangeOptions = {}): Pending<'vpc', Vpc> {
    return this.updateAny(vpc, input, options);
  }

  /** Deletes the vpc and everything it owns. */
  delete(vpc: Named<'vpc'>, options: DeleteOptions = {}): Pending<'vpc', undefined> {
    return this.deleteAny(vpc, options);
  }
}

/** The state machine of the kind route: where each state may go. */
export const routeStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type RouteState = keyof typeof routeStates;

export interface RouteFields {
  readonly id: Id<'route'>;
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
  readonly vpcId: Id<'vpc'>;
  /** Network in canonical form. */
  readonly destination: string;
  /** An address in one of the subnets. Without one packets are dropped. */
  readonly nextHop?: string;
}
/** Where the router of a VPC sends packets for a destination beyond its subnets. */
export type Route = Lifecycle<RouteFields, RouteState>;

/** Sends packets for a destination beyond the VPC to one of its addresses, or drops them. */
export interface RouteCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly vpcId: Id<'vpc'>;
  /** Network in canonical form. */
  readonly destination: string;
  /** An address in one of the subnets. Without one packets are dropped. */
  readonly nextHop?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** What queries see of routes. */
export interface RouteGraph {
  readonly fields: RouteFields & { readonly state: RouteState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly vpc: VpcGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of routes can filter by. */
export interface RouteFilter {
  readonly id: Id<'route'>;
  readonly name: string;
  readonly state: RouteState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly vpcId: Id<'vpc'>;
}

export class RoutesClient extends Resource<'route', Route, RouteFilter, 'createdAt' | 'name' | 'state' | 'vpcId', RouteGraph> {
  constructor(client: Client) {
    super(client, { kind: 'route', plural: 'routes' });
  }

  /** Sends packets for a destination beyond the VPC to one of its addresses, or drops them. */
  create(input: RouteCreate, options: ChangeOptions = {}): Pending<'route', Route> {
    return this.createAny(input, options);
  }

  /** Deletes the route and everything it owns. */
  delete(route: Named<'route'>, options: DeleteOptions = {}): Pending<'route', undefined> {
    return this.deleteAny(route, options);
  }
}

/** The state machine of the kind peering: where each state may go. */
export const peeringStates = {
  creating: ['pending', 'active', 'deleted'],
  pending: ['active', 'deleting'],
  active: ['pending', 'deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type PeeringState = keyof typeof peeringStates;

export interface PeeringFields {
  readonly id: Id<'peering'>;
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
  readonly vpcId: Id<'vpc'>;
  /** Of any project. */
  readonly peerVpcId: Id<'vpc'>;
  /** Machines of each VPC find the names of the other, if both sides say so. Default: false. */
  readonly sharesNames?: boolean;
}
/** One side of a link between two VPCs. It is active while the owner of the other VPC keeps one that names this VPC: both consent. */
export type Peering = Lifecycle<PeeringFields, PeeringState>;

/** Agrees to a link with another VPC. It is there once the owner of the other VPC agrees, too, by a peering that names this one. */
export interface PeeringCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly vpcId: Id<'vpc'>;
  /** Of any project. */
  readonly peerVpcId: Id<'vpc'>;
  /** Machines of each VPC find the names of the other, if both sides say so. Default: false. */
  readonly sharesNames?: boolean | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, sharesNames of the peering. */
export interface PeeringUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly sharesNames?: boolean | null | undefined;
}

/** What queries see of peerings. */
export interface PeeringGraph {
  readonly fields: PeeringFields & { readonly state: PeeringState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly vpc: VpcGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of peerings can filter by. */
export interface PeeringFilter {
  readonly id: Id<'peering'>;
  readonly name: string;
  readonly state: PeeringState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly peerVpcId: Id<'vpc'>;
  readonly vpcId: Id<'vpc'>;
}

export class PeeringsClient extends Resource<'peering', Peering, PeeringFilter, 'createdAt' | 'name' | 'state' | 'peerVpcId' | 'vpcId', PeeringGraph> {
  constructor(client: Client) {
    super(client, { kind: 'peering', plural: 'peerings' });
  }

  /** Agrees to a link with another VPC. It is there once the owner of the other VPC agrees, too, by a peering that names this one. */
  create(input: PeeringCreate, options: ChangeOptions = {}): Pending<'peering', Peering> {
    return this.createAny(input, options);
  }

  /** Changes name, sharesNames of the peering. */
  update(peering: Named<'peering'>, input: PeeringUpdate = {}, options: ChangeOptions = {}): Pending<'peering', Peering> {
    return this.updateAny(peering, input, options);
  }

  /** Deletes the peering and everything it owns. */
  delete(peering: Named<'peering'>, options: DeleteOptions = {}): Pending<'peering', undefined> {
    return this.deleteAny(peering, options);
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
  /** `nat` reaches out through the host, `isolated` does not, `routed` is part of a VPC, `provider` is a segment of a physical network. */
  readonly mode: 'nat' | 'isolated' | 'routed' | 'provider';
  /** Of a routed network. */
  readonly vpcId?: Id<'vpc'>;
  /** Of a provider network. */
  readonly physicalNetworkId?: Id<'physicalNetwork'>;
  /** Of a provider network; 0 is untagged. */
  readonly vlanId?: number;
  /** Of a provider network in tunnels between hosts; no other network has it. */
  readonly tunnelKey?: number;
  /** Told to guests. */
  readonly mtuBytes?: number;
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
  /** Network strategy. Default: the first one installed that makes such networks. */
  readonly driver?: string | undefined;
  /** Default: the first that the driver makes, or what its VPC or physical network asks for. */
  readonly mode?: 'nat' | 'isolated' | 'routed' | 'provider' | undefined;
  /** For a driver of scope `host`: where. Default: the idlest host. */
  readonly hostId?: Id<'host'> | undefined;
  /** Part of this VPC, and made by its driver. */
  readonly vpcId?: Id<'vpc'> | undefined;
  /** A segment of this physical network; for operators. */
  readonly physicalNetworkId?: Id<'physicalNetwork'> | undefined;
  /** On the physical network; 0 is untagged. Default: the first that is free. */
  readonly vlanId?: number | undefined;
  /** On a physical network with an encapsulation. Default: one that is free. */
  readonly tunnelKey?: number | undefined;
  /** Told to guests. */
  readonly mtuBytes?: number | undefined;
  readonly domain?: string | undefined;
  readonly subnets: readonly {
    /** Lower-case letters, digits and inner hyphens; unique among live ones. */
    readonly name?: string | undefined;
    /** In canonical form, e.g. `10.10.0.0/24`. */
    readonly cidr: string;
    /** Default: the first address. */
    readonly gateway?: string | undefined;
    /** Default: the gateway; in a VPC the service address. */
    readonly dnsServers?: readonly string[] | undefined;
    /** Routes told to guests with their addresses. */
    readonly hostRoutes?: readonly {
      readonly destination: string;
      readonly nextHop: string;
    }[] | undefined;
    /** Of IPv6: addresses by DHCPv6, or made by the guests from what the router advertises. */
    readonly ipv6Mode?: 'stateful' | 'slaac' | undefined;
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
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'vlanId' | 'tunnelKey' | 'mtuBytes';
  readonly links: {
    readonly host: HostGraph;
    readonly vpc: VpcGraph;
    readonly physicalNetwork: PhysicalNetworkGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly subnets: SubnetGraph;
    readonly nics: NicGraph;
    readonly natGateways: NatGatewayGraph;
    readonly elasticIps: ElasticIpGraph;
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
  readonly vpcId: Id<'vpc'>;
  readonly physicalNetworkId: Id<'physicalNetwork'>;
}

export class NetworksClient extends Resource<'network', Network, NetworkFilter, 'createdAt' | 'name' | 'state' | 'hostId' | 'vpcId' | 'physicalNetworkId', NetworkGraph> {
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
  /** Where the cloud answers in a VPC: names, metadata. The first address after the gateway. */
  readonly serviceAddress?: string;
  /** Routes told to guests with their addresses. */
  readonly hostRoutes?: readonly {
    readonly destination: string;
    readonly nextHop: string;
  }[];
  /** Of IPv6: addresses by DHCPv6, or made by the guests from what the router advertises. */
  readonly ipv6Mode?: 'stateful' | 'slaac';
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
  /** Default: the gateway; in a VPC the service address. */
  readonly dnsServers?: readonly string[] | undefined;
  /** Routes told to guests with their addresses. */
  readonly hostRoutes?: readonly {
    readonly destination: string;
    readonly nextHop: string;
  }[] | undefined;
  /** Of IPv6: addresses by DHCPv6, or made by the guests from what the router advertises. */
  readonly ipv6Mode?: 'stateful' | 'slaac' | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes the name of the subnet, and what guests are told with their next lease. */
export interface SubnetUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Null: as if nothing had been said. */
  readonly dnsServers?: readonly string[] | null | undefined;
  /** Null: none. */
  readonly hostRoutes?: readonly {
    readonly destination: string;
    readonly nextHop: string;
  }[] | null | undefined;
}

/** What queries see of subnets. */
export interface SubnetGraph {
  readonly fields: SubnetFields & { readonly state: SubnetState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly network: NetworkGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly nicsBySubnet: NicGraph;
    readonly nicsByIpv6Subnet: NicGraph;
    readonly reservedAddresses: ReservedAddressGraph;
    readonly natGatewaysBySubnet: NatGatewayGraph;
    readonly natGatewaysByIpv6Subnet: NatGatewayGraph;
    readonly natPortBlocks: NatPortBlockGraph;
    readonly elasticIps: ElasticIpGraph;
    readonly loadBalancers: LoadBalancerGraph;
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

  /** Changes the name of the subnet, and what guests are told with their next lease. */
  update(subnet: Named<'subnet'>, input: SubnetUpdate = {}, options: ChangeOptions = {}): Pending<'subnet', Subnet> {
    return this.updateAny(subnet, input, options);
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
  /** Of a second address, of the other family. */
  readonly ipv6SubnetId?: Id<'subnet'>;
  readonly ipv6Address?: string;
  /** What it may send from beside its own addresses. */
  readonly allowedAddresses?: readonly {
    readonly cidr: string;
    readonly mac?: string;
  }[];
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
    readonly ipv6Subnet: SubnetGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly securityGroupMembers: SecurityGroupMemberGraph;
    readonly elasticIps: ElasticIpGraph;
    readonly portForwards: PortForwardGraph;
    readonly backends: BackendGraph;
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
  readonly ipv6SubnetId: Id<'subnet'>;
}

export class NicsClient extends Resource<'nic', Nic, NicFilter, 'createdAt' | 'name' | 'state' | 'address' | 'mac' | 'instanceId' | 'networkId' | 'subnetId' | 'ipv6SubnetId', NicGraph> {
  constructor(client: Client) {
    super(client, { kind: 'nic', plural: 'nics' });
  }

  /** Limits a NIC, at once where it is in use. */
  setLimits(nic: Named<'nic'>, input: NicSetLimits, options: ChangeOptions = {}): Pending<'nic', Nic> {
    return this.act(nic, 'set-limits', input, options);
  }
}

/** The state machine of the kind securityGroup: where each state may go. */
export const securityGroupStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type SecurityGroupState = keyof typeof securityGroupStates;

export interface SecurityGroupFields {
  readonly id: Id<'securityGroup'>;
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
  readonly vpcId: Id<'vpc'>;
  readonly description?: string;
}
/** What NICs that are in it may send and receive. All that no rule allows is dropped; answers to what is allowed pass. */
export type SecurityGroup = Lifecycle<SecurityGroupFields, SecurityGroupState>;

/** Makes a security group without rules: its members take and send nothing until it has some. */
export interface SecurityGroupCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly vpcId: Id<'vpc'>;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the securityGroup. */
export interface SecurityGroupUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** What queries see of security-groups. */
export interface SecurityGroupGraph {
  readonly fields: SecurityGroupFields & { readonly state: SecurityGroupState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly vpc: VpcGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly securityGroupRulesBySecurityGroup: SecurityGroupRuleGraph;
    readonly securityGroupRulesByRemoteGroup: SecurityGroupRuleGraph;
    readonly securityGroupMembers: SecurityGroupMemberGraph;
  };
}

/** What lists of security-groups can filter by. */
export interface SecurityGroupFilter {
  readonly id: Id<'securityGroup'>;
  readonly name: string;
  readonly state: SecurityGroupState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly vpcId: Id<'vpc'>;
}

export class SecurityGroupsClient extends Resource<'securityGroup', SecurityGroup, SecurityGroupFilter, 'createdAt' | 'name' | 'state' | 'vpcId', SecurityGroupGraph> {
  constructor(client: Client) {
    super(client, { kind: 'securityGroup', plural: 'security-groups' });
  }

  /** Makes a security group without rules: its members take and send nothing until it has some. */
  create(input: SecurityGroupCreate, options: ChangeOptions = {}): Pending<'securityGroup', SecurityGroup> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the securityGroup. */
  update(securityGroup: Named<'securityGroup'>, input: SecurityGroupUpdate = {}, options: ChangeOptions = {}): Pending<'securityGroup', SecurityGroup> {
    return this.updateAny(securityGroup, input, options);
  }

  /** Deletes the securityGroup and everything it owns. */
  delete(securityGroup: Named<'securityGroup'>, options: DeleteOptions = {}): Pending<'securityGroup', undefined> {
    return this.deleteAny(securityGroup, options);
  }
}

/** The state machine of the kind securityGroupRule: where each state may go. */
export const securityGroupRuleStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type SecurityGroupRuleState = keyof typeof securityGroupRuleStates;

export interface SecurityGroupRuleFields {
  readonly id: Id<'securityGroupRule'>;
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
  readonly securityGroupId: Id<'securityGroup'>;
  readonly direction: 'inbound' | 'outbound';
  /** Of IP. */
  readonly family: 4 | 6;
  /** Absent: any. `icmp` is ICMPv6 for IPv6. */
  readonly protocol?: 'tcp' | 'udp' | 'icmp';
  /** Of the destination; with `lastPort`. Absent: all. */
  readonly firstPort?: number;
  /** Inclusive. */
  readonly lastPort?: number;
  /** Absent: all. */
  readonly icmpType?: number;
  /** Absent: all. */
  readonly icmpCode?: number;
  /** Who may be at the other end, by address. Without these and `remoteGroupId`: anybody. */
  readonly cidrs?: readonly string[];
  /** Who may be at the other end: members of this group of the same VPC. */
  readonly remoteGroupId?: Id<'securityGroup'>;
  readonly description?: string;
}
/** Allows new connections from or to members of a group. */
export type SecurityGroupRule = Lifecycle<SecurityGroupRuleFields, SecurityGroupRuleState>;

/** Allows new connections from or to the members of a group. Those that are there already are not touched. */
export interface SecurityGroupRuleCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly securityGroupId: Id<'securityGroup'>;
  readonly direction: 'inbound' | 'outbound';
  /** Of IP. Default: that of `cidrs`, or 4. */
  readonly family?: 4 | 6 | undefined;
  /** Absent: any. `icmp` is ICMPv6 for IPv6. */
  readonly protocol?: 'tcp' | 'udp' | 'icmp' | undefined;
  /** Of the destination; with `lastPort`. Absent: all. */
  readonly firstPort?: number | undefined;
  /** Inclusive. Default: `firstPort`. */
  readonly lastPort?: number | undefined;
  /** Absent: all. */
  readonly icmpType?: number | undefined;
  /** Absent: all. */
  readonly icmpCode?: number | undefined;
  /** Who may be at the other end, by address. Without these and `remoteGroupId`: anybody. */
  readonly cidrs?: readonly string[] | undefined;
  /** Who may be at the other end: members of this group of the same VPC. */
  readonly remoteGroupId?: Id<'securityGroup'> | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes the networks that a rule is about, or what it is called. */
export interface SecurityGroupRuleUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  /** Null: anybody. */
  readonly cidrs?: readonly string[] | null | undefined;
}

/** What queries see of security-group-rules. */
export interface SecurityGroupRuleGraph {
  readonly fields: SecurityGroupRuleFields & { readonly state: SecurityGroupRuleState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'firstPort' | 'lastPort' | 'icmpType' | 'icmpCode';
  readonly links: {
    readonly securityGroup: SecurityGroupGraph;
    readonly remoteGroup: SecurityGroupGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of security-group-rules can filter by. */
export interface SecurityGroupRuleFilter {
  readonly id: Id<'securityGroupRule'>;
  readonly name: string;
  readonly state: SecurityGroupRuleState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly securityGroupId: Id<'securityGroup'>;
  readonly remoteGroupId: Id<'securityGroup'>;
}

export class SecurityGroupRulesClient extends Resource<'securityGroupRule', SecurityGroupRule, SecurityGroupRuleFilter, 'createdAt' | 'name' | 'state' | 'securityGroupId' | 'remoteGroupId', SecurityGroupRuleGraph> {
  constructor(client: Client) {
    super(client, { kind: 'securityGroupRule', plural: 'security-group-rules' });
  }

  /** Allows new connections from or to the members of a group. Those that are there already are not touched. */
  create(input: SecurityGroupRuleCreate, options: ChangeOptions = {}): Pending<'securityGroupRule', SecurityGroupRule> {
    return this.createAny(input, options);
  }

  /** Changes the networks that a rule is about, or what it is called. */
  update(securityGroupRule: Named<'securityGroupRule'>, input: SecurityGroupRuleUpdate = {}, options: ChangeOptions = {}): Pending<'securityGroupRule', SecurityGroupRule> {
    return this.updateAny(securityGroupRule, input, options);
  }

  /** Deletes the securityGroupRule and everything it owns. */
  delete(securityGroupRule: Named<'securityGroupRule'>, options: DeleteOptions = {}): Pending<'securityGroupRule', undefined> {
    return this.deleteAny(securityGroupRule, options);
  }
}

/** The state machine of the kind securityGroupMember: where each state may go. */
export const securityGroupMemberStates = {
  creating: ['available', 'deleted'],
  available: ['deleting', 'deleted'],
  deleting: ['deleted', 'trashed'],
  trashed: ['available', 'deleting'],
  deleted: [],
} as const;
export type SecurityGroupMemberState = keyof typeof securityGroupMemberStates;

export interface SecurityGroupMemberFields {
  readonly id: Id<'securityGroupMember'>;
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
  readonly nicId: Id<'nic'>;
  /** Whose NIC it is. */
  readonly instanceId: Id<'instance'>;
  readonly securityGroupId: Id<'securityGroup'>;
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
/** That a NIC is in a security group. */
export type SecurityGroupMember = Lifecycle<SecurityGroupMemberFields, SecurityGroupMemberState>;

/** Puts a NIC into a security group; that of a running machine is filtered so at once. */
export interface SecurityGroupMemberCreate {
  readonly nicId: Id<'nic'>;
  readonly securityGroupId: Id<'securityGroup'>;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** What queries see of security-group-members. */
export interface SecurityGroupMemberGraph {
  readonly fields: SecurityGroupMemberFields & { readonly state: SecurityGroupMemberState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly nic: NicGraph;
    readonly instance: InstanceGraph;
    readonly securityGroup: SecurityGroupGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of security-group-members can filter by. */
export interface SecurityGroupMemberFilter {
  readonly id: Id<'securityGroupMember'>;
  readonly name: string;
  readonly state: SecurityGroupMemberState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly nicId: Id<'nic'>;
  readonly instanceId: Id<'instance'>;
  readonly securityGroupId: Id<'securityGroup'>;
}

export class SecurityGroupMembersClient extends Resource<'securityGroupMember', SecurityGroupMember, SecurityGroupMemberFilter, 'createdAt' | 'name' | 'state' | 'nicId' | 'instanceId' | 'securityGroupId', SecurityGroupMemberGraph> {
  constructor(client: Client) {
    super(client, { kind: 'securityGroupMember', plural: 'security-group-members' });
  }

  /** Puts a NIC into a security group; that of a running machine is filtered so at once. */
  create(input: SecurityGroupMemberCreate, options: ChangeOptions = {}): Pending<'securityGroupMember', SecurityGroupMember> {
    return this.createAny(input, options);
  }

  /** Deletes the securityGroupMember and everything it owns. */
  delete(securityGroupMember: Named<'securityGroupMember'>, options: DeleteOptions = {}): Pending<'securityGroupMember', undefined> {
    return this.deleteAny(securityGroupMember, options);
  }
}

/** The state machine of the kind dnsRecord: where each state may go. */
export const dnsRecordStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type DnsRecordState = keyof typeof dnsRecordStates;

export interface DnsRecordFields {
  readonly id: Id<'dnsRecord'>;
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
  readonly vpcId: Id<'vpc'>;
  /** Whole name, e.g. `db.vpc-1.internal`. */
  readonly hostname: string;
  readonly addresses: readonly string[];
}
/** A name that the machines of a VPC can ask for, beside their own. */
export type DnsRecord = Lifecycle<DnsRecordFields, DnsRecordState>;

/** Gives addresses a name in the VPC's domain. */
export interface DnsRecordCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly vpcId: Id<'vpc'>;
  /** Whole name, e.g. `db.vpc-1.internal`. */
  readonly hostname: string;
  readonly addresses: readonly string[];
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes the addresses that a name stands for, or what the record is called. */
export interface DnsRecordUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly addresses?: readonly string[] | undefined;
}

/** What queries see of dns-records. */
export interface DnsRecordGraph {
  readonly fields: DnsRecordFields & { readonly state: DnsRecordState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly vpc: VpcGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of dns-records can filter by. */
export interface DnsRecordFilter {
  readonly id: Id<'dnsRecord'>;
  readonly name: string;
  readonly state: DnsRecordState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly vpcId: Id<'vpc'>;
}

export class DnsRecordsClient extends Resource<'dnsRecord', DnsRecord, DnsRecordFilter, 'createdAt' | 'name' | 'state' | 'vpcId', DnsRecordGraph> {
  constructor(client: Client) {
    super(client, { kind: 'dnsRecord', plural: 'dns-records' });
  }

  /** Gives addresses a name in the VPC's domain. */
  create(input: DnsRecordCreate, options: ChangeOptions = {}): Pending<'dnsRecord', DnsRecord> {
    return this.createAny(input, options);
  }

  /** Changes the addresses that a name stands for, or what the record is called. */
  update(dnsRecord: Named<'dnsRecord'>, input: DnsRecordUpdate = {}, options: ChangeOptions = {}): Pending<'dnsRecord', DnsRecord> {
    return this.updateAny(dnsRecord, input, options);
  }

  /** Deletes the dnsRecord and everything it owns. */
  delete(dnsRecord: Named<'dnsRecord'>, options: DeleteOptions = {}): Pending<'dnsRecord', undefined> {
    return this.deleteAny(dnsRecord, options);
  }
}

/** The state machine of the kind reservedAddress: where each state may go. */
export const reservedAddressStates = {
  available: ['deleting', 'deleted'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type ReservedAddressState = keyof typeof reservedAddressStates;

export interface ReservedAddressFields {
  readonly id: Id<'reservedAddress'>;
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
  readonly subnetId: Id<'subnet'>;
  readonly address: string;
  readonly natGatewayId?: Id<'natGateway'>;
  readonly elasticIpId?: Id<'elasticIp'>;
  readonly loadBalancerId?: Id<'loadBalancer'>;
}
/** An address of a subnet that no NIC gets: of a gateway, an elastic IP or a load balancer, or kept for machines that share it. */
export type ReservedAddress = Lifecycle<ReservedAddressFields, ReservedAddressState>;

/** Keeps an address of a subnet from NICs, e.g. for machines that share it. */
export interface ReservedAddressCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly subnetId: Id<'subnet'>;
  /** Default: one that is free. */
  readonly address?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name of the reservedAddress. */
export interface ReservedAddressUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
}

/** What queries see of reserved-addresses. */
export interface ReservedAddressGraph {
  readonly fields: ReservedAddressFields & { readonly state: ReservedAddressState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly subnet: SubnetGraph;
    readonly natGateway: NatGatewayGraph;
    readonly elasticIp: ElasticIpGraph;
    readonly loadBalancer: LoadBalancerGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of reserved-addresses can filter by. */
export interface ReservedAddressFilter {
  readonly id: Id<'reservedAddress'>;
  readonly name: string;
  readonly state: ReservedAddressState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly address: string;
  readonly subnetId: Id<'subnet'>;
  readonly natGatewayId: Id<'natGateway'>;
  readonly elasticIpId: Id<'elasticIp'>;
  readonly loadBalancerId: Id<'loadBalancer'>;
}

export class ReservedAddressesClient extends Resource<'reservedAddress', ReservedAddress, ReservedAddressFilter, 'createdAt' | 'name' | 'state' | 'address' | 'subnetId' | 'natGatewayId' | 'elasticIpId' | 'loadBalancerId', ReservedAddressGraph> {
  constructor(client: Client) {
    super(client, { kind: 'reservedAddress', plural: 'reserved-addresses' });
  }

  /** Keeps an address of a subnet from NICs, e.g. for machines that share it. */
  create(input: ReservedAddressCreate, options: ChangeOptions = {}): Pending<'reservedAddress', ReservedAddress> {
    return this.createAny(input, options);
  }

  /** Changes name of the reservedAddress. */
  update(reservedAddress: Named<'reservedAddress'>, input: ReservedAddressUpdate = {}, options: ChangeOptions = {}): Pending<'reservedAddress', ReservedAddress> {
    return this.updateAny(reservedAddress, input, options);
  }

  /** Deletes the reservedAddress and everything it owns. */
  delete(reservedAddress: Named<'reservedAddress'>, options: DeleteOptions = {}): Pending<'reservedAddress', undefined> {
    return this.deleteAny(reservedAddress, options);
  }
}

/** The state machine of the kind natGateway: where each state may go. */
export const natGatewayStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type NatGatewayState = keyof typeof natGatewayStates;

export interface NatGatewayFields {
  readonly id: Id<'natGateway'>;
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
  readonly vpcId: Id<'vpc'>;
  readonly externalNetworkId: Id<'network'>;
  /** Of the external network, for `address`. */
  readonly subnetId?: Id<'subnet'>;
  /** In IPv4. Absent: it leads out and in by IPv6 alone. */
  readonly address?: string;
  /** Of the external network, for `ipv6Address`. */
  readonly ipv6SubnetId?: Id<'subnet'>;
  /** Absent: it leads out and in by IPv4 alone. */
  readonly ipv6Address?: string;
  /** Whether machines without an elastic IP reach out with its address. */
  readonly snat: boolean;
  /** Each IPv4 subnet reaches out from a block of so many source ports of its own: who it was can be told by the port. Default: all share all. */
  readonly portsPerSubnet?: number;
}
/** How a VPC reaches an external network: machines share its address, and elastic IPs and forwarded ports come in through it. */
export type NatGateway = Lifecycle<NatGatewayFields, NatGatewayState>;

/** Connects a VPC with an external network. */
export interface NatGatewayCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly vpcId: Id<'vpc'>;
  readonly externalNetworkId: Id<'network'>;
  /** Of the external network. Default: its first of IPv4, if it has one. */
  readonly subnetId?: Id<'subnet'> | undefined;
  /** Its own in IPv4 on the external network. Default: one that is free, if the network has IPv4. */
  readonly address?: string | undefined;
  /** Of the external network. Default: its first of IPv6, if it has one. */
  readonly ipv6SubnetId?: Id<'subnet'> | undefined;
  /** Its own in IPv6. Default: one that is free, if the network has IPv6. */
  readonly ipv6Address?: string | undefined;
  /** Whether machines without an elastic IP reach out with its address. Default: true. */
  readonly snat?: boolean | undefined;
  /** Each IPv4 subnet reaches out from a block of so many source ports of its own: who it was can be told by the port. Default: all share all. */
  readonly portsPerSubnet?: number | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, snat, portsPerSubnet of the natGateway, and gives it an address in a family in which it has none. */
export interface NatGatewayUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Whether machines without an elastic IP reach out with its address. */
  readonly snat?: boolean | undefined;
  readonly portsPerSubnet?: number | null | undefined;
  /** Of the external network, for a gateway that has no IPv4 yet. */
  readonly subnetId?: Id<'subnet'> | undefined;
  /** For a gateway that has no IPv4 yet. Default: one of `subnetId` that is free. */
  readonly address?: string | undefined;
  /** Of the external network, for a gateway that has no IPv6 yet. */
  readonly ipv6SubnetId?: Id<'subnet'> | undefined;
  /** For a gateway that has no IPv6 yet. Default: one of `ipv6SubnetId` that is free. */
  readonly ipv6Address?: string | undefined;
}

/** What queries see of nat-gateways. */
export interface NatGatewayGraph {
  readonly fields: NatGatewayFields & { readonly state: NatGatewayState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'portsPerSubnet';
  readonly links: {
    readonly vpc: VpcGraph;
    readonly externalNetwork: NetworkGraph;
    readonly subnet: SubnetGraph;
    readonly ipv6Subnet: SubnetGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly reservedAddresses: ReservedAddressGraph;
    readonly natPortBlocks: NatPortBlockGraph;
    readonly elasticIps: ElasticIpGraph;
    readonly portForwards: PortForwardGraph;
  };
}

/** What lists of nat-gateways can filter by. */
export interface NatGatewayFilter {
  readonly id: Id<'natGateway'>;
  readonly name: string;
  readonly state: NatGatewayState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly address: string;
  readonly ipv6Address: string;
  readonly vpcId: Id<'vpc'>;
  readonly externalNetworkId: Id<'network'>;
  readonly subnetId: Id<'subnet'>;
  readonly ipv6SubnetId: Id<'subnet'>;
}

export class NatGatewaysClient extends Resource<'natGateway', NatGateway, NatGatewayFilter, 'createdAt' | 'name' | 'state' | 'address' | 'ipv6Address' | 'vpcId' | 'externalNetworkId' | 'subnetId' | 'ipv6SubnetId', NatGatewayGraph> {
  constructor(client: Client) {
    super(client, { kind: 'natGateway', plural: 'nat-gateways' });
  }

  /** Connects a VPC with an external network. */
  create(input: NatGatewayCreate, options: ChangeOptions = {}): Pending<'natGateway', NatGateway> {
    return this.createAny(input, options);
  }

  /** Changes name, snat, portsPerSubnet of the natGateway, and gives it an address in a family in which it has none. */
  update(natGateway: Named<'natGateway'>, input: NatGatewayUpdate = {}, options: ChangeOptions = {}): Pending<'natGateway', NatGateway> {
    return this.updateAny(natGateway, input, options);
  }

  /** Deletes the natGateway and everything it owns. */
  delete(natGateway: Named<'natGateway'>, options: DeleteOptions = {}): Pending<'natGateway', undefined> {
    return this.deleteAny(natGateway, options);
  }

  /** Whether a host carries the gateway at this moment, and for operators which. */
  getStatus(natGateway: Named<'natGateway'>, options: CallOptions = {}): Reply<{
    readonly active: boolean;
    /** Name of the host; for operators. */
    readonly activeHost?: string;
  }> {
    return this.value({ method: 'GET', path: this.path(natGateway, 'status') }, options);
  }
}

/** The state machine of the kind natPortBlock: where each state may go. */
export const natPortBlockStates = {
  available: ['deleting', 'deleted'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type NatPortBlockState = keyof typeof natPortBlockStates;

export interface NatPortBlockFields {
  readonly id: Id<'natPortBlock'>;
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
  readonly natGatewayId: Id<'natGateway'>;
  readonly subnetId: Id<'subnet'>;
  readonly firstPort: number;
  /** Inclusive. */
  readonly lastPort: number;
}
/** The source ports with which the machines of a subnet reach out through a NAT gateway. It comes and goes with the two. */
export type NatPortBlock = Lifecycle<NatPortBlockFields, NatPortBlockState>;

/** What queries see of nat-port-blocks. */
export interface NatPortBlockGraph {
  readonly fields: NatPortBlockFields & { readonly state: NatPortBlockState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'firstPort' | 'lastPort';
  readonly links: {
    readonly natGateway: NatGatewayGraph;
    readonly subnet: SubnetGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of nat-port-blocks can filter by. */
export interface NatPortBlockFilter {
  readonly id: Id<'natPortBlock'>;
  readonly name: string;
  readonly state: NatPortBlockState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly natGatewayId: Id<'natGateway'>;
  readonly subnetId: Id<'subnet'>;
}

export class NatPortBlocksClient extends Resource<'natPortBlock', NatPortBlock, NatPortBlockFilter, 'createdAt' | 'name' | 'state' | 'natGatewayId' | 'subnetId', NatPortBlockGraph> {
  constructor(client: Client) {
    super(client, { kind: 'natPortBlock', plural: 'nat-port-blocks' });
  }
}

/** The state machine of the kind elasticIp: where each state may go. */
export const elasticIpStates = {
  available: ['binding', 'deleting'],
  binding: ['bound', 'available'],
  bound: ['unbinding', 'available'],
  unbinding: ['available'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type ElasticIpState = keyof typeof elasticIpStates;

export interface ElasticIpFields {
  readonly id: Id<'elasticIp'>;
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
  readonly externalNetworkId: Id<'network'>;
  /** Of the external network. */
  readonly subnetId: Id<'subnet'>;
  readonly address: string;
  /** Of IP: a NIC has at most one elastic IP of each. */
  readonly family: 4 | 6;
  readonly nicId?: Id<'nic'>;
  readonly loadBalancerId?: Id<'loadBalancer'>;
  /** What it comes in through while it is bound. */
  readonly natGatewayId?: Id<'natGateway'>;
  /** Whether packets leave from the machine's own host in place of the gateway's. */
  readonly distributed: boolean;
}
/** An address of an external network that belongs to the project, and stands for whichever NIC or load balancer it is bound to. */
export type ElasticIp = Lifecycle<ElasticIpFields, ElasticIpState>;

/** Gets an address of an external network for the project. */
export interface ElasticIpCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly externalNetworkId: Id<'network'>;
  /** Of the external network. Default: its first of IPv4, or of `address`. */
  readonly subnetId?: Id<'subnet'> | undefined;
  /** Default: one that is free, and was nobody else's lately. */
  readonly address?: string | undefined;
  /** Whether packets leave from the machine's own host in place of the gateway's. Default: false. */
  readonly distributed?: boolean | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the elasticIp. */
export interface ElasticIpUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** Binds the address to a NIC or a load balancer; machines that run are reached by it at once. */
export interface ElasticIpBind {
  readonly nicId?: Id<'nic'> | undefined;
  readonly loadBalancerId?: Id<'loadBalancer'> | undefined;
  /** Whether packets leave from the machine's own host in place of the gateway's. Default: as it is. */
  readonly distributed?: boolean | undefined;
}

/** What queries see of elastic-ips. */
export interface ElasticIpGraph {
  readonly fields: ElasticIpFields & { readonly state: ElasticIpState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly externalNetwork: NetworkGraph;
    readonly subnet: SubnetGraph;
    readonly nic: NicGraph;
    readonly loadBalancer: LoadBalancerGraph;
    readonly natGateway: NatGatewayGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly reservedAddresses: ReservedAddressGraph;
  };
}

/** What lists of elastic-ips can filter by. */
export interface ElasticIpFilter {
  readonly id: Id<'elasticIp'>;
  readonly name: string;
  readonly state: ElasticIpState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly address: string;
  readonly externalNetworkId: Id<'network'>;
  readonly subnetId: Id<'subnet'>;
  readonly nicId: Id<'nic'>;
  readonly loadBalancerId: Id<'loadBalancer'>;
  readonly natGatewayId: Id<'natGateway'>;
}

export class ElasticIpsClient extends Resource<'elasticIp', ElasticIp, ElasticIpFilter, 'createdAt' | 'name' | 'state' | 'address' | 'externalNetworkId' | 'subnetId' | 'nicId' | 'loadBalancerId' | 'natGatewayId', ElasticIpGraph> {
  constructor(client: Client) {
    super(client, { kind: 'elasticIp', plural: 'elastic-ips' });
  }

  /** Gets an address of an external network for the project. */
  create(input: ElasticIpCreate, options: ChangeOptions = {}): Pending<'elasticIp', ElasticIp> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the elasticIp. */
  update(elasticIp: Named<'elasticIp'>, input: ElasticIpUpdate = {}, options: ChangeOptions = {}): Pending<'elasticIp', ElasticIp> {
    return this.updateAny(elasticIp, input, options);
  }

  /** Deletes the elasticIp and everything it owns. */
  delete(elasticIp: Named<'elasticIp'>, options: DeleteOptions = {}): Pending<'elasticIp', undefined> {
    return this.deleteAny(elasticIp, options);
  }

  /** Binds the address to a NIC or a load balancer; machines that run are reached by it at once. */
  bind(elasticIp: Named<'elasticIp'>, input: ElasticIpBind = {}, options: ChangeOptions = {}): Pending<'elasticIp', ElasticIp> {
    return this.act(elasticIp, 'bind', input, options);
  }

  /** Takes the address from what it is bound to; it stays with the project. */
  unbind(elasticIp: Named<'elasticIp'>, options: ChangeOptions = {}): Pending<'elasticIp', ElasticIp> {
    return this.act(elasticIp, 'unbind', {}, options);
  }
}

/** The state machine of the kind portForward: where each state may go. */
export const portForwardStates = {
  creating: ['available', 'deleted'],
  available: ['deleting', 'deleted'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type PortForwardState = keyof typeof portForwardStates;

export interface PortForwardFields {
  readonly id: Id<'portForward'>;
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
  readonly natGatewayId: Id<'natGateway'>;
  readonly protocol: 'tcp' | 'udp';
  readonly externalPort: number;
  readonly nicId: Id<'nic'>;
  readonly port: number;
}
/** A port of a NAT gateway's addresses that stands for a port of a machine. It goes with either of them. */
export type PortForward = Lifecycle<PortForwardFields, PortForwardState>;

/** Leads a port of a NAT gateway's address to a machine. */
export interface PortForwardCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly natGatewayId: Id<'natGateway'>;
  readonly protocol: 'tcp' | 'udp';
  readonly externalPort: number;
  readonly nicId: Id<'nic'>;
  /** The machine's. Default: `externalPort`. */
  readonly port?: number | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name of the portForward. */
export interface PortForwardUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
}

/** What queries see of port-forwards. */
export interface PortForwardGraph {
  readonly fields: PortForwardFields & { readonly state: PortForwardState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'externalPort' | 'port';
  readonly links: {
    readonly natGateway: NatGatewayGraph;
    readonly nic: NicGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of port-forwards can filter by. */
export interface PortForwardFilter {
  readonly id: Id<'portForward'>;
  readonly name: string;
  readonly state: PortForwardState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly natGatewayId: Id<'natGateway'>;
  readonly nicId: Id<'nic'>;
}

export class PortForwardsClient extends Resource<'portForward', PortForward, PortForwardFilter, 'createdAt' | 'name' | 'state' | 'natGatewayId' | 'nicId', PortForwardGraph> {
  constructor(client: Client) {
    super(client, { kind: 'portForward', plural: 'port-forwards' });
  }

  /** Leads a port of a NAT gateway's address to a machine. */
  create(input: PortForwardCreate, options: ChangeOptions = {}): Pending<'portForward', PortForward> {
    return this.createAny(input, options);
  }

  /** Changes name of the portForward. */
  update(portForward: Named<'portForward'>, input: PortForwardUpdate = {}, options: ChangeOptions = {}): Pending<'portForward', PortForward> {
    return this.updateAny(portForward, input, options);
  }

  /** Deletes the portForward and everything it owns. */
  delete(portForward: Named<'portForward'>, options: DeleteOptions = {}): Pending<'portForward', undefined> {
    return this.deleteAny(portForward, options);
  }
}

/** The state machine of the kind loadBalancer: where each state may go. */
export const loadBalancerStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type LoadBalancerState = keyof typeof loadBalancerStates;

export interface LoadBalancerFields {
  readonly id: Id<'loadBalancer'>;
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
  readonly vpcId: Id<'vpc'>;
  readonly subnetId: Id<'subnet'>;
  readonly address: string;
}
/** An address in a subnet whose connections are spread over machines that know nothing of each other. */
export type LoadBalancer = Lifecycle<LoadBalancerFields, LoadBalancerState>;

/** Makes a load balancer with an address in a subnet; its listeners come after it. */
export interface LoadBalancerCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly subnetId: Id<'subnet'>;
  /** Default: one that is free in the subnet. */
  readonly address?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, description of the loadBalancer. */
export interface LoadBalancerUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

/** What queries see of load-balancers. */
export interface LoadBalancerGraph {
  readonly fields: LoadBalancerFields & { readonly state: LoadBalancerState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly vpc: VpcGraph;
    readonly subnet: SubnetGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly reservedAddresses: ReservedAddressGraph;
    readonly elasticIps: ElasticIpGraph;
    readonly listeners: ListenerGraph;
    readonly backends: BackendGraph;
  };
}

/** What lists of load-balancers can filter by. */
export interface LoadBalancerFilter {
  readonly id: Id<'loadBalancer'>;
  readonly name: string;
  readonly state: LoadBalancerState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly address: string;
  readonly vpcId: Id<'vpc'>;
  readonly subnetId: Id<'subnet'>;
}

export class LoadBalancersClient extends Resource<'loadBalancer', LoadBalancer, LoadBalancerFilter, 'createdAt' | 'name' | 'state' | 'address' | 'vpcId' | 'subnetId', LoadBalancerGraph> {
  constructor(client: Client) {
    super(client, { kind: 'loadBalancer', plural: 'load-balancers' });
  }

  /** Makes a load balancer with an address in a subnet; its listeners come after it. */
  create(input: LoadBalancerCreate, options: ChangeOptions = {}): Pending<'loadBalancer', LoadBalancer> {
    return this.createAny(input, options);
  }

  /** Changes name, description of the loadBalancer. */
  update(loadBalancer: Named<'loadBalancer'>, input: LoadBalancerUpdate = {}, options: ChangeOptions = {}): Pending<'loadBalancer', LoadBalancer> {
    return this.updateAny(loadBalancer, input, options);
  }

  /** Deletes the loadBalancer and everything it owns. */
  delete(loadBalancer: Named<'loadBalancer'>, options: DeleteOptions = {}): Pending<'loadBalancer', undefined> {
    return this.deleteAny(loadBalancer, options);
  }

  /** How the backends of a load balancer answer at this moment. */
  getHealth(loadBalancer: Named<'loadBalancer'>, options: CallOptions = {}): Reply<{
    readonly backends: readonly {
      readonly id: string;
      readonly name: string;
      readonly listenerId: string;
      readonly nicId: string;
      readonly weight: number;
      /** `unchecked` without a health check, before its first answer, and at weight 0; `held` while it gets nothing, and is not asked, because it flapped. */
      readonly health: 'unchecked' | 'online' | 'offline' | 'held';
      /** When one that is held is tried again. */
      readonly heldUntil?: string;
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path(loadBalancer, 'health') }, options);
  }
}

/** The state machine of the kind listener: where each state may go. */
export const listenerStates = {
  creating: ['available', 'deleted'],
  available: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type ListenerState = keyof typeof listenerStates;

export interface ListenerFields {
  readonly id: Id<'listener'>;
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
  readonly loadBalancerId: Id<'loadBalancer'>;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly healthCheck?: {
    readonly intervalSeconds: number;
    readonly timeoutSeconds: number;
    /** Answers after which a backend is back. */
    readonly successes: number;
    /** Failures after which a backend gets nothing. With OVN they add up since it was last taken out, whatever it answers in between. Of UDP a refusal alone is a failure, a silence is none. Who goes out again and again is held out (`heldUntil` of the backend). */
    readonly failures: number;
  };
}
/** A port of a load balancer. */
export type Listener = Lifecycle<ListenerFields, ListenerState>;

/** Has a load balancer listen at a port. */
export interface ListenerCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly loadBalancerId: Id<'loadBalancer'>;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly healthCheck?: {
    readonly intervalSeconds: number;
    readonly timeoutSeconds: number;
    /** Answers after which a backend is back. */
    readonly successes: number;
    /** Failures after which a backend gets nothing. With OVN they add up since it was last taken out, whatever it answers in between. Of UDP a refusal alone is a failure, a silence is none. Who goes out again and again is held out (`heldUntil` of the backend). */
    readonly failures: number;
  } | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, healthCheck of the listener. */
export interface ListenerUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Null: backends are not asked. */
  readonly healthCheck?: {
    readonly intervalSeconds: number;
    readonly timeoutSeconds: number;
    /** Answers after which a backend is back. */
    readonly successes: number;
    /** Failures after which a backend gets nothing. With OVN they add up since it was last taken out, whatever it answers in between. Of UDP a refusal alone is a failure, a silence is none. Who goes out again and again is held out (`heldUntil` of the backend). */
    readonly failures: number;
  } | null | undefined;
}

/** What queries see of listeners. */
export interface ListenerGraph {
  readonly fields: ListenerFields & { readonly state: ListenerState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'port';
  readonly links: {
    readonly loadBalancer: LoadBalancerGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly backends: BackendGraph;
  };
}

/** What lists of listeners can filter by. */
export interface ListenerFilter {
  readonly id: Id<'listener'>;
  readonly name: string;
  readonly state: ListenerState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly loadBalancerId: Id<'loadBalancer'>;
}

export class ListenersClient extends Resource<'listener', Listener, ListenerFilter, 'createdAt' | 'name' | 'state' | 'loadBalancerId', ListenerGraph> {
  constructor(client: Client) {
    super(client, { kind: 'listener', plural: 'listeners' });
  }

  /** Has a load balancer listen at a port. */
  create(input: ListenerCreate, options: ChangeOptions = {}): Pending<'listener', Listener> {
    return this.createAny(input, options);
  }

  /** Changes name, healthCheck of the listener. */
  update(listener: Named<'listener'>, input: ListenerUpdate = {}, options: ChangeOptions = {}): Pending<'listener', Listener> {
    return this.updateAny(listener, input, options);
  }

  /** Deletes the listener and everything it owns. */
  delete(listener: Named<'listener'>, options: DeleteOptions = {}): Pending<'listener', undefined> {
    return this.deleteAny(listener, options);
  }
}

/** The state machine of the kind backend: where each state may go. */
export const backendStates = {
  creating: ['available', 'deleted'],
  available: ['deleting', 'deleted'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type BackendState = keyof typeof backendStates;

export interface BackendFields {
  readonly id: Id<'backend'>;
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
  readonly loadBalancerId: Id<'loadBalancer'>;
  readonly listenerId: Id<'listener'>;
  readonly nicId: Id<'nic'>;
  readonly port: number;
  /** Its share of new connections. 0: none; those that it has go on (drain). */
  readonly weight: number;
  /** Why it gets no new connections whatever its weight: `flapping`, it went out too often. Absent: it is not held. */
  readonly heldReason?: 'flapping';
  /** Then it is tried again. */
  readonly heldUntil?: string;
  /** What is remembered of its coming and going. */
  readonly flaps?: {
    /** When it went out of late, since it was last held. */
    readonly outs: readonly string[];
    /** How often it has been held: each time for twice as long. */
    readonly holds: number;
    /** When it was tried again last. */
    readonly freedAt?: string;
  };
}
/** A machine that takes connections of a listener. */
export type Backend = Lifecycle<BackendFields, BackendState>;

/** Has a machine take connections of a listener. */
export interface BackendCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly listenerId: Id<'listener'>;
  readonly nicId: Id<'nic'>;
  /** The machine's. Default: that of the listener. */
  readonly port?: number | undefined;
  /** Its share of new connections; with 0 it gets none. Default: 1. */
  readonly weight?: number | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name, weight of the backend; with weight 0 it gets no new connections and keeps those that it has. */
export interface BackendUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Its share of new connections. 0: none; those that it has go on (drain). */
  readonly weight?: number | undefined;
}

/** What queries see of backends. */
export interface BackendGraph {
  readonly fields: BackendFields & { readonly state: BackendState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'port' | 'weight';
  readonly links: {
    readonly loadBalancer: LoadBalancerGraph;
    readonly listener: ListenerGraph;
    readonly nic: NicGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of backends can filter by. */
export interface BackendFilter {
  readonly id: Id<'backend'>;
  readonly name: string;
  readonly state: BackendState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly loadBalancerId: Id<'loadBalancer'>;
  readonly listenerId: Id<'listener'>;
  readonly nicId: Id<'nic'>;
}

export class BackendsClient extends Resource<'backend', Backend, BackendFilter, 'createdAt' | 'name' | 'state' | 'loadBalancerId' | 'listenerId' | 'nicId', BackendGraph> {
  constructor(client: Client) {
    super(client, { kind: 'backend', plural: 'backends' });
  }

  /** Has a machine take connections of a listener. */
  create(input: BackendCreate, options: ChangeOptions = {}): Pending<'backend', Backend> {
    return this.createAny(input, options);
  }

  /** Changes name, weight of the backend; with weight 0 it gets no new connections and keeps those that it has. */
  update(backend: Named<'backend'>, input: BackendUpdate = {}, options: ChangeOptions = {}): Pending<'backend', Backend> {
    return this.updateAny(backend, input, options);
  }

  /** Deletes the backend and everything it owns. */
  delete(backend: Named<'backend'>, options: DeleteOptions = {}): Pending<'backend', undefined> {
    return this.deleteAny(backend, options);
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
    readonly stackResources: StackResourceGraph;
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
  /** Taints of hosts that do not keep its machines off, e.g. `[{ "key": "gpu" }]`. They draw them nowhere: `hostLabels` do. */
  readonly tolerations?: readonly {
    readonly key: string;
    /** Of the taint. Default: any, and none. */
    readonly value?: string;
  }[];
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
  /** Taints of hosts that do not keep its machines off, e.g. `[{ "key": "gpu" }]`. They draw them nowhere: `hostLabels` do. */
  readonly tolerations?: readonly {
    readonly key: string;
    /** Of the taint. Default: any, and none. */
    readonly value?: string | undefined;
  }[] | undefined;
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
  /** Taints of hosts that do not keep its machines off, e.g. `[{ "key": "gpu" }]`. They draw them nowhere: `hostLabels` do. */
  readonly tolerations?: readonly {
    readonly key: string;
    /** Of the taint. Default: any, and none. */
    readonly value?: string | undefined;
  }[] | undefined;
}

/** What queries see of instance-types. */
export interface InstanceTypeGraph {
  readonly fields: InstanceTypeFields & { readonly state: InstanceTypeState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'version' | 'vcpus' | 'memoryBytes' | 'vcpusMax' | 'memoryBytesMax' | 'cpuShares';
  readonly links: {
    readonly stackResources: StackResourceGraph;
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
  /** What it waits for before it is made: `capacity` with `whenFull: wait`. What is missing is in `notes` of its operation; cancel that, or delete it, and it waits no longer. */
  readonly waitsFor?: string;
  /** Where it is being migrated to: that host is neither deleted nor taken out of use meanwhile. */
  readonly migratingToHostId?: Id<'host'>;
  /** Hosts that were lost while it was made on them, or that it was evacuated from: what is left or arrives late there is removed. */
  readonly formerHostIds?: readonly Id<'host'>[];
  /** Hosts that it was migrated from: what arrives late there, and is off, is removed while it is seen where it is. */
  readonly migratedFromHostIds?: readonly Id<'host'>[];
  readonly placementGroupId?: Id<'placementGroup'>;
  /** Where its placement group counts it: the host, failure domain or cluster it was placed in. */
  readonly placementDomain?: string;
  /** The image its root disk was cloned from; absent where that began empty. */
  readonly imageId?: Id<'image'>;
  /** The ISO in its drive; absent while that is empty. */
  readonly isoImageId?: Id<'image'>;
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
  /** Since when a disk that it lacks is being plugged in, with no answer of its host yet: it is not evacuated meanwhile. */
  readonly pluggingSince?: string;
  /** What was asked for last. */
  readonly desiredPower: 'running' | 'suspended' | 'stopped';
  /** The newest instant that all its disks were backed up together at: a backupSet. */
  readonly backedUpAt?: string;
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

/** Makes a machine from an image, or with an empty root disk and an ISO to install from, with its disks and NICs, and starts it. */
export interface InstanceCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Name (the newest version) or id. */
  readonly instanceType: string;
  /** The image its root disk is cloned from. Without it that is empty, and `isoImageId` is needed. */
  readonly imageId?: Id<'image'> | undefined;
  /** The ISO in its drive, from which it boots as long as its disks cannot be booted from. */
  readonly isoImageId?: Id<'image'> | undefined;
  /** Default: as large as the image. An empty one needs `sizeBytes`. */
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
    /** Whether its content is encrypted. Default: as the class of its pool demands, else false. */
    readonly encrypted?: boolean | undefined;
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
    /** Whether its content is encrypted. Default: as the class of its pool demands, else false. */
    readonly encrypted?: boolean | undefined;
    /** Default: true for the root disk, false for others. */
    readonly deleteWithInstance?: boolean | undefined;
  }[] | undefined;
  /** Disks that are there already. */
  readonly attachVolumeIds?: readonly Id<'volume'>[] | undefined;
  readonly nics?: readonly {
    /** A NIC goes into its subnet that has `address`, or the first of its subnets. */
    readonly networkId?: Id<'network'> | undefined;
    readonly subnetId?: Id<'subnet'> | undefined;
    /** Default: one that is free. */
    readonly address?: string | undefined;
    /** A second address comes from there: an IPv6 subnet of the same network. */
    readonly ipv6SubnetId?: Id<'subnet'> | undefined;
    /** Default: one that is free. */
    readonly ipv6Address?: string | undefined;
    /** What it may send from beside its own addresses. */
    readonly allowedAddresses?: readonly {
      readonly cidr: string;
      readonly mac?: string | undefined;
    }[] | undefined;
    /** Security groups that filter a NIC within a VPC. Default: the default one of the VPC, or none in a network of another project; in none it takes and sends nothing. */
    readonly securityGroupIds?: readonly Id<'securityGroup'>[] | undefined;
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

/** Starts a machine whose host is lost on another one, on the same disks. The old host is shut out of them first, whether it is dead or only cut off; what is unsaved in memory is lost. */
export interface InstanceEvacuate {
  /** Where to. Default: the host that suits it best. */
  readonly hostId?: Id<'host'> | undefined;
  /** Your word that the lost host has no power, and gets none before this has ended. It is needed where a disk of a machine that was on shows no client that could be shut out. A host that is only frozen or cut off may destroy what is on the disk. Default: false. */
  readonly hostIsOff?: boolean | undefined;
}

/** Moves a running machine to another host of its cluster while its guest goes on. Its disks have to be in pools that both reach. What goes wrong on the way, or a cancel, leaves it where it was. */
export interface InstanceMigrate {
  /** Where to. Default: the host that suits it best. */
  readonly hostId?: Id<'host'> | undefined;
  /** How long the memory of a machine may take to go over; then it stays where it is. Default: 1800. */
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

/** Puts an ISO into the drive of the machine; a running guest sees it at once. It stays there over restarts, until it is detached. */
export interface InstanceAttachIso {
  /** An image of format `iso`. */
  readonly imageId: Id<'image'>;
}

/** Empties the drive of the machine. A running guest that has locked the tray, as while it has the ISO mounted, refuses. */
export interface InstanceDetachIso {
  /** Also when the guest has locked the tray. Default: false. */
  readonly force?: boolean | undefined;
}

/** Takes a snapshot of each disk of the machine, all at one instant: a snapshotGroup. An agent in the guest holds its writes back meanwhile; without one, a machine with several disks is paused. */
export interface InstanceSnapshot {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
}

/** Gives the machine another NIC; a running guest sees it at once. */
export interface InstanceAttachNic {
  /** A NIC goes into its subnet that has `address`, or the first of its subnets. */
  readonly networkId?: Id<'network'> | undefined;
  readonly subnetId?: Id<'subnet'> | undefined;
  /** Default: one that is free. */
  readonly address?: string | undefined;
  /** A second address comes from there: an IPv6 subnet of the same network. */
  readonly ipv6SubnetId?: Id<'subnet'> | undefined;
  /** Default: one that is free. */
  readonly ipv6Address?: string | undefined;
  /** What it may send from beside its own addresses. */
  readonly allowedAddresses?: readonly {
    readonly cidr: string;
    readonly mac?: string | undefined;
  }[] | undefined;
  /** Security groups that filter a NIC within a VPC. Default: the default one of the VPC, or none in a network of another project; in none it takes and sends nothing. */
  readonly securityGroupIds?: readonly Id<'securityGroup'>[] | undefined;
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

/** Deletes an instance that lies in the trash for good, with all that was deleted with it. */
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
    readonly isoImage: ImageGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly settingValues: SettingValueGraph;
    readonly volumes: VolumeGraph;
    readonly attachments: AttachmentGraph;
    readonly snapshots: SnapshotGraph;
    readonly snapshotGroups: SnapshotGroupGraph;
    readonly backupPlans: BackupPlanGraph;
    readonly backupSets: BackupSetGraph;
    readonly nics: NicGraph;
    readonly securityGroupMembers: SecurityGroupMemberGraph;
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
  readonly migratingToHostId: Id<'host'>;
  readonly instanceTypeId: Id<'instanceType'>;
  readonly hostId: Id<'host'>;
  readonly placementGroupId: Id<'placementGroup'>;
  readonly isoImageId: Id<'image'>;
}

export class InstancesClient extends Resource<'instance', Instance, InstanceFilter, 'createdAt' | 'name' | 'state' | 'hostname' | 'guestOs' | 'migratingToHostId' | 'instanceTypeId' | 'hostId' | 'placementGroupId' | 'isoImageId', InstanceGraph> {
  constructor(client: Client) {
    super(client, { kind: 'instance', plural: 'instances' });
  }

  /** Makes a machine from an image, or with an empty root disk and an ISO to install from, with its disks and NICs, and starts it. */
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

  /** Starts a machine whose host is lost on another one, on the same disks. The old host is shut out of them first, whether it is dead or only cut off; what is unsaved in memory is lost. */
  evacuate(instance: Named<'instance'>, input: InstanceEvacuate = {}, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'evacuate', input, options);
  }

  /** Moves a running machine to another host of its cluster while its guest goes on. Its disks have to be in pools that both reach. What goes wrong on the way, or a cancel, leaves it where it was. */
  migrate(instance: Named<'instance'>, input: InstanceMigrate = {}, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'migrate', input, options);
  }

  /** Attaches a volume; a running guest sees it at once. */
  attachVolume(instance: Named<'instance'>, input: InstanceAttachVolume, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'attach-volume', input, options);
  }

  /** Detaches a volume; a running guest must let go of it. */
  detachVolume(instance: Named<'instance'>, input: InstanceDetachVolume, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'detach-volume', input, options);
  }

  /** Puts an ISO into the drive of the machine; a running guest sees it at once. It stays there over restarts, until it is detached. */
  attachIso(instance: Named<'instance'>, input: InstanceAttachIso, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'attach-iso', input, options);
  }

  /** Empties the drive of the machine. A running guest that has locked the tray, as while it has the ISO mounted, refuses. */
  detachIso(instance: Named<'instance'>, input: InstanceDetachIso = {}, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'detach-iso', input, options);
  }

  /** Takes a snapshot of each disk of the machine, all at one instant: a snapshotGroup. An agent in the guest holds its writes back meanwhile; without one, a machine with several disks is paused. */
  snapshot(instance: Named<'instance'>, input: InstanceSnapshot = {}, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'snapshot', input, options);
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

  /** Brings an instance back from the trash, with all that was deleted with it. */
  recover(instance: Named<'instance'>, options: ChangeOptions = {}): Pending<'instance', Instance> {
    return this.act(instance, 'recover', {}, options);
  }

  /** Deletes an instance that lies in the trash for good, with all that was deleted with it. */
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

  /** How much memory and processor time a machine takes at this moment. */
  getUsage(instance: Named<'instance'>, options: CallOptions = {}): Reply<{
    /** Memory of the host that the machine takes. */
    readonly usedMemoryBytes: number;
    /** Share of its processors that was at work since it was observed before. Absent when it was not. */
    readonly cpuRatio?: number;
    readonly observedAt: string;
  }> {
    return this.value({ method: 'GET', path: this.path(instance, 'usage') }, options);
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
  /** Where events are sent, by POST. HTTPS, unless the configuration allows it. Without a query: that is `urlQuery`. */
  readonly url: string;
  /** Kinds whose changes it is told of, e.g. `instance`; for operators also those of the cloud, e.g. `pool`. */
  readonly kinds: readonly string[];
  /** Only of rows that are in one of these states after the change, e.g. `running`. */
  readonly states?: readonly string[];
  /** Only of rows for which this holds after the change, in the language of lists; over fields of the one kind. */
  readonly when?: string;
  /** Default: all. */
  readonly types?: readonly ('created' | 'updated' | 'deleted')[];
  /** Reference to a sealed value. */
  readonly secret?: string;
  /** Reference to a sealed value. */
  readonly urlQuery?: string;
  /** Nothing behind this cursor was sent while it was failing; `replay` with it sends that. */
  readonly missedAfter?: string;
  readonly description?: string;
}
/** A place outside that is told of changes in its project, and an operator's also of the cloud: signed CloudEvents, at least once, in order for each resource. */
export type Webhook = Lifecycle<WebhookFields, WebhookState>;

/** Makes a webhook: from now on it is sent what it wants of the changes in its project. */
export interface WebhookCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** Where events are sent, by POST. HTTPS, unless the configuration allows it. Without a query: that is `urlQuery`. */
  readonly url: string;
  /** What is sent behind the `?` of the URL, e.g. `token=…`: kept sealed, as the secret is. Secret: sealed before it is stored, never shown again. */
  readonly urlQuery?: string | undefined;
  /** Kinds whose changes it is told of, e.g. `instance`; for operators also those of the cloud, e.g. `pool`. */
  readonly kinds: readonly string[];
  /** Only of rows that are in one of these states after the change, e.g. `running`. */
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
  /** Where events are sent, by POST. HTTPS, unless the configuration allows it. Without a query: that is `urlQuery`. */
  readonly url?: string | undefined;
  /** Kinds whose changes it is told of, e.g. `instance`; for operators also those of the cloud, e.g. `pool`. */
  readonly kinds?: readonly string[] | undefined;
  readonly states?: readonly string[] | null | undefined;
  readonly types?: readonly ('created' | 'updated' | 'deleted')[] | null | undefined;
  readonly when?: string | null | undefined;
  /** What events are signed with (Standard Webhooks): `whsec_` and 24 to 64 random bytes as base64. Secret: sealed before it is stored, never shown again. */
  readonly secret?: string | undefined;
  readonly urlQuery?: string | null | undefined;
  readonly description?: string | null | undefined;
}

/** Sends again what it wants of the changes behind a cursor, as far as they are kept, in their order, after what is waiting. */
export interface WebhookReplay {
  /** A cursor of the change feed; `0.0` = all that is kept. */
  readonly after: string;
}

/** What queries see of webhooks. */
export interface WebhookGraph {
  readonly fields: Omit<WebhookFields & { readonly state: WebhookState; readonly deletedAt?: string }, 'secret' | 'urlQuery'>;
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
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
  /** Of what it tells of, where its row says so. */
  readonly accountId?: Id<'account'>;
  /** Without its query. */
  readonly url: string;
  /** Reference to a sealed value. */
  readonly urlQuery?: string;
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
  readonly fields: Omit<DeliveryFields & { readonly state: DeliveryState; readonly deletedAt?: string }, 'urlQuery'>;
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'attempts';
  readonly links: {
    readonly webhook: WebhookGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
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

/** The state machine of the kind stack: where each state may go. */
export const stackStates = {
  creating: ['ready', 'deleted'],
  ready: ['updating', 'deleting'],
  updating: ['ready', 'deleting'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type StackState = keyof typeof stackStates;

export interface StackFields {
  readonly id: Id<'stack'>;
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
  /** Of what was applied last; it grows with each change of it. */
  readonly revisionNumber: number;
  /** What its template answers, e.g. the id of a network. */
  readonly outputs?: { readonly [key: string]: unknown };
}
/** Resources that are declared together: a template says what there is to be, and applying it makes it so, all or nothing. */
export type Stack = Lifecycle<StackFields, StackState>;

/** Makes a stack with all resources of its template, or none of them. */
export interface StackCreate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
  /** What there is to be. */
  readonly template: {
    readonly description?: string | undefined;
    readonly parameters?: { readonly [key: string]: unknown } | undefined;
    readonly resources: { readonly [key: string]: unknown };
    /** What the stack shows, e.g. `{ "network": { "ref": "net" } }`. */
    readonly outputs?: { readonly [key: string]: unknown } | undefined;
  };
  /** Values of the parameters that the template declares, by name. */
  readonly parameters?: { readonly [key: string]: unknown } | undefined;
  /** The `hash` of a plan: exactly that is done, or else nothing (`plan_changed`). */
  readonly planHash?: string | undefined;
  /** Tags that it has from the beginning. */
  readonly tags?: { readonly [key: string]: unknown } | undefined;
}

/** Changes name of the stack. */
export interface StackUpdate {
  /** Lower-case letters, digits and inner hyphens; unique among live ones. */
  readonly name?: string | undefined;
}

/** Makes what the template says, and deletes what it no longer has; or changes nothing. What is so already is done at once. */
export interface StackApply {
  /** What there is to be. */
  readonly template: {
    readonly description?: string | undefined;
    readonly parameters?: { readonly [key: string]: unknown } | undefined;
    readonly resources: { readonly [key: string]: unknown };
    /** What the stack shows, e.g. `{ "network": { "ref": "net" } }`. */
    readonly outputs?: { readonly [key: string]: unknown } | undefined;
  };
  /** Values of the parameters that the template declares, by name. */
  readonly parameters?: { readonly [key: string]: unknown } | undefined;
  /** The `hash` of a plan: exactly that is done, or else nothing (`plan_changed`). */
  readonly planHash?: string | undefined;
}

/** Applies the template of an earlier revision again. */
export interface StackRollback {
  /** The number of a revision that is kept. */
  readonly revision: number;
  /** The `hash` of a plan: exactly that is done, or else nothing (`plan_changed`). */
  readonly planHash?: string | undefined;
}

/** Lets go of resources: they stay, and are no longer of the stack. What the template still has is made anew by the next apply. */
export interface StackRelease {
  /** Their names in the template. Default: all. */
  readonly resources?: readonly string[] | undefined;
}

/** What queries see of stacks. */
export interface StackGraph {
  readonly fields: StackFields & { readonly state: StackState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'revisionNumber';
  readonly links: {
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
    readonly stackRevisions: StackRevisionGraph;
  };
}

/** What lists of stacks can filter by. */
export interface StackFilter {
  readonly id: Id<'stack'>;
  readonly name: string;
  readonly state: StackState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
}

export class StacksClient extends Resource<'stack', Stack, StackFilter, 'createdAt' | 'name' | 'state', StackGraph> {
  constructor(client: Client) {
    super(client, { kind: 'stack', plural: 'stacks' });
  }

  /** Makes a stack with all resources of its template, or none of them. */
  create(input: StackCreate, options: ChangeOptions = {}): Pending<'stack', Stack> {
    return this.createAny(input, options);
  }

  /** Changes name of the stack. */
  update(stack: Named<'stack'>, input: StackUpdate = {}, options: ChangeOptions = {}): Pending<'stack', Stack> {
    return this.updateAny(stack, input, options);
  }

  /** Deletes the stack and everything it owns. */
  delete(stack: Named<'stack'>, options: DeleteOptions = {}): Pending<'stack', undefined> {
    return this.deleteAny(stack, options);
  }

  /** Makes what the template says, and deletes what it no longer has; or changes nothing. What is so already is done at once. */
  apply(stack: Named<'stack'>, input: StackApply, options: ChangeOptions = {}): Pending<'stack', Stack> {
    return this.act(stack, 'apply', input, options);
  }

  /** Applies the template of an earlier revision again. */
  rollback(stack: Named<'stack'>, input: StackRollback, options: ChangeOptions = {}): Pending<'stack', Stack> {
    return this.act(stack, 'rollback', input, options);
  }

  /** Lets go of resources: they stay, and are no longer of the stack. What the template still has is made anew by the next apply. */
  release(stack: Named<'stack'>, input: StackRelease = {}, options: ChangeOptions = {}): Pending<'stack', Stack> {
    return this.act(stack, 'release', input, options);
  }

  /** Answers what applying a template would do, field by field. Changes nothing. */
  plan(input: {
    /** Of the stack. Where there is none of this name, what creating it would do. */
    readonly name?: string | undefined;
    /** What there is to be. */
    readonly template?: {
      readonly description?: string | undefined;
      readonly parameters?: { readonly [key: string]: unknown } | undefined;
      readonly resources: { readonly [key: string]: unknown };
      /** What the stack shows, e.g. `{ "network": { "ref": "net" } }`. */
      readonly outputs?: { readonly [key: string]: unknown } | undefined;
    } | undefined;
    /** Values of the parameters that the template declares, by name. */
    readonly parameters?: { readonly [key: string]: unknown } | undefined;
    /** In place of a template: that of this revision. */
    readonly revision?: number | undefined;
  } = {}, options: RepeatOptions = {}): Reply<{
    /** Absent where there is no such stack yet. */
    readonly stackId?: string;
    /** Of what was applied last. */
    readonly revisionNumber: number;
    /** All is as asked already: an apply would succeed at once. */
    readonly nothingToDo: boolean;
    /** Given back as `planHash`, exactly this is done or nothing. Absent while something stands in the way. */
    readonly hash?: string;
    /** In the order in which they are begun; what needs nothing of each other goes side by side. */
    readonly changes: readonly {
      /** In the template. */
      readonly name: string;
      /** `replace`: made anew, and the old one deleted. `release`: it stays, and is no longer of the stack. */
      readonly action: 'create' | 'update' | 'replace' | 'delete' | 'release' | 'none';
      readonly resourceKind: string;
      /** Of the one there is. */
      readonly resourceId?: string;
      /** What changes, by field: `from` what it is, `to` what it will be. `{ "ref": … }` = known when it is done. */
      readonly fields?: { readonly [key: string]: unknown };
      /** What was changed by hand since it was applied: `from` what was applied, `to` what it is. */
      readonly drift?: { readonly [key: string]: unknown };
    }[];
    readonly quota: readonly {
      readonly scope: 'project' | 'account';
      readonly counter: string;
      readonly used: number;
      /** `null` = none. */
      readonly limit: number | null;
      /** What it would change by, as far as that can be known before. */
      readonly by: number;
    }[];
    readonly blockers: readonly { readonly [key: string]: unknown }[];
  }> {
    return this.value({ method: 'POST', path: this.path('plan'), body: input }, options);
  }
}

/** The state machine of the kind stackRevision: where each state may go. */
export const stackRevisionStates = {
  available: ['deleting', 'deleted'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type StackRevisionState = keyof typeof stackRevisionStates;

export interface StackRevisionFields {
  readonly id: Id<'stackRevision'>;
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
  readonly stackId: Id<'stack'>;
  readonly number: number;
  /** Without secrets, which are sealed apart. */
  readonly template: { readonly [key: string]: unknown };
  /** Their values, without secrets. */
  readonly parameters: { readonly [key: string]: unknown };
  /** References to sealed values, by their places in the template and the parameters. */
  readonly secrets: { readonly [key: string]: string };
  /** The properties of each resource as they were resolved, and its fields as they were found right after. */
  readonly applied: { readonly [key: string]: unknown };
}
/** A template that was applied to a stack. The last 20 are kept; `rollback` applies one again. */
export type StackRevision = Lifecycle<StackRevisionFields, StackRevisionState>;

/** What queries see of stack-revisions. */
export interface StackRevisionGraph {
  readonly fields: StackRevisionFields & { readonly state: StackRevisionState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion' | 'number';
  readonly links: {
    readonly stack: StackGraph;
    readonly project: ProjectGraph;
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of stack-revisions can filter by. */
export interface StackRevisionFilter {
  readonly id: Id<'stackRevision'>;
  readonly name: string;
  readonly state: StackRevisionState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly stackId: Id<'stack'>;
}

export class StackRevisionsClient extends Resource<'stackRevision', StackRevision, StackRevisionFilter, 'createdAt' | 'name' | 'state' | 'stackId', StackRevisionGraph> {
  constructor(client: Client) {
    super(client, { kind: 'stackRevision', plural: 'stack-revisions' });
  }
}

/** The state machine of the kind stackResource: where each state may go. */
export const stackResourceStates = {
  available: ['deleting', 'deleted'],
  deleting: ['deleted'],
  deleted: [],
} as const;
export type StackResourceState = keyof typeof stackResourceStates;

export interface StackResourceFields {
  readonly id: Id<'stackResource'>;
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
  readonly stackId: Id<'stack'>;
  readonly logicalName: string;
  readonly resourceKind: string;
  readonly resourceId: string;
  /** Names of what it needs: made before it, deleted after it. */
  readonly after: readonly string[];
  /** It stays when the stack or the template lets it go. */
  readonly keep: boolean;
}
/** A resource of a stack, by its name in the template. It goes when the resource goes. */
export type StackResource = Lifecycle<StackResourceFields, StackResourceState>;

/** What queries see of stack-resources. */
export interface StackResourceGraph {
  readonly fields: StackResourceFields & { readonly state: StackResourceState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly project: ProjectGraph;
  };
}

/** What lists of stack-resources can filter by. */
export interface StackResourceFilter {
  readonly after: readonly string[];
  readonly id: Id<'stackResource'>;
  readonly name: string;
  readonly state: StackResourceState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly projectId: Id<'project'>;
  readonly stackId: Id<'stack'>;
  readonly resourceKind: string;
  readonly resourceId: string;
}

export class StackResourcesClient extends Resource<'stackResource', StackResource, StackResourceFilter, 'createdAt' | 'name' | 'state' | 'stackId' | 'resourceKind' | 'resourceId', StackResourceGraph> {
  constructor(client: Client) {
    super(client, { kind: 'stackResource', plural: 'stack-resources' });
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
    readonly stackResources: StackResourceGraph;
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

/** The state machine of the kind settingValue: where each state may go. */
export const settingValueStates = {
  available: ['deleted'],
  deleted: [],
} as const;
export type SettingValueState = keyof typeof settingValueStates;

export interface SettingValueFields {
  readonly id: Id<'settingValue'>;
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
  /** E.g. `hosts.heartbeatSeconds`. */
  readonly key: string;
  /** `global`, or the kind of the resource. */
  readonly level: string;
  /** Absent at the level `global`. */
  readonly resourceKind?: string;
  /** Absent at the level `global`. */
  readonly resourceId?: string;
  /** `global`, or the id of the resource. */
  readonly place: string;
  /** As the schema of the setting says. */
  readonly value: unknown;
}
/** A value of a setting, for the whole cloud or for one resource and all below it. Goes with the resource, or by `reset`: the setting inherits again. */
export type SettingValue = Lifecycle<SettingValueFields, SettingValueState>;

/** Gives a setting another value where it has one. */
export interface SettingValueUpdate {
  /** As the schema of the setting says. */
  readonly value: unknown;
}

/** Gives a setting a value, or another one: of the whole cloud, or of a resource and all below it. It is in use when the operation has ended. */
export interface SettingValueSet {
  /** E.g. `hosts.heartbeatSeconds`. */
  readonly key: string;
  /** As the schema of the setting says. */
  readonly value: unknown;
  /** Of the resource that it is for. Default: it is for the whole cloud. */
  readonly resourceKind?: string | undefined;
  /** Absent at the level `global`. */
  readonly resourceId?: string | undefined;
}

/** What queries see of setting-values. */
export interface SettingValueGraph {
  readonly fields: SettingValueFields & { readonly state: SettingValueState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
  };
}

/** What lists of setting-values can filter by. */
export interface SettingValueFilter {
  readonly id: Id<'settingValue'>;
  readonly name: string;
  readonly state: SettingValueState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly key: string;
  readonly level: string;
  readonly resourceId: string;
}

export class SettingValuesClient extends Resource<'settingValue', SettingValue, SettingValueFilter, 'createdAt' | 'name' | 'state' | 'key' | 'level' | 'resourceId', SettingValueGraph> {
  constructor(client: Client) {
    super(client, { kind: 'settingValue', plural: 'setting-values' });
  }

  /** Gives a setting another value where it has one. */
  update(settingValue: Named<'settingValue'>, input: SettingValueUpdate, options: ChangeOptions = {}): Pending<'settingValue', SettingValue> {
    return this.updateAny(settingValue, input, options);
  }

  /** Gives a setting a value, or another one: of the whole cloud, or of a resource and all below it. It is in use when the operation has ended. */
  set(input: SettingValueSet, options: ChangeOptions = {}): Pending<'settingValue', SettingValue> {
    return this.actOnAll('set', input, options);
  }

  /** Takes a value away: the setting inherits again. */
  reset(settingValue: Named<'settingValue'>, options: ChangeOptions = {}): Pending<'settingValue', SettingValue> {
    return this.act(settingValue, 'reset', {}, options);
  }
}

/** The state machine of the kind settingChange: where each state may go. */
export const settingChangeStates = {
  recorded: ['deleted'],
  deleted: [],
} as const;
export type SettingChangeState = keyof typeof settingChangeStates;

export interface SettingChangeFields {
  readonly id: Id<'settingChange'>;
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
  /** E.g. `hosts.heartbeatSeconds`. */
  readonly key: string;
  /** `global`, or the kind of the resource. */
  readonly level: string;
  /** Absent at the level `global`. */
  readonly resourceKind?: string;
  /** Absent at the level `global`. */
  readonly resourceId?: string;
  /** `global`, or the id of the resource. */
  readonly place: string;
  /** As it was called then. */
  readonly resourceName?: string;
  /** What it was. Absent: it inherited. */
  readonly from?: unknown;
  /** What it became. Absent: it inherits. */
  readonly to?: unknown;
  /** Who asked. */
  readonly actor: string;
  /** Of the request. */
  readonly operationId: Id<'operation'>;
}
/** That a setting was given a value, another one, or none any more. Kept when the value is gone; `rollback` takes it back. */
export type SettingChange = Lifecycle<SettingChangeFields, SettingChangeState>;

/** What queries see of setting-changes. */
export interface SettingChangeGraph {
  readonly fields: SettingChangeFields & { readonly state: SettingChangeState; readonly deletedAt?: string };
  readonly integers: 'generation' | 'observedGeneration' | 'revision' | 'schemaVersion';
  readonly links: {
    readonly stackResources: StackResourceGraph;
    readonly tags: TagGraph;
    readonly systemTags: SystemTagGraph;
  };
}

/** What lists of setting-changes can filter by. */
export interface SettingChangeFilter {
  readonly id: Id<'settingChange'>;
  readonly name: string;
  readonly state: SettingChangeState;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string;
  readonly key: string;
  readonly level: string;
  readonly resourceId: string;
  readonly place: string;
  readonly actor: string;
}

export class SettingChangesClient extends Resource<'settingChange', SettingChange, SettingChangeFilter, 'createdAt' | 'name' | 'state' | 'key' | 'level' | 'resourceId' | 'place' | 'actor', SettingChangeGraph> {
  constructor(client: Client) {
    super(client, { kind: 'settingChange', plural: 'setting-changes' });
  }

  /** Puts a setting back to what it was before this change, whatever it was changed to since. */
  rollback(settingChange: Named<'settingChange'>, options: ChangeOptions = {}): Pending<'settingChange', SettingChange> {
    return this.act(settingChange, 'rollback', {}, options);
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

  /** Tells whether the caller, or somebody else, may do something, what was looked at, and which role would let him. */
  explain(input: {
    /** E.g. `instance.start`. */
    readonly permission: string;
    /** Whether it holds for this row. */
    readonly resourceId?: string | undefined;
    /** Whether this user may, instead of the caller. */
    readonly userId?: Id<'user'> | undefined;
    /** The same of a service account. */
    readonly serviceAccountId?: Id<'serviceAccount'> | undefined;
    /** The same of what a group gives to its members. */
    readonly groupId?: Id<'group'> | undefined;
    /** The same of whoever asks with this key. */
    readonly apiKeyId?: Id<'apiKey'> | undefined;
    /** Of somebody else: at work in this project. Default: the one that the caller works in. */
    readonly projectId?: Id<'project'> | undefined;
  }, options: RepeatOptions = {}): Reply<{
    readonly permission: string;
    readonly allowed: boolean;
    readonly reason: string;
    /** At least at this level a role has to be bound: project, account or cloud. */
    readonly level: string;
    /** Those of whom it is about, which were looked at. */
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

export class ImageContentsEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'image-contents');
  }

  /** The content of any image that the caller may download, by its digest: the same in every cloud that has it. */
  download(sha256: string, options: DownloadOptions = {}): AsyncGenerator<Uint8Array> {
    return this.receive(this.path(sha256), options);
  }
}

export class ReachabilityEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'reachability');
  }

  /** Answers whether one NIC or address can open a connection to another, what it meets on its way, and what stops it. */
  explain(input: {
    /** Who asks for a connection: this NIC, */
    readonly fromNicId?: Id<'nic'> | undefined;
    /** or whoever has this address; one that is in no VPC is outside. */
    readonly fromAddress?: string | undefined;
    /** Where to: this NIC, */
    readonly toNicId?: Id<'nic'> | undefined;
    /** or whoever has this address. */
    readonly toAddress?: string | undefined;
    /** Where the addresses are. Default: the VPC of the NIC that is named. */
    readonly vpcId?: Id<'vpc'> | undefined;
    readonly protocol: 'tcp' | 'udp' | 'icmp';
    /** Of the destination; of tcp and udp. */
    readonly port?: number | undefined;
    /** Default: that of an echo request (ping). */
    readonly icmpType?: number | undefined;
    /** Default: 0. */
    readonly icmpCode?: number | undefined;
  }, options: RepeatOptions = {}): Reply<{
    /** `unknown`: nothing that the caller may know stops it, but not all of its way is the cloud’s, or his, to tell. */
    readonly verdict: 'reachable' | 'blocked' | 'unknown';
    /** `machine_down`: The machine does not run. `nic_detached`: The NIC is not attached to its machine. `no_group`: The NIC is in no security group. `no_rule`: No rule of the security groups of the NIC allows it. `isolated`: The network leads nowhere else. `other_network`: The two are on networks that nothing joins. `no_route`: The router of the VPC knows no way there. `peering_pending`: The peering that would lead there is not active: the other side has none that names this VPC. `no_peering`: The two VPCs have no peering. `blackhole_route`: A route drops packets for there. `next_hop_absent`: A route leads to an address that nobody has. `no_snat`: The NAT gateway does not let out machines without an elastic IP. `no_way_in`: From outside nothing leads there. `elastic_ip_unbound`: The elastic IP is bound to nothing. `no_port_forward`: The NAT gateway forwards no such port. `no_listener`: The load balancer has no such listener. `no_backend`: No backend of the listener can be reached. `nobody`: Nobody has the address. `not_told`: What lies beyond is for its owner to tell. `beyond`: What lies beyond is not looked at. */
    readonly reason?: 'machine_down' | 'nic_detached' | 'no_group' | 'no_rule' | 'isolated' | 'other_network' | 'no_route' | 'peering_pending' | 'no_peering' | 'blackhole_route' | 'next_hop_absent' | 'no_snat' | 'no_way_in' | 'elastic_ip_unbound' | 'no_port_forward' | 'no_listener' | 'no_backend' | 'nobody' | 'not_told' | 'beyond';
    /** What stops it, or that nothing does. */
    readonly message: string;
    /** What it is about, by kind: e.g. `securityGroupRuleId`. */
    readonly ids: { readonly [key: string]: string };
    readonly from: {
      readonly address: string;
      readonly nicId?: string;
      readonly nicState?: string;
      readonly instanceId?: string;
      readonly instanceState?: string;
    };
    readonly to: {
      readonly address: string;
      readonly nicId?: string;
      readonly nicState?: string;
      readonly instanceId?: string;
      readonly instanceState?: string;
    };
    /** What it meets on its way, up to what stops it. */
    readonly hops: readonly {
      /** What it meets, e.g. `securityGroups`, `router`. */
      readonly at: string;
      readonly outcome: 'passes' | 'stops' | 'unknown';
      /** `machine_down`: The machine does not run. `nic_detached`: The NIC is not attached to its machine. `no_group`: The NIC is in no security group. `no_rule`: No rule of the security groups of the NIC allows it. `isolated`: The network leads nowhere else. `other_network`: The two are on networks that nothing joins. `no_route`: The router of the VPC knows no way there. `peering_pending`: The peering that would lead there is not active: the other side has none that names this VPC. `no_peering`: The two VPCs have no peering. `blackhole_route`: A route drops packets for there. `next_hop_absent`: A route leads to an address that nobody has. `no_snat`: The NAT gateway does not let out machines without an elastic IP. `no_way_in`: From outside nothing leads there. `elastic_ip_unbound`: The elastic IP is bound to nothing. `no_port_forward`: The NAT gateway forwards no such port. `no_listener`: The load balancer has no such listener. `no_backend`: No backend of the listener can be reached. `nobody`: Nobody has the address. `not_told`: What lies beyond is for its owner to tell. `beyond`: What lies beyond is not looked at. */
      readonly reason?: 'machine_down' | 'nic_detached' | 'no_group' | 'no_rule' | 'isolated' | 'other_network' | 'no_route' | 'peering_pending' | 'no_peering' | 'blackhole_route' | 'next_hop_absent' | 'no_snat' | 'no_way_in' | 'elastic_ip_unbound' | 'no_port_forward' | 'no_listener' | 'no_backend' | 'nobody' | 'not_told' | 'beyond';
      readonly message: string;
      /** What it is about, by kind: e.g. `securityGroupRuleId`. */
      readonly ids: { readonly [key: string]: string };
    }[];
  }> {
    return this.value({ method: 'POST', path: this.path('explain'), body: input }, options);
  }
}

export class CapabilitiesEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'capabilities');
  }

  /** Answers which drivers there are, and what of networks they can make. */
  get(options: CallOptions = {}): Reply<{
    readonly hypervisors: readonly {
      /** Name of the driver. */
      readonly driver: string;
    }[];
    readonly storage: readonly {
      /** Name of the driver. */
      readonly driver: string;
      /** What one of it belongs to: host, cluster or zone. */
      readonly scope: string;
    }[];
    readonly networks: readonly {
      /** Name of the driver. */
      readonly driver: string;
      /** What one of it belongs to: host, cluster or zone. */
      readonly scope: string;
      /** Of networks that it makes; `routed`: within VPCs, `provider`: on physical ones. */
      readonly modes: readonly string[];
      /** The most that networks of VPCs may have for their `mtuBytes`. */
      readonly overlayMtuBytes?: number;
      /** Of physical networks that it makes tunnels for, e.g. `vxlan`. */
      readonly encapsulations: readonly string[];
      /** What NICs do not get: `dhcp`, by which guests are told addresses; `antiSpoofing`, which keeps them from sending from others. */
      readonly lacks: readonly string[];
      /** Which kinds it can make. What is false is refused with `unsupported`. */
      readonly features: {
        readonly vpcs: boolean;
        readonly peerings: boolean;
        readonly securityGroups: boolean;
        readonly natGateways: boolean;
        readonly elasticIps: boolean;
        readonly portForwards: boolean;
        readonly loadBalancers: boolean;
        readonly dnsRecords: boolean;
      };
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path() }, options);
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

export class SettingsEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'settings');
  }

  /** The settings that there are, with what they take. */
  get(options: CallOptions = {}): Reply<{
    readonly items: readonly {
      readonly key: string;
      /** Whether a plugin declares it. Values of what none does are kept, and not used. */
      readonly known: boolean;
      readonly description?: string;
      /** Which declares it. */
      readonly plugin?: string;
      /** JSON schema of its values. */
      readonly schema?: { readonly [key: string]: unknown };
      /** Where nothing is set. */
      readonly default?: unknown;
      /** What the configuration says in place of the default. */
      readonly configured?: unknown;
      /** Where it may have a value: `global`, and kinds of resources. */
      readonly levels?: readonly string[];
      /** Who may read a resource may read what holds there. */
      readonly tenantsRead?: boolean;
      /** How many are set. */
      readonly values: number;
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path() }, options);
  }

  /** What holds, in the whole cloud or for a resource, where that comes from, and what it overrides. */
  getEffective(query: { readonly resourceKind?: string; readonly resource?: string; readonly key?: string } = {}, options: CallOptions = {}): Reply<{
    readonly items: readonly {
      readonly key: string;
      /** What holds. */
      readonly value: unknown;
      /** `default`, `configuration`, `global`, or the kind of the resource it is set on. `inherited` for who may not know from where. */
      readonly level: string;
      readonly resourceId?: string;
      readonly resourceName?: string;
      /** The `settingValue` that holds it. */
      readonly valueId?: string;
      /** What would hold without it, and so on, down to the default. */
      readonly overrides: readonly {
        /** What would hold. */
        readonly value: unknown;
        /** `default`, `configuration`, `global`, or the kind of the resource it is set on. `inherited` for who may not know from where. */
        readonly level: string;
        readonly resourceId?: string;
        readonly resourceName?: string;
        /** The `settingValue` that holds it. */
        readonly valueId?: string;
      }[];
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path('effective'), query }, options);
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
  } = {}, options: RepeatOptions = {}): Answer<{
    /** On the server. */
    readonly path: string;
    readonly takenAt: string;
  }> {
    return this.change({ method: 'POST', path: this.path(), body: input }, options);
  }
}

export class AuditEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'audit');
  }

  /** Who has changed what, newest first: one entry for each call that was accepted, for each that was denied for want of a permission, and for who was not let in; like ones of a minute are one. */
  get(query: { readonly actor?: string; readonly action?: string; readonly resourceKind?: string; readonly resourceId?: string; readonly result?: 'pending' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted' | 'unknown' | 'denied'; readonly since?: string; readonly until?: string; readonly of?: 'project' | 'account' | 'cloud'; readonly limit?: number; readonly after?: string } = {}, options: CallOptions = {}): Reply<{
    readonly items: readonly {
      /** Of an action also the id of its operation. */
      readonly id: string;
      /** When it was accepted, or denied. */
      readonly at: string;
      readonly actor: string;
      readonly action: string;
      readonly projectId?: string;
      readonly accountId?: string;
      readonly resourceKind?: string;
      readonly resourceId?: string;
      /** The operation that asked for it in place of the actor, e.g. that of a stack. */
      readonly causeId?: string;
      /** Of denied calls and sign-ins: so many that were alike, the first at `at`, the last at `endedAt`. */
      readonly times?: number;
      /** What was asked for, without secrets; what is long by its digest. Of who was not let in: whom he named, and `from`, his address. */
      readonly request?: { readonly [key: string]: unknown };
      /** Fields that were asked to change: `from` what they were, `to` what they were to be. */
      readonly changes?: { readonly [key: string]: unknown };
      /** `pending` until it is sealed; `interrupted`: the server stopped while it was under way, and how far it came is not known; `unknown`: of before there was a chain; `denied`: its caller may not do that, or was not let in, and nothing was done. */
      readonly result: 'pending' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted' | 'unknown' | 'denied';
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
      /** What the setting `orphans.rows` makes of it on `settle`, or, where it is `removed`, on `remove` alone. What is `kept` stays until its plugin is there. */
      readonly becomes: 'detached' | 'deleted' | 'removed' | 'kept';
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

export class CausesEndpoints extends Endpoints {
  constructor(client: Client) {
    super(client, 'causes');
  }

  /** Why steps of an operation failed, with all that lay behind. For operators: tenants read the `error` of the operation. */
  get(id: string, options: CallOptions = {}): Reply<{
    /** Oldest first; none of an operation that failed before this server was started. */
    readonly causes: readonly {
      readonly at: string;
      readonly step: string;
      readonly phase: 'do' | 'undo';
      readonly attempt: number;
      readonly code: string;
      /** What went wrong, then what that was caused by, down to what the system said. */
      readonly chain: readonly string[];
    }[];
  }> {
    return this.value({ method: 'GET', path: this.path(id) }, options);
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
  readonly agent: Agent;
  readonly storageClass: StorageClass;
  readonly pool: Pool;
  readonly volume: Volume;
  readonly attachment: Attachment;
  readonly image: Image;
  readonly snapshot: Snapshot;
  readonly snapshotGroup: SnapshotGroup;
  readonly backupStore: BackupStore;
  readonly backupPlan: BackupPlan;
  readonly backupSet: BackupSet;
  readonly backup: Backup;
  readonly fabric: Fabric;
  readonly physicalNetwork: PhysicalNetwork;
  readonly vpc: Vpc;
  readonly route: Route;
  readonly peering: Peering;
  readonly network: Network;
  readonly subnet: Subnet;
  readonly nic: Nic;
  readonly securityGroup: SecurityGroup;
  readonly securityGroupRule: SecurityGroupRule;
  readonly securityGroupMember: SecurityGroupMember;
  readonly dnsRecord: DnsRecord;
  readonly reservedAddress: ReservedAddress;
  readonly natGateway: NatGateway;
  readonly natPortBlock: NatPortBlock;
  readonly elasticIp: ElasticIp;
  readonly portForward: PortForward;
  readonly loadBalancer: LoadBalancer;
  readonly listener: Listener;
  readonly backend: Backend;
  readonly placementGroup: PlacementGroup;
  readonly instanceType: InstanceType;
  readonly instance: Instance;
  readonly webhook: Webhook;
  readonly delivery: Delivery;
  readonly stack: Stack;
  readonly stackRevision: StackRevision;
  readonly stackResource: StackResource;
  readonly tag: Tag;
  readonly tagPolicy: TagPolicy;
  readonly systemTag: SystemTag;
  readonly settingValue: SettingValue;
  readonly settingChange: SettingChange;
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
  /** A machine, snapshot, volume, seed, copy of an image, port, network or object around networks that carries our mark and is unknown to us: quarantined until it is adopted or removed, by an operator or by the policy that he has set. */
  readonly strays: StraysClient;
  /** The program on a host that serves its machines metadata and names, and whatever else needs somebody there. */
  readonly agents: AgentsClient;
  /** What storage of this name promises: how many copies, of what kind, and how much it does in a second. Pools keep it. */
  readonly storageClasses: StorageClassesClient;
  /** A place that holds volumes. A pool of scope `host` pins what uses it to that host. */
  readonly pools: PoolsClient;
  /** A disk. It outlives the machines it is attached to, unless it was made to go with one. */
  readonly volumes: VolumesClient;
  /** A volume of several machines, as one of them has it. Made where such a volume is attached, and gone where it is detached, or with the machine. */
  readonly attachments: AttachmentsClient;
  /** A disk that machines are cloned from, or an ISO that they read in their drive. Its content never changes. */
  readonly images: ImagesClient;
  /** A volume as it was at one point in time: its content and its size. */
  readonly snapshots: SnapshotsClient;
  /** All disks of a machine at one instant: a snapshot of each. */
  readonly snapshotGroups: SnapshotGroupsClient;
  /** A place outside of all pools that keeps backups, encrypted with a key that only this cloud has. */
  readonly backupStores: BackupStoresClient;
  /** Backs up volumes, or whole machines, again and again, and keeps some of what it has made. */
  readonly backupPlans: BackupPlansClient;
  /** All disks of a machine as they were at one instant: a backup of each. It goes, and is restored, as a whole. */
  readonly backupSets: BackupSetsClient;
  /** What was in a volume at one point in time, kept outside of its pool. It is whole by itself, and outlives the volume. */
  readonly volumeBackups: VolumeBackupsClient;
  /** What a network driver programs, as the cloud last knew it. One that comes back empty or from yesterday is `lost`: nothing is changed there until an operator has it built anew. */
  readonly fabrics: FabricsClient;
  /** Switches and cables that hosts are connected to. Its role says what may be on it: machines never reach those of storage and management. */
  readonly physicalNetworks: PhysicalNetworksClient;
  /** An address space of a project with a router of its own that runs on every host. Two of them may use the same addresses. */
  readonly vpcs: VpcsClient;
  /** Where the router of a VPC sends packets for a destination beyond its subnets. */
  readonly routes: RoutesClient;
  /** One side of a link between two VPCs. It is active while the owner of the other VPC keeps one that names this VPC: both consent. */
  readonly peerings: PeeringsClient;
  /** A layer-2 segment of a project. A network of scope `host` lives on one host and pins what uses it. */
  readonly networks: NetworksClient;
  /** A range of addresses on a network, handed out by the cloud. */
  readonly subnets: SubnetsClient;
  /** A machine on a network: a MAC and its addresses. Made and deleted with the machine, or attached and detached live. */
  readonly nics: NicsClient;
  /** What NICs that are in it may send and receive. All that no rule allows is dropped; answers to what is allowed pass. */
  readonly securityGroups: SecurityGroupsClient;
  /** Allows new connections from or to members of a group. */
  readonly securityGroupRules: SecurityGroupRulesClient;
  /** That a NIC is in a security group. */
  readonly securityGroupMembers: SecurityGroupMembersClient;
  /** A name that the machines of a VPC can ask for, beside their own. */
  readonly dnsRecords: DnsRecordsClient;
  /** An address of a subnet that no NIC gets: of a gateway, an elastic IP or a load balancer, or kept for machines that share it. */
  readonly reservedAddresses: ReservedAddressesClient;
  /** How a VPC reaches an external network: machines share its address, and elastic IPs and forwarded ports come in through it. */
  readonly natGateways: NatGatewaysClient;
  /** The source ports with which the machines of a subnet reach out through a NAT gateway. It comes and goes with the two. */
  readonly natPortBlocks: NatPortBlocksClient;
  /** An address of an external network that belongs to the project, and stands for whichever NIC or load balancer it is bound to. */
  readonly elasticIps: ElasticIpsClient;
  /** A port of a NAT gateway's addresses that stands for a port of a machine. It goes with either of them. */
  readonly portForwards: PortForwardsClient;
  /** An address in a subnet whose connections are spread over machines that know nothing of each other. */
  readonly loadBalancers: LoadBalancersClient;
  /** A port of a load balancer. */
  readonly listeners: ListenersClient;
  /** A machine that takes connections of a listener. */
  readonly backends: BackendsClient;
  /** Machines that keep together, or apart. */
  readonly placementGroups: PlacementGroupsClient;
  /** A size of machine. A version never changes; its name means the newest. */
  readonly instanceTypes: InstanceTypesClient;
  /** A virtual machine. */
  readonly instances: InstancesClient;
  /** A place outside that is told of changes in its project, and an operator's also of the cloud: signed CloudEvents, at least once, in order for each resource. */
  readonly webhooks: WebhooksClient;
  /** An event that could not be delivered however often it was tried. `replay` tries again. */
  readonly deliveries: DeliveriesClient;
  /** Resources that are declared together: a template says what there is to be, and applying it makes it so, all or nothing. */
  readonly stacks: StacksClient;
  /** A template that was applied to a stack. The last 20 are kept; `rollback` applies one again. */
  readonly stackRevisions: StackRevisionsClient;
  /** A resource of a stack, by its name in the template. It goes when the resource goes. */
  readonly stackResources: StackResourcesClient;
  /** A word about a resource, by which its owner finds and groups it: a key with a value. Goes with the resource. */
  readonly tags: TagsClient;
  /** What a project asks of a tag: where it must be, what it may say, and what it is copied to. */
  readonly tagPolicies: TagPoliciesClient;
  /** A typed word on a resource, of those that plugins declare, that steers what is done with it. Goes with the resource. */
  readonly systemTags: SystemTagsClient;
  /** A value of a setting, for the whole cloud or for one resource and all below it. Goes with the resource, or by `reset`: the setting inherits again. */
  readonly settingValues: SettingValuesClient;
  /** That a setting was given a value, another one, or none any more. Kept when the value is gone; `rollback` takes it back. */
  readonly settingChanges: SettingChangesClient;
  readonly access: AccessEndpoints;
  readonly logout: LogoutEndpoints;
  readonly password: PasswordEndpoints;
  readonly quota: QuotaEndpoints;
  readonly recovery: RecoveryEndpoints;
  readonly imageContents: ImageContentsEndpoints;
  readonly reachability: ReachabilityEndpoints;
  readonly capabilities: CapabilitiesEndpoints;
  readonly callbacks: CallbacksEndpoints;
  readonly settings: SettingsEndpoints;
  readonly backups: BackupsEndpoints;
  readonly audit: AuditEndpoints;
  readonly orphans: OrphansEndpoints;
  readonly causes: CausesEndpoints;

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
    this.agents = new AgentsClient(this.client);
    this.storageClasses = new StorageClassesClient(this.client);
    this.pools = new PoolsClient(this.client);
    this.volumes = new VolumesClient(this.client);
    this.attachments = new AttachmentsClient(this.client);
    this.images = new ImagesClient(this.client);
    this.snapshots = new SnapshotsClient(this.client);
    this.snapshotGroups = new SnapshotGroupsClient(this.client);
    this.backupStores = new BackupStoresClient(this.client);
    this.backupPlans = new BackupPlansClient(this.client);
    this.backupSets = new BackupSetsClient(this.client);
    this.volumeBackups = new VolumeBackupsClient(this.client);
    this.fabrics = new FabricsClient(this.client);
    this.physicalNetworks = new PhysicalNetworksClient(this.client);
    this.vpcs = new VpcsClient(this.client);
    this.routes = new RoutesClient(this.client);
    this.peerings = new PeeringsClient(this.client);
    this.networks = new NetworksClient(this.client);
    this.subnets = new SubnetsClient(this.client);
    this.nics = new NicsClient(this.client);
    this.securityGroups = new SecurityGroupsClient(this.client);
    this.securityGroupRules = new SecurityGroupRulesClient(this.client);
    this.securityGroupMembers = new SecurityGroupMembersClient(this.client);
    this.dnsRecords = new DnsRecordsClient(this.client);
    this.reservedAddresses = new ReservedAddressesClient(this.client);
    this.natGateways = new NatGatewaysClient(this.client);
    this.natPortBlocks = new NatPortBlocksClient(this.client);
    this.elasticIps = new ElasticIpsClient(this.client);
    this.portForwards = new PortForwardsClient(this.client);
    this.loadBalancers = new LoadBalancersClient(this.client);
    this.listeners = new ListenersClient(this.client);
    this.backends = new BackendsClient(this.client);
    this.placementGroups = new PlacementGroupsClient(this.client);
    this.instanceTypes = new InstanceTypesClient(this.client);
    this.instances = new InstancesClient(this.client);
    this.webhooks = new WebhooksClient(this.client);
    this.deliveries = new DeliveriesClient(this.client);
    this.stacks = new StacksClient(this.client);
    this.stackRevisions = new StackRevisionsClient(this.client);
    this.stackResources = new StackResourcesClient(this.client);
    this.tags = new TagsClient(this.client);
    this.tagPolicies = new TagPoliciesClient(this.client);
    this.systemTags = new SystemTagsClient(this.client);
    this.settingValues = new SettingValuesClient(this.client);
    this.settingChanges = new SettingChangesClient(this.client);
    this.access = new AccessEndpoints(this.client);
    this.logout = new LogoutEndpoints(this.client);
    this.password = new PasswordEndpoints(this.client);
    this.quota = new QuotaEndpoints(this.client);
    this.recovery = new RecoveryEndpoints(this.client);
    this.imageContents = new ImageContentsEndpoints(this.client);
    this.reachability = new ReachabilityEndpoints(this.client);
    this.capabilities = new CapabilitiesEndpoints(this.client);
    this.callbacks = new CallbacksEndpoints(this.client);
    this.settings = new SettingsEndpoints(this.client);
    this.backups = new BackupsEndpoints(this.client);
    this.audit = new AuditEndpoints(this.client);
    this.orphans = new OrphansEndpoints(this.client);
    this.causes = new CausesEndpoints(this.client);
  }
}

/** A client of one cloud: by URL, by a transport of your own, or in this process. Nothing is sent yet. */
export const connect = (target: ConnectOptions | Embedded): Cloud => new Cloud(target);
