import type { Id } from '@pileus/sdk';
import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import { virsh } from '../../lab/guest-domain.ts';
import { until } from '../../lab/waiting.ts';
import { CephCloud } from './ceph-cloud.ts';
import type { CephGuest } from './ceph-guest.ts';

const BLOCK = 40_000;
const WRITE = `n=0; while :; do n=$((n+1)); echo $n | dd of=/dev/vda bs=512 seek=${BLOCK} conv=sync,fsync 2>/dev/null && echo $n >/run/count; usleep 50000; done`;
const END = { timeoutMs: 300_000 };

// Three hosts and a guest: of the full run.
if (FULL)
  describe('a machine on Ceph that goes between three hosts by TLS', function () {
    this.timeout(1_200_000);
    let lab: CephCloud;
    let id: Id<'instance'>;
    let boot: string;

    before(async () => {
      lab = await CephCloud.up({ hosts: 3, osds: 3, tls: true });
      ({ id } = await lab.machine('m', await lab.uploadGuestImage(), 0));
      const guest = await lab.guest(id, 0).booted();
      boot = await guest.run('cat', '/proc/sys/kernel/random/boot_id');
      await guest.begin(WRITE);
    });
    after(() => lab?.[Symbol.asyncDispose]());

    const domains = (host: number) => virsh(lab.lab.host(host), 'list', '--all', '--uuid');
    const paced = (host: number, mibASecond: number) => virsh(lab.lab.host(host), 'migrate-setspeed', id, String(mibASecond));
    const countOf = (guest: CephGuest) => guest.number('/run/count');

    /** On this host alone, as its row says, with the guest that was there before, which writes on and has what it was told is written. */
    async function isAt(host: number): Promise<void> {
      await until(`the machine on host ${host} alone`, async () => {
        const lists = await Promise.all([0, 1, 2].map(domains));
        return lists.every((list, at) => (at === host ? list.includes(id) : list.trim() === '')) || undefined;
      });
      expect(await lab.cloud.instances.get(id)).to.include({ state: 'running', hostId: lab.hostIds[host] });
      const guest = await lab.guest(id, host).booted();
      expect(await guest.run('cat', '/proc/sys/kernel/random/boot_id')).to.equal(boot);
      const count = await countOf(guest);
      const stored = await guest.shell(`dd if=/dev/vda bs=512 skip=${BLOCK} count=1 iflag=direct 2>/dev/null | tr -dc 0-9`);
      expect(Number(stored)).to.be.at.least(count);
      await until('further writes', async () => (await countOf(guest)) > count + 5 || undefined);
    }

    it('stays where it was when it is cancelled on its way, which it tells of', async () => {
      await paced(0, 1);
      const { operationId } = await lab.cloud.instances.migrate(id, { hostId: lab.hostIds[1] });
      await until('the machine on its way', async () => (await domains(1)).includes(id) || undefined);
      const seen = new Map<string | undefined, Set<number>>();
      // More than once within one step, the transfer.
      await until('how far it is', async () => {
        const { lastStep, percent } = await lab.cloud.operations.get(operationId);
        const percents = seen.get(lastStep) ?? new Set();
        seen.set(lastStep, percents.add(percent));
        return percents.size > 2 || undefined;
      });
      await lab.cloud.operations.cancel(operationId);
      const ended = await lab.cloud.operations.wait(operationId, END).safe();
      expect(ended.ok ? 'succeeded' : ended.error.code).to.equal('cancelled');
      await isAt(0);
    });

    it('stays where it was when it takes longer than it may', async () => {
      await paced(0, 1);
      const ended = await lab.cloud.instances.migrate(id, { hostId: lab.hostIds[1], timeoutSeconds: 30 }).wait(END).safe();
      expect(ended.ok ? 'succeeded' : ended.error.code).to.equal('timeout');
      await isAt(0);
    });

    it('goes to the second, the third and back, and to whichever is chosen', async () => {
      await paced(0, 1024);
      for (const host of [1, 2, 0]) {
        await lab.cloud.instances.migrate(id, { hostId: lab.hostIds[host] }).wait(END);
        await isAt(host);
      }
      await lab.cloud.instances.migrate(id).wait(END);
      const { hostId } = await lab.cloud.instances.get(id);
      const chosen = lab.hostIds.indexOf(hostId ?? expect.fail('no host'));
      expect(chosen).to.be.oneOf([1, 2]);
      await isAt(chosen);
    });
  });
