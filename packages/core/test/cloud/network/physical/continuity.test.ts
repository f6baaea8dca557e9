import { KEPT_SORTS } from '@pileus/core/testing';
import { expect } from 'chai';
import { fabric, vpc } from '../../../../src/cloud/index.ts';
import { LOOK_MS } from '../../compute/machine-stage.ts';
import { WholeNetwork } from './whole-network.ts';

const MARK_MS = 700_000;

async function wholeNetwork() {
  const whole = await WholeNetwork.made();
  const row = async () => {
    const [found] = await whole.stage.rows(fabric);
    if (found === undefined) throw new Error('no fabric');
    return found;
  };
  const wipe = () => {
    whole.kept.clear();
    whole.networks.clear();
  };
  return { whole, sim: whole.stage.sim, row, wipe };
}

describe('a network fabric', () => {
  it('is marked when it is first used, and from time to time after that', async () => {
    const { whole, sim, row } = await wholeNetwork();
    const { life, serial } = await row();
    expect(await row()).to.include({ driver: 'simulated-shared', name: 'simulated-shared', state: 'ready', serial: 1 });
    expect(whole.kept.mark).to.deep.equal({ life, serial });
    await sim.run(MARK_MS);
    expect(whole.kept.mark).to.deep.equal({ life, serial: 2 });
    expect((await row()).serial).to.equal(2);
  });

  it('that comes back empty is lost: nothing is changed there until it is rebuilt, and then all is as before', async () => {
    const { whole, sim, row, wipe } = await wholeNetwork();
    const before = whole.picture;
    wipe();
    await sim.run(LOOK_MS);
    const lost = await row();
    expect([lost.state, lost.stateReason?.code]).to.deep.equal(['lost', 'fabric_lost']);
    const [vpcId] = (await whole.stage.rows(vpc)).map(({ id }) => id);
    for (const [action, input] of [
      ['vpc.create', { name: 'vpc-9' }],
      ['network.create', { vpcId, subnets: [{ cidr: '10.77.0.0/24' }] }],
      ['securityGroup.create', { vpcId, name: 'more' }],
      ['instance.create', whole.stage.input({ nics: [{ networkId: whole.networkId }] })],
    ] as const) {
      const error = await whole.stage.refusal(action, input);
      expect([action, error.code]).to.deep.equal([action, 'conflict']);
      expect(error.publicMessage).to.contain('fabric.rebuild');
    }
    expect(whole.networks.size + KEPT_SORTS.reduce((sum, sort) => sum + whole.kept.of(sort).size, 0)).to.equal(0);
    await sim.done('fabric.rebuild', {}, lost.id);
    expect((await row()).life).to.not.equal(lost.life);
    await sim.run(3 * LOOK_MS);
    expect(whole.picture).to.deep.equal(before);
    expect((await row()).state).to.equal('ready');
    await sim.done('vpc.create', { name: 'vpc-9' });
  });

  it('that comes back as it was before is lost', async () => {
    const { whole, sim, row } = await wholeNetwork();
    const old = whole.kept.mark;
    await sim.run(MARK_MS);
    whole.kept.mark = old;
    await sim.run(LOOK_MS);
    expect((await row()).state).to.equal('lost');
  });

  it('that was wiped while nobody looked is not written to by the next life', async () => {
    const { whole, sim, row, wipe } = await wholeNetwork();
    sim.crash();
    wipe();
    await sim.start();
    const { operationId } = await sim.submit('vpc.create', { name: 'vpc-9' });
    await sim.run(LOOK_MS);
    expect((await row()).state).to.equal('lost');
    expect(whole.kept.of('vpcs').size).to.equal(0);
    await sim.done('fabric.rebuild', {}, (await row()).id);
    expect((await sim.ended(operationId)).state).to.equal('failed');
  });

  it('that does not answer is not lost', async () => {
    const { whole, sim, row } = await wholeNetwork();
    const before = whole.picture;
    sim.world.freeze('shared');
    await sim.run(5 * LOOK_MS);
    sim.world.thaw('shared');
    await sim.run(5 * LOOK_MS);
    expect((await row()).state).to.equal('ready');
    expect(whole.picture).to.deep.equal(before);
  });
});
