import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Id } from '@pileus/sdk';
import { expect } from 'chai';
import { attempt, run } from '../../../tools/system/command.ts';
import { virsh } from '../../lab/guest-domain.ts';
import { until } from '../../lab/waiting.ts';
import { CephCloud, MIB, POOL } from './ceph-cloud.ts';
import type { CephGuest } from './ceph-guest.ts';

const MOUNT = 'mkdir -p /mnt && mount -t ext4 /dev/vdb /mnt';
/** To both disks, for ever; what fails is counted and tried again. */
const WRITE =
  'n=0; f=0; while :; do n=$((n+1)); if echo $n >/mnt/count && sync -d /mnt/count && echo $n | dd of=/dev/vda bs=512 seek=40000 conv=sync,fsync; then echo $n >/run/written; else f=$((f+1)); echo $f >/run/failed; fi; usleep 50000; done';

describe('a host that is shut out of the disks of its machine', function () {
  this.timeout(600_000);
  let dir: string;
  let lab: CephCloud;
  let id: Id<'instance'>;
  let volumeId: Id<'volume'>;
  let old: CephGuest;
  let fresh: CephGuest;
  let writtenBefore: number;

  before(async () => {
    dir = await mkdtemp('/tmp/pileus-fence-');
    lab = await CephCloud.up({ hosts: 2 });
    const imageId = await lab.uploadGuestImage();
    volumeId = (await lab.cloud.volumes.create({ name: 'data', sizeBytes: 32 * MIB, imageId: await uploadFileSystem() }).wait()).id;
    ({ id } = await lab.machine('m', imageId, 0, { attachVolumeIds: [volumeId] }));
    old = await lab.guest(id, 0).booted();
    await old.shell(MOUNT);
    await old.begin(WRITE);
    await until('writes', async () => (await number(old, 'written')) > 5 || undefined);
    writtenBefore = await number(old, 'written');
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  const number = (guest: CephGuest, name: string) => guest.number(`/run/${name}`);

  async function uploadFileSystem(): Promise<Id<'image'>> {
    const path = join(dir, 'fs.raw');
    await using file = await open(path, 'w');
    await file.truncate(32 * MIB);
    await run(['mkfs.ext4', '-q', path]);
    return lab.upload('fs', {
      path,
      sha256: createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    });
  }

  const copyOf = async (name: string) => {
    const path = join(dir, name);
    await lab.ceph.rbd('export', '--no-progress', `${POOL}/volume-${volumeId}`, path);
    return path;
  };
  const digestOf = async (name: string) =>
    createHash('sha256')
      .update(await readFile(await copyOf(name)))
      .digest('hex');

  it('does not answer, while its machine writes on, which begins anew on another host', async () => {
    const [lost, other] = lab.hostIds;
    await lab.lab.freeze(0);
    await until('the loss of the host', async () => (await lab.cloud.hosts.get(lost ?? '')).status === 'disconnected' || undefined);
    await lab.cloud.instances.evacuate(id, { hostId: other }).wait({ timeoutMs: 180_000 });
    expect(await lab.cloud.instances.get(id)).to.include({ hostId: other, state: 'running' });
    fresh = await lab.guest(id, 1).booted();
  });

  it('has left a file system that checks clean once its journal is played, with all that was acknowledged', async () => {
    const path = await copyOf('left.raw');
    expect((await attempt(['e2fsck', '-p', path])).exitCode).to.be.oneOf([0, 1]);
    const checked = await attempt(['e2fsck', '-fn', path]);
    expect(checked.exitCode, checked.stdout).to.equal(0);
    await fresh.shell(MOUNT);
    expect(Number(await fresh.run('cat', '/mnt/count'))).to.be.at.least(writtenBefore);
  });

  it('cannot write any more when it comes back: its guest gets errors, and the disks stay as they are', async () => {
    await fresh.run('umount', '/mnt');
    // Nobody is there yet who would remove the machine.
    await lab.kill();
    await lab.lab.thaw(0);
    await until('errors in the guest that was shut out', async () => (await number(old, 'failed')) > 0 || undefined);
    const before = await digestOf('before.raw');
    const [written, failed] = [await number(old, 'written'), await number(old, 'failed')];
    await until('more errors', async () => (await number(old, 'failed')) > failed + 10 || undefined);
    const raw = await old.attempt('dd', 'if=/dev/urandom', 'of=/dev/vdb', 'bs=4k', 'count=1', 'conv=fsync');
    expect(raw.exitCode).to.not.equal(0);
    expect(raw.output).to.match(/Input\/output error/);
    expect(await number(old, 'written')).to.equal(written);
    expect(await digestOf('after.raw')).to.equal(before);
  });

  it('loses the machine that it still had, and harms nothing', async () => {
    await lab.start();
    // A libvirtd that crashed as it was thawed is started again.
    const left = () =>
      virsh(lab.lab.host(0), 'list', '--all', '--uuid').then(
        (ids) => ids.trim(),
        () => 'not known yet',
      );
    await until('the removal of the old machine', async () => (await left()) === '' || undefined);
    await fresh.shell('mount -t ext4 /dev/vdb /mnt && echo again >/mnt/after && sync && umount /mnt');
    expect(await lab.cloud.instances.get(id)).to.include({ hostId: lab.hostIds[1], state: 'running' });
    const path = await copyOf('end.raw');
    const checked = await attempt(['e2fsck', '-fn', path]);
    expect(checked.exitCode, checked.stdout).to.equal(0);
  });
});
