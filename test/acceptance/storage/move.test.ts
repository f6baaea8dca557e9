import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Id } from '@pileus/sdk';
import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import { until } from '../../lab/waiting.ts';
import { Seeded } from '../seeded.ts';
import { CephCloud, POOL } from './ceph-cloud.ts';
import type { CephGuest } from './ceph-guest.ts';

const END_TIMEOUT_MS = 300_000;
/** So slow that a blow falls into any part of it, also into the change itself. */
const BYTES_PER_SECOND = 16 * 2 ** 20;
const STRIKES_WITHIN_MS = 7000;
const ROUNDS = 3;
const BLOCK = 40_000;

/** For ever: what was written is told once it is on the disk. */
const WRITE = `n=$(dd if=/dev/vda bs=512 skip=${BLOCK} count=1 2>/dev/null | tr -dc 0-9); n=\${n:-0}
while :; do n=$((n+1)); echo $n | dd of=/dev/vda bs=512 seek=${BLOCK} conv=sync,fsync 2>/dev/null && echo $n >/run/count; usleep 50000; done`;

type Blow = 'none' | 'libvirtd' | 'server' | 'host' | 'cancel';
/** Each needs a cluster, a host that boots and copies that are slow: of the full run. */
const BLOWS: readonly Blow[] = FULL ? ['none', 'libvirtd', 'server', 'cancel', 'host'] : [];

describe('a disk that moves under its guest while something at it dies', function () {
  this.timeout(600_000);
  const chance = new Seeded();
  let lab: CephCloud;
  let id: Id<'instance'>;
  let volumeId: Id<'volume'>;
  let localId: Id<'pool'>;
  let directory = '';

  before(async () => {
    lab = await CephCloud.up({ hosts: 1 });
    ({ id } = await lab.machine('m', await lab.uploadGuestImage(), 0));
    directory = join(lab.serverDir, '..', 'local');
    const local = { name: 'local', driver: 'libvirt-dir', hostId: lab.hostIds[0], settings: { path: directory } };
    localId = (await lab.cloud.pools.create(local).wait()).id;
    const disks = await lab.cloud.volumes.list({ where: { instanceId: id } }).toArray();
    volumeId = disks[0]?.id ?? expect.fail('the machine has no disk');
    await (await lab.guest(id, 0).booted()).begin(WRITE);
  });
  after(() => lab?.[Symbol.asyncDispose]());

  const countOf = (guest: CephGuest) => guest.number('/run/count');
  const storedOf = async (guest: CephGuest) =>
    Number(await guest.shell(`dd if=/dev/vda bs=512 skip=${BLOCK} count=1 iflag=direct 2>/dev/null | tr -dc 0-9`));
  const places = async () => ({
    local: (await readdir(directory)).some((name) => name.includes(volumeId)),
    ceph: (await lab.ceph.rbd('ls', POOL)).includes(volumeId),
  });

  async function strike(blow: Blow, operationId: Id<'operation'>): Promise<void> {
    if (blow === 'server') {
      await lab.kill();
      await lab.start();
    } else if (blow === 'libvirtd') {
      await lab.lab.killDaemon(0);
      await lab.lab.startDaemon(0);
    } else if (blow === 'host') {
      await lab.lab.crash(0);
      await lab.lab.boot(0);
    } else if (blow === 'cancel') await lab.cloud.operations.cancel(operationId).safe();
  }

  for (const blow of BLOWS)
    for (let round = 1; round <= ROUNDS; round += 1)
      it(`has all that its guest was told is written, and is where its row says (${blow}, ${round}, seed ${chance.seed})`, async () => {
        const from = (await lab.cloud.volumes.get(volumeId)).poolId;
        const to = from === localId ? lab.poolId : localId;
        // What the move before has left, and owes, is gone when the next look at its pool says so.
        const { operationId } = await until('the volume to be let go', async () => {
          // The blow before this may have taken a look at a pool along.
          const pools = await lab.cloud.pools.list().toArray();
          if (pools.some(({ status }) => status !== 'connected')) return undefined;
          const asked = await lab.cloud.volumes.move(volumeId, { poolId: to, bytesPerSecond: BYTES_PER_SECOND }).safe();
          if (!asked.ok && asked.error.params.leftPoolId === undefined) throw asked.error;
          return asked.ok ? asked.data : undefined;
        });
        const delayMs = chance.below(STRIKES_WITHIN_MS);
        await sleep(delayMs);
        const before = blow === 'host' ? await countOf(lab.guest(id, 0)) : 0;
        await strike(blow, operationId);
        const ended = await lab.cloud.operations.wait(operationId, { timeoutMs: END_TIMEOUT_MS }).safe();
        // Of one that has not ended a person wants to know what it stopped at.
        const { attention } = ended.ok ? {} : await lab.cloud.operations.get(operationId);
        const why = attention === undefined ? '' : ` ${JSON.stringify(attention)}`;
        const told = `${blow} after ${delayMs} ms: ${ended.ok ? 'succeeded' : `${ended.error.code} ${ended.error.message}${why}`}`;
        if (blow === 'none') expect(ended.ok, told).to.equal(true);
        const at = (await lab.cloud.volumes.get(volumeId)).poolId;
        expect(at, told).to.equal(ended.ok ? to : from);
        await until(`one place after ${told}`, async () => {
          const { local, ceph } = await places();
          return (local === (at === localId) && ceph === (at !== localId)) || undefined;
        });
        const { state } = await until('a look at the machine', async () => {
          const seen = await lab.cloud.instances.get(id);
          return blow !== 'host' || seen.state !== 'running' ? seen : undefined;
        });
        if (state !== 'running') await lab.cloud.instances.start(id).wait({ timeoutMs: 180_000 });
        const guest = await lab.guest(id, 0).booted();
        const count = blow === 'host' ? before : await countOf(guest);
        expect(await storedOf(guest), told).to.be.at.least(count);
        if (blow === 'host') await guest.begin(WRITE);
        await until(`writes after ${told}`, async () => (await countOf(guest)) > count + 5 || undefined);
        expect((await lab.cloud.instances.get(id)).state, told).to.equal('running');
        expect((await lab.cloud.debts.list().toArray()).length, told).to.equal(0);
      });
});
