import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SnapshotRef, StorageDriver } from '@pileus/core/strategy';
import { assert } from 'chai';
import { run } from '../../../../tools/system/command.ts';
import { QemuClient } from '../../../../tools/system/qemu-client.ts';
import { CephPool } from '../../src/rbd/ceph-pool.ts';
import { LabPool } from './lab-pool.ts';
import { call, MIB, OBJECT_BYTES, poolVerbs, UNTIL_MS, until } from './pool-verbs.ts';

interface Used {
  readonly images: readonly { readonly used_size: number }[];
}

describe('the driver of a Ceph pool', function () {
  this.timeout(2 * UNTIL_MS);
  let lab: LabPool;
  let driver: StorageDriver;
  before(async () => {
    lab = await LabPool.up();
    driver = await lab.open();
    await driver.ensurePool(call());
  });
  after(async () => {
    await driver?.close();
    await lab?.close();
  });

  const { fault, volume, snapshot, trash } = poolVerbs(() => ({ lab, driver }));
  const write = (volumeId: string, object: number, value: number) =>
    driver.contents?.write(volumeId, object * OBJECT_BYTES, new Uint8Array(4096).fill(value), call());
  const changedObjects = async (of: SnapshotRef, since?: SnapshotRef): Promise<readonly number[]> => {
    const found = new Set<number>();
    for await (const { offsetBytes, lengthBytes } of driver.contents?.changes(of, since?.id, call()) ?? [])
      for (let at = offsetBytes; at < offsetBytes + lengthBytes; at += OBJECT_BYTES) found.add(Math.floor(at / OBJECT_BYTES));
    return [...found];
  };

  it('tells of what a revert changed since a snapshot before it, though the object maps do not', async () => {
    const id = await volume(6 * OBJECT_BYTES);
    for (let object = 0; object < 5; object += 1) await write(id, object, 1);
    await snapshot(id);
    await write(id, 1, 2);
    const target = await snapshot(id);
    await write(id, 2, 3);
    await write(id, 5, 3);
    const before = await snapshot(id);
    await driver.snapshots?.revert(target, call());
    const after = await snapshot(id);
    assert.includeMembers([...(await changedObjects(after, before))], [2, 5]);
    assert.deepEqual(await changedObjects(after), [0, 1, 2, 3, 4]);
  });

  /** An image of qcow2 with two stretches of data, and what it holds, raw. */
  const qcow2 = async (directory: string): Promise<{ readonly path: string; readonly raw: Buffer }> => {
    const [rawPath, path] = [join(directory, 'disk.raw'), join(directory, 'disk.qcow2')];
    const raw = Buffer.alloc(3 * OBJECT_BYTES);
    raw.fill('pileus', 100_000, 200_000).fill('disk', 2 * OBJECT_BYTES + 5, 2 * OBJECT_BYTES + MIB);
    await writeFile(rawPath, raw);
    await run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-c', rawPath, path]);
    return { path, raw };
  };
  const contentOf = async (volumeId: string, sizeBytes: number): Promise<Buffer> => {
    const ref = await snapshot(volumeId);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < sizeBytes; at += OBJECT_BYTES)
      parts.push((await driver.contents?.read(ref, at, Math.min(OBJECT_BYTES, sizeBytes - at), call())) ?? assert.fail('no contents'));
    return Buffer.concat(parts);
  };

  for (const where of ['in a file', 'that is given in pieces'] as const)
    it(`takes an image of qcow2 ${where}, as the disk that is in it`, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'pileus-rbd-'));
      try {
        const { path, raw } = await qcow2(directory);
        const bytes = await readFile(path);
        const content = {
          sizeBytes: bytes.length,
          ...(where === 'in a file' ? { path } : {}),
          async *open() {
            for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
          },
        };
        const [imageId, id, told] = [crypto.randomUUID(), crypto.randomUUID(), [] as number[]];
        const request = { id: imageId, format: 'qcow2', virtualSizeBytes: raw.length, content } as const;
        await driver.images.put(request, { ...call(), onProgress: (fraction) => told.push(fraction) });
        assert.equal(told.at(-1), 1);
        await driver.volumes.create({ id, sizeBytes: raw.length + MIB, imageId }, call());
        assert.isTrue((await contentOf(id, raw.length + MIB)).equals(Buffer.concat([raw, Buffer.alloc(MIB)])));
        // What is zero takes no room.
        const [used] = (JSON.parse(await lab.cluster.rbd('du', `rbd/image-${imageId}`, '--format=json')) as Used).images;
        assert.isAtMost(used?.used_size ?? 0, 2 * OBJECT_BYTES);
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    });

  it('an image whose conversion is given up, or fails, is not there, and leaves nothing', async () => {
    const broken = Buffer.alloc(65_536).fill('no image');
    const request = { id: crypto.randomUUID(), format: 'qcow2', virtualSizeBytes: OBJECT_BYTES } as const;
    const content = {
      sizeBytes: broken.length,
      async *open() {
        yield broken;
      },
    };
    assert.equal(await fault(driver.images.put({ ...request, content }, call())), 'invalid');
    assert.isUndefined(await driver.inspect('image', request.id, call()));
    await until(async () => !(await lab.cluster.rbd('ls')).includes('part-'), 'no part is left');
    await until(async () => !(await trash()).includes('part-'), 'and none in the trash');
  });

  it('keeps what a clone reads from its image when that is deleted, and frees it after the last clone', async () => {
    const [imageId, id] = [crypto.randomUUID(), crypto.randomUUID()];
    const bytes = Buffer.alloc(OBJECT_BYTES, 'parent');
    const content = {
      sizeBytes: bytes.length,
      async *open() {
        yield bytes;
      },
    };
    await driver.images.put({ id: imageId, format: 'raw', virtualSizeBytes: bytes.length, content }, call());
    await driver.volumes.create({ id, sizeBytes: bytes.length, imageId }, call());
    await driver.images.delete(imageId, call());
    assert.isUndefined(await driver.inspect('image', imageId, call()));
    assert.isTrue((await contentOf(id, bytes.length)).equals(bytes));
    assert.include(await trash(), `part-image-${imageId}`);
    for (const { id: name } of (await driver.snapshots?.list(id, call())) ?? [])
      await driver.snapshots?.delete({ id: name, volumeId: id }, call());
    await driver.volumes.delete(id, call());
    await until(async () => {
      await driver.ensurePool(call());
      return !(await trash()).includes(imageId);
    }, 'the image is freed');
  });

  it('does not delete under a machine, whose writes go on meanwhile, and does once that has left', async () => {
    const id = await volume(OBJECT_BYTES);
    const machine = await lab.client(id);
    try {
      await machine.write();
      const tookMs: number[] = [];
      // librbd itself would hold its writes up for eight seconds, each time; a busy machine now and then.
      while (!tookMs.some((each) => each < 5_000) && tookMs.length < 5) {
        const begun = performance.now();
        const refused = await driver.volumes.delete(id, call()).catch((error: unknown) => error);
        assert.equal(driver.classify(refused), 'conflict');
        assert.match(String(refused), /is open at 127\.0\.0\.1/);
        await machine.write();
        tookMs.push(performance.now() - begun);
      }
      assert.isBelow(Math.min(...tookMs), 5_000);
    } finally {
      await machine.close();
    }
    await driver.volumes.delete(id, call());
    await until(async () => !(await trash()).includes(id), 'the space of the volume is freed');
  });

  it('shuts a machine that is gone out for ever when a snapshot takes its lock', async () => {
    const id = await volume();
    const machine = await lab.client(id);
    await machine.write();
    const locks = JSON.parse(await lab.cluster.rbd('lock', 'ls', '--format=json', `rbd/volume-${id}`)) as readonly {
      readonly address: string;
    }[];
    await machine.kill();
    const status = () => lab.cluster.rbd('status', '--format=json', `rbd/volume-${id}`);
    await until(async () => !(await status()).includes(locks[0]?.address ?? ''), 'the watch of the machine has run out');
    await snapshot(id);
    const entries = await run(['ceph', `--conf=${lab.cluster.configPath}`, 'osd', 'blocklist', 'ls']);
    const entry = entries.split('\n').find((line) => line.startsWith(`${locks[0]?.address} `));
    assert.isAbove(Number(/ (\d{4})-/.exec(entry ?? '')?.[1]), new Date().getUTCFullYear() + 5, entries);
  });

  it('takes nobody for shut out who was shut out for a while before, by librbd, say: not until that has ended', async () => {
    const id = await volume();
    const machine = await lab.client(id);
    await machine.write();
    const [client = ''] = (await driver.fence?.clients(id, call())) ?? [];
    await machine.kill();
    const ceph = (...words: readonly string[]) => run(['ceph', `--conf=${lab.cluster.configPath}`, 'osd', 'blocklist', ...words]);
    await ceph('add', client, '3600');
    const exclude = () => driver.fence?.exclude(id, [client], call()) ?? assert.fail('no fence');
    assert.equal(await fault(exclude()), 'unavailable');
    await ceph('rm', client);
    assert.isAtLeast(await exclude(), 1);
    const entry = (await ceph('ls')).split('\n').find((line) => line.startsWith(`${client} `));
    assert.isAbove(Number(/ (\d{4})-/.exec(entry ?? '')?.[1]), new Date().getUTCFullYear() + 5);
  });

  it('looks who has a volume open once for many pieces that are written to it', async () => {
    const id = await volume(4 * OBJECT_BYTES);
    const { refuseInUse } = CephPool.prototype;
    let looks = 0;
    CephPool.prototype.refuseInUse = function (...args) {
      looks += 1;
      return refuseInUse.apply(this, args);
    };
    try {
      await Promise.all(
        Array.from({ length: 16 }, (_, piece) => driver.contents?.write(id, piece * MIB, new Uint8Array(MIB).fill(1 + piece), call())),
      );
    } finally {
      CephPool.prototype.refuseInUse = refuseInUse;
    }
    assert.equal(looks, 1);
    assert.equal((await contentOf(id, 4 * OBJECT_BYTES))[15 * MIB], 16);
    const machine = await lab.client(id);
    try {
      assert.equal(await fault(driver.contents?.write(id, 0, new Uint8Array(512), call()) ?? assert.fail('no contents')), 'conflict');
    } finally {
      await machine.close();
    }
  });

  it('goes on freeing after a restart what was deleted before it', async () => {
    let left = '';
    // On a busy machine it may have freed all of them before it is closed.
    for (let attempt = 0; attempt < 10 && !left.includes('volume-'); attempt += 1) {
      const ids = await Promise.all(Array.from({ length: 5 }, () => volume()));
      const former = await lab.open();
      try {
        await Promise.all(ids.map((id) => former.volumes.delete(id, call())));
      } finally {
        await former.close();
      }
      left = await trash();
    }
    assert.include(left, 'volume-');
    const next = await lab.open();
    try {
      await next.ensurePool(call());
      await until(async () => !(await trash()).includes('volume-'), 'the trash holds nothing of ours');
    } finally {
      await next.close();
    }
  });

  it('frees nothing that somebody else put into the trash, whatever its name, and though it is a volume of ours', async () => {
    const [live, elses, deleted] = [await volume(), crypto.randomUUID(), await volume()];
    await write(live, 0, 7);
    await lab.cluster.rbd('create', '--size=1M', `rbd/volume-${elses}`);
    for (const id of [live, elses]) await lab.cluster.rbd('trash', 'mv', `rbd/volume-${id}`);
    await driver.volumes.delete(deleted, call());
    await until(async () => !(await trash()).includes(deleted), 'what was deleted is freed');
    const entries = JSON.parse(await trash()) as readonly { readonly id: string; readonly name: string }[];
    assert.includeMembers(
      entries.map(({ name }) => name),
      [`volume-${live}`, `volume-${elses}`],
    );
    const entry = entries.find(({ name }) => name === `volume-${live}`);
    await lab.cluster.rbd('trash', 'restore', `rbd/${entry?.id}`);
    assert.equal((await contentOf(live, 4096))[0], 7);
  });

  it('keeps to its namespace, and keeps the data in another pool where it is told so', async () => {
    await lab.cluster.createPool('data');
    const apart = await lab.open({ ...lab.settings, namespace: 'apart', dataPool: 'data' });
    try {
      for (let round = 0; round < 2; round += 1) await apart.ensurePool(call());
      const [imageId, id] = [crypto.randomUUID(), crypto.randomUUID()];
      const bytes = Buffer.alloc(MIB, 'apart');
      const content = {
        sizeBytes: bytes.length,
        async *open() {
          yield bytes;
        },
      };
      await apart.images.put({ id: imageId, format: 'raw', virtualSizeBytes: MIB, content }, call());
      await apart.volumes.create({ id, sizeBytes: MIB, imageId }, call());
      assert.sameMembers(
        [...(await apart.list(call()))].map((stored) => stored.id),
        [imageId, id],
      );
      assert.notInclude(
        [...(await driver.list(call()))].map((stored) => stored.id),
        id,
      );
      assert.include(await apart.volumes.attach(id, lab.host, call()), { namespace: 'apart', image: `volume-${id}` });
      const info = JSON.parse(await lab.cluster.rbd('info', '--format=json', `rbd/apart/volume-${id}`)) as { readonly data_pool: string };
      assert.equal(info.data_pool, 'data');
      await apart.volumes.delete(id, call());
      await apart.images.delete(imageId, call());
      const left = async () => await lab.cluster.rbd('trash', 'ls', '--all', '--pool=rbd', '--namespace=apart', '--format=json');
      await until(async () => {
        await apart.ensurePool(call());
        return (await left()).trim() === '[]';
      }, 'the namespace is empty');
    } finally {
      await apart.close();
    }
  });

  it('tells the size of a pool that was made just now, which no manager has counted yet', async () => {
    await lab.cluster.createPool('new');
    const other = await lab.open({ ...lab.settings, pool: 'new' });
    await other.ensurePool(call());
    assert.isAbove(Number((await other.capacity(call())).totalBytes), 0);
    await other.close();
    await lab.cluster.ceph('osd', 'pool', 'rm', 'new', 'new', '--yes-i-really-really-mean-it');
  });

  it('says of nothing that it is not there while the pool itself is not', async () => {
    await lab.cluster.createPool('going');
    const going = await lab.open({ ...lab.settings, pool: 'going' });
    const rename = (from: string, to: string) => run(['ceph', `--conf=${lab.cluster.configPath}`, 'osd', 'pool', 'rename', from, to]);
    try {
      await going.ensurePool(call());
      const [id, absent] = [crypto.randomUUID(), crypto.randomUUID()];
      await going.volumes.create({ id, sizeBytes: MIB }, call());
      assert.isUndefined(await going.inspect('volume', absent, call()));
      await rename('going', 'gone');
      for (const each of [absent, id]) {
        assert.equal(await fault(going.inspect('volume', each, call())), 'unavailable');
        assert.equal(await fault(going.volumes.delete(each, call())), 'unavailable');
      }
      assert.equal(await fault(going.list(call())), 'unavailable');
      await rename('gone', 'going');
      assert.deepEqual(await going.inspect('volume', id, call()), { kind: 'volume', id, sizeBytes: MIB });
      await going.volumes.delete(id, call());
      assert.isUndefined(await going.inspect('volume', id, call()));
    } finally {
      await going.close();
    }
  });

  it('adopts what others have made, whole and unused, with its content, and gives it its name back', async () => {
    const others = driver.others ?? assert.fail('no disks of others');
    const rbd = (...args: string[]) => lab.cluster.rbd(...args);
    const [id, ours] = [crypto.randomUUID(), await volume()];
    for (const name of ['vm-1', 'vm-2']) await rbd('create', '--size=4M', `rbd/${name}`);
    await rbd('create', '--size=4M', '--image-feature=layering', 'rbd/bare');
    await rbd('bench', '--io-type=write', '--io-size=4096', '--io-total=4096', '--io-threads=1', 'rbd/vm-1');
    await rbd('snap', 'create', '--no-progress', 'rbd/vm-2@then');
    await rbd('clone', '--rbd-default-clone-format=2', 'rbd/vm-2@then', 'rbd/clone');
    const listed = async () => (await others.list({}, call())).disks;
    const disks = ['bare', 'clone', 'vm-1', 'vm-2'].map((name) => ({ name, sizeBytes: 4 * MIB }));
    assert.deepEqual(await listed(), disks);
    const { sizeBytes, head } = await others.look('vm-1', 4096, call());
    assert.deepEqual([sizeBytes, head.length, head.some((byte) => byte !== 0)], [4 * MIB, 4096, true]);
    for (const [name, told] of [
      ['bare', /lacks exclusive-lock, object-map, fast-diff/],
      ['vm-2', /has snapshots/],
      ['clone', /is a clone/],
    ] as const)
      assert.match(((await others.adopt(name, id, call()).catch((error: unknown) => error)) as { told: string }).told, told);
    for (const name of ['vm-9', `volume-${ours}`]) assert.equal(await fault(others.adopt(name, id, call())), 'not_found');
    const machine = await QemuClient.open(`rbd:rbd/vm-1:id=admin:conf=${lab.cluster.configPath}`);
    assert.equal(await fault(others.adopt('vm-1', id, call())), 'conflict');
    await machine.close();
    assert.deepEqual(await listed(), disks);
    await until(async () => (await fault(others.adopt('vm-1', id, call()))) === 'done', 'nobody has it open');
    await others.adopt('vm-1', id, call());
    assert.deepEqual(await driver.inspect('volume', id, call()), { kind: 'volume', id, sizeBytes: 4 * MIB });
    assert.deepEqual(Buffer.from((await driver.contents?.read({ volumeId: id }, 0, 4096, call())) ?? []), Buffer.from(head));
    for (let times = 0; times < 2; times += 1) await others.giveBack('vm-1', id, call());
    assert.deepEqual(await listed(), disks);
    await others.adopt('vm-1', id, call());
    await driver.volumes.delete(id, call());
    for (const verb of ['rm rbd/clone', 'rm rbd/bare', 'snap purge rbd/vm-2', 'rm rbd/vm-2'])
      await rbd(...verb.split(' '), '--no-progress');
  });

  it('names what has to be installed where the libraries are missing', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pileus-rbd-'));
    await writeFile(join(directory, 'librbd.so.1'), 'no library');
    const before = process.env.LD_LIBRARY_PATH;
    process.env.LD_LIBRARY_PATH = directory;
    const bare = await lab.open({ ...lab.settings, user: 'admin', key: lab.cluster.admin.key });
    try {
      const refused = await bare.ensurePool(call()).catch((error: unknown) => error);
      assert.equal(bare.classify(refused), 'unavailable');
      assert.match(String(refused), /librados2 and librbd1 have to be installed/);
    } finally {
      if (before === undefined) delete process.env.LD_LIBRARY_PATH;
      else process.env.LD_LIBRARY_PATH = before;
      await bare.close();
      await rm(directory, { recursive: true, force: true });
    }
  });

  for (const [what, settings, expected, timeoutMs] of [
    ['a key that is not the user’s', { key: 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==' }, 'invalid', UNTIL_MS],
    ['a key that is none', { key: 'AQD==' }, 'invalid', UNTIL_MS],
    ['a pool that is not there', { pool: 'nowhere' }, 'not_found', UNTIL_MS],
    ['monitors whose names have no address', { monitors: 'nowhere..invalid:3300' }, 'invalid', UNTIL_MS],
    ['monitors that nobody answers at', { monitors: '127.0.0.1:1' }, 'unavailable', 3_000],
  ] as const)
    it(`says of ${what} that it is ${expected}`, async () => {
      const wrong = await lab.open({ ...lab.settings, ...settings });
      try {
        assert.equal(await fault(wrong.ensurePool({ ...call(), timeoutMs })), expected);
      } finally {
        await wrong.close();
      }
    });
});
