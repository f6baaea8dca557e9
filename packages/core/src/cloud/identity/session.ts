import { type Static, Type } from 'typebox';
import {
  AUTHENTICATED,
  type ChangeRequest,
  CloudError,
  create,
  defineKind,
  type Endpoint,
  expectState,
  type Id,
  isCloudError,
  type KernelServices,
  type NotLetIn,
  notLetIn,
  type Reader,
  type RowOf,
  ref,
  type Statement,
  transition,
} from '../../kernel/index.ts';
import { account } from './account.ts';
import { isStillPassword, newToken, readCredential, writeCredential, writePassword } from './credential.ts';
import { Federation, type Vouched } from './federation.ts';
import type { Passwords } from './passwords.ts';
import { Patience } from './patience.ts';
import type { IdentityProvider } from './provider.ts';
import type { Roles } from './roles.ts';
import { moveAtOnce } from './row-verbs.ts';
import { sessionHours } from './settings.ts';
import { SignInRate } from './sign-in-rate.ts';
import { user } from './user.ts';

const HOUR_MS = 3600_000;

const uuid = Type.String({ format: 'uuid' });
const stamp = Type.String({ format: 'date-time' });
/** The format says that it is a line of text, which nobody should see. */
const password = Type.String({ minLength: 10, maxLength: 1024, format: 'password' });
const knownPassword = Type.String({ maxLength: 1024, format: 'password' });

export const session = defineKind({
  name: 'session',
  plural: 'sessions',
  description: 'That a user has signed in.',
  scope: 'account',
  schema: Type.Object({ userId: ref('user', 'cascade'), expiresAt: stamp }),
  states: { active: ['revoked', 'deleting'], revoked: ['deleting', 'deleted'], deleting: ['active', 'revoked', 'deleted'] },
  initial: 'active',
  indexed: ['expiresAt'],
});

export const sessionActions = [
  moveAtOnce(session, 'revoke', {
    description: 'Signs the user out, from the answer on.',
    input: Type.Object({}),
    from: ['active'],
    to: 'revoked',
  }),
];

const signedIn = Type.Object({
  id: uuid,
  token: Type.String({ description: 'Shown this once.' }),
  expiresAt: stamp,
  userId: uuid,
  accountId: uuid,
});
const login = Type.Object({
  account: Type.String({ maxLength: 63, description: 'Its name.' }),
  user: Type.String({ maxLength: 63, description: 'Its name.' }),
  password: knownPassword,
});
const setting = Type.Object({ password });
const changing = Type.Object({ current: knownPassword, password });
const tokenLogin = Type.Object({
  provider: Type.String({ maxLength: 63, description: 'Its name, e.g. `oidc`.' }),
  token: Type.String({ maxLength: 16_384, description: 'An ID token that it has issued for this cloud.' }),
});
const done = Type.Object({});

export interface SessionOptions {
  readonly services: KernelServices;
  readonly passwords: Passwords;
  readonly roles: Roles;
  readonly providers: readonly IdentityProvider[];
}

/** Signing in and out, and passwords. */
export function sessionEndpoints(options: SessionOptions): readonly Endpoint[] {
  const sessions = new Sessions(options);
  return [
    {
      type: 'change',
      method: 'POST',
      path: '/sessions',
      action: 'session.create',
      permission: 'none',
      summary: 'Signs a user in by his password, and answers a token to ask with.',
      noDryRun: 'It tries a password. A try that counts for nothing would be one more way to guess.',
      isOneTime: true,
      secrets: ['password'],
      body: login,
      answer: signedIn,
      handle: (request) => sessions.signIn(request),
    },
    {
      type: 'change',
      method: 'POST',
      path: '/sessions/token',
      action: 'session.create',
      permission: 'none',
      summary: 'Signs a user in by a token of an identity provider, and answers a token to ask with.',
      noDryRun: 'It tries a token of somebody else; such a token may be good for one use.',
      isOneTime: true,
      secrets: ['token'],
      body: tokenLogin,
      answer: signedIn,
      handle: (request) => sessions.signInByToken(request),
    },
    {
      type: 'change',
      method: 'POST',
      path: '/logout',
      action: 'session.end',
      permission: AUTHENTICATED,
      summary: 'Ends the session that is asked with.',
      noDryRun: 'It ends what it is asked with, and nothing else.',
      answer: done,
      handle: (request) => sessions.signOut(request),
    },
    {
      type: 'change',
      method: 'POST',
      path: '/password',
      action: 'user.changePassword',
      permission: AUTHENTICATED,
      summary: 'Changes the password of who asks, and ends his other sessions.',
      noDryRun: 'It tries a password. A try that counts for nothing would be one more way to guess.',
      secrets: ['current', 'password'],
      body: changing,
      answer: done,
      handle: (request) => sessions.changePassword(request),
    },
    {
      type: 'change',
      method: 'POST',
      path: '/users/{id}/password',
      action: 'user.setPassword',
      permission: 'user.setPassword',
      summary: 'Sets the password of a user, and ends his sessions.',
      secrets: ['password'],
      body: setting,
      answer: done,
      handle: (request) => sessions.setPassword(request),
    },
  ];
}

class Sessions {
  readonly #options: SessionOptions;
  readonly #patience: Patience;
  readonly #rate: SignInRate;
  readonly #federation: Federation;
  /** Compared with where there is no password, so that the time of the answer tells nothing. */
  #nobodys: Promise<string> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#patience = new Patience(options.services.environment.clock);
    this.#rate = new SignInRate(options.services);
    this.#federation = new Federation(options.services);
  }

  async signIn(request: ChangeRequest): Promise<Static<typeof signedIn>> {
    const { reader } = this.#options.services;
    this.#bound(request);
    const asked = request.body as Static<typeof login>;
    const name = `${asked.account}/${spelled(asked.user)}`;
    const tried = { action: 'session.create', named: { account: asked.account, user: asked.user } };
    await this.#begin(name, tried, () => userNamed(reader, asked));
    const undecided = (error: unknown) => {
      this.#patience.undecided(name);
      throw error;
    };
    const { found, ...of } = await userNamed(reader, asked).catch(undecided);
    const who = await this.#who(asked, found, { ...tried, ...of }).catch(undecided);
    if (who instanceof CloudError) throw who;
    this.#patience.succeeded(name);
    return this.#open(who, request.begin);
  }

  async signInByToken(request: ChangeRequest): Promise<Static<typeof signedIn>> {
    this.#bound(request);
    const { provider: name, token } = request.body as Static<typeof tokenLogin>;
    const provider = this.#options.providers.find((each) => each.name === name && each.byToken !== undefined);
    const identity = await provider?.byToken?.(token);
    if (provider === undefined || identity === undefined)
      throw notLetIn(new CloudError('unauthenticated', 'This token proves nothing here.'), {
        ...{ reason: 'bad_token', action: 'session.create', named: { provider: name } },
      });
    return this.#open(await this.#federation.user(provider, identity), request.begin);
  }

  /** Before anything is looked up. @throws CloudError `busy` while the address has to wait */
  #bound({ from }: ChangeRequest): void {
    try {
      this.#rate.take(from);
    } catch (error) {
      throw isCloudError(error) ? notLetIn(error, { action: 'session.create', reason: 'too_often' }) : error;
    }
  }

  async #who(
    asked: Static<typeof login>,
    found: User | undefined,
    tried: Omit<NotLetIn, 'reason'> & Refusal,
  ): Promise<Vouched | CloudError> {
    const kept = await this.#passwordIf(found?.id, asked.password);
    if (found !== undefined && kept !== undefined) return { user: found, statements: [isStillPassword(found.id, kept)] };
    const error = new CloudError('unauthenticated', 'There is no such user with this password.');
    const isProviders = found === undefined && this.#options.providers.some((each) => this.#takes(each, asked.account));
    const reason = found !== undefined ? 'wrong_password' : isProviders ? 'refused_by_provider' : tried.reason;
    return (await this.#vouched(asked)) ?? notLetIn(error, { ...tried, reason });
  }

  #takes({ account: of, byPassword }: IdentityProvider, asked: string): boolean {
    return of === asked && byPassword !== undefined;
  }

  /** A try at a password. Whose the name is, is looked up for the audit where it has to wait. @throws CloudError `busy` */
  async #begin(name: string, tried: Omit<NotLetIn, 'reason'>, whose?: () => Promise<Refusal & { readonly found?: User }>): Promise<void> {
    try {
      this.#patience.begin(name);
    } catch (error) {
      if (!isCloudError(error)) throw error;
      const { found: _found, ...of } = (await whose?.().catch(() => undefined)) ?? {};
      throw notLetIn(error, { ...tried, ...of, reason: 'locked' });
    }
  }

  /** By the identity providers of the account that take passwords. */
  async #vouched({ account: of, user: name, password: text }: Static<typeof login>): Promise<Vouched | undefined> {
    for (const provider of this.#options.providers) {
      const identity = this.#takes(provider, of) ? await provider.byPassword?.(name, text) : undefined;
      if (identity !== undefined) return this.#federation.user(provider, identity);
    }
    return undefined;
  }

  /** A new session of a user who has proven who he is. */
  async #open({ user: { id: userId, accountId }, statements }: Vouched, begin: ChangeRequest['begin']): Promise<Static<typeof signedIn>> {
    const { services } = this.#options;
    const { environment, ids, settings } = services;
    const id = ids.mint('session');
    const { token, sha256 } = newToken('pis', id, environment.random);
    const expiresAt = new Date(environment.clock.nowMs() + settings.global(sessionHours) * HOUR_MS).toISOString();
    const row = create(session, { id, accountId: accountId as Id<'account'>, name: `session-${id}`, userId, expiresAt });
    const by = { actor: `user:${userId}`, accountId: accountId as string, resourceId: id };
    await begin([...statements, expectState(user, userId, ['enabled']), row, ...writeCredential({ id, secrets: [{ sha256 }] })], {}, by);
    return { id, token, expiresAt, userId, accountId: accountId as string };
  }

  async signOut({ principal, begin }: ChangeRequest): Promise<Static<typeof done>> {
    const { reader } = this.#options.services;
    const own = await reader.find(session, principal.credentialId ?? '');
    if (own === undefined) throw new CloudError('conflict', 'This is no session; revoke the key instead.');
    await begin(own.state === 'active' ? [transition(session, own.id, { from: 'active', to: 'revoked' })] : [], {}, { resourceId: own.id });
    return {};
  }

  async changePassword(request: ChangeRequest): Promise<Static<typeof done>> {
    const { principal } = request;
    const { current, password: next } = request.body as Static<typeof changing>;
    if (principal.subject?.kind !== 'user' || principal.isRestricted === true)
      throw new CloudError('permission_denied', 'Only a user who has signed in changes his password.');
    // By who he is: he may have many keys.
    const { id } = principal.subject;
    const tried = { action: 'user.changePassword', resourceKind: user.name, resourceId: id };
    await this.#begin(id, tried);
    const kept = await this.#passwordIf(id, current);
    if (kept === undefined)
      throw notLetIn(new CloudError('invalid_input', 'This is not the password.', { pointer: '/current' }), {
        ...{ ...tried, reason: 'wrong_password' },
      });
    this.#patience.succeeded(id);
    await this.#store({ userId: id, text: next, was: kept, except: principal.credentialId }, request);
    return {};
  }

  async setPassword(request: ChangeRequest): Promise<Static<typeof done>> {
    const { services, roles } = this.#options;
    const row = await services.reader.get(user, request.params.id ?? '');
    // Who sets a password can sign in with it.
    await roles.assertCovered(request.principal, { subjectId: row.id });
    const was = (await readCredential(services.store, row.id))?.password;
    await this.#store({ userId: row.id, text: (request.body as Static<typeof setting>).password, was }, request);
    return {};
  }

  async #store({ userId, text, was, except }: NewPassword, { begin, rehearses }: ChangeRequest): Promise<void> {
    const { services, passwords } = this.#options;
    const stored = rehearses ? [] : [writePassword(userId, await passwords.hash(text), was)];
    const open = await services.reader.list(session, {
      and: [
        { field: 'userId', op: '=', value: userId },
        { field: 'state', op: '=', value: 'active' },
      ],
    });
    const ended = open.flatMap(({ id }): Statement[] =>
      id === except ? [] : [transition(session, id, { from: 'active', to: 'revoked' })],
    );
    await begin([...ended, ...stored], { endsSessions: ended.length }, { resourceId: userId });
  }

  /** What is kept of his password, if this is it. */
  async #passwordIf(userId: string | undefined, text: string): Promise<string | undefined> {
    const { services, passwords } = this.#options;
    const kept = userId === undefined ? undefined : (await readCredential(services.store, userId))?.password;
    this.#nobodys ??= passwords.hash('');
    return (await passwords.verify(text, kept ?? (await this.#nobodys))) ? kept : undefined;
  }
}

interface NewPassword {
  readonly userId: string;
  readonly text: string;
  /** What was kept of the one before. */
  readonly was: string | undefined;
  /** The session that goes on. */
  readonly except?: string | undefined;
}

type User = RowOf<typeof user>;

/** Directories take names for the same that differ in case, width or spaces: so do those who count guesses. */
const spelled = (name: string): string => name.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ').trim();

/** Why, as far as it is not for the password, and whose the name is. */
type Refusal = Pick<NotLetIn, 'reason'> & Partial<Pick<NotLetIn, 'accountId' | 'resourceKind' | 'resourceId'>>;

/** `found`: of an account and a user who are let in. */
async function userNamed(
  reader: Reader,
  asked: { readonly account: string; readonly user: string },
): Promise<Refusal & { readonly found?: User }> {
  const named = (name: string) => ({ field: 'name', op: '=', value: name }) as const;
  const [of] = await reader.list(account, named(asked.account), { limit: 1 });
  if (of === undefined) return { reason: 'unknown' };
  const accountId: string = of.id;
  if (of.state !== 'available') return { reason: 'disabled', accountId };
  const own = { field: 'accountId', op: '=', value: of.id } as const;
  const [found] = await reader.list(user, { and: [own, named(asked.user)] }, { limit: 1 });
  if (found === undefined) return { reason: 'unknown', accountId };
  const whose = { accountId, resourceKind: user.name, resourceId: found.id as string };
  return found.state === 'enabled' ? { reason: 'wrong_password', ...whose, found } : { reason: 'disabled', ...whose };
}

/** Sessions that are over: their rows go. */
export async function expiredSessions({ reader, environment }: KernelServices, limit: number) {
  const now = new Date(environment.clock.nowMs()).toISOString();
  return reader.list(
    session,
    {
      and: [
        { field: 'expiresAt', op: '<', value: now },
        { field: 'state', op: 'in', value: ['active', 'revoked'] },
      ],
    },
    { limit },
  );
}
