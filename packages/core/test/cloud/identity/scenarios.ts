import { session } from '../../../src/cloud/index.ts';
import { create, type Id } from '../../../src/kernel/index.ts';
import type { Scenario } from '../../../testing/index.ts';
import type { SmallCloud } from '../small-cloud.ts';

type On = (
  action: string,
  setUp: (at: SmallCloud) => Promise<string | undefined>,
  input: (at: SmallCloud, id: string | undefined) => object,
) => Scenario;

const RULES = [{ permissions: ['image.*'], when: "name like 'web-%'" }];
const nothing = async () => undefined;
const none = () => ({});

/** Makes rows, one after the other, and answers the id of the last; those before are found by their kinds. */
class Made {
  readonly #ids = new WeakMap<SmallCloud, Map<string, string>>();

  id(at: SmallCloud, kind: string): string {
    return this.#ids.get(at)?.get(kind) ?? '';
  }

  async make(at: SmallCloud, kind: string, input: object): Promise<string> {
    const id = await at.sim.done(`${kind}.create`, { name: `${kind.toLowerCase()}-1`, ...input });
    this.keep(at, kind, id);
    return id;
  }

  keep(at: SmallCloud, kind: string, id: string): void {
    const ids = this.#ids.get(at) ?? new Map<string, string>();
    this.#ids.set(at, ids.set(kind, id));
  }
}
const made = new Made();

const user = (at: SmallCloud) => made.make(at, 'user', {});
const group = (at: SmallCloud) => made.make(at, 'group', {});
const userAndGroup = async (at: SmallCloud) => {
  await user(at);
  await group(at);
  return undefined;
};
const membership = async (at: SmallCloud) => {
  await userAndGroup(at);
  return made.make(at, 'membership', { userId: made.id(at, 'user'), groupId: made.id(at, 'group') });
};
const role = (at: SmallCloud) => made.make(at, 'role', { rules: RULES });
const binding = async (at: SmallCloud) => {
  const userId = await user(at);
  return made.make(at, 'roleBinding', { role: await role(at), userId });
};
const serviceAccount = (at: SmallCloud) => made.make(at, 'serviceAccount', {});
const apiKey = async (at: SmallCloud) => {
  const serviceAccountId = await serviceAccount(at);
  const body = { name: 'key-1', serviceAccountId };
  const { id } = (await at.sim.environment.complete(at.sim.call('POST', '/api-keys', { body }))) as { readonly id: string };
  return id;
};
const signedIn = async (at: SmallCloud) => {
  const userId = (await user(at)) as Id<'user'>;
  const id = at.sim.kernel.services.ids.mint('session') as Id<'session'>;
  const { accountId } = at.sim.principal;
  const row = create(session, { id, name: 'session-1', accountId, userId, expiresAt: '2099-01-01T00:00:00.000Z' });
  await at.sim.environment.complete(at.sim.kernel.observe([row]));
  return id;
};
const disabled = (kind: string, make: (at: SmallCloud) => Promise<string>) => async (at: SmallCloud) => {
  const id = await make(at);
  await at.sim.done(`${kind}.disable`, {}, id);
  return id;
};
const account = (at: SmallCloud) => made.make(at, 'account', {});
const project = (at: SmallCloud) => made.make(at, 'project', {});
const sharing = (at: SmallCloud) => ({ name: 'share-1', resourceKind: 'network', resourceId: at.networkId, with: 'all' });
const share = (at: SmallCloud) => at.sim.done('share.create', sharing(at));
/** With all that goes with it. */
const wholeUser = async (at: SmallCloud) => {
  const id = await signedIn(at);
  await group(at);
  const userId = made.id(at, 'user');
  await made.make(at, 'membership', { userId, groupId: made.id(at, 'group') });
  await made.make(at, 'roleBinding', { role: 'viewer', userId });
  return id === '' ? undefined : userId;
};

export const identityScenarios = (on: On): readonly Scenario[] => [
  on('account.create', nothing, () => ({ name: 'acme' })),
  on('account.disable', account, none),
  on('account.enable', disabled('account', account), none),
  on('account.delete', account, none),
  on('project.create', nothing, () => ({ name: 'second' })),
  on('project.delete', project, none),
  on('user.create', nothing, () => ({ name: 'somebody', email: 'somebody@example.org' })),
  on('user.update', user, () => ({ email: 'other@example.org' })),
  on('user.disable', user, none),
  on('user.enable', disabled('user', user), none),
  on('user.delete', wholeUser, none),
  on('serviceAccount.create', nothing, () => ({ name: 'robot' })),
  on('serviceAccount.update', serviceAccount, () => ({ description: 'new' })),
  on('serviceAccount.disable', serviceAccount, none),
  on('serviceAccount.enable', disabled('serviceAccount', serviceAccount), none),
  on('serviceAccount.delete', (at) => apiKey(at).then(() => made.id(at, 'serviceAccount')), none),
  on('group.create', nothing, () => ({ name: 'some' })),
  on('group.update', group, () => ({ description: 'new' })),
  on('group.delete', (at) => membership(at).then(() => made.id(at, 'group')), none),
  on('membership.create', userAndGroup, (at) => ({ name: 'in', userId: made.id(at, 'user'), groupId: made.id(at, 'group') })),
  on('membership.delete', membership, none),
  on('role.create', nothing, () => ({ name: 'web', rules: RULES })),
  on('role.update', role, () => ({ rules: [{ permissions: ['image.read'] }] })),
  on('role.delete', role, none),
  on(
    'roleBinding.create',
    (at) => user(at).then(() => undefined),
    (at) => ({ name: 'bound', role: 'viewer', userId: made.id(at, 'user') }),
  ),
  on('roleBinding.delete', binding, none),
  on('apiKey.update', apiKey, () => ({ description: 'new' })),
  on('apiKey.revoke', apiKey, none),
  on('apiKey.delete', apiKey, none),
  on('session.revoke', signedIn, none),
  on('share.create', nothing, sharing),
  on('share.delete', share, none),
];
