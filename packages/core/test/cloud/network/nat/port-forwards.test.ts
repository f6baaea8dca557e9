import { expect } from 'chai';
import { portForward } from '../../../../src/cloud/index.ts';
import { RoutedStage } from '../routed-stage.ts';

describe('a forwarded port', () => {
  it('leads to a port of a machine, and goes with its NIC', async () => {
    const at = await RoutedStage.ready();
    const natGatewayId = await at.gateway({ address: '203.0.113.10' });
    const { instanceId, nicId, address } = await at.machine();
    const id = await at.sim.done('portForward.create', { natGatewayId, nicId, protocol: 'tcp', externalPort: 2222, port: 22 });
    expect(at.kept('portForwards', id)).to.deep.include({
      ...{ vpcId: at.vpcId, gatewayId: natGatewayId, externalAddress: '203.0.113.10', protocol: 'tcp', externalPort: 2222 },
      ...{ nicId, nicAddress: address, port: 22 },
    });
    await at.sim.done('instance.delete', {}, instanceId);
    expect(at.kept('portForwards', id)).to.equal(undefined);
    expect(await at.stage.rows(portForward)).to.deep.equal([]);
  });

  it('is one machine’s alone, also of several that ask at once', async () => {
    const at = await RoutedStage.ready();
    const natGatewayId = await at.gateway();
    const nics = [await at.machine(), await at.machine(), await at.machine()];
    const wish = (nicId: string, protocol = 'tcp') => ({ natGatewayId, nicId, protocol, externalPort: 443 });
    const ends = await at.atOnce(nics.map(({ nicId }) => ({ action: 'portForward.create', input: wish(nicId) })));
    expect(ends.toSorted()).to.deep.equal(['name_taken', 'name_taken', 'succeeded']);
    const nicId = nics[0]?.nicId ?? '';
    expect(await at.refused('portForward.create', wish(nicId))).to.deep.equal(['name_taken', '/externalPort']);
    await at.sim.done('portForward.create', wish(nicId, 'udp'));
  });

  it('is refused with the field at fault', async () => {
    const at = await RoutedStage.ready();
    const natGatewayId = await at.gateway({ portsPerSubnet: 1024 });
    const { nicId } = await at.machine();
    const elsewhere = await at.sim.done('vpc.create', { name: 'vpc-2' });
    const stranger = await at.machine(await at.network('other', '10.1.0.0/24', elsewhere));
    const six = await at.sim.done('network.create', { name: 'six', vpcId: at.vpcId, subnets: [{ cidr: 'fd00::/64' }] });
    const wish = { natGatewayId, nicId, protocol: 'tcp', externalPort: 80 };
    const nobody = '00000000-0000-7000-8000-00000000dead';
    for (const [input, code, pointer] of [
      [{ ...wish, natGatewayId: nobody }, 'not_found', '/natGatewayId'],
      [{ ...wish, nicId: nobody }, 'not_found', '/nicId'],
      [{ ...wish, nicId: stranger.nicId }, 'conflict', '/nicId'],
      [{ ...wish, nicId: (await at.machine(six)).nicId }, 'conflict', '/nicId'],
      [{ ...wish, externalPort: 0 }, 'invalid_input', '/externalPort'],
      [{ ...wish, port: 65_536 }, 'invalid_input', '/port'],
      [{ ...wish, protocol: 'icmp' }, 'invalid_input', '/protocol'],
      [{ ...wish, externalPort: 65_000 }, 'conflict', '/externalPort'],
    ] as const)
      expect(await at.refused('portForward.create', input), JSON.stringify(input)).to.deep.equal([code, pointer]);
  });

  it('and a block of ports never come to share one, whoever asks first', async () => {
    const at = await RoutedStage.ready();
    const natGatewayId = await at.gateway({ portsPerSubnet: 1024 });
    const { nicId } = await at.machine();
    const ends = await at.atOnce([
      { action: 'portForward.create', input: { natGatewayId, nicId, protocol: 'tcp', externalPort: 64_000 } },
      { action: 'network.create', input: { name: 'second', vpcId: at.vpcId, subnets: [{ cidr: '10.2.0.0/24' }] } },
    ]);
    expect(ends[1]).to.equal('succeeded');
    const { sources } = at.kept('gateways', natGatewayId) as { sources: readonly { ports: { first: number; last: number } }[] };
    const covers = sources.some(({ ports: { first, last } }) => first <= 64_000 && last >= 64_000);
    expect(covers).to.equal(ends[0] !== 'succeeded');
  });

  it('that waited for its machine’s deletion comes to nothing', async () => {
    const at = await RoutedStage.ready();
    const natGatewayId = await at.gateway();
    const { instanceId, nicId } = await at.machine();
    const { kernel, principal, environment } = at.sim;
    const gone = await environment.complete(kernel.submit({ action: 'instance.delete', input: {}, resourceId: instanceId, principal }));
    const input = { natGatewayId, nicId, protocol: 'tcp', externalPort: 80 };
    const made = await environment.complete(
      kernel.submit({ action: 'portForward.create', input, principal }).catch(({ code }: { code: string }) => code),
    );
    expect((await at.sim.ended(gone.operationId)).state).to.equal('succeeded');
    if (typeof made !== 'string') expect((await at.sim.ended(made.operationId)).state).to.equal('failed');
    await at.sim.run(5000);
    expect(await at.stage.rows(portForward)).to.deep.equal([]);
    expect([...at.sim.world.fabric.kept.of('portForwards').keys()]).to.deep.equal([]);
  });
});
