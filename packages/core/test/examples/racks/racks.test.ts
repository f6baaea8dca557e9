import { expect } from 'chai';
import { instanceType } from '../../../src/cloud/index.ts';
import { MachineStage } from '../../cloud/compute/machine-stage.ts';
import { racks } from './racks.ts';

describe('the example plugin racks', () => {
  it('sends machines where a tag on their type says', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false }, { plugins: [racks] });
    for (const [index, hostId] of stage.hostIds.entries())
      await stage.sim.done('host.update', { failureDomain: `rack-${index + 1}` }, hostId);
    const [type] = await stage.rows(instanceType);
    const tag = { tag: 'racks.only', resourceKind: 'instanceType', resourceId: type?.id };
    await stage.sim.done('systemTag.set', { ...tag, value: 'rack-2' });
    const made = [await stage.machine(), await stage.machine()];
    for (const id of made) expect((await stage.instance(id)).hostId).to.equal(stage.hostIds[1]);
    const affected = await stage.ask('GET', '/system-tags/affected', { query: { tag: 'racks.only' } });
    expect(affected).to.deep.equal({
      tag: 'racks.only',
      affects: [{ kind: 'instance', count: 2, items: [made[0], made[1]].map((id, index) => ({ id, name: `vm-${index + 1}` })) }],
    });
    await stage.sim.done('systemTag.clear', tag);
    await stage.sim.done('systemTag.set', { ...tag, value: 'rack-9' });
    const refused = await stage.refusal('instance.create', stage.input());
    expect(refused.params?.reasons).to.deep.equal({ hv1: 'is in none of rack-9', hv2: 'is in none of rack-9' });
    await stage.sim.done('systemTag.set', { ...tag, value: 'rack-1' });
    expect((await stage.instance(await stage.machine())).hostId).to.equal(stage.hostIds[0]);
    const bad = await stage.refusal('systemTag.set', { ...tag, value: 'shelf-3' });
    expect([bad.code, bad.pointer, bad.params?.tag]).to.deep.equal(['invalid_input', '/value', 'racks.only']);
    expect(bad.publicMessage).to.contain('racks.only');
  });
});
