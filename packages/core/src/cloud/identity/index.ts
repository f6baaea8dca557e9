import { type AnyKind, CloudError, create, type Kernel, type KernelServices, revert, type Statement } from '../../kernel/index.ts';
import type { Module } from '../services.ts';
import { accessEndpoints } from './access-endpoints.ts';
import { account, accountActions, accountDeletion } from './account.ts';
import { apiKey, apiKeyActions, apiKeyEndpoints } from './api-key.ts';
import { CREDENTIALS, credentialDeletion } from './credential.ts';
import { group, groupActions, groupDeletions, membership } from './group.ts';
import type { Passwords } from './passwords.ts';
import { DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID } from './principal.ts';
import { project, projectAccounts, projectActions, projectDeletion } from './project.ts';
import { startingQuota } from './quota-limits.ts';
import { role, roleBinding } from './role.ts';
import { roleActions, roleDeletions } from './role-verbs.ts';
import { Roles } from './roles.ts';
import { expiredSessions, session, sessionActions, sessionEndpoints } from './session.ts';
import { addressSignIns, sessionHours } from './settings.ts';
import { share, shareActions, shareDeletion } from './share.ts';
import { serviceAccount, serviceAccountActions, serviceAccountDeletion, user, userActions } from './user.ts';

export { account } from './account.ts';
export { apiKey } from './api-key.ts';
export { signingKeyOf } from './credential.ts';
export { Directory } from './directory.ts';
export { group, membership } from './group.ts';
export type { Passwords } from './passwords.ts';
export { DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, operatorPrincipal, systemPrincipal } from './principal.ts';
export { project } from './project.ts';
export type { ExternalIdentity, IdentityProvider } from './provider.ts';
export { quota } from './quota.ts';
export { quotaRequest } from './quota-request.ts';
export { role, roleBinding } from './role.ts';
export { BUILT_IN_ROLES, Roles } from './roles.ts';
export { session } from './session.ts';
export { addressSignIns, sessionHours } from './settings.ts';
export { share } from './share.ts';
export { addressPlace } from './sign-in-rate.ts';
export { serviceAccount, user } from './user.ts';

const SWEEP_MS = 60_000;
const SWEEP_ROWS = 500;

/** Where nothing hashes them, nobody signs in with one. */
const NO_PASSWORDS: Passwords = {
  hash: () => Promise.reject(new CloudError('unsupported', 'This cloud takes no passwords.')),
  verify: () => Promise.reject(new CloudError('unsupported', 'This cloud takes no passwords.')),
};

/** Who owns resources, and who may what with them. An account with one project, both called `default`, is there from the first start on. */
export const identity: Module = ({ passwords = NO_PASSWORDS, identityProviders = [], config, ...services }) => {
  const { kernel, store } = services;
  const roles = new Roles(services);
  const starting = startingQuota(config.quota);
  return {
    id: 'identity',
    version: '0.1.0',
    kinds: [account, project, user, serviceAccount, group, membership, role, roleBinding, apiKey, session, share],
    actions: [
      ...accountActions(starting),
      ...projectActions(starting),
      ...userActions(roles),
      ...serviceAccountActions,
      ...groupActions(roles),
      ...roleActions(roles),
      ...apiKeyActions,
      ...sessionActions,
      ...shareActions(services),
    ],
    deletions: [
      accountDeletion,
      projectDeletion,
      credentialDeletion(user, ['enabled', 'disabled'], store),
      serviceAccountDeletion,
      ...groupDeletions,
      ...roleDeletions,
      credentialDeletion(apiKey, ['active', 'revoked'], store),
      credentialDeletion(session, [], store),
      shareDeletion,
    ],
    settings: [sessionHours, addressSignIns],
    endpoints: [
      ...accessEndpoints(services, roles),
      ...apiKeyEndpoints(services, roles),
      ...sessionEndpoints({ services, passwords, roles, providers: identityProviders }),
    ],
    tables: [CREDENTIALS],
    migrations: [projectAccounts],
    start: async () => {
      await made(kernel(), account, DEFAULT_ACCOUNT_ID, create(account, { id: DEFAULT_ACCOUNT_ID, name: 'default' }));
      const own = { id: DEFAULT_PROJECT_ID, accountId: DEFAULT_ACCOUNT_ID, name: 'default' };
      await made(kernel(), project, DEFAULT_PROJECT_ID, create(project, own));
      return sweeping(services);
    },
  };
};

async function made(kernel: Kernel, kind: AnyKind, id: string, statement: Statement): Promise<void> {
  // `exists` means that a start before this one made it: as good.
  if ((await kernel.reader.find(kind, id)) === undefined) await kernel.observe([statement]);
}

/** Ends sessions whose time is over, and drops shares of what is gone. */
function sweeping(services: KernelServices): () => Promise<void> {
  const { environment } = services;
  let stopped = false;
  let cancel = () => {};
  let working: Promise<void> = Promise.resolve();
  const round = () => {
    working = sweep(services)
      .catch((error: unknown) => environment.logger.warn({ error: String(error) }, 'expired sessions were not removed'))
      .then(() => {
        if (!stopped) cancel = environment.timers.after(SWEEP_MS, round);
      });
  };
  cancel = environment.timers.after(SWEEP_MS, round);
  return async () => {
    stopped = true;
    cancel();
    await working;
  };
}

async function sweep(services: KernelServices): Promise<void> {
  const { reader, kernel } = services;
  for (const { id, state } of await expiredSessions(services, SWEEP_ROWS)) {
    if (kernel().holds(id)) continue;
    const gone = revert(session, id, { from: state, to: 'deleted' });
    await kernel().observe([gone, { op: 'remove', table: CREDENTIALS.name, key: id }]);
  }
  for (const { id, resourceKind, resourceId } of await reader.list(share, undefined, {
    limit: SWEEP_ROWS,
    order: [{ field: 'updatedAt' }],
  })) {
    const kind = kernel().registry.findKind(resourceKind);
    const row = kind === undefined ? undefined : await reader.find(kind, resourceId);
    const isLeft = kind !== undefined && (row === undefined || row.deletedAt !== undefined);
    if (isLeft && !kernel().holds(id)) await kernel().observe([revert(share, id, { from: 'available', to: 'deleted' })]);
  }
}
