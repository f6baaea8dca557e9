import { expect } from 'chai';
import { loadBalancer, nic, reservedAddress } from '../../../../src/cloud/index.ts';
import { type CloudError, equals } from '../../../../src/kernel/index.ts';
import { RoutedStage } from '../routed-stage.ts';

describe('addresses that are reserved', () => {
  it('are never given to NICs, nor NICs’ addresses kept', async () => {
    const at = await RoutedStage.ready();
    const { subnetId, networkId } = at;
    const { address } = await at.machine();
    const [first, second] = ['10.1.0.5', '10.1.0.6'];
    await at.sim.done('reservedAddress.create', { subnetId, address: first });
    expect((await at.machine()).address).to.equal(second);
    expect(await at.refused('reservedAddress.create', { subnetId, address })).to.deep.equal(['name_taken', '/address']);
    expect(await at.refused('reservedAddress.create', { subnetId, address: first })).to.deep.equal(['name_taken', '/address']);
    expect(await at.refused('instance.create', at.stage.input({ nics: [{ networkId, address: first }] }))).to.deep.equal([
      'name_taken',
      '/nics/0/address',
    ]);
  });

  it('are refused with the field at fault', async () => {
    const at = await RoutedStage.ready();
    const { subnetId } = at;
    const plain = await at.stage.network();
    for (const [input, code, pointer] of [
      [{ subnetId, address: '10.1.1.7' }, 'invalid_input', '/address'],
      [{ subnetId, address: 'fd00::1' }, 'invalid_input', '/address'],
      [{ subnetId, address: '10.1.0.1' }, 'invalid_input', '/address'],
      [{ subnetId, address: '10.1.0.2' }, 'invalid_input', '/address'],
      [{ subnetId, address: '10.1.0.3' }, 'invalid_input', '/address'],
      [{ subnetId: '00000000-0000-7000-8000-00000000dead' }, 'not_found', '/subnetId'],
      [{ subnetId: await at.subnetIn(plain) }, 'unsupported', '/subnetId'],
    ] as const)
      expect(await at.refused('reservedAddress.create', input), JSON.stringify(input)).to.deep.equal([code, pointer]);
  });

  it('of something else go with it alone', async () => {
    const at = await RoutedStage.ready();
    const id = await at.sim.done('loadBalancer.create', { name: 'lb', subnetId: at.subnetId });
    const [kept] = await at.stage.rows(reservedAddress);
    expect(kept).to.include({ loadBalancerId: id });
    expect(await at.refused('reservedAddress.delete', {}, kept?.id)).to.deep.equal(['conflict', undefined]);
    await at.sim.done('loadBalancer.delete', {}, id);
    expect(await at.stage.rows(reservedAddress)).to.deep.equal([]);
  });

  it('are each somebody’s, of 10,000 that ask at once, be they NICs, balancers or reserved', async function () {
    this.timeout(300_000);
    const at = await RoutedStage.ready();
    const networkId = await at.network('wide', '10.64.0.0/18');
    const wide = await at.subnetIn(networkId);
    const { kernel, principal, environment } = at.sim;
    const asks = Array.from({ length: 10_000 }, (_, index) =>
      index % 50 === 0
        ? { action: 'loadBalancer.create', input: { subnetId: wide } }
        : { action: 'reservedAddress.create', input: { subnetId: wide } },
    );
    const accepted = await environment.complete(Promise.all(asks.map((each) => kernel.submit({ ...each, principal }))));
    expect(accepted).to.have.length(10_000);
    for (const { operationId } of accepted.slice(-50)) await at.sim.ended(operationId);
    const rows = await environment.complete(kernel.reader.list(reservedAddress, equals('subnetId', wide)));
    expect(new Set(rows.map(({ address }) => address)).size).to.equal(10_000);
    const { address } = await at.machine(networkId);
    expect(rows.map((row) => row.address)).not.to.include(address);
  });

  it('are not lost by what is refused or fails', async () => {
    const at = await RoutedStage.ready();
    const networkId = await at.network('small', '10.9.0.0/29');
    const subnetId = await at.subnetIn(networkId);
    for (let count = 0; count < 6; count += 1) {
      at.sim.world.faults.add({ command: 'loadBalancers.ensure', times: 1, effect: 'fail', fault: 'invalid' });
      expect((await at.stage.outcome('loadBalancer.create', { subnetId })).state).to.equal('failed');
    }
    for (let count = 0; count < 3; count += 1) await at.sim.done('loadBalancer.create', { subnetId });
    expect((await at.refused('loadBalancer.create', { subnetId }))[0]).to.equal('no_capacity');
    expect((await at.refused('instance.create', at.stage.input({ nics: [{ networkId }] })))[0]).to.equal('no_capacity');
    expect(await at.stage.rows(loadBalancer)).to.have.length(3);
  });

  it('are told apart from those of NICs by the transaction itself', async () => {
    const at = await RoutedStage.ready();
    const networkId = await at.network('tiny', '10.9.0.0/29');
    const subnetId = await at.subnetIn(networkId);
    const wishes = [4, 5, 6].flatMap((last) => [
      { action: 'reservedAddress.create', input: { subnetId, address: `10.9.0.${last}` } },
      { action: 'instance.create', input: at.stage.input({ start: false, nics: [{ networkId, address: `10.9.0.${last}` }] }) },
    ]);
    const ends = await at.atOnce(wishes);
    expect(ends.filter((end) => end === 'succeeded')).to.have.length(3);
    expect(ends.filter((end) => end === 'name_taken')).to.have.length(3);
    const { environment, kernel } = at.sim;
    const nics = await environment.complete(kernel.reader.list(nic, equals('subnetId', subnetId)));
    const kept = await environment.complete(kernel.reader.list(reservedAddress, equals('subnetId', subnetId)));
    expect([...nics, ...kept].map(({ address }) => address).sort()).to.deep.equal(['10.9.0.4', '10.9.0.5', '10.9.0.6']);
  });

  it('are nobody else’s before the fabric has let go of what they were of', async () => {
    const at = await RoutedStage.ready();
    const { sim, internetId: externalNetworkId } = at;
    const loadBalancerId = await sim.done('loadBalancer.create', { name: 'lb', subnetId: at.subnetId });
    const gatewayId = await at.gateway();
    for (const [kind, id, command, asked, what] of [
      ['loadBalancer', loadBalancerId, 'loadBalancers.remove', 'reservedAddress.create', { subnetId: at.subnetId }],
      ['natGateway', gatewayId, 'gateways.remove', 'elasticIp.create', { externalNetworkId }],
    ] as const) {
      const input = { ...what, address: sim.row(kind, id)?.address };
      const heal = sim.world.faults.add({ command, effect: 'fail' });
      const { operationId } = await sim.submit(`${kind}.delete`, {}, id);
      await sim.run(30_000);
      const refused = await sim.submit(asked, input).catch(({ code, pointer }: CloudError) => [code, pointer]);
      expect(refused, kind).to.deep.equal(['name_taken', '/address']);
      heal();
      expect((await sim.ended(operationId)).state).to.equal('succeeded');
      await sim.done(asked, input);
    }
  });
});
