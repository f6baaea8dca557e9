import { isCloudError } from '@pileus/core/kernel';
import { everyRow, OvsdbClient, openVswitch } from '@pileus/drivers-ovs/ovsdb';
import { expect } from 'chai';
import { PrivateServer } from '../../../drivers-ovs/test/ovsdb/private-server.ts';
import { ovsPorts } from '../../src/agent/services/switch-ports.ts';

describe('agent: ports of Open vSwitch', function () {
  this.timeout(600_000);
  const signal = new AbortController().signal;
  const network = {
    networkId: '01890a5d-ac96-774b-bcce-b302099a8057',
    vpcId: '01890a5d-ac96-774b-bcce-b302099a8058',
    bridge: 'br-int',
    interfaceId: 'service-1',
    mac: '02:00:00:00:01:fe',
    addresses: [],
  };

  it('are plugged in once, put right, moved to the bridge they belong to, and taken out', async () => {
    await using server = await PrivateServer.start({ schema: '/usr/share/openvswitch/vswitch.ovsschema' });
    await using client = new OvsdbClient({ database: openVswitch, remotes: [server.address] });
    const { Bridge, Interface, Open_vSwitch: Root, Port } = openVswitch.tables;
    const bridges = [Bridge.insert({ name: 'br-int' }), Bridge.insert({ name: 'br-other' })] as const;
    await client.transact([...bridges, Root.insert({ bridges: bridges.map(({ row }) => row as string) })]);
    const ports = ovsPorts(server.socketPath);
    // Nothing is known to be there.
    await ports.clearLeft(signal);
    const seen = async () => {
      const all = [['name', '!=', '']] as const;
      const [interfaces, found, on] = await client.transact([Interface.select(all), Port.select(all), Bridge.select(all)]);
      return {
        interfaces: interfaces.map(({ name, external_ids }) => [name, external_ids['iface-id'], external_ids['attached-mac']]),
        on: on.filter((bridge) => found.some(({ _uuid }) => bridge.ports.includes(_uuid))).map(({ name }) => name),
      };
    };
    const plugged = { interfaces: [['pls1', 'service-1', '02:00:00:00:01:fe']], on: ['br-int'] };
    await ports.plug('pls1', network, signal);
    expect(await seen()).to.deep.equal(plugged);
    await client.transact([Interface.update([['name', '==', 'pls1']], { external_ids: {} })]);
    await ports.plug('pls1', network, signal);
    expect(await seen()).to.deep.equal(plugged);
    await ports.plug('pls1', { ...network, bridge: 'br-other' }, signal);
    expect(await seen()).to.deep.equal({ ...plugged, on: ['br-other'] });
    const refused = await ports.plug('pls1', { ...network, bridge: 'br-none' }, signal).catch((error: unknown) => error);
    expect(isCloudError(refused) && refused.message).to.equal('There is no bridge br-none on this host.');
    const { QoS } = openVswitch.tables;
    await client.transact([QoS.insert({ external_ids: { 'vm-id': network.vpcId, ifname: 'vnet0' } }), QoS.insert({})]);
    await ports.clearLeft(signal);
    expect(
      (await client.transact([QoS.select(everyRow, ['external_ids'])]))[0].map(({ external_ids }) => ({ ...external_ids })),
    ).to.deep.equal([{}]);
    await ports.unplug('pls1', signal);
    await ports.unplug('pls1', signal);
    expect(await seen()).to.deep.equal({ interfaces: [], on: [] });
    await ports.close();
  });
});
