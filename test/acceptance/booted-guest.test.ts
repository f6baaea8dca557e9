import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Id, isPileusError, type PileusError } from '@pileus/sdk';
import { expect } from 'chai';
import { FULL } from '../../tools/test/slice.ts';
import { until } from '../lab/waiting.ts';
import { ConsoleClient } from './console-client.ts';
import { eventually, LabCloud, MIB } from './lab-cloud.ts';
import { CephGuest } from './storage/ceph-guest.ts';

interface GuestView {
  readonly hostname: string;
  readonly instanceId: string;
  readonly cpus: number;
  readonly memoryKib: number;
  readonly disks: readonly { readonly name: string; readonly sizeBytes: number }[];
  readonly nics: readonly { readonly mac: string; readonly address: string }[];
}

/** One guest that boots on real libvirt and sees what is done to its machine. */
describe('a booted guest', function () {
  this.timeout(600_000);
  let lab: LabCloud;
  let id: Id<'instance'>;
  let address: string;
  let serial: ConsoleClient;

  before(async () => {
    lab = await LabCloud.up();
    const imageId = await lab.uploadGuestImage();
    const size = { vcpus: 1, vcpusMax: 2, memoryBytes: 128 * MIB, memoryBytesMax: 256 * MIB };
    await lab.cloud.instanceTypes.create({ name: 'growing', ...size }).wait();
    const request = lab.instanceRequest('web-1', {
      instanceType: 'growing',
      imageId,
      hostname: 'web-1',
      userData: '#!/bin/sh\necho seeded-$((6*7))\n',
    });
    id = (await lab.cloud.instances.create(request).wait()).id;
    serial = await ConsoleClient.open(await lab.cloud.instances.openConsole(id, 'serial'));
    await serial.until(/PILEUS-GUEST-READY web-1/);
    const nic = await lab.cloud.nics.list({ where: { instanceId: id } }).first();
    address = nic?.address ?? '';
  });

  after(() => lab?.down());

  const look = async (): Promise<GuestView> => JSON.parse(await lab.host.httpGet(`http://${address}/`)) as GuestView;
  const untilGuest = (what: string, sees: (view: GuestView) => boolean) =>
    eventually(`the guest sees ${what}`, async () => {
      const view = await look().catch(() => undefined);
      return view !== undefined && sees(view) ? view : undefined;
    });
  const refusal = async (change: PromiseLike<unknown>): Promise<PileusError> => {
    try {
      await change;
    } catch (error) {
      if (isPileusError(error)) return error;
      throw error;
    }
    throw new Error('it was not refused');
  };

  it('has the address that we gave it, its own seed, and answers', async () => {
    await serial.until(/seeded-42/);
    const view = await untilGuest('its network', ({ nics }) => nics[0]?.address.startsWith(`${address}/`) === true);
    expect(view).to.include({ hostname: 'web-1', instanceId: id, cpus: 1 });
  });

  it('answers on its serial console what is typed into it', async () => {
    serial.type('echo both-$((20+3))-ways\n');
    await serial.until(/both-23-ways/);
  });

  it('shows its screen: the VNC server greets and agrees on a version', async () => {
    const screen = await ConsoleClient.open(await lab.cloud.instances.openConsole(id, 'vnc'));
    expect(await screen.until(/RFB \d{3}\.\d{3}\n/)).to.equal('RFB 003.008\n');
    screen.type('RFB 003.008\n');
    // The number of ways to prove who one is, and the ways: 1 is none, since the ticket was proof.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the protocol speaks in bytes.
    await screen.until(/\n\x01\x01/);
    screen.close();
  });

  it('opens a console once for each ticket, and closes it when told to', async () => {
    const ticket = await lab.cloud.instances.openConsole(id, 'vnc');
    const screen = await ConsoleClient.open(ticket);
    const again = await ConsoleClient.open(ticket).then(
      () => 'opened',
      (error: Error) => error.message,
    );
    expect(again).to.equal('the console was refused');
    await lab.cloud.instances.consoleRevoke(id);
    await screen.untilClosed();
    await serial.untilClosed();
    serial = await ConsoleClient.open(await lab.cloud.instances.openConsole(id, 'serial'));
  });

  for (const [what, sizeBytes, encrypted] of [
    ['a disk', 48 * MIB, false],
    ['an encrypted disk', 56 * MIB, true],
  ] as const)
    it(`gets ${what} while it runs, and lets go of it`, async () => {
      const volume = await lab.cloud.volumes.create({ name: what.replaceAll(' ', '-'), sizeBytes, encrypted, hostId: lab.hostId }).wait();
      const has = ({ disks }: GuestView) => disks.some((disk) => disk.sizeBytes === sizeBytes);
      await lab.cloud.instances.attachVolume(id, { volumeId: volume.id }).wait();
      await untilGuest(what, has);
      await lab.cloud.instances.detachVolume(id, { volumeId: volume.id }).wait();
      await untilGuest('no such disk', (view) => !has(view));
      expect(await lab.cloud.volumes.get(volume.id)).to.include({ state: 'available' });
    });

  // Some seconds of a processor for each header that is made.
  if (FULL)
    it('has an encrypted disk backed up when it is off, and restored, sealed and in the clear, when that and its key are gone', async () => {
      const { volumes, instances, backupStores, volumeBackups } = lab.cloud;
      const guest = await new CephGuest(lab.host, id).booted();
      const word = 'what-nobody-else-may-read';
      const cellar = join(lab.lab.sharedDir, 'cellar');
      await mkdir(cellar);
      const filesBefore = await lab.poolFiles();
      const store = await backupStores.create({ name: 'cellar', driver: 'directory', settings: { path: cellar } }).wait();
      // Its last chunk is a short one.
      const volume = await volumes.create({ name: 'sealed', sizeBytes: 18 * MIB, encrypted: true, hostId: lab.hostId }).wait();
      const plug = async (volumeId: Id<'volume'>) => {
        await instances.attachVolume(id, { volumeId }).wait({ timeoutMs: 180_000 });
        await until('the volume in the guest', async () => (await guest.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
      };
      const unplug = (volumeId: Id<'volume'>) => instances.detachVolume(id, { volumeId }).wait({ timeoutMs: 180_000 });
      const put = (from: string, seek: number, count: number) =>
        guest.shell(`dd if=/dev/${from} of=/dev/vdb bs=1M seek=${seek} count=${count} conv=fsync 2>/dev/null`);
      const digest = () => guest.shell('sync; sha1sum </dev/vdb');
      const backUp = () => volumeBackups.create({ volumeId: volume.id }).wait({ timeoutMs: 180_000 });

      await plug(volume.id);
      await put('zero', 0, 9);
      await put('urandom', 5, 2);
      await put('urandom', 17, 1);
      await guest.shell(`echo ${word} | dd of=/dev/vdb bs=512 seek=3000 conv=sync,fsync 2>/dev/null`);
      const digests = [await digest()];
      const refused = await refusal(backUp());
      expect(refused).to.include({ code: 'in_use' });
      expect(refused.params?.blockers).to.deep.equal([{ kind: 'instance', id, name: 'web-1' }]);
      await unplug(volume.id);
      const first = await backUp();
      // Of five chunks the third has zeroes that were written, and the fourth was never written.
      expect(first).to.include({ encrypted: true, sizeBytes: 18 * MIB, newBytes: 10 * MIB });
      await plug(volume.id);
      await put('urandom', 12, 1);
      digests.push(await digest());
      await unplug(volume.id);
      const second = await backUp();
      expect(second).to.include({ encrypted: true, newBytes: 4 * MIB });
      // Nobody has opened it to write since.
      const third = await backUp();
      expect(third).to.include({ encrypted: true, readBytes: 0, newBytes: 0 });
      await volumes.rotateKey(volume.id).wait({ timeoutMs: 180_000 });
      await volumes.delete(volume.id, { permanent: true }).wait();

      for (const [name, backup, sees, encrypted] of [
        ['first-again', first, digests[0], true],
        ['second-again', second, digests[1], true],
        ['third-again', third, digests[1], true],
        ['second-in-the-clear', second, digests[1], false],
      ] as const) {
        await volumeBackups
          .restore(backup.id, { name, hostId: lab.hostId, ...(encrypted ? {} : { encrypted }) })
          .wait({ timeoutMs: 180_000 });
        const restored = await volumes.get(name);
        expect(restored.encrypted === true).to.equal(encrypted);
        await plug(restored.id);
        expect(await digest()).to.equal(sees);
        await unplug(restored.id);
        const file = await readFile(join(lab.host.rootDir, 'lib/images/pool', `volume-${restored.id}.qcow2`));
        expect(file.includes(word), 'its host can read it').to.equal(!encrypted);
        await volumes.delete(restored.id, { permanent: true }).wait();
      }
      await volumeBackups.verify(second.id, { restore: true }).wait({ timeoutMs: 180_000 });
      expect(await volumeBackups.get(second.id)).to.include({ condition: 'sound' });
      const kept = (await readdir(cellar, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
      expect(kept.length).to.be.above(5);
      for (const { parentPath, name } of kept) expect((await readFile(join(parentPath, name))).includes(word), name).to.equal(false);
      for (const backup of [first, second, third]) await volumeBackups.delete(backup.id).wait();
      await backupStores.delete(store.id).wait();
      expect(await lab.poolFiles()).to.have.members([...filesBefore]);
      expect(await lab.virsh('secret-list')).not.to.include('volume');
    });

  it('reads an ISO that is put in while it runs, until it is taken out', async () => {
    const bytes = Buffer.alloc(256 * 1024, 'Drivers ');
    // What ISO 9660 begins with, in its seventeenth sector.
    bytes.set(Buffer.from('\x01CD001\x01\x00', 'latin1'), 32_768);
    const image = await lab.cloud.images.create({ name: 'drivers' }).wait();
    await lab.cloud.images.upload(image.id, bytes);
    const digest = createHash('sha1').update(bytes).digest('hex');
    const reads = `sha1sum /dev/sr* 2>/dev/null | grep -q ${digest}`;
    await lab.cloud.instances.attachIso(id, { imageId: image.id }).wait();
    serial.type(`until ${reads}; do sleep 1; done; echo reads-$((40+2))\n`);
    await serial.until(/reads-42/);
    await lab.cloud.instances.detachIso(id).wait();
    serial.type(`while ${reads}; do sleep 1; done; echo gone-$((40+3))\n`);
    await serial.until(/gone-43/);
    await lab.cloud.images.delete(image.id).wait();
  });

  it('gets a NIC while it runs, and lets go of it', async () => {
    await lab.cloud.instances.attachNic(id, { networkId: lab.networkId }).wait();
    const added = (await lab.cloud.nics.list({ where: { instanceId: id } }).toArray()).find((nic) => nic.address !== address);
    if (added === undefined) throw new Error('there is no second NIC');
    const has = ({ nics }: GuestView) => nics.some(({ mac }) => mac === added.mac);
    await untilGuest('the NIC', has);
    await lab.cloud.instances.detachNic(id, { nicId: added.id }).wait();
    await untilGuest('no such NIC', (view) => !has(view));
  });

  it('grows to the maximum of its size while it runs, and no further', async () => {
    await lab.cloud.instances.resize(id, { vcpus: 2 }).wait();
    const before = await untilGuest('two processors', ({ cpus }) => cpus === 2);
    await lab.cloud.instances.resize(id, { memoryBytes: 192 * MIB }).wait();
    await untilGuest('more memory', ({ memoryKib }) => memoryKib > before.memoryKib + 32 * 1024);
    const refused = await refusal(lab.cloud.instances.resize(id, { vcpus: 3 }));
    expect(refused).to.include({ code: 'unsupported', pointer: '/vcpus' });
    expect(await lab.cloud.instances.get(id)).to.include({ vcpus: 2, memoryBytes: 192 * MIB });
  });

  it('limits a disk at once, and refuses by name what this host cannot limit', async () => {
    const [root] = await lab.cloud.volumes.list({ where: { instanceId: id } }).toArray();
    if (root === undefined) throw new Error('there is no root disk');
    await lab.cloud.volumes.setLimits(root.id, { limits: { iopsPerSecond: 500 } }).wait();
    expect(await lab.virsh('blkdeviotune', id, 'vda')).to.match(/total_iops_sec *: 500/);
    // The lab's hosts have no control groups, and say so before anything changes.
    const refused = await refusal(lab.cloud.instances.setCpuShares(id, { cpuShares: 512 }));
    expect(refused.code).to.equal('unsupported');
    expect((await lab.cloud.instances.get(id)).cpuShares).to.equal(undefined);
  });

  it('is asked to power off, and does', async () => {
    const startMs = performance.now();
    const stopping = lab.cloud.instances.stop(id, { timeoutSeconds: 300 }).wait();
    await serial.until(/PILEUS-GUEST-STOPPING/);
    await stopping;
    expect(performance.now() - startMs).to.be.below(290_000);
    expect(await lab.cloud.instances.get(id)).to.include({ state: 'stopped' });
    expect((await lab.virsh('domstate', id, '--reason')).trim()).to.match(/^shut off \(shutdown\)/);
  });

  it('is forced off when it does not hear', async () => {
    const deaf = await lab.cloud.instances.create(lab.instanceRequest('deaf')).wait();
    await lab.cloud.instances.stop(deaf.id, { timeoutSeconds: 1 }).wait();
    expect((await lab.virsh('domstate', deaf.id, '--reason')).trim()).to.match(/^shut off \(destroyed\)/);
  });
});
