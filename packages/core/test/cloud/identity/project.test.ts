import { expect } from 'chai';
import { projectAccounts } from '../../../src/cloud/identity/project.ts';
import { account, DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, project, systemPrincipal } from '../../../src/cloud/index.ts';
import { LittleCloud } from '../little-cloud.ts';

describe('identity', () => {
  it('has one default project, in the default account, from the first start on, and still one after the second', async () => {
    const stage = new LittleCloud();
    await stage.sim.start();
    stage.sim.crash();
    await stage.sim.start();
    const rows = [...(await stage.rows(account)), ...(await stage.rows(project))];
    expect(rows.map(({ id, accountId, name, state, generation }) => ({ id, accountId, name, state, generation }))).to.deep.equal([
      { id: DEFAULT_ACCOUNT_ID, accountId: undefined, name: 'default', state: 'available', generation: 1 },
      { id: DEFAULT_PROJECT_ID, accountId: DEFAULT_ACCOUNT_ID, name: 'default', state: 'available', generation: 1 },
    ]);
  });

  it('gives a project of the time before accounts to the default one', () => {
    expect(projectAccounts.up({ id: 'p', name: 'old' })).to.deep.equal({ id: 'p', name: 'old', accountId: DEFAULT_ACCOUNT_ID });
    expect(projectAccounts.up({ id: 'p', accountId: 'a' })).to.deep.equal({ id: 'p', accountId: 'a' });
  });

  it('lets the system do everything, in the default project', () => {
    const principal = systemPrincipal();
    expect(principal.allows('whatever.there-is')).to.equal(true);
    expect(principal.projectId).to.equal(DEFAULT_PROJECT_ID);
  });
});
