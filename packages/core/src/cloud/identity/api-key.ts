import { type Static, Type } from 'typebox';
import {
  type AnyKind,
  both,
  type ChangeRequest,
  CloudError,
  create,
  defineKind,
  type Endpoint,
  equals,
  expectStanding,
  forgetSealed,
  type Id,
  instant,
  isMeant,
  type JsonObject,
  type KernelServices,
  lacks,
  matches,
  type Principal,
  type RowOf,
  ref,
  resourceName,
  type Statement,
  timestamp,
  updateAction,
  usable,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { newToken, readCredential, type TokenSecret, tokenSecret, writeCredential } from './credential.ts';
import { project } from './project.ts';
import { type Roles, unknownPermission } from './roles.ts';
import { moveAtOnce } from './row-verbs.ts';
import { serviceAccount, user } from './user.ts';

const description = Type.Optional(Type.String({ maxLength: 1024 }));
const stamp = Type.String({ format: 'date-time' });
const uuid = Type.String({ format: 'uuid' });
const permissions = Type.Array(Type.String({ maxLength: 128 }), {
  minItems: 1,
  maxItems: 200,
  description: 'Only these of what its holder may, e.g. `instance.*`.',
});

export const apiKey = defineKind({
  name: 'apiKey',
  plural: 'api-keys',
  description: 'A key that a user or a service account asks with. Its secret is shown once.',
  scope: 'account',
  schema: Type.Object({
    description,
    userId: Type.Optional(ref('user', 'cascade')),
    serviceAccountId: Type.Optional(ref('serviceAccount', 'cascade')),
    inProjectId: Type.Optional(ref('project', 'cascade', { description: 'The one project that it works in.' })),
    permissions: Type.Optional(permissions),
    expiresAt: Type.Optional(stamp),
    rotatedAt: Type.Optional(stamp),
  }),
  states: { active: ['revoked', 'deleting'], revoked: ['deleting'], deleting: ['active', 'revoked', 'deleted'] },
  initial: 'active',
});
type ApiKey = RowOf<typeof apiKey>;

export const apiKeyActions = [
  updateAction(apiKey, ['description', 'expiresAt']),
  moveAtOnce(apiKey, 'revoke', {
    description: 'Voids the key for good, from the answer on.',
    input: Type.Object({}),
    from: ['active'],
    to: 'revoked',
  }),
];

const input = Type.Object({
  name: resourceName(),
  description,
  userId: Type.Optional(ref('user', 'cascade')),
  serviceAccountId: Type.Optional(ref('serviceAccount', 'cascade')),
  projectId: Type.Optional(ref('project', 'cascade', { description: 'The one project that it may work in.' })),
  permissions: Type.Optional(permissions),
  expiresAt: Type.Optional(stamp),
});

const made = Type.Object({ id: uuid, name: Type.String(), key: Type.String({ description: 'Shown this once.' }) });
const rotated = Type.Object({ id: uuid, key: Type.String({ description: 'Shown this once.' }), oldKeyUntil: stamp });

const OVERLAP_SECONDS = 3600;
const OVERLAP_SECONDS_MAX = 30 * 24 * 3600;

const rotation = Type.Object({
  overlapSeconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: OVERLAP_SECONDS_MAX,
      description: `How long the old secret is good beside the new one. Default ${OVERLAP_SECONDS}.`,
    }),
  ),
});

/** Making and rotating keys: what is answered is shown once. */
export const apiKeyEndpoints = (services: KernelServices, roles: Roles): readonly Endpoint[] => [
  {
    type: 'change',
    method: 'POST',
    path: '/api-keys',
    action: 'apiKey.create',
    summary: 'Makes an API key, for its maker unless another holder is named, and answers its secret.',
    permission: 'apiKey.create',
    isOneTime: true,
    body: input,
    answer: made,
    handle: (request) => createKey(services, roles, request),
  },
  {
    type: 'change',
    method: 'POST',
    path: '/api-keys/{id}/rotate',
    action: 'apiKey.rotate',
    summary: 'Gives the key a new secret, and lets the old one be good for a while.',
    permission: 'apiKey.rotate',
    isOneTime: true,
    body: rotation,
    answer: rotated,
    handle: (request) => rotateKey(services, roles, request),
  },
];

async function createKey(services: KernelServices, roles: Roles, request: ChangeRequest): Promise<Static<typeof made>> {
  const { environment, ids, reader, secrets } = services;
  const { principal } = request;
  const body = request.body as Static<typeof input>;
  const expiresAt = body.expiresAt === undefined ? undefined : instant(body.expiresAt, '/expiresAt');
  if (expiresAt !== undefined && expiresAt <= timestamp(environment.clock))
    throw new CloudError('invalid_input', 'A key that expires in the past would open nothing.', { pointer: '/expiresAt' });
  const holder = await holderOf(services, roles, body, principal);
  for (const [index, pattern] of (body.permissions ?? []).entries())
    if (!roles.permissions.all().some(({ name }) => isMeant(pattern, name))) throw unknownPermission(pattern, `/permissions/${index}`);
  const inProject = body.projectId === undefined ? undefined : await usable(reader, project, body.projectId, principal, '/projectId');
  // A repeat finds what its first try has made, and gives it another secret. Somebody else's may have the name since.
  const before = request.again ? await keyOf(services, holder, body.name) : undefined;
  const id = before?.id ?? ids.mint('apiKey');
  const { name, description: text, permissions: only } = body;
  const row = { ...holder, ...given({ description: text, permissions: only, expiresAt, inProjectId: inProject?.id }) };
  const whole = { ...row, id, name };
  const limit = principal.limits?.('apiKey.create');
  if (limit !== undefined && !matches(whole as unknown as JsonObject, limit)) throw lacks('apiKey.create', principal);
  const { userId, serviceAccountId } = holder;
  const guards = [
    ...(userId === undefined ? [] : [expectStanding(user, userId)]),
    ...(serviceAccountId === undefined ? [] : [expectStanding(serviceAccount, serviceAccountId)]),
    ...(inProject === undefined ? [] : [expectStanding(project, inProject.id)]),
  ];
  const insert = before === undefined ? [...guards, create(apiKey, whole)] : [];
  const { accountId: _account, ...whose } = holder;
  const begin = (kept: readonly Statement[]) => request.begin([...insert, ...kept], whose, { resourceId: id });
  if (request.rehearses) await begin([]);
  const { token, sha256 } = newToken('pil', id, environment.random);
  const { secret, statement } = await tokenSecret(token, sha256, secrets);
  await begin([...writeCredential({ id, secrets: [secret] }), statement]);
  return { id, name, key: token };
}

/** Whose key it is to be. Those of others, and of programs, only who may all that they may. */
async function holderOf({ reader }: KernelServices, roles: Roles, body: Static<typeof input>, principal: Principal): Promise<Holder> {
  const { subject } = principal;
  if (body.userId !== undefined && body.serviceAccountId !== undefined)
    throw new CloudError('invalid_input', 'A key has one holder.', { pointer: '/serviceAccountId' });
  const isOwn = subject !== undefined && (subject.kind === 'user' ? body.userId : body.serviceAccountId) === subject.id;
  const isUnnamed = body.userId === undefined && body.serviceAccountId === undefined;
  if (isUnnamed && subject === undefined)
    throw new CloudError('invalid_input', 'Say whose key it is: give a userId or a serviceAccountId.', { pointer: '/serviceAccountId' });
  if (subject !== undefined && (isOwn || isUnnamed)) {
    if (principal.isRestricted === true) throw new CloudError('permission_denied', 'A key that is restricted makes no other keys.');
    // The operator's own are not of the account that he is at work in.
    const { accountId = principal.accountId } = await reader.get<AnyKind>(subject.kind === 'user' ? user : serviceAccount, subject.id);
    return { ...(subject.kind === 'user' ? { userId: subject.id as never } : { serviceAccountId: subject.id as never }), accountId };
  }
  const [kind, id, field] =
    body.userId === undefined
      ? ([serviceAccount, body.serviceAccountId, 'serviceAccountId'] as const)
      : ([user, body.userId, 'userId'] as const);
  const holder = await usable(reader, kind, id ?? '', principal, `/${field}`);
  await roles.assertCovered(principal, { subjectId: holder.id });
  return { [field]: holder.id, accountId: holder.accountId ?? principal.accountId };
}

type Holder = Pick<ApiKey, 'userId' | 'serviceAccountId'> & { readonly accountId: Id<'account'> };

async function keyOf({ reader }: KernelServices, holder: Holder, name: string): Promise<ApiKey | undefined> {
  const { accountId, userId, serviceAccountId = '' } = holder;
  const of = userId === undefined ? equals('serviceAccountId', serviceAccountId) : equals('userId', userId);
  return (await reader.list(apiKey, both(equals('accountId', accountId), equals('name', name), of), { limit: 1 }))[0];
}

/** Who rotates a key has its secret. Each key may rotate itself, and gets no more by it. */
async function assertRotates({ id, userId, serviceAccountId }: ApiKey, roles: Roles, principal: Principal): Promise<void> {
  if (principal.credentialId === id) return;
  if (principal.isRestricted === true) throw new CloudError('permission_denied', 'A key that is restricted rotates no other keys.');
  const subjectId: string | undefined = userId ?? serviceAccountId;
  if (subjectId !== undefined && subjectId !== principal.subject?.id) await roles.assertCovered(principal, { subjectId });
}

async function rotateKey(services: KernelServices, roles: Roles, request: ChangeRequest): Promise<Static<typeof rotated>> {
  const { environment, reader, secrets, store } = services;
  const { overlapSeconds = OVERLAP_SECONDS } = request.body as Static<typeof rotation>;
  const row = await reader.get(apiKey, request.params.id ?? '');
  if (row.state !== 'active') throw new CloudError('conflict', `The key ${row.name} is ${row.state}.`, { params: { state: row.state } });
  await assertRotates(row, roles, request.principal);
  const [now, ...others] = (await readCredential(store, row.id))?.secrets ?? [];
  const at = timestamp(environment.clock);
  const oldKeyUntil = new Date(environment.clock.nowMs() + overlapSeconds * 1000).toISOString();
  // Of two rotations at once one is in vain: what its answer told would open nothing, and what it has sealed nobody would forget.
  const expected = { state: 'active', generation: row.generation };
  const stamped = { op: 'update', table: apiKey.name, key: row.id, set: { rotatedAt: at }, expect: expected } as const;
  // One that an earlier rotation let be good for a while.
  const voids = others.filter(({ expiresAt = '' }) => expiresAt > at).length;
  const begin = (kept: readonly Statement[]) => request.begin([stamped, ...kept], { oldKeyUntil, ...(voids === 0 ? {} : { voids }) });
  if (request.rehearses) await begin([]);
  const { token, sha256 } = newToken('pil', row.id, environment.random);
  const { secret, statement } = await tokenSecret(token, sha256, secrets);
  // A repeat takes the place of what its first try has answered to nobody.
  const old = request.again ? others[0] : now;
  const kept: readonly TokenSecret[] = [secret, ...(old === undefined ? [] : [{ ...old, expiresAt: oldKeyUntil }])];
  const dropped = [now, ...others].flatMap((entry) => (entry?.signing === undefined || entry === old ? [] : [forgetSealed(entry.signing)]));
  await begin([...writeCredential({ id: row.id, secrets: kept }), statement, ...dropped]);
  return { id: row.id, key: token, oldKeyUntil };
}
