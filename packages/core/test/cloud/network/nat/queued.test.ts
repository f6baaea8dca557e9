import { expect } from 'chai';
import { backend, listener, portForward } from '../../../../src/cloud/index.ts';
import { operation } from '../../../../src/kernel/index.ts';
import { RoutedStage } from '../routed-stage.ts';

/** A gateway, a balancer with a listener, and a machine that an elastic IP, a forwarded port and the listener may lead to. */
async function ready() {
  const at = await RoutedStage.ready();
  const natGatewayId = await at.gateway();
  const { instanceId, nicId } = await at.machine();
  const elasticIpId = await at.elasticIp();
  const loadBalancerId = await at.sim.done('loadBalancer.create', { name: 'lb', subnetId: at.subnetId });
  const listenerId = await at.sim.done('listener.create', { name: 'web', loadBalancerId, protocol: 'tcp', port: 80 });
  return { at, natGatewayId, instanceId, nicId, elasticIpId, loadBalancerId, listenerId };
}
type Ready = Awaited<ReturnType<typeof ready>>;
type Wish = { readonly action: string; readonly input: object; readonly resourceId?: string };

const forward = ({ natGatewayId, nicId }: Ready): Wish => ({
  action: 'portForward.create',
  input: { natGatewayId, nicId, protocol: 'tcp', externalPort: 80 },
});
const listening = ({ loadBalancerId }: Ready): Wish => ({
  action: 'listener.create',
  input: { loadBalancerId, protocol: 'tcp', port: 81 },
});
const behind = ({ listenerId, nicId }: Ready): Wish => ({ action: 'backend.create', input: { listenerId, nicId } });
const bound = ({ elasticIpId, nicId }: Ready): Wish => ({ action: 'elasticIp.bind', input: { nicId }, resourceId: elasticIpId });
const boundToBalancer = ({ elasticIpId, loadBalancerId }: Ready): Wish => ({
  action: 'elasticIp.bind',
  input: { loadBalancerId },
  resourceId: elasticIpId,
});
const without =
  (action: string, of: (ready: Ready) => string, input: (ready: Ready) => object = () => ({})) =>
  (ready: Ready): Wish => ({
    action,
    input: input(ready),
    resourceId: of(ready),
  });
const machineGoes = without('instance.delete', ({ instanceId }) => instanceId);
const nicGoes = without(
  'instance.detachNic',
  ({ instanceId }) => instanceId,
  ({ nicId }) => ({ nicId }),
);
const gatewayGoes = without('natGateway.delete', ({ natGatewayId }) => natGatewayId);
const balancerGoes = without('loadBalancer.delete', ({ loadBalancerId }) => loadBalancerId);
const listenerGoes = without('listener.delete', ({ listenerId }) => listenerId);

describe('what waits behind the deletion of what it needs', () => {
  for (const [name, first, second] of [
    ['a forwarded port, of its machine', machineGoes, forward],
    ['a forwarded port, of its NIC', nicGoes, forward],
    ['a forwarded port, of its gateway', gatewayGoes, forward],
    ['a listener, of its balancer', balancerGoes, listening],
    ['a backend, of its balancer', balancerGoes, behind],
    ['a backend, of its listener', listenerGoes, behind],
    ['a backend, of its NIC', nicGoes, behind],
    ['a backend, of its machine', machineGoes, behind],
    ['a binding, of its machine', machineGoes, bound],
    ['a binding, of its NIC', nicGoes, bound],
    ['a binding, of its gateway', gatewayGoes, bound],
    ['a binding to a balancer, of that', balancerGoes, boundToBalancer],
  ] as const)
    it(`${name}, leaves nothing, and is in nobody’s way`, async () => {
      const all = await ready();
      const { at } = all;
      // Either it never begins, or the deletion is planned anew and takes it along.
      const [gone] = await at.inTurn([first(all), second(all)]);
      await at.sim.run(60_000);
      expect(gone).to.equal('succeeded');
      const operations = await at.stage.rows(operation);
      expect(
        operations.filter(({ state }) => !['succeeded', 'failed'].includes(state)).map(({ action, attention }) => [action, attention]),
      ).to.deep.equal([]);
      const left = [...(await at.stage.rows(portForward)), ...(await at.stage.rows(backend))];
      expect(left.map(({ id, state }) => [id, state])).to.deep.equal([]);
      expect((await at.stage.rows(listener)).every(({ state }) => state === 'available')).to.equal(true);
      expect([...at.sim.world.fabric.kept.of('elasticIps').keys(), ...at.sim.world.fabric.kept.of('portForwards').keys()]).to.deep.equal(
        [],
      );
    });
});
