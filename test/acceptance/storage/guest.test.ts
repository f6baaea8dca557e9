import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Id, isPileusError } from '@pileus/sdk';
import { expect } from 'chai';
import { run } from '../../../tools/system/command.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { virsh } from '../../lab/guest-domain.ts';
import { until } from '../../lab/waiting.ts';
import { CephCloud, MIB, POOL } from './ceph-cloud.ts';
import type { CephGuest } from './ceph-guest.ts';
import { poolInventory, settledInventory } from './inventory.ts';

describe('machines with disks on Ceph', function () {
  this.timeout(600_000);
  let lab: CephCloud;
  let imageId: Id<'image'>;
  let firstId: Id<'instance'>;
  let secondId: Id<'instance'>;
  let volumeId: Id<'volume'>;
  let [first, second]: CephGuest[] = [];

  const guests = (): readonly [CephGuest, CephGuest] => {
    if (first === undefined || second === undefined) throw new Error('the guests have not booted');
    return [first, second];
  };

  before(async () => {
    lab = await CephCloud.up({ osds: 3 });
    imageId = await lab.uploadGuestImage();
  });
  after(() => lab?.[Symbol.asyncDispose]());

  it('boot on two hosts from clones of one copy of the image', async () => {
    const made = [0, 1].map((host) => lab.machine(`m-${host}`, imageId, host));
    firstId = ((await made[0]) ?? expect.fail()).id;
    secondId = ((await made[1]) ?? expect.fail()).id;
    [first, second] = await Promise.all([lab.guest(firstId, 0).booted(), lab.guest(secondId, 1).booted()]);
    const { images, snapshots, watched } = await poolInventory(lab.ceph);
    const roots = (await lab.cloud.volumes.list().toArray()).map(({ id }) => `volume-${id}`);
    expect(images).to.have.members([...roots, `seed-${firstId}`, `seed-${secondId}`, `image-${imageId}`]);
    expect(snapshots).to.deep.equal([`image-${imageId}@base`]);
    expect(watched).to.include.members(roots).and.not.include(`image-${imageId}`);
    for (const root of roots) {
      const { parent } = JSON.parse(await lab.ceph.rbd('info', '--format=json', `${POOL}/${root}`));
      expect(parent).to.include({ image: `image-${imageId}`, snapshot: 'base' });
    }
  });

  it('have volumes plugged in and taken out while they run, and what one wrote another reads on another host', async () => {
    const [one, other] = guests();
    volumeId = (await lab.cloud.volumes.create({ name: 'shared', sizeBytes: 64 * MIB }).wait()).id;
    await lab.cloud.instances.attachVolume(firstId, { volumeId }).wait();
    await until('the volume in the guest', async () => (await one.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
    await one.run('dd', 'if=/dev/urandom', 'of=/dev/vdb', 'bs=1M', 'count=8', 'conv=fsync');
    const digest = await one.shell('head -c 8388608 /dev/vdb | sha1sum');
    await lab.cloud.instances.detachVolume(firstId, { volumeId }).wait({ timeoutMs: 180_000 });
    await until('nobody at the volume', async () => !(await poolInventory(lab.ceph)).watched.includes(`volume-${volumeId}`) || undefined);
    await lab.cloud.instances.attachVolume(secondId, { volumeId }).wait();
    await until('the volume in the other guest', async () => (await other.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
    expect(await other.shell('head -c 8388608 /dev/vdb | sha1sum')).to.equal(digest);
  });

  it('see volumes and their root disks grow while they run', async () => {
    const [one, other] = guests();
    const roots = await lab.cloud.volumes.list({ where: { instanceId: firstId } }).toArray();
    for (const [guest, device, id] of [
      [other, 'vdb', volumeId],
      [one, 'vda', roots[0]?.id ?? expect.fail('no root disk')],
    ] as const) {
      const sizeBytes = (await guest.diskBytes(device)) + 32 * MIB;
      await lab.cloud.volumes.resize(id, { sizeBytes }).wait();
      await until(`${device} of ${sizeBytes} bytes`, async () => (await guest.diskBytes(device)) === sizeBytes || undefined);
      expect(JSON.parse(await lab.ceph.rbd('info', '--format=json', `${POOL}/volume-${id}`)).size).to.equal(sizeBytes);
    }
    await other.run('dd', 'if=/dev/zero', 'of=/dev/vdb', 'bs=1M', 'seek=90', 'count=1', 'conv=fsync');
  });

  it('go on writing while one OSD of three is dead, and lose nothing', async () => {
    const [, other] = guests();
    await other.begin(
      'n=0; while [ ! -e /run/enough ]; do n=$((n+1)); echo $n | dd of=/dev/vdb bs=512 seek=$n conv=sync,fsync 2>/dev/null || break; echo $n >/run/written; usleep 20000; done; touch /run/ended',
    );
    const written = () => other.number('/run/written');
    await until('the first writes', async () => (await written()) > 5 || undefined);
    await lab.ceph.osd(1).kill();
    const atKill = await written();
    await until('writes without the OSD', async () => (await written()) > atKill + 50 || undefined);
    await lab.ceph.osd(1).start();
    await lab.ceph.untilUp();
    const atReturn = await written();
    await until('writes with the OSD again', async () => (await written()) > atReturn + 50 || undefined);
    await other.run('touch', '/run/enough');
    await until('the last write', async () => (await other.attempt('test', '-e', '/run/ended')).exitCode === 0 || undefined);
    const count = await written();
    expect(await other.shell(`dd if=/dev/vdb bs=512 skip=1 count=${count} 2>/dev/null | tr -d "\\000" | sha1sum`)).to.equal(
      await other.shell(`seq 1 ${count} | sha1sum`),
    );
  });

  it('go to another host and back while they write, and lose nothing', async () => {
    const [, other] = guests();
    await other.begin(
      'n=0; while [ $n -lt 100000 ]; do n=$((n+1)); echo $n | dd of=/dev/vdb bs=512 seek=0 conv=sync,fsync 2>/dev/null || break; echo $n >/run/count; [ -e /run/stop ] && break; usleep 20000; done; touch /run/stopped',
    );
    const boot = await other.run('cat', '/proc/sys/kernel/random/boot_id');
    let at = other;
    const [, elsewhere = expect.fail()] = lab.hostIds;
    // There because its host is drained, and back by itself.
    for (const host of [0, 1]) {
      const before = await at.number('/run/count');
      if (host === 0) await lab.cloud.hosts.drain(elsewhere).wait({ timeoutMs: 180_000 });
      else await lab.cloud.instances.migrate(secondId, { hostId: lab.hostIds[host] }).wait({ timeoutMs: 180_000 });
      expect(await lab.cloud.instances.get(secondId)).to.include({ state: 'running', hostId: lab.hostIds[host] });
      at = await lab.guest(secondId, host).booted();
      expect(await at.run('cat', '/proc/sys/kernel/random/boot_id')).to.equal(boot);
      await until('writes there', async () => (await at.number('/run/count')) > before + 5 || undefined);
      const left = await virsh(lab.lab.host(1 - host), 'list', '--all', '--uuid');
      expect(left).not.to.include(secondId);
      if (host === 0) await lab.cloud.hosts.enable(elsewhere).wait();
    }
    await at.shell('touch /run/stop');
    await until('the last write', async () => (await at.attempt('test', '-e', '/run/stopped')).exitCode === 0 || undefined);
    expect(await at.shell('dd if=/dev/vdb bs=512 count=1 2>/dev/null | tr -d "\\000"')).to.equal(await at.run('cat', '/run/count'));
  });

  it('are limited in what they write, at once and live', async () => {
    const [, other] = guests();
    await lab.cloud.volumes.setLimits(volumeId, { limits: { iopsPerSecond: 20 } }).wait();
    const seconds = async (count: number) => {
      const script = `a=$(cut -d" " -f1 /proc/uptime); dd if=/dev/zero of=/dev/vdb bs=4k count=${count} oflag=direct 2>/dev/null; echo $(cut -d" " -f1 /proc/uptime) $a`;
      const [end = 0, begin = 0] = (await other.shell(script)).split(' ').map(Number);
      return end - begin;
    };
    // The first second's worth goes at once.
    expect(await seconds(100)).to.be.above(3);
    await lab.cloud.volumes.setLimits(volumeId, { limits: { iopsPerSecond: 0 } }).wait();
    expect(await virsh(lab.lab.host(1), 'blkdeviotune', secondId, 'vdb')).to.match(/total_iops_sec *: 0\n/);
    await other.run('dd', 'if=/dev/zero', 'of=/dev/vdb', 'bs=4k', 'count=20', 'oflag=direct');
  });

  it('have all their disks taken at one instant while the file systems in the guest are frozen, and write on', async () => {
    const [, other] = guests();
    await other.shell('mke2fs /dev/vdb >/dev/null && mkdir -p /mnt && mount -t ext4 /dev/vdb /mnt && echo before >/mnt/word');
    await lab.cloud.instances.snapshot(secondId, { name: 'frozen' }).wait();
    expect((await lab.cloud.snapshotGroups.get('frozen')).consistency).to.equal('filesystem');
    expect(await other.shell('echo after >/mnt/word && sync && cat /mnt/word && umount /mnt')).to.equal('after');
    const kept = await lab.cloud.snapshots.list({ where: { volumeId } }).toArray();
    expect(kept).to.have.length(1);
    const copy = (await lab.cloud.volumes.create({ name: 'copy', snapshotId: kept[0]?.id ?? expect.fail() }).wait()).id;
    await lab.cloud.instances.attachVolume(secondId, { volumeId: copy }).wait();
    await until('the copy in the guest', async () => (await other.attempt('test', '-b', '/dev/vdc')).exitCode === 0 || undefined);
    // Read-only, so that nothing of it is mended.
    expect(await other.shell('mount -t ext4 -o ro /dev/vdc /mnt && cat /mnt/word && umount /mnt')).to.equal('before');
    await lab.cloud.instances.detachVolume(secondId, { volumeId: copy }).wait({ timeoutMs: 180_000 });
    await lab.cloud.volumes.delete(copy, { permanent: true }).wait();
    await lab.cloud.snapshotGroups.delete('frozen').wait();
  });

  it('have encrypted volumes as any other, of which the pool has ciphertext alone', async () => {
    const [one] = guests();
    const { volumes, instances } = lab.cloud;
    const word = 'what-nobody-else-may-read';
    const { id } = await volumes.create({ name: 'sealed', sizeBytes: 8 * MIB, encrypted: true }).wait();
    const plugged = async () => {
      await instances.attachVolume(firstId, { volumeId: id }).wait();
      await until('the volume in the guest', async () => (await one.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
    };
    const read = (sector = 9000) => one.shell(`dd if=/dev/vdb bs=512 skip=${sector} count=1 iflag=direct 2>/dev/null | tr -d "\\000"`);
    await plugged();
    await one.shell(`echo ${word} | dd of=/dev/vdb bs=512 seek=9000 conv=sync,fsync 2>/dev/null`);
    await volumes.resize(id, { sizeBytes: 16 * MIB }).wait();
    await until('its growth', async () => (await one.diskBytes('vdb')) === 16 * MIB || undefined);
    expect(await read()).to.equal(word);
    const path = join(lab.serverDir, 'exported');
    await lab.ceph.rbd('export', '--no-progress', `${POOL}/volume-${id}`, path);
    const bytes = await readFile(path);
    expect(bytes.subarray(0, 4).toString('latin1')).to.equal('LUKS');
    expect([bytes.length, bytes.includes(word)]).to.deep.equal([18 * MIB, false]);
    // Under the machine, which writes on; then it is opened anew, by the key that the host is given then.
    await one.shell(`echo before-${word} | dd of=/dev/vdb bs=512 seek=9001 conv=sync,fsync 2>/dev/null`);
    await volumes.rotateKey(id).wait({ timeoutMs: 180_000 });
    await one.shell(`echo ${word} | dd of=/dev/vdb bs=512 seek=9001 conv=sync,fsync 2>/dev/null`);
    await instances.detachVolume(firstId, { volumeId: id }).wait({ timeoutMs: 180_000 });
    expect(await virsh(lab.lab.host(0), 'secret-list')).not.to.include('volume');
    await volumes.rotateKey(id).wait();
    await plugged();
    expect([await read(), await read(9001)]).to.deep.equal([word, word]);
    await instances.detachVolume(firstId, { volumeId: id }).wait({ timeoutMs: 180_000 });
    await volumes.delete(id, { permanent: true }).wait();
  });

  if (FULL) {
    it('take their data along when they are moved to a folder of a host, and back', async () => {
      const [one] = guests();
      const { volumes, instances, pools } = lab.cloud;
      const [hostId] = lab.hostIds;
      const settings = { path: join(lab.lab.sharedDir, 'folder') };
      const folder = (await pools.create({ name: 'folder', driver: 'libvirt-dir', hostId, settings }).wait()).id;
      const { id } = await volumes.create({ name: 'mover', sizeBytes: 64 * MIB, poolId: lab.poolId }).wait();
      const inGuest = async (script: string) => {
        await instances.attachVolume(firstId, { volumeId: id }).wait();
        await until('the volume in the guest', async () => (await one.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
        const said = await one.shell(script);
        await instances.detachVolume(firstId, { volumeId: id }).wait({ timeoutMs: 180_000 });
        return said;
      };
      const random = 'dd if=/dev/urandom of=/dev/vdb bs=1M seek=21 count=4 conv=fsync 2>/dev/null';
      const digest = await inGuest(`${random}; sha1sum </dev/vdb`);
      for (const [poolId, verify] of [
        [folder, false],
        [lab.poolId, true],
      ] as const) {
        expect((await volumes.move(id, { poolId, verify }).wait({ timeoutMs: 180_000 })).poolId).to.equal(poolId);
        const onCeph = (await poolInventory(lab.ceph)).images.includes(`volume-${id}`);
        expect([onCeph, await readdir(settings.path)]).to.deep.equal(verify ? [true, []] : [false, [`volume-${id}.qcow2`]]);
        expect(await inGuest('sha1sum </dev/vdb')).to.equal(digest);
      }
      await volumes.delete(id, { permanent: true }).wait();
      await pools.delete(folder).wait();
    });

    it('take encrypted volumes to a folder of a host, and back, while they are off them and on them; both places have ciphertext alone', async () => {
      const [one] = guests();
      const { volumes, instances, pools, images } = lab.cloud;
      const word = 'what-nobody-else-may-read';
      const settings = { path: join(lab.lab.sharedDir, 'sealed-folder') };
      const folder = (await pools.create({ name: 'sealed-folder', driver: 'libvirt-dir', hostId: lab.hostIds[0], settings }).wait()).id;
      const { id } = await volumes.create({ name: 'sealed-mover', sizeBytes: 16 * MIB, poolId: lab.poolId, encrypted: true }).wait();
      const plug = async () => {
        await instances.attachVolume(firstId, { volumeId: id }).wait({ timeoutMs: 180_000 });
        await until('the volume in the guest', async () => (await one.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
      };
      const unplug = () => instances.detachVolume(firstId, { volumeId: id }).wait({ timeoutMs: 180_000 });
      const inPool = async (poolId: string) => {
        if (poolId === folder) return readFile(join(settings.path, `volume-${id}.qcow2`));
        const path = join(lab.serverDir, 'sealed-export');
        await rm(path, { force: true });
        await lab.ceph.rbd('export', '--no-progress', `${POOL}/volume-${id}`, path);
        return readFile(path);
      };
      await plug();
      // Zeroes that were written, noise that was not, and a word.
      await one.shell('dd if=/dev/zero of=/dev/vdb bs=1M count=16 conv=fsync 2>/dev/null');
      await one.shell('dd if=/dev/urandom of=/dev/vdb bs=1M seek=5 count=4 conv=fsync 2>/dev/null');
      await one.shell(`echo ${word} | dd of=/dev/vdb bs=512 seek=3000 conv=sync,fsync 2>/dev/null`);
      const digest = await one.shell('sha1sum </dev/vdb');
      for (const [poolId, isOn] of [
        [folder, true],
        [lab.poolId, true],
        [folder, false],
        [lab.poolId, false],
      ] as const) {
        if (!isOn) await unplug();
        await volumes.move(id, { poolId, ...(isOn ? {} : { verify: true }) }).wait({ timeoutMs: 300_000 });
        expect((await inPool(poolId)).includes(word), `${poolId}, ${isOn ? 'on' : 'off'}`).to.equal(false);
        if (!isOn) await plug();
        await one.shell('echo 3 >/proc/sys/vm/drop_caches');
        expect(await one.shell('sha1sum </dev/vdb'), `${poolId}, ${isOn ? 'on' : 'off'}`).to.equal(digest);
        const keys = (await virsh(lab.lab.host(0), 'secret-list')).split('\n').filter((line) => line.includes(id));
        expect(keys, 'one key, for one place').to.have.length(1);
      }
      await unplug();
      const captured = await images.capture({ name: 'in-the-clear', volumeId: id, encrypted: false }).wait({ timeoutMs: 180_000 });
      expect(captured).to.include({ virtualSizeBytes: 16 * MIB, format: 'qcow2' });
      await images.delete(captured.id, { permanent: true }).wait();
      await volumes.delete(id, { permanent: true }).wait();
      expect(await readdir(settings.path)).to.deep.equal([]);
      await pools.delete(folder).wait();
    });

    it('have backups of encrypted volumes while they run, restored encrypted: what the guest has written, its zeroes too', async () => {
      const [one] = guests();
      const { volumes, instances, backupStores, volumeBackups } = lab.cloud;
      const cellar = join(lab.lab.sharedDir, 'cellar');
      await mkdir(cellar);
      const store = await backupStores.create({ name: 'cellar', driver: 'directory', settings: { path: cellar } }).wait();
      const { id } = await volumes.create({ name: 'sealed-2', sizeBytes: 16 * MIB, encrypted: true }).wait();
      const plug = async (volume: Id<'volume'>) => {
        await instances.attachVolume(firstId, { volumeId: volume }).wait({ timeoutMs: 180_000 });
        await until('the volume in the guest', async () => (await one.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
      };
      const unplug = (volume: Id<'volume'>) => instances.detachVolume(firstId, { volumeId: volume }).wait({ timeoutMs: 180_000 });
      const digest = () => one.shell('sync; sha1sum </dev/vdb');
      const put = (from: string, seek: number, count: number) =>
        one.shell(`dd if=/dev/${from} of=/dev/vdb bs=1M seek=${seek} count=${count} conv=fsync 2>/dev/null`);
      await plug(id);
      await put('zero', 0, 16);
      await put('urandom', 5, 3);
      const digests = [await digest()];
      const first = await volumeBackups.create({ volumeId: id }).wait({ timeoutMs: 180_000 });
      await put('urandom', 14, 1);
      digests.push(await digest());
      const second = await volumeBackups.create({ volumeId: id }).wait({ timeoutMs: 180_000 });
      expect(second).to.include({ encrypted: true, readBytes: 4 * MIB });
      await unplug(id);
      // The one by a copy, the other by a clone.
      for (const [at, backup] of [first, second].entries()) {
        const name = `sealed-again-${at}`;
        await volumeBackups.restore(backup.id, { name }).wait({ timeoutMs: 180_000 });
        const restored = await volumes.get(name);
        expect(restored.encrypted).to.equal(true);
        await plug(restored.id);
        expect(await digest()).to.equal(digests[at]);
        await unplug(restored.id);
        await volumes.delete(restored.id, { permanent: true }).wait();
      }
      await volumes.rotateKey(id).wait();
      for (const backup of [second, first]) await volumeBackups.delete(backup.id).wait();
      await volumes.delete(id, { permanent: true }).wait();
      await backupStores.delete(store.id).wait();
    });

    it('are captured while they run, and others boot from that', async () => {
      const [one] = guests();
      const { images, instances } = lab.cloud;
      const last = (await one.diskBytes('vda')) / 512 - 1;
      await one.shell(`echo captured | dd of=/dev/vda bs=512 seek=${last} conv=sync,fsync 2>/dev/null`);
      const captured = await images.capture({ name: 'captured', instanceId: firstId }).wait({ timeoutMs: 180_000 });
      const { id } = await lab.machine('m-captured', captured.id, 1);
      const booted = await lab.guest(id, 1).booted();
      expect(await booted.shell(`dd if=/dev/vda bs=512 skip=${last} count=1 2>/dev/null | tr -d "\\000"`)).to.equal('captured');
      await instances.delete(id, { permanent: true }).wait();
      await images.delete(captured.id, { permanent: true }).wait();
    });

    it('go on when the pool is given another user, and the one of before is revoked', async () => {
      const [one] = guests();
      const { volumes, instances, pools } = lab.cloud;
      const { user } = lab.ceph;
      const id = (await volumes.create({ name: 'later', sizeBytes: 8 * MIB }).wait()).id;
      const next = await lab.ceph.addUser('pileus-2');
      const wrong = pools.changeCredentials(lab.poolId, { settings: { user: next.name }, secrets: { key: user.key } }).wait();
      expect(await wrong.catch((error: unknown) => (isPileusError(error) ? [error.code, error.pointer] : error))).to.deep.equal([
        'conflict',
        '/secrets',
      ]);
      await pools.changeCredentials(lab.poolId, { settings: { user: next.name }, secrets: { key: next.key } }).wait();
      await lab.ceph.ceph('auth', 'del', `client.${user.name}`);
      // Opened by who is revoked.
      await one.shell(`echo on | dd of=/dev/vda bs=512 seek=${(await one.diskBytes('vda')) / 512 - 1} conv=sync,fsync 2>/dev/null`);
      await instances.attachVolume(firstId, { volumeId: id }).wait();
      await until('the volume in the guest', async () => (await one.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
      await one.run('dd', 'if=/dev/urandom', 'of=/dev/vdb', 'bs=1M', 'count=8', 'conv=fsync');
      const digest = await one.shell('sha1sum </dev/vdb');
      await instances.stop(firstId, { force: true }).wait({ timeoutMs: 180_000 });
      await instances.start(firstId).wait({ timeoutMs: 180_000 });
      const again = await lab.guest(firstId, 0).booted();
      expect(await again.shell('sha1sum </dev/vdb')).to.equal(digest);
      await instances.detachVolume(firstId, { volumeId: id }).wait({ timeoutMs: 180_000 });
      await volumes.delete(id, { permanent: true }).wait();
    });
  }

  it('show the key of the pool to nobody on the way', async () => {
    const { key } = lab.ceph.user;
    const places: Record<string, string> = { log: await lab.log(), rows: '' };
    for (const name of await readdir(lab.serverDir, { recursive: true }))
      if (/\.db(-wal)?$/.test(name)) places[name] = (await readFile(join(lab.serverDir, name))).toString('latin1');
    for (const [number, id] of [firstId, secondId].entries())
      places[`definition ${number}`] = await virsh(lab.lab.host(number), 'dumpxml', id, '--security-info');
    places.processes = await run(['ps', '-eww', '-o', 'args']);
    places.api = JSON.stringify([await lab.cloud.pools.list().toArray(), await lab.cloud.operations.list().toArray()]);
    expect(places.log).to.not.equal('');
    expect(Object.keys(places)).to.have.length.above(5);
    for (const [place, text] of Object.entries(places)) expect(text.includes(key), place).to.equal(false);
  });

  it('are gone with their disks, and the pool has what the rows say', async () => {
    await lab.cloud.instances.detachVolume(secondId, { volumeId }).wait({ timeoutMs: 180_000 });
    for (const id of [firstId, secondId]) await lab.cloud.instances.delete(id).wait();
    const { seen, expected } = await settledInventory(lab);
    expect(seen).to.deep.equal(expected);
    await lab.cloud.volumes.delete(volumeId).wait();
    await lab.cloud.images.delete(imageId).wait();
    const secrets = () => Promise.all(lab.lab.hosts.map((host) => virsh(host, 'secret-list')));
    for (const list of await secrets()) expect(list).to.match(/ceph/);
    await lab.cloud.pools.delete(lab.poolId).wait();
    for (const list of await secrets()) expect(list.trim()).to.equal('');
    // Nobody comes after who would free it.
    expect(await poolInventory(lab.ceph)).to.deep.equal({ images: [], trash: [], snapshots: [], watched: [], locked: [] });
  });
});
