import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type Id, type Instance } from '@pileus/sdk';
import { expect } from 'chai';
import { ServerProcess } from '../../../tools/demo/server-process.ts';
import { buildGuestImage } from '../../../tools/guest/image.ts';
import { run } from '../../../tools/system/command.ts';
import { CACHE_DIR, ensureSystem } from '../../../tools/system/ensure.ts';
import { NfsServer } from '../../../tools/system/nfs-server.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { virsh } from '../../lab/guest-domain.ts';
import { type Lab, labUp } from '../../lab/lab.ts';
import { until } from '../../lab/waiting.ts';
import { CephGuest } from './ceph-guest.ts';

const MIB = 2 ** 20;

/** The real server, two hosts with real libvirtd, and a pool on a real NFS server that all of them reach. Guests take long to boot: of the full run. */
if (FULL)
  describe('machines with disks on NFS', function () {
    this.timeout(900_000);
    const made = new AsyncDisposableStack();
    let lab: Lab;
    let nfs: NfsServer;
    let cloud: ReturnType<typeof connect>;
    let hostIds: readonly Id<'host'>[] = [];
    let instance: Instance;
    let volumeId: Id<'volume'>;

    before(async () => {
      expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
      lab = made.adopt(await labUp({ hosts: 2 }), (each) => each.down());
      nfs = made.use(await NfsServer.start({ netns: lab.name }));
      await writeFile(join(nfs.folder, 'pileus-pool'), '');
      const dir = made.adopt(await mkdtemp('/tmp/pileus-nfs-cloud-'), (path) => rm(path, { recursive: true, force: true }));
      const options = { virtType: 'tcg', vncSocketDir: dir, cpuShares: false };
      const plugins = [{ module: '@pileus/drivers-kvm', export: 'kvm', options }];
      const noWait = { 'volumes.returnSeconds': 0 };
      const config = { kvm: { enabled: false }, plugins, settings: noWait, hosts: { heartbeatSeconds: 0.5 }, log: { level: 'debug' } };
      const server = made.adopt(await ServerProcess.start({ dir: join(dir, 'server'), config }), (each) => each.kill());
      cloud = connect({ url: server.url, apiKey: server.apiKey });
      const zone = await cloud.zones.create({ name: 'lab' }).wait();
      const cluster = await cloud.clusters.create({ name: 'lab', zoneId: zone.id, allowEmulation: true, vcpuOvercommit: 64 }).wait();
      for (const { name, socketPath } of lab.hosts) {
        const uri = `qemu+unix:///system?socket=${socketPath}`;
        hostIds = [...hostIds, (await cloud.hosts.create({ name, clusterId: cluster.id, uri }).wait()).id];
      }
      const settings = { server: lab.fabricAddress, export: nfs.folder };
      await cloud.pools.create({ name: 'filer', driver: 'nfs', zoneId: zone.id, settings }).wait();
      await cloud.instanceTypes.create({ name: 'tiny', vcpus: 1, memoryBytes: 96 * MIB }).wait();
    });
    after(() => made.disposeAsync());

    const guest = (host: number) => new CephGuest(lab.host(host), instance.id);
    const files = async () => (await readdir(nfs.folder)).filter((name) => !['pileus-pool', 'parts'].includes(name));

    it('boot from a clone of the image, which shows through', async () => {
      const image = await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} });
      const { id: imageId } = await cloud.images.create({ name: 'guest' }).wait();
      await cloud.images.upload(imageId, await readFile(image.path), { sha256: image.sha256 });
      const request = { name: 'm', instanceType: 'tiny', imageId, hostId: hostIds[0], nics: [] };
      instance = await cloud.instances.create(request).wait({ timeoutMs: 300_000 });
      await guest(0).booted();
      const [root] = await cloud.volumes.list({ where: { instanceId: instance.id } }).toArray();
      expect(await files()).to.have.members([`image-${imageId}.qcow2`, `volume-${root?.id}.qcow2`, `seed-${instance.id}.raw`]);
      const url = `nfs://${lab.fabricAddress}${nfs.folder}/volume-${root?.id}.qcow2`;
      const seen = await run(['qemu-img', 'info', '--output=json', url]);
      expect(JSON.parse(seen)['backing-filename']).to.include(`/image-${imageId}.qcow2?`);
    });

    it('have a volume plugged in while they run, see it grow, and go on with it on another host', async () => {
      volumeId = (await cloud.volumes.create({ name: 'data', sizeBytes: 64 * MIB }).wait()).id;
      await cloud.instances.attachVolume(instance.id, { volumeId }).wait();
      const here = guest(0);
      await until('the volume in the guest', async () => (await here.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
      await here.run('dd', 'if=/dev/urandom', 'of=/dev/vdb', 'bs=1M', 'count=8', 'conv=fsync');
      const digest = await here.shell('head -c 8388608 /dev/vdb | sha1sum');
      await cloud.volumes.resize(volumeId, { sizeBytes: 96 * MIB }).wait();
      await until('the growth', async () => (await here.diskBytes('vdb')) === 96 * MIB || undefined);
      const boot = await here.run('cat', '/proc/sys/kernel/random/boot_id');

      await cloud.instances.migrate(instance.id, { hostId: hostIds[1] }).wait({ timeoutMs: 300_000 });
      const there = await guest(1).booted();
      expect(await there.run('cat', '/proc/sys/kernel/random/boot_id')).to.equal(boot);
      await there.shell('echo 3 >/proc/sys/vm/drop_caches');
      expect(await there.shell('head -c 8388608 /dev/vdb | sha1sum')).to.equal(digest);
      expect((await virsh(lab.host(0), 'list', '--all', '--uuid')).trim()).to.equal('');
    });

    it('wait while the server is away, and go on as if nothing had been', async () => {
      const there = guest(1);
      await there.begin('dd if=/dev/zero of=/dev/vdb bs=4k seek=4096 count=64 conv=fsync && touch /run/written');
      await nfs.down();
      await until('the pool to be told as out of reach', async () => {
        const [pool] = await cloud.pools.list().toArray();
        return pool?.status === 'disconnected' || undefined;
      });
      expect(await cloud.volumes.get(volumeId)).not.to.include({ status: 'missing' });
      await nfs.up();
      await there.begin('dd if=/dev/zero of=/dev/vdb bs=4k seek=8192 count=64 conv=fsync && touch /run/written-again');
      for (const file of ['/run/written', '/run/written-again'])
        await until(file, async () => (await there.attempt('test', '-e', file)).exitCode === 0 || undefined);
      await until('the pool', async () => (await cloud.pools.list().toArray())[0]?.status === 'connected' || undefined);
    });

    it('have a volume go to their host and back to the filer while they run', async () => {
      const there = guest(1);
      await there.run('dd', 'if=/dev/urandom', 'of=/dev/vdb', 'bs=1M', 'count=8', 'conv=fsync');
      const digest = await there.shell('head -c 8388608 /dev/vdb | sha1sum');
      const filer = (await cloud.volumes.get(volumeId)).poolId;
      const settings = { path: join(lab.sharedDir, 'local') };
      const { id: localId } = await cloud.pools.create({ name: 'local', driver: 'libvirt-dir', hostId: hostIds[1], settings }).wait();
      for (const poolId of [localId, filer]) {
        await cloud.volumes.move(volumeId, { poolId }).wait({ timeoutMs: 300_000 });
        expect((await files()).some((name) => name.includes(volumeId))).to.equal(poolId === filer);
        await there.shell('echo 3 >/proc/sys/vm/drop_caches');
        expect(await there.shell('head -c 8388608 /dev/vdb | sha1sum')).to.equal(digest);
      }
      await there.run('dd', 'if=/dev/zero', 'of=/dev/vdb', 'bs=1M', 'seek=90', 'count=1', 'conv=fsync');
    });

    it('leave nothing', async () => {
      await cloud.instances.delete(instance.id).wait({ timeoutMs: 300_000 });
      for (const { id } of await cloud.volumes.list().toArray()) await cloud.volumes.delete(id).wait();
      for (const { id } of await cloud.images.list().toArray()) await cloud.images.delete(id).wait();
      expect(await files()).to.deep.equal([]);
      expect(await readdir(join(nfs.folder, 'parts'))).to.deep.equal([]);
    });
  });
