import { hash } from 'node:crypto';
import {
  both,
  CloudError,
  create,
  equals,
  expectState,
  type Id,
  type KernelServices,
  type NotLetIn,
  notLetIn,
  type RowOf,
  revert,
  type Statement,
} from '../../kernel/index.ts';
import { account } from './account.ts';
import { group, membership } from './group.ts';
import type { ExternalIdentity, IdentityProvider } from './provider.ts';
import { user } from './user.ts';

type User = RowOf<typeof user>;

/** A user whom a provider vouches for, and what is to be written when he signs in. */
export interface Vouched {
  readonly user: Pick<User, 'id' | 'accountId'>;
  readonly statements: readonly Statement[];
}

/** Makes users of this cloud of who comes from identity providers, and keeps the groups that they bring. */
export class Federation {
  readonly #services: KernelServices;

  constructor(services: KernelServices) {
    this.#services = services;
  }

  /** @throws CloudError `unauthenticated` when he is not let in here */
  async user(provider: IdentityProvider, identity: ExternalIdentity): Promise<Vouched> {
    const { reader } = this.#services;
    const [of] = await reader.list(account, equals('name', provider.account), { limit: 1 });
    const named = { provider: provider.name, ...(identity.name === undefined ? {} : { user: identity.name }) };
    const refused = (reason: NotLetIn['reason'], whose: Partial<NotLetIn> = {}) =>
      notLetIn(new CloudError('unauthenticated', 'There is no such user with this password.'), {
        ...{ reason, action: 'session.create', named, ...whose },
      });
    if (of?.state !== 'available') throw refused('disabled');
    const externalId = idAt(provider, identity.id);
    const [known] = await reader.list(user, both(equals('accountId', of.id), equals('externalId', externalId)), { limit: 1 });
    if (known === undefined && !provider.makesUsers) throw refused('unknown', { accountId: of.id });
    if (known !== undefined && known.state !== 'enabled')
      throw refused('disabled', { accountId: of.id, resourceKind: user.name, resourceId: known.id });
    const id = known?.id ?? this.#services.ids.mint('user');
    const fresh = known === undefined ? [await this.#newUser(of.id, id, externalId, identity)] : changed(known, identity);
    const memberships = await this.#memberships(provider, of.id, id, identity.groups);
    return { user: { id, accountId: of.id }, statements: [...fresh, ...memberships] };
  }

  async #newUser(accountId: Id<'account'>, id: Id<'user'>, externalId: string, { name, email }: ExternalIdentity): Promise<Statement> {
    const wanted = nameFrom(name ?? email?.split('@')[0] ?? '');
    const taken = await this.#services.reader.list(user, both(equals('accountId', accountId), equals('name', wanted)), { limit: 1 });
    // Somebody else of the account may have the name: it proves nothing.
    const unique = taken.length === 0 && wanted !== '' ? wanted : `${wanted.slice(0, 50)}-${hash('sha256', externalId).slice(0, 8)}`;
    return create(user, { id, accountId, name: unique.replace(/^-/, 'user-'), externalId, ...(email === undefined ? {} : { email }) });
  }

  /** Puts the user into the groups that the provider has him in, and takes him out of its others. */
  async #memberships(
    provider: IdentityProvider,
    accountId: Id<'account'>,
    userId: Id<'user'>,
    names: readonly string[],
  ): Promise<readonly Statement[]> {
    const { reader, ids, kernel } = this.#services;
    const groups = await reader.list(
      group,
      both(equals('accountId', accountId), { field: 'externalId', op: 'like', value: `${provider.name}:%` }),
    );
    const wanted = new Set(names.map((name) => idAt(provider, name)));
    const now = await reader.list(membership, both(equals('userId', userId), equals('state', 'available')));
    return groups.flatMap((of): readonly Statement[] => {
      const there = now.find(({ groupId }) => groupId === of.id);
      const isMember = wanted.has(of.externalId ?? '') && of.state === 'available';
      if (isMember === (there !== undefined) || (there !== undefined && kernel().holds(there.id))) return [];
      if (there !== undefined) return [revert(membership, there.id, { from: 'available', to: 'deleted' })];
      const id = ids.mint('membership');
      return [
        expectState(group, of.id, ['available']),
        create(membership, { id, accountId, name: `membership-${id.slice(-12)}`, groupId: of.id, userId }),
      ];
    });
  }
}

const idAt = ({ name }: IdentityProvider, id: string): string => `${name}:${id}`;

function changed(known: User, { email }: ExternalIdentity): readonly Statement[] {
  if (email === undefined || email === known.email) return [];
  return [{ op: 'update', table: user.name, key: known.id, set: { email }, expect: { state: 'enabled' } }];
}

/** As names are here: small letters, digits and hyphens. */
const nameFrom = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 60)
    .replaceAll(/^-+|-+$/g, '');
