import { expect } from 'chai';
import { nic } from '../../../../src/cloud/index.ts';
import { MachineStage } from '../../compute/machine-stage.ts';

const READY_MS = 3000;

/** A cloud whose switches take their time, and how often they were asked. */
async function slowStage(portReadyMs = READY_MS) {
  let asked = 0;
  const landing = <T>(_site: string, command: string, apply: () => T): T => {
    if (command === 'readiness.port') asked += 1;
    return apply();
  };
  const stage = await MachineStage.with({}, { world: { portReadyMs, landing } });
  const vpcId = await stage.sim.done('vpc.create', { name: 'vpc-1' });
  const networkId = await stage.sim.done('network.create', { name: 'inside', vpcId, subnets: [{ cidr: '10.8.0.0/24' }] });
  const { clock } = stage.sim.environment;
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const beganMs = clock.monotonicMs();
    await work();
    return clock.monotonicMs() - beganMs;
  };
  return { stage, networkId, timed, asked: () => asked };
}

describe('a machine in a VPC', () => {
  it('runs when its ports are ready, and no earlier: made, started again, given another NIC', async () => {
    const { stage, networkId, timed } = await slowStage();
    let id = '';
    const make = async () => {
      id = await stage.machine({ nics: [{ networkId }, { networkId: stage.networkId }] });
    };
    expect(await timed(make)).to.be.at.least(READY_MS);
    await stage.into('stopped', id);
    expect(await timed(() => stage.sim.done('instance.start', {}, id))).to.be.at.least(READY_MS);
    expect(await timed(() => stage.sim.done('instance.attachNic', { networkId }, id))).to.be.at.least(READY_MS);
    expect(await timed(() => stage.machine({ nics: [{ networkId }], start: false }))).to.be.below(READY_MS);
  });

  it('is not made where a port is never ready: what is waited for is told, and nothing is left', async () => {
    const { stage, networkId } = await slowStage(3600_000);
    const before = await stage.sim.residue();
    const ended = await stage.outcome('instance.create', stage.input({ nics: [{ networkId }] }));
    expect([ended.state, ended.error?.code]).to.deep.equal(['failed', 'timeout']);
    expect(ended.error?.message).to.contain('waits for the switch of its host');
    expect(await stage.sim.residue()).to.equal(before);
    expect(await stage.rows(nic)).to.deep.equal([]);
  });

  it('is given up while it waits when its operation is cancelled', async () => {
    const { stage, networkId, timed } = await slowStage(3600_000);
    const { operationId } = await stage.sim.submit('instance.create', stage.input({ nics: [{ networkId }] }));
    await stage.sim.run(5000);
    await stage.sim.environment.complete(stage.sim.kernel.operations.cancel(operationId));
    let state = '';
    const endedMs = await timed(async () => {
      state = (await stage.sim.ended(operationId)).state;
    });
    expect(state).to.equal('cancelled');
    expect(endedMs).to.be.below(10_000);
  });

  it('outside of any costs no question', async () => {
    const { stage, asked, timed } = await slowStage();
    let id = '';
    const make = async () => {
      id = await stage.machine({ nics: [{ networkId: stage.networkId }] });
    };
    expect(await timed(make)).to.be.below(READY_MS);
    await stage.into('stopped', id);
    await stage.sim.done('instance.start', {}, id);
    expect(asked()).to.equal(0);
  });
});
