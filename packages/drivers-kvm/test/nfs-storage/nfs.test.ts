import { randomUUID } from 'node:crypto';
import { chmod, chown, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, Content, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { until } from '../../../../test/lab/waiting.ts';
import { run } from '../../../../tools/system/command.ts';
import { FULL } from '../../../../tools/test/slice.ts';
import { Deadline } from '../../src/deadline.ts';
import { NfsError, NfsExport } from '../../src/nfs/index.ts';
import { NfsPool } from '../../src/nfs-storage/pool.ts';
import { NfsBackend } from './nfs-backend.ts';

const MIB = 2 ** 20;
const ROOT = { uid: 0, gid: 0 };
const bounds = (timeoutMs = 60_000) => ({ signal: new AbortController().signal, timeoutMs });
const call = (change: Partial<Call> = {}): Call => ({ requestId: 'test', ...bounds(), ...change });
const contentOf = (bytes: Uint8Array): Content => ({
  sizeBytes: bytes.length,
  async *open() {
    for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  },
});

describe('a pool on a real NFS server', function () {
  this.timeout(240_000);
  let backend: NfsBackend;
  let storage: StorageDriver;

  before(async () => {
    backend = await NfsBackend.up();
    storage = await backend.open();
    await storage.ensurePool(call());
  });
  after(async () => {
    await storage?.close();
    await backend?.close();
  });

  const files = async () => (await readdir(backend.server.folder)).filter((name) => !['pileus-pool', 'parts'].includes(name));
  const parts = () => readdir(join(backend.server.folder, 'parts'));
  const fault = (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      (error: unknown) => storage.classify(error),
    );
  const contents = () => storage.contents ?? expect.fail('the driver reads no contents');
  const noise = (lengthBytes: number) => {
    const bytes = Buffer.alloc(lengthBytes);
    for (let at = 0; at < lengthBytes; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, lengthBytes)));
    return bytes;
  };

  it('has volumes with which QEMU finds no fault, and of which it reads and writes the same', async () => {
    const [imageId, id, filledId] = [randomUUID(), randomUUID(), randomUUID()];
    const image = noise(3 * MIB);
    await storage.images.put({ id: imageId, format: 'raw', virtualSizeBytes: image.length, content: contentOf(image) }, call());
    await storage.volumes.create({ id, sizeBytes: 8 * MIB, imageId }, call());
    const disk = backend.url(`volume-${id}.qcow2`);
    await run(['qemu-img', 'check', '-f', 'qcow2', disk]);
    await run(['qemu-io', '-f', 'qcow2', '-c', 'write -P 9 70000 512', '-c', `write -P 8 ${7 * MIB} 4096`, disk]);
    await storage.volumes.resize?.(id, 16 * MIB, call());
    await run(['qemu-io', '-f', 'qcow2', '-c', `write -P 7 ${15 * MIB} 65536`, disk]);
    await run(['qemu-img', 'check', '-f', 'qcow2', disk]);
    const expected = Buffer.concat([image, Buffer.alloc(13 * MIB)]);
    expected
      .fill(9, 70_000, 70_512)
      .fill(8, 7 * MIB, 7 * MIB + 4096)
      .fill(7, 15 * MIB, 15 * MIB + 65_536);
    await storage.volumes.create({ id: filledId, sizeBytes: 16 * MIB, toFill: true }, call());
    for (let at = 0; at < expected.length; at += 8 * MIB) {
      const read = await contents().read({ volumeId: id }, at, 8 * MIB, call());
      expect(Buffer.compare(read, expected.subarray(at, at + 8 * MIB))).to.equal(0);
      await contents().write(filledId, at, read, call());
    }
    await run(['qemu-img', 'compare', '-f', 'qcow2', '-F', 'raw', disk, backend.url(`volume-${filledId}.raw`)]);
    expect(await fault(contents().write(id, 0, new Uint8Array(512), call()))).to.equal('conflict');
    expect(await storage.volumes.attach(filledId, backend.host, call())).to.deep.equal({
      ...{ type: 'nfs', server: backend.lab.fabricAddress, export: backend.server.folder },
      ...{ path: `volume-${filledId}.raw`, format: 'raw' },
    });
    for (const volumeId of [id, filledId]) await storage.volumes.delete(volumeId, call());
    await storage.images.delete(imageId, call());
    expect([await files(), await parts()]).to.deep.equal([[], []]);
  });

  it('makes volumes of what others have put there, by a new name, and gives them back', async () => {
    const others = storage.others ?? expect.fail('the driver tells no disks of others');
    const at = (name: string) => join(backend.server.folder, name);
    const theirs = new NfsExport({ server: backend.lab.fabricAddress, path: backend.server.folder, credential: ROOT });
    const root = await theirs.root(bounds());
    await mkdir(at('folder'));
    await writeFile(at('notes.txt'), 'no disk');
    for (const format of ['raw', 'qcow2'] as const) {
      const [id, name] = [randomUUID(), `vm of ${format}.img`];
      await run(['qemu-img', 'create', '-q', '-f', format, at(name), `${4 * MIB}`]);
      await run(['qemu-io', '-f', format, '-c', `write -P 9 0 ${MIB}`, at(name)]);
      expect(await others.list({}, call())).to.deep.equal({ disks: [{ name, sizeBytes: 4 * MIB }] });
      await others.adopt(name, id, call());
      expect((await files()).toSorted()).to.deep.equal(['folder', 'notes.txt', `volume-${id}.${format}`]);
      await writeFile(at(name), 'another');
      expect(await fault(others.giveBack(name, id, call()))).to.equal('conflict');
      expect(await readFile(at(name), 'utf8')).to.equal('another');
      await rm(at(name));
      for (let times = 0; times < 2; times += 1) await others.giveBack(name, id, call());
      expect((await files()).toSorted()).to.deep.equal(['folder', 'notes.txt', name]);
      const file = (await theirs.lookup(root, name, bounds())) ?? expect.fail('the file is not there');
      await theirs.link(file, root, 'second', bounds());
      expect(await fault(others.adopt(name, id, call()))).to.equal('conflict');
      await theirs.remove(root, 'second', bounds());
      await others.adopt(name, id, call());
      await run(['qemu-io', '-f', format, '-c', 'write -P 7 65536 4096', backend.url(`volume-${id}.${format}`)]);
      const read = await contents().read({ volumeId: id }, 0, 4 * MIB, call());
      const expected = Buffer.alloc(4 * MIB);
      expected.fill(9, 0, MIB).fill(7, 65_536, 69_632);
      expect(Buffer.compare(read, expected)).to.equal(0);
      // The table of one that others have made reaches no further than its disk needs.
      const isRoomy = await fault(storage.volumes.resize?.(id, 1024 * MIB, call()) ?? expect.fail('it grows no volumes'));
      expect(isRoomy).to.equal(format === 'raw' ? 'done' : 'conflict');
      await storage.volumes.delete(id, call());
      expect((await files()).toSorted()).to.deep.equal(['folder', 'notes.txt']);
    }
    theirs.close();
    await rm(at('folder'), { recursive: true });
    await rm(at('notes.txt'));
  });

  it('takes a new volume little room, and its disk no more than 64 TiB', async () => {
    const id = randomUUID();
    await storage.volumes.create({ id, sizeBytes: 2 ** 46 }, call());
    expect((await stat(join(backend.server.folder, `volume-${id}.qcow2`))).blocks * 512).to.be.lessThan(MIB);
    await run(['qemu-io', '-f', 'qcow2', '-c', `write -P 7 ${2 ** 46 - 4096} 4096`, backend.url(`volume-${id}.qcow2`)]);
    expect(await fault(storage.volumes.resize?.(id, 2 ** 46 + 512, call()) ?? Promise.resolve())).to.equal('invalid');
    await storage.volumes.delete(id, call());
    expect(await fault(storage.volumes.create({ id, sizeBytes: 2 ** 46 + 512 }, call()))).to.equal('invalid');
    expect(await files()).to.deep.equal([]);
  });

  it('is out of reach, and never empty, where the disk behind it is not mounted on the server', async () => {
    const id = randomUUID();
    await storage.volumes.create({ id, sizeBytes: MIB }, call());
    await backend.server.down();
    await backend.server.up({ withoutDisk: true });
    const fresh = await backend.open();
    // What was cut off may be told once as lost.
    await until('an answer of the other disk', async () => (await fault(storage.ensurePool(call()))) === 'unavailable' || undefined);
    for (const driver of [storage, fresh]) {
      for (const act of [
        () => driver.ensurePool(call()),
        () => driver.inspect('volume', id, call()),
        () => driver.list(call()),
        () => driver.volumes.create({ id: randomUUID(), sizeBytes: MIB }, call()),
        () => driver.volumes.resize?.(id, 2 * MIB, call()) ?? expect.fail('the driver grows no volumes'),
        () => driver.volumes.attach(id, backend.host, call()),
        () => driver.volumes.release(id, backend.host, call()),
        () => driver.volumes.delete(id, call()),
        () => driver.images.put({ id, format: 'raw', virtualSizeBytes: 512, content: contentOf(new Uint8Array(512)) }, call()),
        () => driver.images.delete(id, call()),
        () => driver.seeds.put(id, new Uint8Array(512), call()),
      ])
        expect(await fault(act()), String(act)).to.equal('unavailable');
    }
    await fresh.close();
    await backend.server.down();
    await backend.server.up();
    const found = await until('the pool', () => storage.inspect('volume', id, call()).catch(() => undefined));
    expect(found).to.deep.equal({ kind: 'volume', id, sizeBytes: MIB });
    await storage.volumes.delete(id, call());
  });

  it('is never empty where another folder is exported under its name, nor where its mark was taken away', async () => {
    const [id, mark] = [randomUUID(), join(backend.server.folder, 'pileus-pool')];
    await rm(mark);
    for (const act of [() => storage.inspect('volume', id, call()), () => storage.list(call()), () => storage.volumes.delete(id, call())])
      expect(await fault(act())).to.equal('unavailable');
    await writeFile(mark, '');
    expect(await storage.inspect('volume', id, call())).to.equal(undefined);
    const other = await backend.open({ ...backend.settings, export: `${backend.server.folder}/parts` });
    expect(other.classify(await other.ensurePool(call()).catch((error: unknown) => error))).to.equal('unavailable');
    await other.close();
  });

  it('says that it is out of reach of what is stale, and not that it is gone', async () => {
    const place = { server: backend.lab.fabricAddress, path: backend.server.folder, credential: ROOT };
    const other = new NfsExport(place);
    const root = await other.root(bounds());
    const file = await other.create(root, 'stale', bounds());
    await other.remove(root, 'stale', bounds());
    // The server may keep what it has opened for a moment.
    const refusal = await until('the handle to be stale', () =>
      other.attributes(file, bounds()).then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    expect(refusal).to.be.instanceOf(NfsError).with.property('status', 'stale');
    expect(storage.classify(refusal)).to.equal('unavailable');
    expect((await other.space(bounds())).totalBytes > 0n, 'the export itself goes on').to.equal(true);
    other.close();
  });

  it('does not let what arrives late make a file smaller', async () => {
    const place = { server: backend.lab.fabricAddress, path: backend.server.folder, credential: ROOT };
    const late = new NfsExport(place);
    const id = randomUUID();
    await storage.volumes.create({ id, sizeBytes: MIB, toFill: true }, call());
    const root = await late.root(bounds());
    const file = (await late.lookup(root, `volume-${id}.raw`, bounds())) ?? expect.fail('the file is not there');
    const { changedAt } = await late.attributes(file, bounds());
    // Clocks of file systems tick every few milliseconds, and what changes within one has one time.
    await sleep(50);
    await storage.volumes.resize?.(id, 4 * MIB, call());
    const refusal = await late.resize(file, 2 * MIB, changedAt, bounds()).catch((error: unknown) => error);
    expect(refusal).to.have.property('status', 'notSync');
    expect(await storage.inspect('volume', id, call())).to.include({ sizeBytes: 4 * MIB });
    late.close();
    await storage.volumes.delete(id, call());
  });

  it('goes on by itself after its server was killed, and what it said is written is there', async () => {
    const id = randomUUID();
    const bytes = noise(2 * MIB);
    await storage.volumes.create({ id, sizeBytes: 2 * MIB, toFill: true }, call());
    await contents().write(id, 0, bytes, call());
    await backend.server.down();
    expect(await fault(storage.inspect('volume', id, call({ timeoutMs: 2_000 })))).to.be.oneOf(['unavailable', 'unknown_outcome']);
    await backend.server.up();
    const read = await until('the pool', () =>
      contents()
        .read({ volumeId: id }, 0, 2 * MIB, call())
        .catch(() => undefined),
    );
    expect(Buffer.compare(read, bytes)).to.equal(0);
    await storage.volumes.delete(id, call());
  });

  it('gives nothing its name of which the server has lost some, because it began anew in between', async () => {
    const pool = new NfsPool({ server: backend.lab.fabricAddress, path: backend.server.folder, credential: ROOT });
    const deadline = new Deadline(call());
    const file = { kind: 'image', id: randomUUID(), format: 'raw' } as const;
    const put = pool.put(
      file,
      async (part) => {
        await part.write({ offsetBytes: 0, bytes: noise(MIB) });
        await backend.server.down();
        // This server tells its beginnings apart by their seconds.
        await sleep(1_100);
        await backend.server.up();
        await part.commit();
      },
      deadline,
    );
    expect(await put.catch((error: Error) => error.message)).to.include('has lost some of it');
    expect([await files(), await parts()]).to.deep.equal([[], []]);
    expect(await pool.put(file, (part) => part.commit(), deadline), 'once').to.equal(true);
    expect(await pool.put(file, (part) => part.commit(), deadline), 'again').to.equal(false);
    await pool.delete('image', file.id, deadline);
    pool.close();
  });

  it('forgets parts that nobody goes on with, and leaves the others', async () => {
    const folder = join(backend.server.folder, 'parts');
    const [old, young] = [`volume-${randomUUID()}-old`, `volume-${randomUUID()}-young`];
    for (const name of [old, young]) await writeFile(join(folder, name), 'some');
    const before = (Date.now() - 3 * 24 * 3600 * 1000) / 1000;
    await utimes(join(folder, old), before, before);
    await until('the old one to go', async () => {
      await storage.ensurePool(call());
      return !(await parts()).includes(old) || undefined;
    });
    expect(await parts()).to.deep.equal([young]);
    await rm(join(folder, young));
  });

  it('refuses settings that are none, by name, and servers that are not there', async () => {
    for (const [settings, name] of [
      [{ export: '/pool' }, 'server'],
      [{ server: 'filer:2049', export: '/pool' }, 'server'],
      [{ server: 'filer' }, 'export'],
      [{ server: 'filer', export: '/' }, 'export'],
      [{ server: 'filer', export: 'pool' }, 'export'],
      [{ server: 'filer', export: '/a/../b' }, 'export'],
      [{ server: 'filer', export: '/pool?uid=1' }, 'export'],
    ] as const) {
      const refusal = await backend.open(settings as unknown as typeof backend.settings).catch((error: unknown) => error);
      expect(storage.classify(refusal)).to.equal('invalid');
      expect((refusal as Error).message).to.contain(`the setting ${name}:`);
    }
    for (const settings of [
      { ...backend.settings, export: '/not/exported' },
      { ...backend.settings, server: '127.0.0.1' },
    ]) {
      const driver = await backend.open(settings);
      expect(await fault(driver.ensurePool(call()))).to.equal('unavailable');
      await driver.close();
    }
  });
});

/** A server of its own takes its time: of the full run. */
(FULL ? describe : () => undefined)('a pool on an NFS server for which all clients are one user', function () {
  this.timeout(240_000);

  it('makes no volume of a disk that this user may not write to, which no machine could', async () => {
    const uid = 990;
    await using made = new AsyncDisposableStack();
    const backend = made.adopt(await NfsBackend.up({ squashTo: uid }), (each) => each.close());
    const storage = made.adopt(await backend.open(), (each) => each.close());
    await storage.ensurePool(call());
    const others = storage.others ?? expect.fail('the driver tells no disks of others');
    const [id, file] = [randomUUID(), join(backend.server.folder, 'theirs.img')];
    await writeFile(file, Buffer.alloc(MIB, 1));
    await chmod(file, 0o644);
    const refusal = await others.adopt('theirs.img', id, call()).catch((error: unknown) => error);
    expect([storage.classify(refusal), (refusal as { readonly told?: string }).told]).to.deep.equal([
      'conflict',
      'The user of the pool may not read it and write to it on the filer: change its owner or its mode.',
    ]);
    expect(await readdir(backend.server.folder)).to.include('theirs.img');
    await chown(file, uid, uid);
    // The server may go by what it has known of the file for a minute.
    await until(
      'the server to see it',
      async () => (await others.adopt('theirs.img', id, call()).catch(() => 'refused')) !== 'refused' || undefined,
    );
    await storage.contents?.write(id, 0, new Uint8Array(512).fill(2), call());
    await storage.volumes.delete(id, call());
  });
});
