import { expect } from 'chai';
import { host, hostPoolReached, hostPoolUnreached } from '../../../../src/cloud/index.ts';
import { type CloudError, type JsonObject, type Notice, onNotice, type Plugin } from '../../../../src/kernel/index.ts';
import { LOOK_MS, MachineStage } from '../../compute/machine-stage.ts';

const URLS = ['https://192.0.2.1:7430', 'https://192.0.2.2:7430'] as const;

/** Three hosts that share a pool; the first two have agents. */
async function stageWithSharedPool() {
  const heard: [string, JsonObject][] = [];
  const told = <T extends JsonObject>(point: Notice<T>) => onNotice(point, async (event) => void heard.push([point.id, event]));
  const hooks = [told(hostPoolUnreached), told(hostPoolReached)];
  const listener: Plugin = { id: 'listener', version: '1.0.0', requires: ['storage'], hooks };
  const stage = await MachineStage.with({ hosts: 3, network: false }, { plugins: [listener] });
  const { sim } = stage;
  const poolId = await sim.done('pool.create', {
    name: 'shared',
    driver: 'simulated-shared',
    clusterId: stage.clusterId,
    storageClass: 'shared',
  });
  for (const [index, url] of URLS.entries())
    await sim.done('agent.create', { hostId: stage.hostIds[index], url, fingerprint: String(index).repeat(64) });
  const look = () => sim.run(3 * LOOK_MS);
  const hosts = () => stage.ask('GET', '/pools/{id}/hosts', { params: { id: poolId } }) as Promise<Record<string, unknown>>;
  await look();
  return { stage, sim, poolId, look, hosts, heard, agent: sim.agents.at(URLS[0]), hostIds: stage.hostIds };
}

describe('whether a host reaches a shared pool', () => {
  it('is told of each that has an agent, and of the others that it is not known', async () => {
    const { hosts, hostIds, stage, poolId } = await stageWithSharedPool();
    const [one, two, three] = hostIds;
    expect(await hosts()).to.deep.equal({
      ...{ reached: 2, unreached: 0, unknown: 1 },
      hosts: [
        { hostId: one, name: 'hv1', isReached: true },
        { hostId: two, name: 'hv2', isReached: true },
        { hostId: three, name: 'hv3' },
      ],
    });
    const own = await stage.ask('GET', '/pools/{id}/hosts', { params: { id: stage.poolIds[1] ?? '' } });
    expect(own).to.deep.equal({ reached: 1, unreached: 0, unknown: 0, hosts: [{ hostId: two, name: 'hv2', isReached: true }] });
    expect((await stage.row(host, one ?? '')).unreachedPools).to.equal(undefined);
    expect(poolId).to.be.a('string');
  });

  it('shows on the host and is told once, keeps what needs the pool from there alone, and is over by itself', async () => {
    const { stage, agent, look, hosts, heard, poolId, hostIds } = await stageWithSharedPool();
    const [hostId = ''] = hostIds;
    const volumeId = await stage.volume(4096, { poolId });
    agent.unreached?.set(poolId, 'ETIMEDOUT');
    await look();
    await look();
    const reason = `${poolId}.storage.test:3300: ETIMEDOUT`;
    const { unreachedPools = [], generation } = await stage.row(host, hostId);
    expect(unreachedPools.map(({ since: _, ...each }) => each)).to.deep.equal([{ poolId, reason }]);
    await look();
    expect((await stage.row(host, hostId)).generation).to.equal(generation, 'a look that finds nothing new writes nothing');
    expect(await hosts()).to.deep.include({ reached: 1, unreached: 1, unknown: 1 });
    const why = { hv1: 'does not reach pool shared' };
    const rootVolume = { storageClass: 'shared' };
    const onIt = await stage.refusal('instance.create', stage.input({ hostId, rootVolume }));
    expect(onIt.code).to.equal('no_capacity');
    expect(onIt.params?.reasons).to.include(why);
    const besideIt = await stage.refusal('instance.create', stage.input({ hostId, attachVolumeIds: [volumeId] }));
    expect(besideIt.code).to.equal('no_capacity');
    expect(besideIt.params?.reasons).to.include(why);
    for (let more = 0; more < 3; more += 1) expect((await stage.instance(await stage.machine({ rootVolume }))).hostId).not.to.equal(hostId);
    const there = await stage.machine({ hostId });
    const [root] = await stage.disks(there);
    for (const [action, input, resourceId, pointer] of [
      ['instance.attachVolume', { volumeId }, there, '/volumeId'],
      ['volume.move', { poolId }, root?.id, '/poolId'],
    ] as const) {
      const { code, pointer: at } = await stage.refusal(action, input, resourceId);
      expect([code, at], action).to.deep.equal(['conflict', pointer]);
    }
    agent.unreached?.clear();
    await look();
    await stage.machine({ hostId, rootVolume });
    expect(heard).to.deep.equal([
      ['host.poolUnreached', { hostId, poolId, reason }],
      ['host.poolReached', { hostId, poolId }],
    ]);
  });

  it('is not told by one look, nor while the pool itself is away', async () => {
    const { stage, sim, agent, look, heard, poolId, hostIds } = await stageWithSharedPool();
    agent.unreached?.set(poolId, 'ETIMEDOUT');
    sim.world.freeze('shared');
    await sim.run(20 * LOOK_MS);
    expect((await stage.row(host, hostIds[0] ?? '')).unreachedPools).to.equal(undefined);
    agent.unreached?.clear();
    sim.world.thaw('shared');
    await sim.run(4 * LOOK_MS);
    await look();
    expect(heard).to.deep.equal([]);
  });

  it('stays as it was seen while the agent is away, and is forgotten with it or where its release does not tell', async () => {
    const { stage, sim, agent, look, poolId, hostIds, hosts } = await stageWithSharedPool();
    const [hostId = ''] = hostIds;
    const unreached = async () => (await stage.row(host, hostId)).unreachedPools?.length ?? 0;
    agent.unreached?.set(poolId, 'EHOSTUNREACH');
    await look();
    await look();
    expect(await unreached()).to.equal(1);
    agent.isAway = true;
    await sim.run(10 * LOOK_MS);
    expect(await unreached()).to.equal(1);
    sim.crash();
    await sim.start();
    await look();
    expect(await unreached()).to.equal(1);
    agent.isAway = false;
    agent.unreached = undefined;
    await sim.run(4 * LOOK_MS);
    expect(await unreached()).to.equal(0);
    expect(await hosts()).to.deep.include({ reached: 1, unreached: 0, unknown: 2 });
  });

  it('is not told by an answer that is malformed', async () => {
    const { stage, sim, agent, poolId, hostIds } = await stageWithSharedPool();
    const unreached = async () => (await stage.row(host, hostIds[0] ?? '')).unreachedPools?.length ?? 0;
    agent.unreached?.set(poolId, { code: 'ETIMEDOUT' } as never);
    await sim.run(20 * LOOK_MS);
    expect(await unreached()).to.equal(0);
    agent.unreached?.set(poolId, 'ETIMEDOUT');
    await sim.run(20 * LOOK_MS);
    expect(await unreached()).to.equal(1);
  });

  it('is asked of pools that there are', async () => {
    const { stage } = await stageWithSharedPool();
    const error = await stage
      .ask('GET', '/pools/{id}/hosts', { params: { id: '00000000-0000-7000-8000-00000000dead' } })
      .catch((cause: unknown) => cause);
    expect((error as CloudError).code).to.equal('not_found');
  });
});
