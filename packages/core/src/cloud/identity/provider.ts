/** Who somebody is, as an identity provider says it. */
export interface ExternalIdentity {
  /** Never given to anybody else by the provider. */
  readonly id: string;
  readonly name?: string;
  readonly email?: string;
  /** Names of the groups that it has him in. */
  readonly groups: readonly string[];
}

/**
 * Knows the users of one account. What it proves opens a session; what it says of groups holds from one sign-in to the next: groups of the account whose
 * `externalId` is its name, a colon and the group's name there.
 */
export interface IdentityProvider {
  /** Short and constant: it is part of what users and groups are known by. */
  readonly name: string;
  /** Name of the account. */
  readonly account: string;
  /** Whether who is not there yet is made a user when he first signs in. */
  readonly makesUsers: boolean;
  /** By name and password; undefined when they are not right. @throws CloudError `unavailable` when it cannot be asked */
  readonly byPassword?: (user: string, password: string) => Promise<ExternalIdentity | undefined>;
  /** By a token that it has issued; undefined when it is not good. @throws CloudError `unavailable` */
  readonly byToken?: (token: string) => Promise<ExternalIdentity | undefined>;
}
