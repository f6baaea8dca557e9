import { type Static, Type } from 'typebox';
import {
  type AnyKind,
  CloudError,
  type EndpointRequest,
  type Id,
  inWords,
  isMeant,
  isVisible,
  type KernelServices,
  lacks,
  type PermissionFact,
  type Principal,
  type Reader,
  type RowBase,
  type RowOf,
  readPermission,
  ref,
  timestamp,
  usable,
} from '../../kernel/index.ts';
import { account } from './account.ts';
import { apiKey } from './api-key.ts';
import { type Caller, Grantee } from './grantee.ts';
import { type Bindings, bindingsOf, bindingsOfGroup, grantsOf, within, worksIn } from './grants.ts';
import { group, membership } from './group.ts';
import { project } from './project.ts';
import { role, roleBinding } from './role.ts';
import { type Roles, unknownPermission } from './roles.ts';
import { serviceAccount, user } from './user.ts';

const about = {
  userId: Type.Optional(ref('user', 'cascade', { description: 'Whether this user may, instead of the caller.' })),
  serviceAccountId: Type.Optional(ref('serviceAccount', 'cascade', { description: 'The same of a service account.' })),
  groupId: Type.Optional(ref('group', 'cascade', { description: 'The same of what a group gives to its members.' })),
  apiKeyId: Type.Optional(ref('apiKey', 'cascade', { description: 'The same of whoever asks with this key.' })),
  projectId: Type.Optional(
    ref('project', 'cascade', { description: 'Of somebody else: at work in this project. Default: the one that the caller works in.' }),
  ),
};

export const question = Type.Object({
  permission: Type.String({ maxLength: 128, description: 'E.g. `instance.start`.' }),
  resourceId: Type.Optional(Type.String({ format: 'uuid', description: 'Whether it holds for this row.' })),
  ...about,
});
type Question = Static<typeof question>;

const binding = Type.Object({
  id: Type.String(),
  role: Type.String(),
  level: Type.String(),
  inProjectId: Type.Union([Type.String(), Type.Null()]),
});

export const explanation = Type.Object({
  permission: Type.String(),
  allowed: Type.Boolean(),
  reason: Type.String(),
  level: Type.String({ description: 'At least at this level a role has to be bound: project, account or cloud.' }),
  bindings: Type.Array(binding, { description: 'Those of whom it is about, which were looked at.' }),
  grantedBy: Type.Array(Type.String(), { description: 'Roles that hold it: built-in ones, and those of the account.' }),
});
type Explanation = Static<typeof explanation>;

/** Whom a question is about, and why it does not matter what his roles say. */
interface Asked {
  readonly who: Principal;
  readonly isSelf: boolean;
  readonly shutOut?: string;
}

/** @throws CloudError `invalid_input` for what means nothing; `permission_denied`, `not_found` for what the caller may not read of somebody else */
export async function explain(services: KernelServices, roles: Roles, { principal, body }: EndpointRequest): Promise<Explanation> {
  const { reader } = services;
  const asked = body as Question;
  const { permission } = asked;
  const fact = roles.permissions.find(permission);
  if (fact === undefined) throw unknownPermission(permission, '/permission');
  const of = await askedOf(services, roles, asked, fact, principal);
  const told = of.who.explain?.(permission) as Partial<Explanation> | undefined;
  const own = principal.allows(readPermission(role))
    ? await reader.list(role, { field: 'accountId', op: '=', value: principal.accountId })
    : [];
  const named = own.filter(({ rules }) => rules.some(({ permissions }) => permissions.some((pattern) => isMeant(pattern, permission))));
  const verdict = of.shutOut === undefined ? await verdictOn(reader, of, fact, asked, principal) : { allowed: false, reason: of.shutOut };
  return {
    permission,
    level: fact.scope as string,
    bindings: told?.bindings ?? [],
    grantedBy: [...(told?.grantedBy ?? ['operator']), ...named.map(({ name }) => name)],
    ...verdict,
    ...(of.shutOut === undefined && !verdict.allowed && told?.reason !== undefined ? { reason: told.reason } : {}),
  };
}

async function verdictOn(
  reader: Reader,
  { who, isSelf }: Asked,
  fact: PermissionFact,
  { resourceId }: Question,
  asker: Principal,
): Promise<Pick<Explanation, 'allowed' | 'reason'>> {
  const { name, kind } = fact;
  // Nobody learns by what others may that a row is there.
  const row = resourceId === undefined || kind === undefined ? undefined : await seenRow(reader, kind, resourceId, asker);
  if (!isSelf && row === undefined && resourceId !== undefined && kind !== undefined)
    throw new CloudError('not_found', `No ${inWords(kind.name)} ${resourceId}.`, { pointer: '/resourceId' });
  if (!who.allows(name)) return { allowed: false, reason: `No role that is bound to ${isSelf ? 'the caller' : 'it'} holds it here.` };
  if (resourceId === undefined || kind === undefined)
    return { allowed: true, reason: who.limits?.(name) === undefined ? 'A role holds it.' : 'A role holds it, for some rows only.' };
  // What is not there for him is said to be absent, whoever's it is.
  if (row === undefined) return { allowed: false, reason: `No ${inWords(kind.name)} ${resourceId}.` };
  if ((await seenRow(reader, kind, resourceId, who)) === undefined)
    return { allowed: false, reason: 'The row is outside of what the roles let it see.' };
  const allowed = await isVisible(kind, row, who, name, reader);
  const whose = isSelf ? 'the roles of the caller let him change' : 'the roles let it change';
  return { allowed, reason: allowed ? 'A role holds it for this row.' : `The row is outside of what ${whose}.` };
}

async function seenRow(reader: Reader, kind: AnyKind, id: string, principal: Principal): Promise<RowBase | undefined> {
  const row = principal.allows(readPermission(kind)) ? await reader.find(kind, id) : undefined;
  return row !== undefined && (await isVisible(kind, row, principal, readPermission(kind), reader)) ? row : undefined;
}

async function askedOf(
  services: KernelServices,
  roles: Roles,
  asked: Question,
  fact: PermissionFact,
  principal: Principal,
): Promise<Asked> {
  const { reader } = services;
  const { userId, serviceAccountId, groupId, apiKeyId, projectId } = asked;
  const given = [userId, serviceAccountId, groupId, apiKeyId].filter((id) => id !== undefined).length;
  if (given > 1)
    throw new CloudError('invalid_input', 'Give one of userId, serviceAccountId, groupId and apiKeyId, or none.', { pointer: '' });
  if (given === 0 && projectId !== undefined)
    throw new CloudError('invalid_input', 'For the caller it is the project that he works in.', { pointer: '/projectId' });
  if (given === 0) return { who: principal, isSelf: true };
  const read = async <K extends AnyKind>(kind: K, id: string, pointer: string): Promise<RowOf<K>> => {
    mayRead(kind, principal);
    return usable(reader, kind, id, principal, pointer);
  };
  const place = await read(project, projectId ?? principal.projectId, '/projectId');
  const key = apiKeyId === undefined ? undefined : await read(apiKey, apiKeyId, '/apiKeyId');
  const subject =
    groupId === undefined
      ? await subjectOf(
          read,
          { userId: userId ?? key?.userId, serviceAccountId: serviceAccountId ?? key?.serviceAccountId },
          key !== undefined,
        )
      : { kind: 'group' as const, row: await read(group, groupId, '/groupId') };
  const bound = subject.kind === 'group' ? await bindingsOfGroup(reader, subject.row.id) : await bindingsOf(reader, subject.row.id);
  await assertReadable(reader, bound, principal);
  const all = await grantsOf(reader, roles, bound.bindings, principal.accountId);
  const grants = key?.inProjectId === undefined ? all : all.map((grant) => within(grant, { ...place, id: key.inProjectId ?? place.id }));
  const caller: Caller = {
    actor: key === undefined ? `${subject.kind}:${subject.row.id}` : `key:${key.id}`,
    ...(subject.kind === 'group' ? {} : { subject: { kind: subject.kind, id: subject.row.id } }),
    credentialId: key?.id ?? '',
    projectId: place.id,
    accountId: place.accountId as Id<'account'>,
    ...(key?.permissions === undefined ? {} : { permissions: key.permissions }),
    isTied: key?.inProjectId !== undefined,
    renewed: () => who,
  };
  const who: Principal = new Grantee(caller, grants, roles);
  const shutOut =
    (await whyNotIn(services, subject, key)) ??
    (key?.inProjectId !== undefined && key.inProjectId !== place.id ? 'The API key works in another project alone.' : undefined) ??
    (fact.scope === 'project' && !worksIn(grants, principal.accountId, place) ? 'No role lets it work in this project.' : undefined);
  return { who, isSelf: false, ...(shutOut === undefined ? {} : { shutOut }) };
}

type Subject =
  | { readonly kind: 'user'; readonly row: RowOf<typeof user> }
  | { readonly kind: 'serviceAccount'; readonly row: RowOf<typeof serviceAccount> };

async function subjectOf(
  read: <K extends AnyKind>(kind: K, id: string, pointer: string) => Promise<RowOf<K>>,
  { userId, serviceAccountId }: { readonly userId?: string | undefined; readonly serviceAccountId?: string | undefined },
  isOfKey: boolean,
): Promise<Subject> {
  if (userId !== undefined) return { kind: 'user', row: await read(user, userId, isOfKey ? '/apiKeyId' : '/userId') };
  return { kind: 'serviceAccount', row: await read(serviceAccount, serviceAccountId ?? '', isOfKey ? '/apiKeyId' : '/serviceAccountId') };
}

/** Whoever asks about others could read all that the answer is made of. @throws CloudError `permission_denied` */
async function assertReadable(reader: Reader, { bindings, memberships }: Bindings, principal: Principal): Promise<void> {
  for (const kind of [roleBinding, role, membership]) mayRead(kind, principal);
  const rows: readonly (readonly [AnyKind, RowBase])[] = [
    ...bindings.map((row) => [roleBinding, row] as const),
    ...memberships.map((row) => [membership, row] as const),
  ];
  for (const [kind, row] of rows)
    if (!(await isVisible(kind, row, principal, readPermission(kind), reader))) throw lacks(readPermission(kind), principal);
}

function mayRead(kind: AnyKind, principal: Principal): void {
  if (!principal.allows(readPermission(kind))) throw lacks(readPermission(kind), principal);
}

/** Why it is let in nowhere. */
async function whyNotIn(
  { reader, environment }: KernelServices,
  { kind, row }: { readonly kind: 'user' | 'serviceAccount' | 'group'; readonly row: RowBase },
  key: RowOf<typeof apiKey> | undefined,
): Promise<string | undefined> {
  if (kind !== 'group' && row.state !== 'enabled') return `The ${kind} ${row.name} is ${row.state}: it is let in nowhere.`;
  const of = await reader.find(account, row.accountId ?? '');
  if (of?.state !== 'available') return 'The account is shut: nobody of it is let in.';
  if (key === undefined) return undefined;
  if (key.state !== 'active') return `The API key is ${key.state}.`;
  return key.expiresAt !== undefined && key.expiresAt <= timestamp(environment.clock)
    ? `The API key expired at ${key.expiresAt}.`
    : undefined;
}
