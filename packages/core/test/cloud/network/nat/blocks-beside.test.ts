import { expect } from 'chai';
import { natPortBlock } from '../../../../src/cloud/index.ts';
import { RoutedStage } from '../routed-stage.ts';

const PORTS = { portsPerSubnet: 1024 };

/** Something that is made while the fabric refuses it for a while, and for good when `doomed` says so. */
async function making(at: RoutedStage, command: string, action: string, input: object) {
  const { sim } = at;
  let heal = sim.world.faults.add({ command, effect: 'fail', fault: 'unavailable' });
  const { operationId } = await sim.submit(action, input);
  await sim.run(1000);
  return {
    doomed: async () => {
      heal();
      heal = sim.world.faults.add({ command, effect: 'fail', fault: 'internal', times: 1 });
      const ended = await sim.ended(operationId);
      heal();
      return ended.state;
    },
  };
}

/** Ids of what the blocks are of. */
const blocksOf = async (at: RoutedStage) =>
  (await at.stage.rows(natPortBlock)).map(({ natGatewayId, subnetId }) => [natGatewayId, subnetId] as const);

describe('ports of a subnet at a gateway', () => {
  it('are gone already when the making of the subnet fails, the gateway having been deleted meanwhile', async () => {
    const at = await RoutedStage.ready();
    const gatewayId = await at.gateway(PORTS);
    const subnet = await making(at, 'ensureNetwork', 'subnet.create', { networkId: at.networkId, cidr: '10.2.0.0/24' });
    await at.sim.done('natGateway.delete', {}, gatewayId);
    expect(await subnet.doomed()).to.equal('failed');
    expect(await blocksOf(at)).to.deep.equal([]);
  });

  it('are gone already when the making of the gateway fails, the subnet having been deleted meanwhile', async () => {
    const at = await RoutedStage.ready();
    const subnetId = await at.sim.done('subnet.create', { networkId: at.networkId, cidr: '10.2.0.0/24' });
    const gateway = await making(at, 'gateways.ensure', 'natGateway.create', {
      ...{ vpcId: at.vpcId, externalNetworkId: at.internetId, ...PORTS },
    });
    await at.sim.done('subnet.delete', {}, subnetId);
    expect(await gateway.doomed()).to.equal('failed');
    expect(await blocksOf(at)).to.deep.equal([]);
  });

  it('go with a subnet whose making fails, also if the gateway came after it', async () => {
    const at = await RoutedStage.ready();
    const subnet = await making(at, 'ensureNetwork', 'subnet.create', { networkId: at.networkId, cidr: '10.2.0.0/24' });
    const gatewayId = await at.gateway(PORTS);
    expect(await blocksOf(at)).to.have.length(2);
    expect(await subnet.doomed()).to.equal('failed');
    expect(await blocksOf(at)).to.deep.equal([[gatewayId, at.subnetId]]);
  });

  it('are given to no subnet that has gone since they were chosen', async () => {
    const at = await RoutedStage.ready();
    const gatewayId = await at.gateway();
    const subnetId = await at.sim.done('subnet.create', { networkId: at.networkId, cidr: '10.2.0.0/24' });
    const ends = await at.inTurn([
      { action: 'natGateway.update', input: { snat: false }, resourceId: gatewayId },
      { action: 'subnet.delete', input: {}, resourceId: subnetId },
      { action: 'natGateway.update', input: PORTS, resourceId: gatewayId },
    ]);
    expect(ends.slice(0, 2)).to.deep.equal(['succeeded', 'succeeded']);
    const left = await blocksOf(at);
    expect(left.filter(([, id]) => id === subnetId)).to.deep.equal([]);
    // What was chosen with it is chosen anew, or not at all.
    expect(left).to.have.length(ends[2] === 'succeeded' ? 1 : 0);
  });
});
