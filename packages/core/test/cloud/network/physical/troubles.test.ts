import { expect } from 'chai';
import { fabric, fabricDegraded, fabricRecovered, host, hostNetworkDegraded, hostNetworkRecovered } from '../../../../src/cloud/index.ts';
import { type JsonObject, type Notice, onNotice, type Plugin } from '../../../../src/kernel/index.ts';
import { LOOK_MS, MachineStage } from '../../compute/machine-stage.ts';

const DRIVER = 'simulated-shared';

/** Two hosts, with a machine on the first in a VPC, and what is told of them. */
async function stageWithMachine() {
  const heard: [string, JsonObject][] = [];
  const told = <T extends JsonObject>(point: Notice<T>) => onNotice(point, async (event) => void heard.push([point.id, event]));
  const hooks = [told(hostNetworkDegraded), told(hostNetworkRecovered), told(fabricDegraded), told(fabricRecovered)];
  const listener: Plugin = { id: 'listener', version: '1.0.0', requires: ['network'], hooks };
  const stage = await MachineStage.with({ network: false, hosts: 2 }, { plugins: [listener] });
  const vpcId = await stage.sim.done('vpc.create', { name: 'vpc-1' });
  const networkId = await stage.sim.done('network.create', { vpcId, subnets: [{ cidr: '10.8.0.0/24' }] });
  const [hostId = ''] = stage.hostIds;
  const machine = await stage.machine({ hostId, nics: [{ networkId }] });
  const [nic] = await stage.nics(machine);
  const troubles = async (id = hostId) => (await stage.row(host, id)).networkTroubles?.map(({ driver, reason }) => [driver, reason]);
  return { stage, heard, machine, nicId: nic?.id ?? '', hostId, troubles, look: () => stage.sim.run(2 * LOOK_MS) };
}

describe('trouble with the networks of machines that run', () => {
  it('shows on their host and is told once, and once more when it is over', async () => {
    const { stage, heard, hostId, troubles, look } = await stageWithMachine();
    expect(await troubles()).to.equal(undefined);
    stage.worldHost().switchTrouble = 'does not follow';
    await look();
    expect(await troubles()).to.deep.equal([[DRIVER, 'does not follow']]);
    expect(await troubles(stage.hostIds[1])).to.equal(undefined);
    const { generation, networkTroubles } = await stage.row(host, hostId);
    await look();
    expect((await stage.row(host, hostId)).generation).to.equal(generation, 'a look that finds nothing new writes nothing');
    stage.worldHost().switchTrouble = 'is not known';
    await look();
    expect((await stage.row(host, hostId)).networkTroubles).to.deep.equal([{ ...networkTroubles?.[0], reason: 'is not known' }]);
    stage.worldHost().switchTrouble = undefined;
    await look();
    expect(await troubles()).to.equal(undefined);
    expect(heard).to.deep.equal([
      ['host.networkDegraded', { hostId, driver: DRIVER, reason: 'does not follow' }],
      ['host.networkRecovered', { hostId, driver: DRIVER }],
    ]);
  });

  it('keeps new machines from their host until it is over, and says why where there is no other', async () => {
    const { stage, hostId, machine, look } = await stageWithMachine();
    const [nic] = await stage.nics(machine);
    const nics = [{ networkId: nic?.networkId }];
    stage.worldHost().switchTrouble = 'does not follow';
    await look();
    for (let more = 0; more < 3; more += 1) expect((await stage.instance(await stage.machine({ nics }))).hostId).to.equal(stage.hostIds[1]);
    const error = await stage.refusal('instance.create', stage.input({ hostId, nics }));
    expect(error.code).to.equal('no_capacity');
    expect(error.params?.reasons).to.include({ hv1: 'does not follow' });
    await stage.machine({ hostId, nics: [] });
    stage.worldHost().switchTrouble = undefined;
    await look();
    await stage.machine({ hostId, nics });
  });

  it('is over when nothing of theirs runs there any more, and is no concern of a host without any', async () => {
    const { stage, heard, machine, troubles, look } = await stageWithMachine();
    for (const number of [1, 2]) stage.worldHost(number).switchTrouble = 'does not follow';
    await look();
    expect(await troubles(stage.hostIds[1])).to.equal(undefined);
    await stage.into('stopped', machine);
    await look();
    expect(await troubles()).to.equal(undefined);
    expect(heard.map(([point]) => point)).to.deep.equal(['host.networkDegraded', 'host.networkRecovered']);
  });

  it('is not over because another life has just begun to look', async () => {
    const { stage, heard, troubles, look } = await stageWithMachine();
    stage.worldHost().switchTrouble = 'does not follow';
    await look();
    stage.sim.crash();
    stage.worldHost().switchTrouble = undefined;
    await stage.sim.start();
    await stage.sim.run(1_000);
    expect(await troubles()).to.deep.equal([[DRIVER, 'does not follow']]);
    await stage.sim.run(5 * LOOK_MS);
    expect(await troubles()).to.equal(undefined);
    expect(heard.map(([point]) => point)).to.deep.equal(['host.networkDegraded', 'host.networkRecovered']);
  });

  it('is a NIC that its switch has lost, by its id', async () => {
    const { stage, nicId, troubles, look } = await stageWithMachine();
    stage.worldHost().unplugged.add(nicId);
    await look();
    expect(await troubles()).to.deep.equal([[DRIVER, `has not plugged in what machines that run there have: NIC ${nicId}`]]);
    stage.worldHost().unplugged.delete(nicId);
    await look();
    expect(await troubles()).to.equal(undefined);
  });

  it('is a physical network to which nothing leads any more', async () => {
    const { stage, hostId, troubles, look } = await stageWithMachine();
    const cables = { name: 'cables', label: 'physnet1', role: 'tenant', clusterId: stage.clusterId, firstVlanId: 100, lastVlanId: 199 };
    const physicalNetworkId = await stage.sim.done('physicalNetwork.create', cables);
    const networkId = await stage.sim.done('network.create', { name: 'office', physicalNetworkId, subnets: [{ cidr: '10.20.0.0/24' }] });
    await stage.machine({ hostId, nics: [{ networkId }] });
    stage.worldHost().unconnected.add('physnet1');
    await look();
    expect(await troubles()).to.deep.equal([[DRIVER, 'is not connected to network office: it tells no bridge for physnet1']]);
  });

  it('shows on the fabric where it is of what hosts share, also where that does not answer', async () => {
    const { stage, heard, troubles, look } = await stageWithMachine();
    const row = async () => (await stage.rows(fabric))[0];
    stage.sim.world.fabric.switchTrouble = 'hangs';
    await look();
    expect([(await row())?.trouble, await troubles()]).to.deep.equal(['hangs', undefined]);
    stage.sim.world.fabric.switchTrouble = undefined;
    await look();
    expect((await row())?.trouble).to.equal(undefined);
    stage.sim.world.freeze('shared');
    await stage.sim.run(10 * LOOK_MS);
    expect((await row())?.trouble).to.match(/simulated-shared/);
    stage.sim.world.thaw('shared');
    await stage.sim.run(3 * LOOK_MS);
    expect((await row())?.trouble).to.equal(undefined);
    const fabricId = (await row())?.id;
    expect(heard.map(([point, { fabricId: id }]) => [point, id])).to.deep.equal(
      ['fabric.degraded', 'fabric.recovered', 'fabric.degraded', 'fabric.recovered'].map((point) => [point, fabricId]),
    );
  });
});
