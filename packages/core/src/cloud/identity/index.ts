import { type AnyKind, create, type Kernel, type Statement, updateAction } from '../../kernel/index.ts';
import type { Module } from '../services.ts';
import { account } from './account.ts';
import { DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID } from './principal.ts';
import { project, projectAccounts } from './project.ts';

export { account } from './account.ts';
export { DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, operatorPrincipal, systemPrincipal } from './principal.ts';
export { project } from './project.ts';

/** Who owns resources. An account with one project, both called `default`, is there from the first start on. */
export const identity: Module = ({ kernel }) => ({
  id: 'identity',
  version: '0.1.0',
  kinds: [account, project],
  actions: [updateAction(account, ['description']), updateAction(project, ['description'])],
  migrations: [projectAccounts],
  start: async () => {
    await made(kernel(), account, DEFAULT_ACCOUNT_ID, create(account, { id: DEFAULT_ACCOUNT_ID, name: 'default' }));
    const own = { id: DEFAULT_PROJECT_ID, accountId: DEFAULT_ACCOUNT_ID, name: 'default' };
    await made(kernel(), project, DEFAULT_PROJECT_ID, create(project, own));
    return async () => undefined;
  },
});

async function made(kernel: Kernel, kind: AnyKind, id: string, statement: Statement): Promise<void> {
  // `exists` means that a start before this one made it: as good.
  if ((await kernel.reader.find(kind, id)) === undefined) await kernel.observe([statement]);
}
