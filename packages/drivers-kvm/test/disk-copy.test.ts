import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Attachment, Call, HypervisorDriver, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { CephGuest } from '../../../test/acceptance/storage/ceph-guest.ts';
import { until } from '../../../test/lab/waiting.ts';
import { buildGuestImage } from '../../../tools/guest/image.ts';
import { CephCluster } from '../../../tools/system/ceph-cluster.ts';
import { run } from '../../../tools/system/command.ts';
import { CACHE_DIR } from '../../../tools/system/ensure.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { kvm } from '../src/index.ts';
import { LabBackend, required } from './conformance/lab-host.ts';

const MIB = 2 ** 20;
const BLOCK_BYTES = 512;
/** Written round and round, so that old and new content never look alike. */
const BLOCKS = 512;
const call = (more: Partial<Call> = {}): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 120_000, ...more });

const SEED = new Uint8Array(64 * 1024).fill(7);

/** Writes a number into each block, and notes it only once the disk has it. */
const WRITER = `i=0
while [ ! -e /tmp/stop ]; do
  i=$((i + 1))
  at=$((i % ${BLOCKS}))
  printf %d $i | dd of=/dev/vdb bs=${BLOCK_BYTES} seek=$at conv=sync,fsync 2>/dev/null && echo "$at $i" >> /tmp/written
done
: > /tmp/stopped`;

describe('disks that move under a guest which writes', function () {
  this.timeout(300_000);
  const [imageId, id] = [randomUUID(), randomUUID()];
  const volumeId = randomUUID();
  let backend: LabBackend;
  /** A cluster of its own takes its time: of the full run. */
  let ceph: CephCluster | undefined;
  let hypervisor: HypervisorDriver;
  let guest: CephGuest;
  const pools: StorageDriver[] = [];
  let rbd: Attachment | undefined;

  const copies = () => hypervisor.diskCopy ?? expect.fail('the driver copies no disks');
  const pool = (index: number) => pools[index] ?? expect.fail(`no pool ${index}`);
  const fault = (work: Promise<unknown>) =>
    work.then(
      () => 'no fault',
      (error: unknown) => hypervisor.classify(error),
    );
  const numberOf = async () => Number((await guest.shell('tail -n 1 /tmp/written')).split(' ')[1]);
  /** As the cloud does it: the guest stands still while its disk changes its place. */
  const move = async (to: Attachment) => {
    await copies().copy(id, volumeId, to, {}, call());
    await hypervisor.power.suspend(id, call());
    expect(await copies().look(id, volumeId, to, call())).to.equal('both');
    await copies().pivot(id, volumeId, to, call());
    expect(await copies().look(id, volumeId, to, call())).to.equal('there');
    await hypervisor.power.resume(id, call());
    const moved = await numberOf();
    await until('the guest to go on writing', async () => (await numberOf()) > moved + 3 || undefined);
  };

  before(async () => {
    backend = await LabBackend.up();
    const { strategies } = kvm({ virtType: 'tcg' });
    const { host } = backend;
    hypervisor = required(strategies.hypervisor).open(host);
    const bytesOf = async () => readFile((await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} })).path);
    const [cluster, image, bytes] = await Promise.all([
      FULL ? CephCluster.start({ store: 'memstore', address: backend.lab.address }) : undefined,
      buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} }),
      bytesOf(),
    ]);
    ceph = cluster;
    for (const name of ['one', 'two']) {
      const settings = { path: join(backend.lab.sharedDir, name) };
      const opened = required(strategies.storage).open({ poolId: randomUUID(), scope: 'host', host, settings });
      await opened.ensurePool(call());
      pools.push(opened);
    }
    const { 'virtual-size': virtualSizeBytes } = JSON.parse(await run(['qemu-img', 'info', '--output=json', image.path]));
    const content = {
      sizeBytes: bytes.length,
      async *open() {
        yield bytes;
      },
    };
    await pool(0).images.put({ id: imageId, format: image.format, virtualSizeBytes, content }, call());
    const rootId = randomUUID();
    await pool(0).volumes.create({ id: rootId, sizeBytes: 64 * MIB, imageId }, call());
    await pool(0).volumes.create({ id: volumeId, sizeBytes: 32 * MIB }, call());
    const disks = await Promise.all(
      [rootId, volumeId].map(async (each, slot) => {
        const attachment = await pool(0).volumes.attach(each, host, call());
        return { volumeId: each, attachment, slot, readOnly: false, ...(slot === 1 ? { limits: { iopsPerSecond: 2000 } } : {}) };
      }),
    );
    const seed = await pool(0).seeds.put(id, SEED, call());
    const size = { vcpus: 1, vcpusMax: 1, memoryBytes: 96 * MIB, memoryBytesMax: 96 * MIB };
    const spec = {
      id,
      name: 'm',
      owner: 'o',
      ...size,
      guestOs: 'linux',
      firmware: 'bios',
      diskBus: 'virtio',
      disks,
      nics: [],
      seed,
    } as const;
    await hypervisor.machines.define(spec, call());
    if (ceph !== undefined) {
      const user = await ceph.addUser('disks');
      await hypervisor.secrets?.put('ceph of disks', user.key, call());
      await ceph.rbd('create', `rbd/${volumeId}`, '--size=32M');
      rbd = { type: 'rbd', pool: 'rbd', image: volumeId, monitors: ceph.monitors, user: user.name, secretRef: 'ceph of disks' };
    }
    await hypervisor.power.start(id, call());
    guest = await new CephGuest(backend.labHost, id).booted();
    await guest.begin(WRITER);
    await until('the first write', async () => (await guest.attempt('test', '-s', '/tmp/written')).exitCode === 0 || undefined);
  });

  after(async () => {
    for (const driver of [hypervisor, ...pools]) await driver?.close();
    await backend?.close();
    await ceph?.[Symbol.asyncDispose]();
  });

  it('are copied, and let go of, though a libvirtd that died as it began a copy has left the place open', async () => {
    const monitor = async (execute: string, args: object = {}): Promise<unknown> => {
      const answer = JSON.parse(await backend.virsh('qemu-monitor-command', id, JSON.stringify({ execute, arguments: args })));
      return answer.return ?? expect.fail(JSON.stringify(answer));
    };
    const nodes = async () =>
      ((await monitor('query-named-block-nodes', { flat: true })) as readonly { readonly 'node-name': string }[]).map(
        (node) => node['node-name'],
      );
    const objects = async () =>
      ((await monitor('qom-list', { path: '/objects' })) as readonly { readonly name: string }[]).map(({ name }) => name);
    await pool(1).volumes.create({ id: volumeId, sizeBytes: 32 * MIB }, call());
    const to = await pool(1).volumes.attach(volumeId, backend.host, call());
    const filename = to.type === 'file' ? to.path : expect.fail('no file');
    const [nodesBefore, objectsBefore] = [await nodes(), await objects()];
    // What libvirt takes next, as it was not written down that it is taken.
    const number = Math.max(...nodesBefore.map((name) => Number(/^libvirt-(\d+)-/.exec(name)?.[1] ?? 0))) + 1;
    const place = async (at: number, of: string) => {
      await monitor('object-add', { 'qom-type': 'secret', id: `libvirt-${at}-storage-auth-secret0`, data: 'c2VjcmV0' });
      await monitor('blockdev-add', { driver: 'file', 'node-name': `libvirt-${at}-storage`, filename: of, 'auto-read-only': true });
    };
    const layer = async (at: number, of: string, more: object) => {
      await place(at, of);
      await monitor('blockdev-add', { driver: 'qcow2', 'node-name': `libvirt-${at}-format`, file: `libvirt-${at}-storage`, ...more });
    };
    const leave = (of = filename) => layer(number, of, { backing: null });
    await leave();
    await copies().cancel(id, volumeId, call());
    expect([(await nodes()).sort(), (await objects()).sort()]).to.deep.equal([nodesBefore.sort(), objectsBefore.sort()]);
    await leave();
    await copies().copy(id, volumeId, to, {}, call());
    expect(await copies().look(id, volumeId, to, call())).to.equal('both');
    await copies().cancel(id, volumeId, call());
    expect([(await nodes()).sort(), (await objects()).sort()]).to.deep.equal([nodesBefore.sort(), objectsBefore.sort()]);
    const otherId = randomUUID();
    await pool(1).volumes.create({ id: otherId, sizeBytes: MIB }, call());
    const other = await pool(1).volumes.attach(otherId, backend.host, call());
    await leave(other.type === 'file' ? other.path : undefined);
    await hypervisor.hotplug?.detachDisk(id, otherId, call());
    expect([(await nodes()).sort(), (await objects()).sort()]).to.deep.equal([nodesBefore.sort(), objectsBefore.sort()]);
    await pool(1).volumes.delete(otherId, call());
    // Of an image, which the root disk has open as well: libvirt opens it first, and numbers it after what lies above.
    await pool(0).volumes.create({ id: otherId, sizeBytes: 64 * MIB, imageId }, call());
    const clone = await pool(0).volumes.attach(otherId, backend.host, call());
    const path = clone.type === 'file' ? clone.path : expect.fail('no file');
    const { 'full-backing-filename': image } = JSON.parse(await run(['qemu-img', 'info', '-U', '--output=json', path]));
    const openings = [
      () => place(number + 1, image),
      () => layer(number + 1, image, { 'read-only': true }),
      async () => {
        await layer(number + 1, image, { 'read-only': true });
        await place(number, path);
      },
      async () => {
        await layer(number + 1, image, { 'read-only': true });
        await layer(number, path, { backing: `libvirt-${number + 1}-format` });
      },
    ];
    for (const [index, open] of openings.entries()) {
      await open();
      await hypervisor.hotplug?.detachDisk(id, otherId, call());
      const now = [(await nodes()).sort(), (await objects()).sort()];
      expect(now, `opening ${index}`).to.deep.equal([nodesBefore.sort(), objectsBefore.sort()]);
    }
    await pool(0).volumes.delete(otherId, call());
    const written = await numberOf();
    await until('the guest to go on writing', async () => (await numberOf()) > written + 3 || undefined);
    await pool(1).volumes.release(volumeId, backend.host, call());
    await pool(1).volumes.delete(volumeId, call());
  });

  it(`between folders${FULL ? ', into Ceph' : ''} and back, with all that was written, and as they were limited`, async () => {
    await pool(1).volumes.create({ id: volumeId, sizeBytes: 32 * MIB }, call());
    const second = await pool(1).volumes.attach(volumeId, backend.host, call());
    expect(await copies().look(id, volumeId, second, call())).to.equal('apart');
    const told: number[] = [];
    await copies().copy(id, volumeId, second, { bytesPerSecond: 64 * MIB }, call({ onProgress: (share) => told.push(share) }));
    await copies().cancel(id, volumeId, call());
    expect(await copies().look(id, volumeId, second, call())).to.equal('apart');
    await move(second);
    await pool(0).volumes.release(volumeId, backend.host, call());
    await pool(0).volumes.delete(volumeId, call());
    const seed = await pool(1).seeds.put(id, SEED, call());
    for (let round = 0; round < 2; round += 1) await copies().changeSeed(id, seed, call());
    const seedPath = seed.type === 'file' ? seed.path : expect.fail('no file');
    for (const definition of [await backend.virsh('dumpxml', id), await backend.virsh('dumpxml', id, '--inactive')])
      expect(definition).to.include(seedPath);
    await pool(0).seeds.delete(id, call());
    expect(await guest.shell('head -c 100 /dev/sr0 | tr -d "\\007" | wc -c')).to.equal('0');
    if (rbd !== undefined) {
      await move(rbd);
      await pool(1).volumes.delete(volumeId, call());
    }
    expect((await hypervisor.machines.inspect(id, call()))?.limits?.disks).to.deep.equal({ [volumeId]: { iopsPerSecond: 2000 } });
    await pool(0).volumes.create({ id: volumeId, sizeBytes: 32 * MIB }, call());
    const back = await pool(0).volumes.attach(volumeId, backend.host, call());
    await move(back);
    await ceph?.rbd('rm', `rbd/${volumeId}`);
    expect(await fault(copies().pivot(id, volumeId, rbd ?? second, call()))).to.equal('conflict');
    await guest.run('touch', '/tmp/stop');
    await until('the last write', async () => (await guest.attempt('test', '-e', '/tmp/stopped')).exitCode === 0 || undefined);
    const written = new Map((await guest.run('cat', '/tmp/written')).split('\n').map((line) => line.split(' ') as [string, string]));
    expect(written.size).to.be.above(20);
    // The definition has it where it is now, too.
    await hypervisor.power.powerOff(id, call());
    expect(await copies().look(id, volumeId, back, call())).to.equal(undefined);
    const definition = await backend.virsh('dumpxml', id);
    const path = back.type === 'file' ? back.path : expect.fail('no file');
    expect(definition).to.include(path).and.not.to.include("protocol='rbd'");
    const raw = join(backend.lab.sharedDir, 'raw');
    await run(['qemu-img', 'convert', '-O', 'raw', path, raw]);
    const bytes = await readFile(raw);
    for (const [at, number] of written) {
      const offset = Number(at) * BLOCK_BYTES;
      const text = bytes
        .subarray(offset, offset + BLOCK_BYTES)
        .toString()
        .replace(/\0+$/, '');
      expect(Number(text), `block ${at}`).to.be.at.least(Number(number));
    }
  });
});
