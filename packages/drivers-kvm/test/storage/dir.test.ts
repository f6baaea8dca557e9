import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeEnvironment } from '@pileus/core/node';
import type { Call, Content, HypervisorDriver, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { until } from '../../../../test/lab/waiting.ts';
import { buildGuestImage } from '../../../../tools/guest/image.ts';
import { run } from '../../../../tools/system/command.ts';
import { CACHE_DIR } from '../../../../tools/system/ensure.ts';
import { DriverCaller } from '../../../core/src/cloud/driver-call.ts';
import { Exchangeable } from '../../../core/src/cloud/exchangeable.ts';
import type { ImageStore } from '../../../core/src/cloud/storage/image-store.ts';
import { CLUSTER_BYTES, ClusterMap, qcow2Stream } from '../../../core/src/cloud/storage/qcow2-stream.ts';
import { StoragePool } from '../../../core/src/cloud/storage/storage-pool.ts';
import { kvm } from '../../src/index.ts';
import { LabBackend, required } from '../conformance/lab-host.ts';

const MIB = 2 ** 20;

const call = (change: Partial<Call> = {}): Call => ({
  requestId: 'test',
  signal: new AbortController().signal,
  timeoutMs: 60_000,
  ...change,
});

const contentOf = (bytes: Uint8Array): Content => ({
  sizeBytes: bytes.length,
  async *open() {
    for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  },
});

describe('a pool on a real host', function () {
  this.timeout(300_000);
  let backend: LabBackend;
  let storage: StorageDriver;
  let hypervisor: HypervisorDriver;
  let path: string;
  const poolId = randomUUID();

  before(async () => {
    backend = await LabBackend.up({ tls: true });
    const { tls } = backend.labHost;
    const { client } = backend.lab;
    if (tls === undefined || client === undefined) throw new Error('the lab was made without TLS');
    // As a remote host would be: all goes through the connection.
    const host = { hostId: backend.labHost.name, uri: `qemu+tls://${tls.address}:${tls.port}/system`, tls: client };
    const { strategies } = kvm({ virtType: 'tcg' });
    path = join(backend.lab.sharedDir, 'deep/er/pool');
    storage = required(strategies.storage).open({ poolId, scope: 'host', host, settings: { path } });
    hypervisor = required(strategies.hypervisor).open(host);
    await storage.ensurePool(call());
  });

  after(async () => {
    await storage?.close();
    await hypervisor?.close();
    await backend?.close();
  });

  const put = (id: string, bytes: Uint8Array, format: 'raw' | 'qcow2', change: Partial<Call> = {}) =>
    storage.images.put({ id, format, virtualSizeBytes: bytes.length, content: contentOf(bytes) }, call(change));

  it('reads what a volume shows of a packed image and of what its machine wrote over it, and QEMU finds the same in one that was filled with it', async () => {
    const work = join(backend.lab.sharedDir, 'packed');
    const [imageId, id, copyId] = [randomUUID(), randomUUID(), randomUUID()];
    const sizeBytes = 6 * MIB;
    const plain = Buffer.alloc(4 * MIB);
    // As well packed as not: words, noise, and nothing.
    plain.fill('what is said often packs well. ', 0, MIB);
    crypto.getRandomValues(plain.subarray(2 * MIB, 2 * MIB + 65_536));
    await writeFile(`${work}.raw`, plain);
    await run(['qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', `${work}.raw`, `${work}.qcow2`]);
    const packed = await readFile(`${work}.qcow2`);
    const content = { format: 'qcow2', virtualSizeBytes: plain.length, content: contentOf(packed) } as const;
    await storage.images.put({ id: imageId, ...content }, call());
    await storage.volumes.create({ id, sizeBytes, imageId }, call());
    const write = ['-c', 'write -P 9 70000 512', '-c', 'write -z 131072 65536', '-c', `write -P 8 ${5 * MIB} 4096`];
    await run(['qemu-io', '-f', 'qcow2', ...write, join(path, `volume-${id}.qcow2`)]);
    const expected = Buffer.concat([plain, Buffer.alloc(2 * MIB)]);
    expected
      .fill(9, 70_000, 70_512)
      .fill(0, 131_072, 196_608)
      .fill(8, 5 * MIB, 5 * MIB + 4096);

    const contents = storage.contents ?? expect.fail('the driver reads no contents');
    expect(expected.equals(await contents.read({ volumeId: id }, 0, sizeBytes, call()))).to.equal(true);
    await storage.volumes.create({ id: copyId, sizeBytes, toFill: true }, call());
    for await (const { offsetBytes, lengthBytes, hasData } of contents.changes({ volumeId: id }, undefined, call()))
      if (hasData)
        await contents.write(copyId, offsetBytes, await contents.read({ volumeId: id }, offsetBytes, lengthBytes, call()), call());
    await run(['qemu-img', 'check', '-f', 'qcow2', join(path, `volume-${copyId}.qcow2`)]);
    await run(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', join(path, `volume-${copyId}.qcow2`), `${work}.raw`]);
    expect(expected.equals(await readFile(`${work}.raw`))).to.equal(true);
    const refusal = await contents.write(id, 3 * MIB, new Uint8Array(512), call()).catch((error: unknown) => error);
    expect(storage.classify(refusal)).to.equal('conflict');

    for (const volumeId of [id, copyId]) await storage.volumes.delete(volumeId, call());
    await storage.images.delete(imageId, call());
    expect(await readdir(path)).to.deep.equal([]);
  });

  it('makes a volume of half a KiB once, however often it is asked', async () => {
    const id = randomUUID();
    for (let times = 0; times < 2; times += 1) await storage.volumes.create({ id, sizeBytes: MIB + 512, toFill: true }, call());
    const refusal = await storage.volumes.create({ id, sizeBytes: MIB }, call()).catch((error: unknown) => error);
    expect(storage.classify(refusal)).to.equal('conflict');
    expect((await storage.inspect('volume', id, call()))?.sizeBytes).to.equal(MIB + 1024);
    await storage.volumes.delete(id, call());
  });

  it('has what the cloud has captured in an image, and QEMU finds no fault with it', async () => {
    const [imageId, id, file] = [randomUUID(), randomUUID(), join(backend.lab.sharedDir, 'captured.qcow2')];
    const disk = Buffer.alloc(9 * MIB + 512);
    const map = new ClusterMap(disk.length);
    for (const at of [0, 3 * CLUSTER_BYTES, 5 * MIB + 100, disk.length - 512]) {
      disk.fill(1 + (at % 251), at, at + 512);
      map.mark(at, 512);
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of qcow2Stream(map, async (at, length) => disk.subarray(at, at + length))) pieces.push(piece);
    await writeFile(file, Buffer.concat(pieces));
    await run(['qemu-img', 'check', '-f', 'qcow2', file]);
    const content = { format: 'qcow2', virtualSizeBytes: disk.length, content: contentOf(Buffer.concat(pieces)) } as const;
    await storage.images.put({ id: imageId, ...content }, call());
    await storage.volumes.create({ id, sizeBytes: 10 * MIB, imageId }, call());
    await run(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', join(path, `volume-${id}.qcow2`), file]);
    expect((await readFile(file)).subarray(0, disk.length).equals(disk)).to.equal(true);
    await storage.volumes.delete(id, call());
    await storage.images.delete(imageId, call());
    expect(await readdir(path)).to.deep.equal([]);
  });

  it('keeps the very bytes of an image and of a seed', async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(65_536)).slice(0, 65_000);
    const [imageId, seedId] = [randomUUID(), randomUUID()];
    await put(imageId, bytes, 'raw');
    expect(await readFile(join(path, `image-${imageId}.raw`))).to.deep.equal(Buffer.from(bytes));
    const seed = await storage.seeds.put(seedId, bytes, call());
    expect(seed).to.deep.equal({ type: 'file', path: join(path, `seed-${seedId}.iso`), format: 'raw' });
    expect(await readFile(join(path, `seed-${seedId}.iso`))).to.deep.equal(Buffer.from(bytes));
    await storage.images.delete(imageId, call());
    await storage.seeds.delete(seedId, call());
    expect(await readdir(path)).to.deep.equal([]);
  });

  it('clones an image at once, as a file that shows the image through', async () => {
    const image = await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} });
    const [imageId, id] = [randomUUID(), randomUUID()];
    const bytes = await readFile(image.path);
    const { 'virtual-size': virtualSizeBytes } = JSON.parse(await run(['qemu-img', 'info', '--output=json', image.path]));
    await storage.images.put({ id: imageId, format: 'qcow2', virtualSizeBytes, content: contentOf(bytes) }, call());
    await storage.volumes.create({ id, sizeBytes: 256 * MIB, imageId }, call());
    const info = JSON.parse(await run(['qemu-img', 'info', '--output=json', join(path, `volume-${id}.qcow2`)]));
    expect(info).to.include({ format: 'qcow2', 'virtual-size': 256 * MIB, 'backing-filename-format': 'qcow2' });
    expect(info['full-backing-filename']).to.equal(join(path, `image-${imageId}.qcow2`));
    expect(info['actual-size']).to.be.lessThan(MIB);
    await storage.volumes.delete(id, call());
    await storage.images.delete(imageId, call());
  });

  it('takes its copy of an image once, however many volumes are made of it at once', async () => {
    const bytes = new Uint8Array(4 * MIB).fill(7);
    const id = randomUUID();
    let opened = 0;
    const open = () => {
      opened += 1;
      return contentOf(bytes).open();
    };
    const imageStore = { open: async () => ({ sizeBytes: bytes.length, open }) } as Partial<ImageStore> as ImageStore;
    const caller = new DriverCaller({
      ...{ environment: nodeEnvironment(), contract: 'storage', place: 'the pool', observe: () => undefined, rest: () => () => undefined },
      classify: (error) => storage.classify(error),
    });
    const pool = new StoragePool('the pool', new Exchangeable(storage, () => {}), caller, imageStore);
    const volumes = Array.from({ length: 20 }, () => randomUUID());
    await Promise.all(
      volumes.map(async (volumeId) => {
        await pool.ensureImage({ id, format: 'raw', virtualSizeBytes: bytes.length }, call());
        await pool.createVolume({ id: volumeId, sizeBytes: bytes.length, imageId: id }, call());
      }),
    );
    expect(opened).to.equal(1);
    for (const volumeId of volumes) expect((await storage.inspect('volume', volumeId, call()))?.sizeBytes).to.equal(bytes.length);
    const copies = (await readdir(path)).filter((name) => name.includes(id) && name.startsWith('image-'));
    expect(copies.filter((name) => name.endsWith('.raw'))).to.have.length(1);
    for (const volumeId of volumes) await storage.volumes.delete(volumeId, call());
    await storage.images.delete(id, call());
    expect((await readdir(path)).filter((name) => name.includes(id))).to.deep.equal([]);
  });

  it('shows no image whose upload was cut off by a frozen daemon, nor after the thaw, nor after the daemon died', async () => {
    const id = randomUUID();
    const bytes = new Uint8Array(32 * MIB).fill(7);
    for (const wake of ['thaw', 'restart'] as const) {
      let isFrozen = false;
      const givenUp = new AbortController();
      const freezesHalfWay: Content = {
        sizeBytes: bytes.length,
        async *open() {
          yield* contentOf(bytes.subarray(0, bytes.length / 2)).open();
          await backend.freeze();
          isFrozen = true;
          setTimeout(() => givenUp.abort(), 3_000);
          yield* contentOf(bytes.subarray(bytes.length / 2)).open();
        },
      };
      const image = { id, format: 'raw', virtualSizeBytes: bytes.length, content: freezesHalfWay } as const;
      const fault = await storage.images.put(image, call({ signal: givenUp.signal })).catch((error) => storage.classify(error));
      await backend.thaw();
      expect(isFrozen, 'the daemon was frozen').to.equal(true);
      expect(fault).to.equal('unknown_outcome');
      if (wake === 'restart') {
        await backend.labHost.killDaemon();
        await backend.labHost.startDaemon();
      }
      await backend.settle();
      const look = () =>
        storage.inspect('image', id, call()).then(
          (seen) => ({ seen }),
          () => undefined,
        );
      expect(await until('an answer', look)).to.deep.equal({ seen: undefined });
    }
    await put(id, bytes, 'raw');
    expect(await storage.inspect('image', id, call())).to.include({ sizeBytes: bytes.length });
    await storage.images.delete(id, call());
    expect(await readdir(path)).to.deep.equal([]);
  });

  it('does not take a mark that arrived late for the image that is being written', async () => {
    const id = randomUUID();
    await backend.virsh('vol-create-as', (await poolName()).trim(), `image-${id}.complete`, '1M', '--format', 'raw');
    const during: unknown[] = [];
    const looks: Promise<void>[] = [];
    const look = () => looks.push(storage.inspect('image', id, call()).then((seen) => void during.push(seen)));
    const bytes = new Uint8Array(8 * MIB).fill(1);
    await put(id, bytes, 'raw', { onProgress: (fraction) => void (fraction < 0.5 && look()) });
    await Promise.all(looks);
    expect(during.every((seen) => seen === undefined || (seen as { sizeBytes: number }).sizeBytes === bytes.length)).to.equal(true);
    expect(await storage.inspect('image', id, call())).to.include({ sizeBytes: bytes.length });
    await storage.images.delete(id, call());
  });

  it('grows a volume that a running machine uses, which sees it at once', async () => {
    const id = randomUUID();
    await storage.volumes.create({ id, sizeBytes: MIB }, call());
    const attachment = await storage.volumes.attach(id, { hostId: backend.labHost.name, uri: '' }, call());
    const size = { vcpus: 1, vcpusMax: 1, memoryBytes: 32 * MIB, memoryBytesMax: 32 * MIB };
    const disks = [{ volumeId: id, attachment, slot: 0, readOnly: false }];
    const profile = { guestOs: 'linux', firmware: 'bios', diskBus: 'virtio' } as const;
    const machine = { id: randomUUID(), name: 'm', owner: 'o', ...size, ...profile, disks, nics: [] };
    await hypervisor.machines.define(machine, call());
    expect(await storage.marks?.set(id, '1'.repeat(15), call())).to.equal(true);
    await hypervisor.power.start(machine.id, call());
    await storage.volumes.resize?.(id, 3 * MIB, call());
    expect(await backend.virsh('domblkinfo', machine.id, 'vda')).to.match(/Capacity:\s+3145728/);
    expect(await storage.marks?.get(id, call()), 'its QEMU has it open to write').to.equal(undefined);
    const marked = await storage.marks?.set(id, '1'.repeat(15), call()).catch((error: unknown) => storage.classify(error));
    expect(marked).to.equal('conflict');
    await hypervisor.machines.remove(machine.id, call());
    expect(await storage.inspect('volume', id, call())).to.include({ sizeBytes: 3 * MIB });
    await storage.volumes.delete(id, call());
  });

  it('offers no screen of a host that is reached over the network', () => {
    expect(hypervisor.consoles).to.have.property('serial');
    expect(hypervisor.consoles).not.to.have.property('vnc');
  });

  it('counts what was written when it tells how much is free', async () => {
    const taken: number[] = [];
    // Others write to this file system, and free of it, at the same time.
    while (!taken.some((bytes) => bytes > 32 * MIB) && taken.length < 20) {
      const before = await storage.capacity(call());
      await writeFile(join(path, 'ballast'), new Uint8Array(64 * MIB).fill(1));
      const after = await storage.capacity(call());
      await rm(join(path, 'ballast'));
      taken.push(Number(before.freeBytes) - Number(after.freeBytes));
    }
    expect(Math.max(...taken)).to.be.greaterThan(32 * MIB);
  });

  it('is there again after the host was switched off and on', async () => {
    const id = randomUUID();
    await storage.volumes.create({ id, sizeBytes: MIB }, call());
    await backend.lab.crash(0);
    await backend.lab.boot(0);
    const local = required(kvm().strategies.storage).open({ poolId, scope: 'host', host: backend.host, settings: { path } });
    expect(await local.inspect('volume', id, call())).to.deep.equal({ kind: 'volume', id, sizeBytes: MIB });
    await local.volumes.delete(id, call());
    await local.close();
  });

  const poolName = () => backend.virsh('pool-list', '--name');
});
