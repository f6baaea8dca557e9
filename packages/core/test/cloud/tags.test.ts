import { expect } from 'chai';
import { tag } from '../../src/kernel/index.ts';
import { MachineStage } from './compute/machine-stage.ts';

describe('tags of a cloud', () => {
  it('are copied to what a machine is made with, as the policy says, and go with it', async () => {
    const stage = await MachineStage.with();
    await stage.sim.done('tagPolicy.create', { key: 'cost-center', kinds: ['instance'], required: true, copyTo: ['volume', 'nic'] });
    const refused = await stage.refusal('instance.create', stage.input());
    expect([refused.code, refused.pointer]).to.deep.equal(['refused', '/tags/cost-center']);
    const tags = { 'cost-center': '42', team: 'blue' };
    const id = await stage.sim.done('instance.create', stage.input({ tags, nics: [{ networkId: stage.networkId }] }));
    const shown = (await stage.rows(tag)).map(({ resourceKind, key, value }) => `${resourceKind} ${key}=${value}`);
    expect(shown.sort()).to.deep.equal(['instance cost-center=42', 'instance team=blue', 'nic cost-center=42', 'volume cost-center=42']);
    await stage.sim.done('instance.delete', {}, id);
    expect(await stage.rows(tag)).to.deep.equal([]);
    expect(await stage.sim.quotaProblems()).to.deep.equal([]);
  });
});
