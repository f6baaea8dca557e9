import { setTimeout as sleep } from 'node:timers/promises';
import { isPileusError } from '@pileus/sdk';
import { expect } from 'chai';
import { newKey } from '../../../tools/system/ceph-config.ts';
import { until } from '../../lab/waiting.ts';
import { CephCloud, MIB, POOL } from './ceph-cloud.ts';
import { settledInventory } from './inventory.ts';

/** What waits for a cluster to notice takes minutes. */
const FULL = process.env.PILEUS_FULL === '1';
/** Long, for a machine that is busy with other tests; what hangs takes longer by far. */
const ANSWER_MS = 10_000;
/** A guest that writes each 50 ms, and has not for so long, waits. */
const STANDING_MS = 5_000;
const REFUSED = ['no_capacity', 'unavailable', 'timeout', 'conflict'];

describe('a pool of Ceph that is in trouble', function () {
  this.timeout(FULL ? 1_800_000 : 600_000);
  let lab: CephCloud;

  before(async () => {
    lab = await CephCloud.up({ osds: 3, hosts: 1, monitors: FULL ? 3 : 1 });
  });
  after(() => lab?.[Symbol.asyncDispose]());

  const pool = () => lab.cloud.pools.get(lab.poolId);
  const untilPool = (what: string, holds: (row: Awaited<ReturnType<typeof pool>>) => boolean) =>
    until(what, async () => holds(await pool()) || undefined);

  const codeOf = async (work: PromiseLike<unknown>) => {
    try {
      await work;
      return 'succeeded';
    } catch (error) {
      return isPileusError(error) ? error.code : String(error);
    }
  };

  it('is not registered with a key that the cluster does not know, and nothing of it stays', async () => {
    const { zoneId, settings } = await pool();
    const wrong = { name: 'wrong', driver: 'rbd', zoneId, settings: { ...settings, pool: 'other' }, secrets: { key: newKey() } };
    expect(await codeOf(lab.cloud.pools.create(wrong).wait({ timeoutMs: 120_000 }))).to.equal('conflict');
    expect(await lab.cloud.pools.list().toArray()).to.have.length(1);
  });

  it('is not registered where the cluster has none of its name', async () => {
    const { zoneId, settings } = await pool();
    const wrong = { driver: 'rbd', zoneId, settings: { ...settings, pool: 'other' }, secrets: { key: lab.ceph.user.key } };
    expect(await codeOf(lab.cloud.pools.create(wrong).wait({ timeoutMs: 120_000 }))).to.equal('not_found');
    expect(await lab.cloud.pools.list().toArray()).to.have.length(1);
  });

  if (FULL) outageTests();

  function outageTests(): void {
    it('keeps nobody waiting but those who need it, while two of its three OSDs are dead, and goes on when they are back', async () => {
      const before = await lab.cloud.volumes.create({ name: 'before', sizeBytes: 8 * MIB }).wait();
      await untilPool('health', ({ health }) => health === 'healthy');
      await Promise.all([lab.ceph.osd(1).kill(), lab.ceph.osd(2).kill()]);
      const waiting = lab.cloud.volumes.create({ name: 'meanwhile', sizeBytes: 8 * MIB, poolId: lab.poolId });
      const made = codeOf(waiting.wait({ timeoutMs: 400_000 }));
      await untilPool('trouble', ({ health, status }) => health !== 'healthy' || status !== 'connected');
      const startMs = performance.now();
      await lab.cloud.volumes.list().toArray();
      await lab.cloud.networks.create({ name: 'elsewhere', hostId: lab.hostIds[0], subnets: [{ cidr: '192.168.91.0/24' }] }).wait();
      expect(performance.now() - startMs).to.be.below(ANSWER_MS);

      await Promise.all([lab.ceph.osd(1).start(), lab.ceph.osd(2).start()]);
      await lab.ceph.untilUp();
      await untilPool('recovery', ({ health, status }) => health === 'healthy' && status === 'connected');
      expect(await made).to.be.oneOf(['succeeded', 'timeout', 'unavailable', 'no_capacity']);
      expect(await codeOf(lab.cloud.volumes.create({ name: 'after', sizeBytes: 8 * MIB }).wait())).to.equal('succeeded');
      expect(await codeOf(lab.cloud.volumes.delete(before.id).wait())).to.equal('succeeded');
      const { seen, expected } = await settledInventory(lab);
      expect(seen).to.deep.equal(expected);
    });

    it('holds up what a machine writes while it takes nothing, goes on with two of three monitors and with none, and loses nothing', async () => {
      const machine = await lab.machine('writer', await lab.uploadGuestImage(), 0);
      const guest = await lab.guest(machine.id, 0).booted();
      const { id: volumeId } = await lab.cloud.volumes.create({ name: 'log', sizeBytes: 16 * MIB }).wait();
      await lab.cloud.instances.attachVolume(machine.id, { volumeId }).wait();
      await until('the volume in the guest', async () => (await guest.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
      await guest.begin(
        'n=0; while [ ! -e /run/stop ]; do n=$((n+1)); echo $n | dd of=/dev/vdb bs=512 seek=$n conv=sync,fsync 2>/dev/null || break; echo $n >/run/written; usleep 50000; done; touch /run/stopped',
      );
      const written = () => guest.number('/run/written');
      const goesOn = async (what: string) => {
        const before = await written();
        await until(`writes ${what}`, async () => (await written()) > before + 20 || undefined);
      };
      const stands = (what: string) =>
        until(`no writes ${what}`, async () => {
          const before = await written();
          await sleep(STANDING_MS);
          return (await written()) === before || undefined;
        });
      await goesOn('before the trouble');

      await Promise.all([lab.ceph.osd(1).kill(), lab.ceph.osd(2).kill()]);
      await stands('with one OSD of three');
      await Promise.all([lab.ceph.osd(1).start(), lab.ceph.osd(2).start()]);
      await goesOn('with all OSDs again');

      const quota = (bytes: number) => lab.ceph.ceph('osd', 'pool', 'set-quota', POOL, 'max_bytes', String(bytes));
      await quota(1_000_000);
      await stands('over the quota');
      // Nothing is placed there, or removed to the end, and nobody waits for it for ever.
      expect(await codeOf(lab.cloud.volumes.create({ name: 'too-much', sizeBytes: 8 * MIB }).wait({ timeoutMs: 400_000 }))).to.be.oneOf(
        REFUSED,
      );
      await quota(0);
      await goesOn('with room again');

      const [first, ...others] = lab.ceph.monitorDaemons;
      await first.kill();
      await goesOn('with two of three monitors');
      const { id: secondId } = await lab.cloud.volumes.create({ name: 'with-two', sizeBytes: 8 * MIB }).wait({ timeoutMs: 180_000 });
      await lab.cloud.instances.attachVolume(machine.id, { volumeId: secondId }).wait({ timeoutMs: 180_000 });
      await until('the second volume', async () => (await guest.attempt('test', '-b', '/dev/vdc')).exitCode === 0 || undefined);
      await Promise.all(others.map((monitor) => monitor.kill()));
      await goesOn('without a monitor');
      await Promise.all(lab.ceph.monitorDaemons.map((monitor) => monitor.start()));
      await goesOn('with all monitors again');

      await guest.run('touch', '/run/stop');
      await until('the last write', async () => (await guest.attempt('test', '-e', '/run/stopped')).exitCode === 0 || undefined);
      const count = await written();
      expect(await guest.shell(`dd if=/dev/vdb bs=512 skip=1 count=${count} 2>/dev/null | tr -d "\\000" | sha1sum`)).to.equal(
        await guest.shell(`seq 1 ${count} | sha1sum`),
      );
      await untilPool('recovery', ({ health, status }) => health === 'healthy' && status === 'connected');
      await lab.cloud.instances.delete(machine.id).wait({ timeoutMs: 180_000 });
      for (const id of [volumeId, secondId]) await lab.cloud.volumes.delete(id).wait();
      const { seen, expected } = await settledInventory(lab);
      expect(seen).to.deep.equal(expected);
    });

    it('says why it cannot be had when its monitors are dead, and is used again when they are back', async () => {
      await Promise.all(lab.ceph.monitorDaemons.map((monitor) => monitor.kill()));
      await untilPool('the loss', ({ status, statusReason = '' }) => status === 'disconnected' && /^pool ceph /.test(statusReason));
      await Promise.all(lab.ceph.monitorDaemons.map((monitor) => monitor.start()));
      await untilPool('the return', ({ status, health }) => status === 'connected' && health === 'healthy');
      expect(await codeOf(lab.cloud.volumes.create({ name: 'again', sizeBytes: 8 * MIB }).wait())).to.equal('succeeded');
    });
  }
});
