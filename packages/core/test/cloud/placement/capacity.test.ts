import { expect } from 'chai';
import { instance } from '../../../src/cloud/index.ts';
import type { CloudError } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { GIB } from '../little-cloud.ts';

describe('the capacity of hosts', () => {
  const demand = async (stage: MachineStage, count: number) => {
    const { kernel, principal, environment } = stage.sim;
    const ask = () => kernel.submit({ action: 'instance.create', input: stage.input({ start: false }), principal });
    const answers = await environment.complete(Promise.all(Array.from({ length: count }, () => ask().catch((error: CloudError) => error))));
    const codes: string[] = [];
    for (const answer of answers) codes.push('operationId' in answer ? (await stage.sim.ended(answer.operationId)).state : answer.code);
    return codes;
  };

  it('takes exactly as many machines as fit, of 200 that are asked for at once', async () => {
    const stage = await MachineStage.with({ hosts: 4, cpus: 8, network: false, cluster: { vcpuOvercommit: 4 } });
    const codes = await demand(stage, 200);
    expect(codes.filter((code) => code === 'succeeded')).to.have.length(128);
    expect(codes.filter((code) => code === 'no_capacity')).to.have.length(72);
    for (const hostId of stage.hostIds) expect(await stage.taken(hostId)).to.deep.equal([32, 32 * GIB]);
    expect(await stage.rows(instance)).to.have.length(128);
  });

  it('is what the cluster promises of it, and no more after it promises less', async () => {
    const stage = await MachineStage.with({ cpus: 2, network: false, cluster: { vcpuOvercommit: 1.5 } });
    expect((await demand(stage, 5)).filter((code) => code === 'succeeded')).to.have.length(3);
    await stage.sim.done('cluster.update', { vcpuOvercommit: 1 }, stage.clusterId);
    const [row] = await stage.rows(instance);
    await stage.sim.done('instance.delete', {}, row?.id);
    expect((await stage.refusal('instance.create', stage.input())).params?.reasons).to.deep.equal({
      hv1: 'has 0 of 1 virtual processors free',
    });
    await stage.sim.done('cluster.update', { vcpuOvercommit: 2 }, stage.clusterId);
    expect((await demand(stage, 5)).filter((code) => code === 'succeeded')).to.have.length(2);
  });

  it('is given back when a machine fails, and there is room for the next', async () => {
    const stage = await MachineStage.with({ cpus: 1, network: false, cluster: { vcpuOvercommit: 1 } });
    for (let count = 0; count < 3; count += 1) {
      stage.sim.world.faults.add({ command: 'machines.define', times: 1, effect: 'fail', fault: 'invalid' });
      expect((await stage.outcome('instance.create', stage.input())).state).to.equal('failed');
    }
    await stage.machine();
  });
});
