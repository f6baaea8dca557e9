import { expect } from 'chai';
import { host, instance, pool } from '../../../src/cloud/index.ts';
import { create, type Id } from '../../../src/kernel/index.ts';
import { codeOf, GIB, LittleCloud } from '../little-cloud.ts';

const MEMORY = 64 * GIB;

describe('hosts', () => {
  it('connects a host, takes its inventory and promises what its cluster allows', async () => {
    const stage = await LittleCloud.open({}, { vcpuOvercommit: 2, memoryOvercommit: 1.5 });
    const id = await stage.host('hv1', { cpus: 8, memoryBytes: MEMORY });
    const row = await stage.row(host, id);
    expect(row).to.include({ state: 'enabled', status: 'connected', hostname: 'hv1', cpus: 8, memoryBytes: MEMORY, failureDomain: 'hv1' });
    expect(row.roles).to.deep.equal(['compute', 'storage']);
    expect((await stage.counter(`capacity/host/${id}/vcpus`))?.limit).to.equal(16);
    expect((await stage.counter(`capacity/host/${id}/memoryBytes`))?.limit).to.equal(1.5 * MEMORY);
  });

  it('promises more or less of all hosts when their cluster changes its mind', async () => {
    const stage = await LittleCloud.open();
    const id = await stage.host('hv1', { cpus: 8, memoryBytes: MEMORY });
    await stage.sim.done('cluster.update', { vcpuOvercommit: 3 }, stage.clusterId);
    expect((await stage.counter(`capacity/host/${id}/vcpus`))?.limit).to.equal(24);
    expect((await stage.counter(`capacity/host/${id}/memoryBytes`))?.limit).to.equal(MEMORY);
  });

  it('refuses the host beyond hostsMax before anything is written, until there is room again', async () => {
    const stage = await LittleCloud.open({}, { hostsMax: 2 });
    const first = await stage.host('hv1');
    await stage.host('hv2');
    const revision = await stage.revision();
    expect(await codeOf(stage.host('hv3'))).to.equal('no_capacity');
    expect(await stage.revision()).to.equal(revision);
    await stage.sim.done('host.delete', {}, first);
    await stage.sim.done('host.create', { clusterId: stage.clusterId, uri: 'sim://hv3' });
  });

  it('takes 45 hosts by default and refuses the 46th', async () => {
    const stage = await LittleCloud.open();
    for (let number = 1; number <= 45; number += 1) await stage.host(`hv${number}`);
    expect(await codeOf(stage.host('hv46'))).to.equal('no_capacity');
  });

  it('keeps the newest credentials, none of a refused host, and none when it is gone', async () => {
    const stage = await LittleCloud.open();
    const { sim, clusterId } = stage;
    const tlsCredentials = (key: string) => JSON.stringify({ ca: 'a', cert: 'c', key });
    const sealed = () => sim.rows('sealed').map((row) => `sealed:${row.id}`);
    sim.world.addHost('hv1');
    await sim.done('host.create', { clusterId, uri: 'sim://hv1', tlsCredentials: tlsCredentials('1') });
    const [row] = await stage.rows(host);
    const id = row?.id ?? '';
    expect(sealed()).to.deep.equal([row?.tlsCredentials]);
    await sim.done('host.update', { tlsCredentials: tlsCredentials('2') }, id);
    const kept = (await stage.row(host, id)).tlsCredentials;
    expect(kept).not.to.equal(row?.tlsCredentials);
    expect(sealed()).to.deep.equal([kept]);
    sim.world.addHost('other');
    expect((await stage.outcome('host.update', { uri: 'sim://other', tlsCredentials: tlsCredentials('3') }, id)).state).to.equal('failed');
    sim.world.hosts.set('alias', sim.world.host('hv1'));
    const twin = { clusterId, uri: 'sim://alias', tlsCredentials: tlsCredentials('4') };
    expect((await stage.outcome('host.create', twin)).state).to.equal('failed');
    expect(sealed()).to.deep.equal([kept]);
    await sim.done('host.delete', {}, id);
    expect(sealed()).to.deep.equal([]);
  });

  it('refuses the same host under another address', async () => {
    const stage = await LittleCloud.open();
    const first = await stage.host('hv1');
    stage.sim.world.hosts.set('alias', stage.sim.world.host('hv1'));
    const { state, error } = await stage.outcome('host.create', { clusterId: stage.clusterId, uri: 'sim://alias' });
    expect({ state, code: error?.code, params: error?.params }).to.deep.equal({
      state: 'failed',
      code: 'name_taken',
      params: { field: 'hostUuid', hostId: first },
    });
    expect(await stage.rows(host)).to.have.length(1);
  });

  it('refuses a host without hardware virtualisation unless its cluster allows emulation', async () => {
    const stage = await LittleCloud.open();
    const slow = stage.sim.world.addHost('slow');
    Object.assign(slow, { inventory: { ...slow.inventory, virtType: 'tcg' } });
    const asked = { clusterId: stage.clusterId, uri: 'sim://slow' };
    expect((await stage.outcome('host.create', asked)).error?.code).to.equal('unsupported');
    await stage.sim.done('cluster.update', { allowEmulation: true }, stage.clusterId);
    await stage.sim.done('host.create', asked);
  });

  it('leaves nothing of a host that does not answer', async () => {
    const stage = await LittleCloud.open();
    stage.sim.world.addHost('hv1');
    stage.sim.world.disconnect('hv1');
    const before = await stage.sim.residue();
    expect((await stage.outcome('host.create', { clusterId: stage.clusterId, uri: 'sim://hv1' })).error?.code).to.equal('unavailable');
    expect(await stage.sim.residue()).to.equal(before);
  });

  it('keeps TLS credentials sealed', async () => {
    const stage = await LittleCloud.open();
    stage.sim.world.addHost('hv1');
    const tlsCredentials = JSON.stringify({ ca: 'CA', cert: 'CERT', key: 'PLANTED' });
    const id = await stage.sim.done('host.create', { clusterId: stage.clusterId, uri: 'sim://hv1', tlsCredentials });
    expect((await stage.row(host, id)).tlsCredentials).to.match(/^sealed:/);
    const asked = { clusterId: stage.clusterId, uri: 'sim://hv2', tlsCredentials: '{"ca":1}' };
    expect(await codeOf(stage.sim.submit('host.create', asked))).to.equal('invalid_input');
    // The key is lost: others take their place.
    const [{ id: key } = {}] = stage.sim.rows('sealed');
    const lost = stage.sim.kernel.observe([{ op: 'update', table: 'sealed', key: String(key), set: { sealed: 'bG9zdA==' } }]);
    await stage.sim.environment.complete(lost);
    await stage.sim.done('host.update', { uri: 'sim://hv1', tlsCredentials }, id);
    await stage.sim.done('host.reconnect', {}, id);
  });

  it('changes an address only to where the same host answers', async () => {
    const stage = await LittleCloud.open();
    const id = await stage.host('hv1');
    stage.sim.world.hosts.set('alias', stage.sim.world.host('hv1'));
    stage.sim.world.addHost('other');
    expect((await stage.outcome('host.update', { uri: 'sim://other' }, id)).error?.code).to.equal('conflict');
    expect((await stage.row(host, id)).uri).to.equal('sim://hv1');
    await stage.sim.done('host.update', { uri: 'sim://alias', failureDomain: 'rack-7' }, id);
    expect(await stage.row(host, id)).to.include({ uri: 'sim://alias', failureDomain: 'rack-7' });
    await stage.sim.done('host.reconnect', {}, id);
  });

  it('goes into maintenance when no machine is on it, and says which are', async () => {
    const stage = await LittleCloud.open();
    const id = await stage.host('hv1');
    const machine = await plantMachine(stage, id, 'running');
    const revision = await stage.revision();
    const refusal: { code?: string; params?: { blockers: { id: string }[] } } = await stage.sim.submit('host.maintain', {}, id).then(
      () => ({}),
      (error: unknown) => error as never,
    );
    expect(refusal.code).to.equal('in_use');
    expect(refusal.params?.blockers[0]?.id).to.equal(machine);
    expect(await stage.revision()).to.equal(revision);
    await plantState(stage, machine, 'stopped');
    await stage.sim.done('host.maintain', {}, id);
    await stage.sim.done('host.maintain', {}, id);
    expect((await stage.row(host, id)).state).to.equal('maintenance');
    for (const [verb, state] of [
      ['enable', 'enabled'],
      ['disable', 'disabled'],
      ['enable', 'enabled'],
    ] as const) {
      await stage.sim.done(`host.${verb}`, {}, id);
      expect((await stage.row(host, id)).state).to.equal(state);
    }
  });

  it('is deleted with all that was reserved for it, unless something is still on it', async () => {
    const stage = await LittleCloud.open();
    const empty = await stage.sim.residue();
    const id = await stage.host('hv1');
    const poolId = await stage.pool(id);
    expect(await codeOf(stage.sim.submit('host.delete', {}, id))).to.equal('in_use');
    await stage.sim.done('pool.delete', {}, poolId);
    await stage.sim.done('host.delete', {}, id);
    expect(await stage.sim.residue()).to.equal(empty);
    expect((await stage.row(pool, poolId)).deletedAt).to.be.a('string');
    expect(await codeOf(stage.sim.submit('cluster.delete', {}, stage.clusterId))).to.equal('succeeded');
  });
});

/** A row of a machine, for what only counts rows. */
async function plantMachine(stage: LittleCloud, hostId: string, state: 'running' | 'stopped'): Promise<Id<'instance'>> {
  const id = stage.sim.kernel.services.ids.mint('instance');
  const row = {
    ...{ id, name: 'planted', projectId: stage.sim.kernel.services.ids.mint('project'), hostId: hostId as Id<'host'> },
    instanceTypeId: stage.sim.kernel.services.ids.mint('instanceType'),
    ...({ vcpus: 1, vcpusMax: 1, memoryBytes: GIB, memoryBytesMax: GIB, hostname: 'planted', sshKeys: [] } as const),
    ...({ guestOs: 'linux', firmware: 'bios', diskBus: 'virtio', desiredPower: 'running' } as const),
    state,
  };
  await stage.sim.environment.complete(stage.sim.kernel.observe([create(instance, { ...row, sshKeys: [] })]));
  return id;
}

async function plantState(stage: LittleCloud, id: string, state: 'stopped'): Promise<void> {
  await stage.sim.environment.complete(stage.sim.kernel.observe([{ op: 'update', table: 'instance', key: id, set: { state } }]));
}
