import { expect } from 'chai';
import { commit, FULL } from '../../../../../tools/test/slice.ts';
import { entriesOf, type JournalRow } from '../../../src/kernel/operation.ts';
import { SimCloud, SimEnvironment } from '../../../testing/index.ts';
import { addImage, machine, smallCloud } from '../small-cloud.ts';

const MIB = 2 ** 20;
/** Crashes in one deletion, each in the life after the one before. */
const CRASHES = 12;

/** A zone with machines, each with a disk and a NIC, on hosts that have a pool and a network each. */
async function filledZone(
  hosts: number,
  machinesPerHost: number,
): Promise<{ readonly sim: SimCloud; readonly zoneId: string; readonly empty: string }> {
  const sim = new SimCloud({ seed: commit, world: { latencyMs: [0, 0] } });
  await sim.start();
  const imageId = await addImage(sim, 'image');
  await sim.done('instanceType.create', { name: 'small', vcpus: 1, memoryBytes: 64 * MIB });
  const empty = await sim.residue();
  const zoneId = await sim.done('zone.create', { name: 'zone' });
  const clusterId = await sim.done('cluster.create', { name: 'cluster', zoneId, hypervisor: 'simulated' });
  for (let index = 0; index < hosts; index += 1) {
    const name = `hv${index}`;
    sim.world.addHost(name);
    const hostId = await sim.done('host.create', { name, clusterId, uri: `sim://${name}` });
    await sim.done('pool.create', { name, driver: 'simulated', hostId, settings: {} });
    const networkId = await sim.done('network.create', { name, driver: 'simulated', hostId, subnets: [{ cidr: '10.0.0.0/16' }] });
    const machines = Array.from({ length: machinesPerHost }, () => ({ instanceType: 'small', imageId, nics: [{ networkId }] }));
    const accepted = await sim.environment.complete(
      Promise.all(machines.map((input) => sim.kernel.submit({ action: 'instance.create', input, principal: sim.principal }))),
    );
    for (const { operationId } of accepted) expect((await sim.ended(operationId)).state).to.equal('succeeded');
  }
  return { sim, zoneId, empty };
}

describe('the deletion of a zone with all that is in it', () => {
  it('is refused unless all in it is meant', async () => {
    const { sim, zoneId } = await filledZone(2, 3);
    const refusal = await sim.submit('zone.delete', {}, zoneId).catch((error: { code: string }) => error);
    expect(refusal).to.include({ code: 'in_use' });
    const before = await sim.residue();
    const [row] = sim.rows('zone');
    const preview = await sim.environment.complete(
      sim.kernel.previewDeletion(sim.kernel.registry.action('zone.delete'), row as never, {
        force: false,
        permanent: false,
        recursive: true,
        limit: 10,
        sees: async () => true,
      }),
    );
    expect(Object.fromEntries(preview.deleted.kinds.map(({ kind, total }) => [kind, total]))).to.deep.equal({
      zone: 1,
      cluster: 1,
      host: 2,
      pool: 2,
      network: 2,
      subnet: 2,
      instance: 6,
      volume: 6,
      nic: 6,
    });
    expect(preview.deleted.rows).to.have.length(10);
    expect(await sim.residue()).to.equal(before);
    sim.dispose();
  });

  it('takes the disks of a pool along, but none that a machine has which stays', async () => {
    const at = await smallCloud({ presets: { 'trash.retentionSeconds': 3600 } });
    const { sim, poolId, hostId } = at;
    const id = await sim.done('instance.create', machine(at));
    const free = await sim.done('volume.create', { name: 'free', sizeBytes: 8192, poolId });
    const refused = await sim.submit('pool.delete', { recursive: true }, poolId).catch((error: { code: string; message: string }) => error);
    expect(refused).to.include({ code: 'in_use' });
    expect((refused as { message: string }).message).to.match(/^Still used by volume (?!free)[a-z0-9-]+\.$/);
    expect(sim.row('volume', free)).to.include({ state: 'available' });
    await sim.done('instance.delete', {}, id);
    // What lies in the trash goes with its host, for good.
    await sim.done('host.delete', { recursive: true }, hostId);
    for (const kind of ['instance', 'volume', 'nic', 'pool', 'network', 'host']) expect(sim.rows(kind), kind).to.deep.equal([]);
  });

  for (const round of FULL ? [1, 2, 3, 4] : [1])
    it(`survives crashes at any point with 1,000 machines, and leaves nothing (${round})`, async () => {
      const { sim, zoneId, empty } = await filledZone(20, 50);
      const { random } = new SimEnvironment(`${commit} ${round}`);
      let points = 0;
      // About 12,000 steps: some lives end early, some late.
      let next = 1 + Math.floor(random.next() * 1500);
      let crashes = 0;
      sim.around = async (_point, body) => {
        points += 1;
        if (points !== next || crashes >= CRASHES) return body();
        crashes += 1;
        next += 1 + Math.floor(random.next() * 1500);
        const after = random.next() < 0.5;
        if (after) await body();
        sim.crash();
        return new Promise<never>(() => undefined);
      };
      const { operationId } = await sim.submit('zone.delete', { recursive: true }, zoneId);
      expect((await sim.ended(operationId, 24 * 3600_000)).state).to.equal('succeeded');
      sim.around = undefined;
      await sim.run(60_000);
      expect(crashes).to.be.greaterThan(2);
      expect(await sim.residue()).to.equal(empty);
      const journal = entriesOf((sim.rows('journal') as unknown as JournalRow[]).filter((row) => row.operationId === operationId));
      const large = journal.filter((entry) => JSON.stringify(entry).length > 100_000);
      expect(
        large.map(({ type }) => type),
        'the plan is written once',
      ).to.deep.equal(['accepted']);
      sim.dispose();
    }).timeout(300_000);
});
