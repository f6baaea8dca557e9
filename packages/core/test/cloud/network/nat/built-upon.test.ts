import { expect } from 'chai';
import { RoutedStage } from '../routed-stage.ts';

const STEP_MS = 200;

/** A creation that cannot tell the gateway of a VPC what it has made, and what is asked for on that meanwhile. */
async function untold(action: string, input: (at: RoutedStage) => object) {
  const at = await RoutedStage.ready();
  const { sim } = at;
  if (action !== 'natGateway.create') await at.gateway();
  const { operationId, resourceId, resourceKind } = await sim.submit(action, input(at));
  // The gateway is made, and then told of what came meanwhile: that fails.
  let heal: () => unknown = () => undefined;
  while (sim.row(resourceKind, resourceId)?.state !== 'available') {
    if (action !== 'natGateway.create' || sim.world.fabric.kept.of('gateways').size > 0) {
      heal();
      heal = sim.world.faults.add({ command: 'gateways.ensure', effect: 'fail', fault: 'internal' });
    }
    await sim.run(1);
  }
  await sim.run(STEP_MS);
  return { at, sim, operationId, resourceId, heal: () => heal() };
}

/** What lies in a VPC is used as soon as it is there, and its last steps may still fail. */
describe('what others build on while its creation goes on', () => {
  it('stays, if it is a network: subnets and machines in it wait for their turn', async () => {
    const cidr = '10.2.0.0/24';
    const { at, sim, operationId, resourceId, heal } = await untold('network.create', ({ vpcId }) => ({ vpcId, subnets: [{ cidr }] }));
    const subnet = await sim.submit('subnet.create', { networkId: resourceId, cidr: '10.3.0.0/24' });
    const machine = await sim.submit('instance.create', at.stage.input({ nics: [{ networkId: resourceId }] }));
    await sim.run(60_000);
    heal();
    const ends = [operationId, subnet.operationId, machine.operationId].map((id) => sim.ended(id));
    for (const each of ends) expect((await each).state).to.equal('succeeded');
    const [gateway] = [...sim.world.fabric.kept.of('gateways').values()];
    expect(gateway?.spec).to.deep.include({ sources: ['10.1.0.0/24', cidr, '10.3.0.0/24'].map((each) => ({ cidr: each })) });
  });

  it('stays, if it is a subnet: a machine may be in it', async () => {
    const cidr = '10.2.0.0/24';
    const { at, sim, operationId, resourceId, heal } = await untold('subnet.create', ({ networkId }) => ({ networkId, cidr }));
    await at.stage.machine({ nics: [{ subnetId: resourceId }] });
    heal();
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(sim.row('subnet', resourceId)).to.include({ state: 'available' });
  });

  it('stays, if it is a gateway: ports may be forwarded through it', async () => {
    const { at, sim, operationId, resourceId, heal } = await untold('natGateway.create', ({ vpcId, internetId }) => ({
      ...{ vpcId, externalNetworkId: internetId },
    }));
    const { nicId } = await at.machine();
    const forward = { natGatewayId: resourceId, nicId, protocol: 'tcp', externalPort: 80 };
    const asked = await sim.submit('portForward.create', forward);
    await sim.run(60_000);
    heal();
    for (const id of [operationId, asked.operationId]) expect((await sim.ended(id)).state).to.equal('succeeded');
    expect(at.kept('portForwards', asked.resourceId)).not.to.equal(undefined);
  });
});
