import { readFile } from 'node:fs/promises';
import type { Id } from '@pileus/sdk';
import { expect } from 'chai';
import { allPids } from '../../../tools/system/processes.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { until } from '../../lab/waiting.ts';
import { CephCloud, MIB, POOL } from './ceph-cloud.ts';
import type { CephGuest } from './ceph-guest.ts';

const APPEAR = 'for i in $(seq 600); do test -b /dev/vdb && exit 0; usleep 100000; done; exit 1';

/** Guests take long to boot, and half a minute passes before the cluster forgets one that is frozen: of the full run. */
if (FULL)
  describe('a volume of two machines on two hosts', function () {
    this.timeout(1_800_000);
    let lab: CephCloud;
    let volumeId: Id<'volume'>;
    let ids: readonly Id<'instance'>[] = [];
    let lost: CephGuest;
    let well: CephGuest;
    /** The lost machine where it begins anew. */
    let anew: CephGuest;
    /** The process that it was before. */
    let lostPid: number;

    before(async () => {
      lab = await CephCloud.up({ hosts: 2 });
      const imageId = await lab.uploadGuestImage();
      volumeId = (await lab.cloud.volumes.create({ name: 'shared', sizeBytes: 16 * MIB, shareable: true }).wait()).id;
      ids = await Promise.all([0, 1].map(async (host) => (await lab.machine(`m${host}`, imageId, host)).id));
      for (const id of ids) await lab.cloud.instances.attachVolume(id, { volumeId }).wait({ timeoutMs: 180_000 });
      [lost, well] = await Promise.all([booted(lab.guest(lostId(), 0)), booted(lab.guest(wellId(), 1))]);
      for (const guest of [lost, well]) await guest.shell(APPEAR);
    });
    after(() => lab?.[Symbol.asyncDispose]());

    /** Two boot at once, on a busy machine for minutes. */
    const booted = async (guest: CephGuest): Promise<CephGuest> => {
      for (let tries = 1; ; tries += 1) {
        try {
          return await guest.booted();
        } catch (error) {
          if (tries === 4) throw error;
        }
      }
    };
    const lostId = () => ids[0] ?? expect.fail('there is no machine');
    const wellId = () => ids[1] ?? expect.fail('there is no machine');
    const write = (guest: CephGuest, word: string) =>
      guest.shell(`echo ${word} | dd of=/dev/vdb bs=512 seek=100 conv=sync oflag=direct 2>&1`);
    const read = (guest: CephGuest) => guest.shell('dd if=/dev/vdb bs=512 skip=100 count=1 iflag=direct 2>/dev/null | tr -d "\\000"');
    /** The clients that the cluster sees. */
    const watchers = async (): Promise<readonly string[]> => {
      const told = JSON.parse(await lab.ceph.rbd('status', '--format=json', `${POOL}/volume-${volumeId}`));
      return (told as { readonly watchers: readonly { readonly address: string }[] }).watchers.map(({ address }) => address);
    };

    /** The process that a machine is. */
    async function pidOf(id: string): Promise<number> {
      for (const pid of await allPids()) {
        const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        if (words.startsWith('/usr/bin/qemu-system') && words.includes(id)) return pid;
      }
      throw new Error(`no process is machine ${id}`);
    }

    it('is read by each as the other has written it', async () => {
      for (const [from, to, word] of [
        [lost, well, 'first'],
        [well, lost, 'second'],
        [lost, well, 'third'],
      ] as const) {
        await write(from, word);
        expect(await read(to)).to.equal(word);
      }
      expect(new Set((await watchers()).map((address) => address.split(':')[0])).size, 'hosts').to.equal(2);
    });

    it('is shut to the machine of a lost host, long out of sight, which begins anew elsewhere while the other writes on', async () => {
      // Who has written to its root disk has the lock of that, which tells of it as long as it is frozen.
      await lost.shell('echo 1 | dd of=/dev/vda bs=512 seek=40000 conv=sync,fsync 2>&1');
      lostPid = await pidOf(lostId());
      await lab.lab.freeze(0);
      process.kill(lostPid, 'SIGSTOP');
      await until('the cluster to forget who is frozen', async () => (await watchers()).length === 1 || undefined);
      const [from, to] = lab.hostIds;
      await until('the loss of the host', async () => (await lab.cloud.hosts.get(from ?? '')).status === 'disconnected' || undefined);
      await lab.cloud.instances.evacuate(lostId(), { hostId: to }).wait({ timeoutMs: 180_000 });
      await write(well, 'meanwhile');
      expect(await lab.cloud.instances.get(lostId())).to.include({ hostId: to, state: 'running' });
      anew = await booted(lab.guest(lostId(), 1));
      await anew.shell(APPEAR);
      expect(await read(anew)).to.equal('meanwhile');
      await write(anew, 'anew');
      expect(await read(well)).to.equal('anew');
    });

    it('is not written to when the lost host comes back: its guest gets errors, and the others go on', async () => {
      // Nobody is there yet who would remove the machine.
      await lab.kill();
      process.kill(lostPid, 'SIGCONT');
      await lab.lab.thaw(0);
      await until('an error in the guest that was shut out', async () => {
        const { exitCode, output } = await lost.attempt(
          'dd',
          'if=/dev/zero',
          'of=/dev/vdb',
          'bs=512',
          'seek=100',
          'count=1',
          'oflag=direct',
        );
        return (exitCode !== 0 && output.includes('Input/output error')) || undefined;
      });
      expect(await read(well)).to.equal('anew');
      await write(well, 'later');
      expect(await read(anew)).to.equal('later');
      await lab.start();
    });
  });
