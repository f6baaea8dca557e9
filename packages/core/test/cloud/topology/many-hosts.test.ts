import { SimCloud } from '@pileus/core/testing';
import { expect } from 'chai';
import { cluster, host, zone } from '../../../src/cloud/index.ts';
import { create, type Id, type Statement } from '../../../src/kernel/index.ts';

const HOSTS = 10_000;
const PER_CLUSTER = 45;
const HEARTBEAT_MS = 10_000;

/** A control plane that finds all of these hosts in its store, as after a restart. */
async function manyHosts(): Promise<{ readonly sim: SimCloud; readonly idOf: (number: number) => string }> {
  const sim = new SimCloud({ seed: 'many', presets: { 'hosts.heartbeatSeconds': HEARTBEAT_MS / 1000 } });
  await sim.start();
  const mint = <K extends string>(kind: K): Id<K> => sim.kernel.services.ids.mint(kind);
  const zoneId = mint('zone');
  const hostIds: string[] = [];
  const write = (statements: readonly Statement[]) => sim.environment.complete(sim.kernel.observe(statements));
  await write([create(zone, { id: zoneId, name: 'zone' })]);
  for (let first = 0; first < HOSTS; first += PER_CLUSTER) {
    const clusterId = mint('cluster');
    const promises = { vcpuOvercommit: 4, memoryOvercommit: 1, allowEmulation: false, hostsMax: PER_CLUSTER };
    const statements = [create(cluster, { id: clusterId, name: `cluster-${first}`, zoneId, hypervisor: 'simulated', ...promises })];
    for (let number = first; number < Math.min(HOSTS, first + PER_CLUSTER); number += 1) {
      const name = `hv${number}`;
      const { inventory } = sim.world.addHost(name);
      const { hypervisor, hypervisorVersion, ...seen } = inventory;
      const id = mint('host');
      hostIds.push(id);
      const facts = { ...seen, hypervisorVersion: `${hypervisor} ${hypervisorVersion}` };
      const row = { id, name, clusterId, uri: `sim://${name}`, failureDomain: name, roles: ['compute' as const], ...facts };
      statements.push(create(host, { ...row, state: 'enabled', status: 'connected' }));
    }
    await write(statements);
  }
  sim.crash();
  await sim.start();
  return { sim, idOf: (number) => hostIds[number] ?? '' };
}

describe('ten thousand hosts', function () {
  this.timeout(300_000);

  it('are watched without a write, and one that dies is seen within three heartbeats, however it dies', async () => {
    const { sim, idOf } = await manyHosts();
    await sim.run(2 * HEARTBEAT_MS);
    const { newest } = await sim.environment.complete(sim.kernel.services.store.bounds());
    await sim.run(HEARTBEAT_MS);
    expect((await sim.environment.complete(sim.kernel.services.store.bounds())).newest).to.equal(newest);
    const dead = [17, 4242, 9999].map(idOf);
    sim.world.crash('hv17');
    sim.world.freeze('hv4242');
    sim.world.partition('hv9999');
    await sim.run(3 * HEARTBEAT_MS);
    const lost = sim.rows('host').filter((row) => row.status !== 'connected');
    expect(lost.map((row) => row.id)).to.have.members(dead);
    sim.dispose();
  });
});
