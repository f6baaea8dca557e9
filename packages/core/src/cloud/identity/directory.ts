import { hash } from 'node:crypto';
import {
  type AnyKind,
  CloudError,
  type Condition,
  type Id,
  type KernelServices,
  type NotLetIn,
  notLetIn,
  type Principal,
  type RowBase,
  type RowOf,
  type Statement,
  timestamp,
} from '../../kernel/index.ts';
import { account } from './account.ts';
import { apiKey } from './api-key.ts';
import { CREDENTIALS, readCredential, secretOf, type TokenId, tokenId } from './credential.ts';
import { type Caller, Grantee } from './grantee.ts';
import { bindingsOf, grantsOf, within, worksIn } from './grants.ts';
import { membership } from './group.ts';
import { operatorPrincipal } from './principal.ts';
import { project } from './project.ts';
import type { Grant } from './reach.ts';
import { role, roleBinding } from './role.ts';
import { Roles } from './roles.ts';
import { session } from './session.ts';
import { serviceAccount, user } from './user.ts';

/** Of a credential that works in no project: there is none, or none that its holder may work in. */
const NO_PROJECT = '00000000-0000-0000-0000-000000000000' as Id<'project'>;
/** Callers who are remembered. */
const KNOWN_MAX = 20_000;

/** Change who may what, for whomever. Those of one credential are left out. */
const SHARED_TABLES = new Set([account, project, user, serviceAccount, membership, role, roleBinding].map((kind) => kind.name as string));
const OWN_TABLES = new Set([apiKey.name as string, session.name as string, CREDENTIALS.name]);

interface Signing {
  readonly key: string;
  readonly expiresAt?: string;
}

interface Known {
  readonly principal: Principal;
  readonly credentialId: string;
  readonly expiresAtMs: number;
}

type Subject = RowOf<typeof user> | RowOf<typeof serviceAccount>;

/**
 * Who asks, by what he shows. Answers come from memory; what is written of identity drops them in the same turn in which it is known to be durable, before
 * anybody is answered: a key that is revoked is refused from the next request on.
 */
export class Directory {
  readonly roles: Roles;
  readonly #services: KernelServices;
  readonly #known = new Map<string, Known>();
  readonly #signing = new Map<string, readonly Signing[]>();
  #version = 0;

  constructor(services: KernelServices) {
    this.#services = services;
    this.roles = new Roles(services);
    services.kernel().onOutcome((statements) => this.#written(statements));
  }

  /**
   * The holder of an API key or a session.
   * @param inProject id or name of the project to work in; default: that of the key, or the first
   * @throws CloudError `unauthenticated`; `permission_denied` for a project that he cannot work in
   */
  byToken(token: string, inProject?: string): Principal | Promise<Principal> {
    const sha256 = hash('sha256', token, 'base64');
    return this.#remembered(placeKey(sha256, inProject)) ?? this.#byDigest(tokenId(token), sha256, inProject);
  }

  #byDigest(id: TokenId | undefined, sha256: string, inProject: string | undefined): Principal | Promise<Principal> {
    const key = placeKey(sha256, inProject);
    const again = () => this.#byDigest(id, sha256, inProject);
    return this.#remembered(key) ?? this.#find(key, async () => this.#proven(id, sha256, inProject, again));
  }

  /** The holder of an API key who has proven that he has it otherwise, by one of the keys for signatures. */
  async byKeyId(id: string, isProof: (signingKey: string) => boolean, inProject?: string): Promise<Principal> {
    const signing = (await this.#signingKeys(id)).find(isProof);
    if (signing === undefined) throw await this.#noProof({ prefix: 'pil', id }, 'bad_signature');
    const key = placeKey(`signed ${hash('sha256', signing, 'base64')}`, inProject);
    const again = () => this.byKeyId(id, (one) => one === signing, inProject);
    return this.#remembered(key) ?? this.#find(key, () => this.#holder({ prefix: 'pil', id }, undefined, inProject, again));
  }

  /** The root key's holder, at work in any project. */
  operator(actor: string, inProject: string | undefined): Principal | Promise<Principal> {
    const own = operatorPrincipal(actor);
    if (inProject === undefined) return own;
    const key = `${actor} ${inProject}`;
    const place = async () => {
      const row = await this.#projectNamed(inProject, own.accountId);
      if (row === undefined) throw noProject(inProject);
      return {
        principal: { ...own, projectId: row.id, accountId: row.accountId as Id<'account'> },
        credentialId: actor,
        expiresAtMs: Number.POSITIVE_INFINITY,
      };
    };
    return this.#remembered(key) ?? this.#find(key, place);
  }

  #remembered(key: string): Principal | undefined {
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    if (known.expiresAtMs > this.#services.environment.clock.nowMs()) return known.principal;
    this.#known.delete(key);
    return undefined;
  }

  /** What was found is remembered, unless something of identity was written meanwhile. */
  async #find(key: string, look: () => Promise<Known>): Promise<Principal> {
    const version = this.#version;
    const found = await look();
    if (version === this.#version) {
      const [oldest] = this.#known.keys();
      if (this.#known.size >= KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest);
      this.#known.set(key, found);
    }
    return found.principal;
  }

  #written(statements: readonly Statement[]): void {
    let isShared = false;
    const credentials = new Set<string>();
    for (const statement of statements) {
      if (!('table' in statement) || statement.op === 'expect' || statement.op === 'vacant') continue;
      if (SHARED_TABLES.has(statement.table)) isShared = true;
      else if (OWN_TABLES.has(statement.table)) credentials.add(statement.op === 'insert' ? String(statement.row.id) : statement.key);
    }
    if (!isShared && credentials.size === 0) return;
    this.#version += 1;
    for (const id of credentials) this.#signing.delete(id);
    if (isShared) this.#known.clear();
    else for (const [key, { credentialId }] of this.#known) if (credentials.has(credentialId)) this.#known.delete(key);
  }

  async #proven(of: TokenId | undefined, sha256: string, inProject: string | undefined, again: Caller['renewed']): Promise<Known> {
    const credential = of === undefined ? undefined : await readCredential(this.#services.store, of.id);
    const secret = credential === undefined ? undefined : secretOf(credential, sha256, timestamp(this.#services.environment.clock));
    if (of === undefined) throw unknownKey({ reason: 'malformed' });
    if (secret === undefined) throw await this.#noProof(of, 'wrong_secret');
    return this.#holder(of, secret.expiresAt, inProject, again);
  }

  /** The credential is named, and nothing proves that it is there: whose it would be is told where there is one. */
  async #noProof(of: TokenId, reason: NotLetIn['reason'], error?: CloudError): Promise<CloudError> {
    const row = await this.#services.reader.find<AnyKind>(of.prefix === 'pil' ? apiKey : session, of.id);
    return unknownKey({ reason: row === undefined ? 'unknown' : reason, of, row, error });
  }

  /** The request was made before: whoever has caught it wants to make it again. */
  replayed(id: string, error: CloudError): Promise<CloudError> {
    return this.#noProof({ prefix: 'pil', id }, 'replayed', error);
  }

  async #signingKeys(id: string): Promise<readonly string[]> {
    const version = this.#version;
    const kept = this.#signing.get(id) ?? (await this.#opened(id));
    if (version === this.#version && kept.length > 0 && this.#signing.size < KNOWN_MAX) this.#signing.set(id, kept);
    const now = timestamp(this.#services.environment.clock);
    return kept.flatMap(({ key, expiresAt }) => (expiresAt !== undefined && expiresAt <= now ? [] : [key]));
  }

  async #opened(id: string): Promise<readonly Signing[]> {
    const { store, secrets } = this.#services;
    const opened = ((await readCredential(store, id))?.secrets ?? []).map(async ({ signing, expiresAt }): Promise<readonly Signing[]> => {
      if (signing === undefined) return [];
      return [{ key: await secrets.open(signing), ...(expiresAt === undefined ? {} : { expiresAt }) }];
    });
    return (await Promise.all(opened)).flat();
  }

  async #holder(
    { prefix, id }: TokenId,
    secretUntil: string | undefined,
    inProject: string | undefined,
    renewed: Caller['renewed'],
  ): Promise<Known> {
    const { reader, environment } = this.#services;
    const key = prefix === 'pil' ? await reader.find(apiKey, id) : undefined;
    const signedIn = prefix === 'pis' ? await reader.find(session, id) : undefined;
    const row = key ?? signedIn;
    const untilMs = Math.min(
      ...[row?.expiresAt, secretUntil].map((text) => (text === undefined ? Number.POSITIVE_INFINITY : Date.parse(text))),
    );
    if (row === undefined) throw unknownKey({ reason: 'unknown', of: { prefix, id } });
    if (row.state !== 'active' || !(untilMs > environment.clock.nowMs())) throw unknownKey({ reason: 'over', of: { prefix, id }, row });
    const subject = await this.#subject(row);
    if (subject === undefined) throw unknownKey({ reason: 'disabled', of: { prefix, id }, row });
    const of = key === undefined ? {} : { only: key.permissions, inProjectId: key.inProjectId };
    const actor = key === undefined ? `user:${subject.row.id}` : `key:${id}`;
    const principal = await this.principal({ ...of, actor, credentialId: id, subject, inProject, renewed });
    return { principal, credentialId: id, expiresAtMs: untilMs };
  }

  async #subject(of: { readonly userId?: string; readonly serviceAccountId?: string }) {
    const { reader } = this.#services;
    const kind = of.userId === undefined ? ('serviceAccount' as const) : ('user' as const);
    const row: Subject | undefined =
      of.userId === undefined ? await reader.find(serviceAccount, of.serviceAccountId ?? '') : await reader.find(user, of.userId);
    if (row?.state !== 'enabled') return undefined;
    if ((await reader.find(account, row.accountId as string))?.state !== 'available') return undefined;
    return { kind, row };
  }

  /** A user or service account at work, with all that was bound to him. @throws CloudError `permission_denied` for a project that he cannot work in */
  async principal(asked: {
    readonly actor: string;
    readonly credentialId: string;
    readonly subject: { readonly kind: 'user' | 'serviceAccount'; readonly row: Subject };
    readonly only?: readonly string[] | undefined;
    readonly inProjectId?: string | undefined;
    readonly inProject?: string | undefined;
    readonly renewed: Caller['renewed'];
  }): Promise<Principal> {
    const { subject, actor, credentialId, only, renewed } = asked;
    const ownAccount = subject.row.accountId as Id<'account'>;
    const { reader } = this.#services;
    const { bindings } = await bindingsOf(reader, subject.row.id);
    const all = await grantsOf(reader, this.roles, bindings, ownAccount);
    const place = await this.#place(all, ownAccount, asked.inProjectId, asked.inProject);
    const isTied = asked.inProjectId !== undefined;
    const grants = isTied && place !== undefined ? all.map((grant) => within(grant, place)) : all;
    const caller: Caller = {
      actor,
      credentialId,
      subject: { kind: subject.kind, id: subject.row.id },
      projectId: place?.id ?? NO_PROJECT,
      accountId: (place?.accountId as Id<'account'> | undefined) ?? ownAccount,
      ...(only === undefined ? {} : { permissions: only }),
      isTied,
      renewed,
    };
    return new Grantee(caller, grants, this.roles);
  }

  /** The project to work in: the one asked for, that of the key, or the first that there is a role for. */
  async #place(grants: readonly Grant[], accountId: string, ofKey: string | undefined, asked: string | undefined) {
    const name = asked ?? ofKey;
    const row = name === undefined ? await this.#firstProject(grants, accountId) : await this.#projectNamed(name, accountId);
    if (name === undefined) return row;
    const isReached = row !== undefined && (ofKey === undefined || ofKey === row.id) && worksIn(grants, accountId, row);
    if (isReached) return row;
    throw noProject(name);
  }

  async #projectNamed(name: string, accountId: string) {
    const { reader } = this.#services;
    const byId = await reader.find(project, name);
    const and = [
      { field: 'accountId', op: '=', value: accountId },
      { field: 'name', op: '=', value: name },
    ] as const;
    const row = byId ?? (await reader.list(project, { and }, { limit: 1 }))[0];
    return row?.state === 'available' ? row : undefined;
  }

  async #firstProject(grants: readonly Grant[], accountId: string) {
    const isWide = grants.some(({ level }) => level !== 'project');
    const ids = grants.flatMap(({ inProjectId }) => (inProjectId === undefined ? [] : [inProjectId]));
    const among: readonly Condition[] = isWide ? [] : [{ field: 'id', op: 'in', value: ids }];
    if (!isWide && ids.length === 0) return undefined;
    const own = { field: 'accountId', op: '=', value: accountId } as const;
    const and = [own, { field: 'state', op: '=', value: 'available' } as const, ...among];
    return (await this.#services.reader.list(project, { and }, { limit: 1 }))[0];
  }
}

const placeKey = (proof: string, inProject = ''): string => `${proof} ${inProject}`;

interface NoKey extends Pick<NotLetIn, 'reason'> {
  readonly of?: TokenId;
  readonly row?: RowBase | undefined;
  readonly error?: CloudError | undefined;
}

/** He is told no more than that, whatever is in the way. */
function unknownKey({ reason, of, row, error = new CloudError('unauthenticated', 'This API key is unknown.') }: NoKey): CloudError {
  const kind = of?.prefix === 'pis' ? session : apiKey;
  const accountId = row?.accountId;
  return notLetIn(error, {
    ...{ reason, action: `${kind.name}.use` },
    ...(row === undefined ? {} : { resourceKind: kind.name, resourceId: row.id }),
    ...(accountId === undefined ? {} : { accountId }),
    ...(of === undefined || row !== undefined ? {} : { named: { id: of.id } }),
  });
}

/** The same of one that is not there, of one of others, and of one without a role in it. */
const noProject = (name: string): CloudError =>
  new CloudError('permission_denied', `No project ${name} that this key works in.`, { params: { header: 'X-Pileus-Project' } });
