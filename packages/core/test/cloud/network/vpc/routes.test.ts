import { expect } from 'chai';
import type { VpcSpec } from '../../../../src/strategy/index.ts';
import { MachineStage } from '../../compute/machine-stage.ts';
import { codeOf } from '../../little-cloud.ts';

async function stageWithVpc() {
  const stage = await MachineStage.with({ network: false });
  const vpcId = await stage.sim.done('vpc.create', { name: 'vpc-1' });
  const subnets = [
    { name: 'four', cidr: '10.0.0.0/24' },
    { name: 'six', cidr: 'fd00::/64' },
  ];
  const networkId = await stage.sim.done('network.create', { name: 'net', vpcId, subnets });
  const routes = () => (stage.sim.world.fabric.kept.of('vpcs').get(vpcId)?.spec as VpcSpec | undefined)?.routes;
  return { stage, vpcId, networkId, routes };
}

describe('routes of a VPC', () => {
  it('are a part of its router, and go again', async () => {
    const { stage, vpcId, routes } = await stageWithVpc();
    const wishes = [
      { destination: '0.0.0.0/0', nextHop: '10.0.0.9' },
      { destination: '172.16.0.0/12' },
      { destination: 'fd01::/48', nextHop: 'FD00::9' },
    ];
    const ids: string[] = [];
    for (const wish of wishes) ids.push(await stage.sim.done('route.create', { vpcId, ...wish }));
    expect(routes()).to.deep.equal([
      { id: ids[0], destination: '0.0.0.0/0', nextHop: '10.0.0.9' },
      { id: ids[1], destination: '172.16.0.0/12' },
      { id: ids[2], destination: 'fd01::/48', nextHop: 'fd00::9' },
    ]);
    await stage.sim.done('route.delete', {}, ids[1]);
    expect(routes()).to.have.length(2);
    await stage.sim.done('vpc.delete', { recursive: true }, vpcId);
    expect(routes()).to.equal(undefined);
  });

  it('are refused with the field at fault, and nothing changes', async () => {
    const { stage, vpcId } = await stageWithVpc();
    await stage.sim.done('route.create', { vpcId, destination: '172.16.0.0/12', nextHop: '10.0.0.9' });
    for (const [input, code, pointer] of [
      [{ destination: '172.17.0.1/16' }, 'invalid_input', '/destination'],
      [{ destination: '10.0.0.0/24' }, 'invalid_input', '/destination'],
      [{ destination: '10.0.0.128/25' }, 'invalid_input', '/destination'],
      [{ destination: '172.16.0.0/12' }, 'name_taken', '/destination'],
      ...['127.0.0.0/8', '169.254.169.254/32', '224.0.0.0/4', '::1/128', 'fe80::/10', 'ff02::/16'].map(
        (destination) =>
          [{ destination, nextHop: destination.includes(':') ? undefined : '10.0.0.9' }, 'invalid_input', '/destination'] as const,
      ),
      [{ destination: '0.0.0.0/0', nextHop: '10.0.1.9' }, 'invalid_input', '/nextHop'],
      [{ destination: '0.0.0.0/0', nextHop: '10.0.0.1' }, 'invalid_input', '/nextHop'],
      [{ destination: '0.0.0.0/0', nextHop: '10.0.0.2' }, 'invalid_input', '/nextHop'],
      [{ destination: '0.0.0.0/0', nextHop: '10.0.0.255' }, 'invalid_input', '/nextHop'],
      [{ destination: '0.0.0.0/0', nextHop: 'fd00::9' }, 'invalid_input', '/nextHop'],
      [{ destination: '::/0', nextHop: '10.0.0.9' }, 'invalid_input', '/nextHop'],
      [{ destination: '::/0', nextHop: 'somewhere' }, 'invalid_input', '/nextHop'],
      [{ vpcId: stage.hostIds[0], destination: '::/0' }, 'not_found', '/vpcId'],
    ] as const) {
      const error = await stage.refusal('route.create', { vpcId, ...input });
      expect([error.code, error.pointer], JSON.stringify(input)).to.deep.equal([code, pointer]);
    }
  });

  it('never lead away from a subnet, also not from one that comes later, and keep the one that they lead through', async () => {
    const { stage, vpcId, networkId } = await stageWithVpc();
    const [four] = await stage.rows(stage.sim.kernel.registry.kind('subnet'));
    await stage.sim.done('route.create', { vpcId, destination: '10.5.1.0/24', nextHop: '10.0.0.9' });
    expect((await stage.refusal('subnet.create', { networkId, cidr: '10.5.0.0/16' })).pointer).to.equal('/cidr');
    const subnets = [{ cidr: '10.4.0.0/24' }, { cidr: '10.5.1.0/24' }];
    expect((await stage.refusal('network.create', { vpcId, subnets })).pointer).to.equal('/subnets/1/cidr');
    await stage.sim.done('subnet.create', { networkId, cidr: '10.5.1.0/28' });
    expect((await stage.refusal('subnet.delete', {}, four?.id)).code).to.equal('in_use');
    const { kernel, principal, environment } = stage.sim;
    const ask = (action: string, input: object) => codeOf(kernel.submit({ action, input, principal }));
    const codes = await environment.complete(
      Promise.all([
        ask('route.create', { vpcId, destination: '10.6.1.0/24' }),
        ask('subnet.create', { networkId, cidr: '10.6.0.0/16' }),
        ask('route.create', { vpcId, destination: '10.6.2.0/24' }),
      ]),
    );
    expect(codes).to.be.deep.oneOf([
      ['succeeded', 'invalid_input', 'succeeded'],
      ['invalid_input', 'succeeded', 'invalid_input'],
    ]);
  });
});
