import { type Id, isPileusError, type Pool } from '@pileus/sdk';
import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import { virsh } from '../../lab/guest-domain.ts';
import { until } from '../../lab/waiting.ts';
import { CephCloud, MIB, POOL } from './ceph-cloud.ts';

const GIB = 1024 * MIB;

/** Looks at a pool come seconds apart: of the full run. */
if (FULL)
  describe('a class of storage and its pool on Ceph', function () {
    this.timeout(900_000);
    let lab: CephCloud;
    let machineId: Id<'instance'>;
    let volumeId: Id<'volume'>;
    let classId: Id<'storageClass'>;
    let pid: number | undefined;

    before(async () => {
      lab = await CephCloud.up({ osds: 3, hosts: 1 });
      ({ pid } = lab.server);
      await untilPool('its facts', ({ health, replicas }) => health === 'healthy' && replicas === 3);
    });
    after(() => lab?.[Symbol.asyncDispose]());

    const pool = () => lab.cloud.pools.get(lab.poolId);
    const untilPool = (what: string, holds: (row: Pool) => boolean) => until(what, async () => holds(await pool()) || undefined);
    const refusal = async (work: PromiseLike<unknown>) => {
      const error = await Promise.resolve(work).then(
        () => expect.fail('nothing was refused'),
        (cause: unknown) => cause,
      );
      return isPileusError(error) ? [error.code, error.pointer] : error;
    };
    const make = () => lab.cloud.volumes.create({ sizeBytes: 8 * MIB, poolId: lab.poolId }).wait({ timeoutMs: 180_000 });
    /** Also while the pool changes its mind. */
    const placed = () => until('a volume that is placed', () => make().catch(() => undefined));

    it('is not kept by a pool with fewer copies, of which nothing stays, and is by one with as many', async () => {
      const { zoneId, settings, storageClass } = await pool();
      await lab.cloud.storageClasses.create({ name: 'four', replicas: 4 }).wait();
      const further = { name: 'further', driver: 'rbd', zoneId, settings: { ...settings, namespace: 'further' }, storageClass: 'four' };
      const secrets = { key: lab.ceph.user.key };
      await lab.ceph.rbd('namespace', 'create', `${POOL}/further`);
      expect(await refusal(lab.cloud.pools.create({ ...further, secrets }).wait())).to.deep.equal(['conflict', '/storageClass']);
      expect(await refusal(lab.cloud.pools.update(lab.poolId, { storageClass: 'four' }).wait())).to.deep.equal([
        'conflict',
        '/storageClass',
      ]);
      expect((await lab.cloud.pools.list().toArray()).map(({ id }) => id)).to.deep.equal([lab.poolId]);
      const promise = { name: storageClass, replicas: 3, replicasMin: 2 };
      expect(await refusal(lab.cloud.storageClasses.create({ ...promise, replicas: 4 }).wait())).to.deep.equal(['conflict', '/replicas']);
      const limits = { iopsPerSecond: { base: 100, perGib: 10, max: 125 } };
      ({ id: classId } = await lab.cloud.storageClasses.create({ ...promise, ...limits }).wait());
      expect((await pool()).shortfall).to.equal(undefined);
    });

    it('limits disks by their size in QEMU, at their start, as they grow, and as the class changes', async () => {
      const image = await lab.uploadHaltImage();
      ({ id: machineId } = await lab.machine('limited', image, 0, { volumes: [{ sizeBytes: GIB }] }));
      const disks = await lab.cloud.volumes.list({ where: { instanceId: machineId } }).toArray();
      volumeId = disks.find(({ sizeBytes }) => sizeBytes === GIB)?.id ?? expect.fail('no further disk');
      const limited = (iops: number, bytes: number) =>
        until(`${iops} and ${bytes} a second`, async () => {
          const told = await virsh(lab.lab.host(0), 'blkdeviotune', machineId, 'vdb');
          const of = (name: string) => Number(new RegExp(`^${name} *: (\\d+)$`, 'm').exec(told)?.[1]);
          return (of('total_iops_sec') === iops && of('total_bytes_sec') === bytes) || undefined;
        });
      await limited(110, 0);
      await lab.cloud.volumes.resize(volumeId, { sizeBytes: 2 * GIB }).wait({ timeoutMs: 180_000 });
      await limited(120, 0);
      await lab.cloud.volumes.resize(volumeId, { sizeBytes: 4 * GIB }).wait({ timeoutMs: 180_000 });
      await limited(125, 0);
      const change = { iopsPerSecond: { base: 10, perGib: 20 }, bytesPerSecond: { base: MIB, perGib: MIB } };
      await lab.cloud.storageClasses.update(classId, change).wait();
      await limited(90, 5 * MIB);
      await lab.cloud.storageClasses.update(classId, { iopsPerSecond: null, bytesPerSecond: null }).wait();
      await limited(0, 0);
    });

    it('has nothing new placed in a pool that is nearly full or degraded, which an event tells, and what is there stays in use', async () => {
      const told: string[] = [];
      const watching = new AbortController();
      const seen = (async () => {
        for await (const { row } of lab.cloud.pools.watch({ signal: watching.signal }))
          told.push(`${row?.health} ${row?.isNearlyFull === true}`);
      })().catch((error: unknown) => (watching.signal.aborted ? undefined : Promise.reject(error)));
      const nearly = (ratio: string) => lab.ceph.ceph('osd', 'set-nearfull-ratio', ratio);
      try {
        await nearly('0.000001');
        await untilPool('a pool that is nearly full', ({ isNearlyFull }) => isNearlyFull === true);
        expect(await refusal(make())).to.include('no_capacity');
        expect(await refusal(lab.cloud.volumes.resize(volumeId, { sizeBytes: 5 * GIB }).wait())).to.include('no_capacity');
        await lab.cloud.instances.stop(machineId, { force: true }).wait({ timeoutMs: 180_000 });
        await lab.cloud.instances.start(machineId).wait({ timeoutMs: 180_000 });
        await nearly('0.85');
        await untilPool('room', ({ isNearlyFull }) => isNearlyFull !== true);
        const { id } = await placed();

        await lab.ceph.osd(2).kill();
        await untilPool('a pool that is degraded', ({ health }) => health === 'degraded');
        expect(await refusal(make())).to.include('no_capacity');
        await lab.cloud.volumes.delete(id, { permanent: true }).wait({ timeoutMs: 180_000 });
        await lab.ceph.osd(2).start();
        await lab.ceph.untilUp();
        await untilPool('health', ({ health }) => health === 'healthy');
        await lab.cloud.volumes.delete((await placed()).id, { permanent: true }).wait({ timeoutMs: 180_000 });
        await until(
          'the events',
          async () => (told.includes('healthy true') && told.includes('degraded false') && told.at(-1) === 'healthy false') || undefined,
        );
      } finally {
        watching.abort();
        await seen;
      }
    });

    it('shows what its pool has grown by when a disk comes in, without a restart', async () => {
      const { totalBytes: whole = 0 } = await pool();
      const weigh = (weight: string) => lab.ceph.ceph('osd', 'crush', 'reweight', 'osd.2', weight);
      await weigh('0');
      await untilPool('less room', ({ totalBytes = 0 }) => totalBytes < whole - GIB);
      await weigh('1');
      await untilPool('more room', ({ totalBytes = 0 }) => totalBytes > whole - GIB);
      await untilPool('health', ({ health }) => health === 'healthy');
      expect(lab.server.pid).to.equal(pid);
    });

    it('leaves nothing', async () => {
      await lab.cloud.instances.delete(machineId, { permanent: true }).wait({ timeoutMs: 180_000 });
      for (const { id } of await lab.cloud.volumes.list().toArray())
        await lab.cloud.volumes.delete(id, { permanent: true }).wait({ timeoutMs: 180_000 });
      for (const { id } of await lab.cloud.images.list().toArray())
        await lab.cloud.images.delete(id, { permanent: true }).wait({ timeoutMs: 180_000 });
      await lab.cloud.pools.delete(lab.poolId).wait({ timeoutMs: 180_000 });
      expect((await lab.ceph.rbd('ls', POOL)).trim()).to.equal('');
    });
  });
