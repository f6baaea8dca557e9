import { expect } from 'chai';
import { elasticIp, loadBalancer, natGateway, reservedAddress } from '../../../../src/cloud/index.ts';
import { operation } from '../../../../src/kernel/index.ts';
import { RoutedStage } from '../routed-stage.ts';

const HOLDERS = [
  ['loadBalancer', loadBalancer, 'loadBalancers', (at: RoutedStage) => at.sim.done('loadBalancer.create', { subnetId: at.subnetId })],
  ['natGateway', natGateway, 'gateways', (at: RoutedStage) => at.gateway()],
  ['elasticIp', elasticIp, 'elasticIps', (at: RoutedStage) => at.elasticIp()],
] as const;

describe('a removal that its fabric refuses', () => {
  it('of a balancer, a gateway or an elastic IP ends where an operator passes over it, with its addresses free', async () => {
    const at = await RoutedStage.ready();
    const { sim, stage } = at;
    const going: { readonly id: string; readonly operationId: string }[] = [];
    const mended: (() => void)[] = [];
    for (const [name, , sort, make] of HOLDERS) {
      const id = await make(at);
      mended.push(sim.world.faults.add({ command: `${sort}.remove`, effect: 'fail' }));
      going.push({ id, operationId: (await sim.submit(`${name}.delete`, {}, id)).operationId });
    }
    expect(await stage.rows(reservedAddress)).to.have.length(HOLDERS.length);
    await sim.run(15 * 60_000);
    for (const { operationId } of going) {
      expect((await stage.row(operation, operationId)).state).to.equal('needs_attention');
      await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
      expect((await sim.ended(operationId)).state).to.equal('succeeded');
    }
    for (const [name, kind] of HOLDERS) expect(await stage.rows(kind), name).to.deep.equal([]);
    expect(await stage.rows(reservedAddress)).to.deep.equal([]);
    for (const each of mended) each();
    await sim.run(10 * 60_000);
    for (const [index, [name, , sort]] of HOLDERS.entries())
      expect(at.kept(sort, going[index]?.id ?? ''), `what was left of the ${name} goes when it can`).to.equal(undefined);
  });

  it('since something deleted came late into its way ends by itself', async () => {
    const at = await RoutedStage.ready();
    const { sim, stage } = at;
    const id = await at.gateway();
    const { nicId } = await at.machine();
    const forward = { natGatewayId: id, protocol: 'tcp', externalPort: 8080, nicId, port: 80 };
    const forwardId = await sim.done('portForward.create', forward);
    const forwards = sim.world.fabric.kept.of('portForwards');
    const late = forwards.get(forwardId);
    const mended = sim.world.faults.add({ command: 'gateways.remove', effect: 'fail' });
    const { operationId } = await sim.submit('natGateway.delete', {}, id);
    await sim.run(15 * 60_000);
    expect(forwards.size).to.equal(0);
    if (late !== undefined) forwards.set(forwardId, late);
    mended();
    await sim.run(15 * 60_000);
    expect((await stage.row(operation, operationId)).state).to.equal('succeeded');
    expect(forwards.size).to.equal(0);
  });
});
