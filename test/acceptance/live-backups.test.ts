import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Id } from '@pileus/sdk';
import { expect } from 'chai';
import { run } from '../../tools/system/command.ts';
import { FULL } from '../../tools/test/slice.ts';
import { until } from '../lab/waiting.ts';
import { LabCloud, MIB } from './lab-cloud.ts';
import { CephGuest } from './storage/ceph-guest.ts';

const BLOCKS = 512;
const BLOCK_BYTES = 4096;
const DISK_BYTES = 32 * MIB;

/** Writes numbers in their order, round and round: each is on the disk before the next one is begun. */
const WRITER = `i=0
while [ ! -e /tmp/stop ]; do
  i=$((i + 1))
  at=$((i % ${BLOCKS}))
  printf '%d\\n' $i | dd of=/dev/vdb bs=${BLOCK_BYTES} seek=$at conv=sync,fsync 2>/dev/null && echo $i > /tmp/number
done
: > /tmp/stopped`;

/** A guest that writes while its disk is backed up: a boot, and copies of some seconds each. */
if (FULL)
  describe('backups of a disk whose guest writes, in a folder of its host', function () {
    this.timeout(900_000);
    let lab: LabCloud;
    let id: Id<'instance'>;
    let volumeId: Id<'volume'>;
    let guest: CephGuest;

    before(async () => {
      lab = await LabCloud.up();
      const imageId = await lab.uploadGuestImage();
      id = (await lab.cloud.instances.create(lab.instanceRequest('db', { imageId })).wait()).id;
      guest = await new CephGuest(lab.host, id).booted();
      const cellar = join(lab.lab.sharedDir, 'cellar');
      await mkdir(cellar);
      await lab.cloud.backupStores.create({ name: 'cellar', driver: 'directory', settings: { path: cellar } }).wait();
      volumeId = (await lab.cloud.volumes.create({ name: 'data', sizeBytes: DISK_BYTES, hostId: lab.hostId }).wait()).id;
      await lab.cloud.instances.attachVolume(id, { volumeId }).wait({ timeoutMs: 180_000 });
      await until('the volume in the guest', async () => (await guest.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
      await guest.shell(`dd if=/dev/urandom of=/dev/vdb bs=1M seek=8 count=16 conv=fsync 2>/dev/null`);
    });

    after(() => lab?.down());

    const numberOf = async () => Number(await guest.shell('cat /tmp/number'));
    const tail = () => guest.shell(`dd if=/dev/vdb bs=1M skip=8 count=24 2>/dev/null | sha256sum`);
    /** The last number of those that were written when the backup was made; that all of them are there, and no later one. */
    const numberIn = async (backupId: Id<'backup'>, name: string) => {
      await lab.cloud.volumeBackups.restore(backupId, { name, hostId: lab.hostId }).wait({ timeoutMs: 180_000 });
      const restored = await lab.cloud.volumes.get(name);
      const raw = join(lab.lab.sharedDir, 'raw');
      await run(['qemu-img', 'convert', '-O', 'raw', join(lab.host.rootDir, 'lib/images/pool', `volume-${restored.id}.qcow2`), raw]);
      const bytes = await readFile(raw);
      const digest = createHash('sha256')
        .update(bytes.subarray(8 * MIB))
        .digest('hex');
      expect(await tail()).to.match(new RegExp(`^${digest}`));
      const found = Array.from({ length: BLOCKS }, (_, at) =>
        Number(
          bytes
            .subarray(at * BLOCK_BYTES, at * BLOCK_BYTES + 32)
            .toString()
            .replace(/[\n\0].*$/s, ''),
        ),
      );
      const last = Math.max(...found);
      for (const [at, number] of found.entries()) {
        const behind = (((last - at) % BLOCKS) + BLOCKS) % BLOCKS;
        const expected = last - behind;
        expect(number, `block ${at} of ${last}`).to.equal(Math.max(expected, 0));
      }
      await lab.cloud.volumes.delete(restored.id, { permanent: true }).wait();
      return last;
    };

    it('have all that was written before their instant and nothing of what came after, and read little but the first time', async () => {
      const { volumeBackups } = lab.cloud;
      const files = await lab.poolFiles();
      await guest.begin(WRITER);
      await until('the first write', async () => (await guest.attempt('test', '-s', '/tmp/number')).exitCode === 0 || undefined);
      for (let round = 0; round < 6; round += 1) {
        const before = await numberOf();
        const made = volumeBackups.create({ volumeId });
        // The server dies somewhere on the way, and is there again.
        if (round === 2 || round === 4) {
          await made;
          await lab.kill();
          await lab.start();
        }
        const backup = await made.wait({ timeoutMs: 300_000 });
        const after = await numberOf();
        expect(backup.readBytes, `round ${round}`).to.be.within(
          ...(round === 0 ? ([16 * MIB, DISK_BYTES] as const) : ([1, 4 * MIB] as const)),
        );
        const number = await numberIn(backup.id, `again-${round}`);
        expect(number, `round ${round}`).to.be.within(before, after + 1);
      }
      await guest.run('touch', '/tmp/stop');
      expect([...(await lab.poolFiles())].sort()).to.deep.equal([...files].sort());
      expect((await lab.virsh('checkpoint-list', id, '--name')).trim().split('\n')).to.have.length(1);
    });
  });
