import { expect } from 'chai';
import { DEFAULT_PROJECT_ID, project, systemPrincipal } from '../../../src/cloud/index.ts';
import { LittleCloud } from '../little-cloud.ts';

describe('identity', () => {
  it('has one default project from the first start on, and still one after the second', async () => {
    const stage = new LittleCloud();
    await stage.sim.start();
    stage.sim.crash();
    await stage.sim.start();
    const rows = await stage.rows(project);
    expect(rows.map(({ id, name, state, generation }) => ({ id, name, state, generation }))).to.deep.equal([
      { id: DEFAULT_PROJECT_ID, name: 'default', state: 'available', generation: 1 },
    ]);
  });

  it('lets the system do everything, in the default project', () => {
    const principal = systemPrincipal();
    expect(principal.allows('whatever.there-is')).to.equal(true);
    expect(principal.projectId).to.equal(DEFAULT_PROJECT_ID);
  });
});
