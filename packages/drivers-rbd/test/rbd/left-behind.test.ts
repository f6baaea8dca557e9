// Long because each sort of what a killed client leaves is planted and looked at by itself, on one cluster.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SnapshotRef, StorageDriver } from '@pileus/core/strategy';
import { assert } from 'chai';
import { run } from '../../../../tools/system/command.ts';
import { QemuClient } from '../../../../tools/system/qemu-client.ts';
import { FULL } from '../../../../tools/test/slice.ts';
import { RadosCluster } from '../../src/rados/index.ts';
import { CephPool } from '../../src/rbd/ceph-pool.ts';
import { ClusterLinks } from '../../src/rbd/cluster-links.ts';
import { Purge } from '../../src/rbd/purge.ts';
import { readSettings } from '../../src/rbd/settings.ts';
import { LabPool } from './lab-pool.ts';
import { call, MIB, OBJECT_BYTES, poolVerbs, UNTIL_MS, until } from './pool-verbs.ts';

const KEY = 'ab'.repeat(32);

describe('what a killed client leaves in a Ceph pool', function () {
  this.timeout(FULL ? 1_800_000 : 4 * UNTIL_MS);
  let lab: LabPool;
  let driver: StorageDriver;
  before(async () => {
    lab = await LabPool.up({ partLeftMs: 3_000 });
    driver = await lab.open();
    await driver.ensurePool(call());
  });
  after(async () => {
    await driver.close();
    await lab.close();
  });

  const { fault, volume, snapshot, trash } = poolVerbs(() => ({ lab, driver }));
  const read = async (ref: SnapshotRef) => (await driver.contents?.read(ref, 0, 512, call()))?.[0];

  it('removes parts of copies that nobody has open, once that has been so for a while, and none that is being written', async () => {
    const part = (kind: string) => `part-${kind}-${crypto.randomUUID()}-0123456789ab`;
    const left = [part('image'), part('seed'), part('luks')];
    const [written, elses] = [part('image'), 'part-of-something-else'];
    for (const name of [...left, written, elses]) await lab.plant(name, MIB);
    const writer = await QemuClient.open(`rbd:${lab.spec(written)}:id=admin:conf=${lab.cluster.configPath}`);
    const names = async () => (await lab.cluster.rbd('ls')).split('\n').filter((name) => name.startsWith('part-'));
    const swept = async (name: string) => {
      await driver.ensurePool(call());
      return !(await names()).includes(name);
    };
    try {
      for (const name of left) await until(() => swept(name), `${name} is gone`);
      assert.sameMembers(await names(), [written, elses]);
    } finally {
      await writer.close();
    }
    await until(() => swept(written), 'so is the one whose writer has gone');
    assert.deepEqual(await names(), [elses]);
    await lab.cluster.rbd('rm', '--no-progress', `rbd/${elses}`);
  });

  (FULL ? it : () => undefined)('removes parts behind one that cannot be removed', async () => {
    const part = (digit: string) => `part-image-${digit}${crypto.randomUUID().slice(1)}-0123456789ab`;
    const [held, behind] = [part('0'), part('f')];
    for (const name of [held, behind]) await lab.plant(name, MIB);
    const at = `rbd/${held}@kept`;
    for (const verb of ['create', 'protect']) await lab.cluster.rbd('snap', verb, at);
    const left = async () => {
      await driver.ensurePool(call());
      return await lab.cluster.rbd('ls');
    };
    await until(async () => !(await left()).includes(behind), 'the one behind it is gone');
    assert.include(await lab.cluster.rbd('ls'), held);
    await lab.cluster.rbd('snap', 'unprotect', at);
    await until(async () => !(await left()).includes(held), 'so is the one that could not be removed');
  });

  it('waits for who has a volume open that is half made, whose watch outlives a kill, and makes it anew', async () => {
    const [imageId, id] = [crypto.randomUUID(), crypto.randomUUID()];
    const content = {
      sizeBytes: MIB,
      async *open() {
        yield new Uint8Array(MIB).fill(6);
      },
    };
    await driver.images.put({ id: imageId, format: 'raw', virtualSizeBytes: MIB, content }, call());
    await lab.cluster.rbd('create', '--size=1M', `rbd/volume-${id}`);
    const former = await lab.client(id);
    const request = { id, sizeBytes: MIB, imageId };
    const made = driver.volumes.create(request, call());
    await sleep(1_000);
    await former.close();
    await made;
    assert.equal(await read(await snapshot(id)), 6);
  });

  it('makes anew what a killed creation left, and finishes a removal', async () => {
    const [imageId, id] = [crypto.randomUUID(), crypto.randomUUID()];
    const content = {
      sizeBytes: MIB,
      async *open() {
        yield new Uint8Array(MIB).fill(5);
      },
    };
    await driver.images.put({ id: imageId, format: 'raw', virtualSizeBytes: MIB, content }, call());
    // What a clone is before it has its parent: a disk of the right size, empty.
    await lab.cluster.rbd('create', '--size=1M', `rbd/volume-${id}`);
    await driver.volumes.create({ id, sizeBytes: MIB, imageId }, call());
    assert.equal(await read(await snapshot(id)), 5);
    // What an empty volume is before its last step: one without an object map, whose snapshots cannot be read.
    const mapless = await volume();
    const made = JSON.parse(await lab.cluster.rbd('info', '--format=json', `rbd/volume-${mapless}`)) as { readonly id: string };
    await run(['rados', `--conf=${lab.cluster.configPath}`, '--pool=rbd', 'rm', `rbd_object_map.${made.id}`]);
    await driver.volumes.create({ id: mapless, sizeBytes: MIB }, call());
    const empty = await driver.contents?.read(await snapshot(mapless), 0, MIB, call());
    assert.isTrue(Buffer.from(empty ?? []).equals(Buffer.alloc(MIB)));
    // What a killed removal leaves: a name without an image.
    const half = await volume();
    const info = JSON.parse(await lab.cluster.rbd('info', '--format=json', `rbd/volume-${half}`)) as { readonly id: string };
    await run(['rados', `--conf=${lab.cluster.configPath}`, '--pool=rbd', 'rm', `rbd_header.${info.id}`]);
    assert.isUndefined(await driver.inspect('volume', half, call()));
    assert.deepInclude(await driver.list(call()), { kind: 'volume', id: half, sizeBytes: 0 });
    await driver.volumes.delete(half, call());
    assert.notInclude(await lab.cluster.rbd('ls'), half);
  });

  /** Of an image of two objects, all of it eights. */
  async function clone(): Promise<string> {
    const [imageId, id] = [crypto.randomUUID(), crypto.randomUUID()];
    const content = {
      sizeBytes: 2 * OBJECT_BYTES,
      async *open() {
        for (let mib = 0; mib < 8; mib += 1) yield new Uint8Array(MIB).fill(8);
      },
    };
    await driver.images.put({ id: imageId, format: 'raw', virtualSizeBytes: content.sizeBytes, content }, call());
    await driver.volumes.create({ id, sizeBytes: content.sizeBytes, imageId }, call());
    return id;
  }

  for (const inUse of FULL ? [false, true] : [false])
    it(`flattens also what a killed writer said was there, and had not written${inUse ? ', of a volume in use with a snapshot' : ''}`, async () => {
      const id = await clone();
      const before = inUse ? await snapshot(id) : undefined;
      await driver.contents?.write(id, OBJECT_BYTES, new Uint8Array(4096).fill(3), call());
      const info = async () =>
        JSON.parse(await lab.cluster.rbd('info', '--format=json', `rbd/volume-${id}`)) as {
          readonly block_name_prefix: string;
          readonly parent?: unknown;
          readonly features: readonly string[];
          readonly flags: readonly string[];
        };
      // The object map has it from before its first byte: who is killed in between leaves just that.
      const object = `${(await info()).block_name_prefix}.0000000000000001`;
      await run(['rados', `--conf=${lab.cluster.configPath}`, '--pool=rbd', 'rm', object]);
      const client = inUse ? await lab.client(id) : undefined;
      try {
        await client?.write();
        await driver.snapshots?.flatten(id, call());
        await client?.write();
      } finally {
        await client?.close();
      }
      const { parent, features, flags } = await info();
      assert.deepEqual({ parent, flags }, { parent: undefined, flags: [] });
      assert.includeMembers([...features], ['object-map', 'fast-diff']);
      const expected = Buffer.alloc(2 * OBJECT_BYTES, 8);
      for (const ref of [await snapshot(id), ...(before === undefined ? [] : [before])]) {
        if (inUse) expected.fill(ref === before ? 8 : 7, 0, 4096);
        const read = await driver.contents?.read(ref, 0, 2 * OBJECT_BYTES, call());
        assert.isTrue(Buffer.from(read ?? []).equals(expected), ref === before ? 'before' : 'now');
      }
      // What was killed after it had no parent any more, and before its map was there.
      await lab.cluster.rbd('feature', 'disable', `rbd/volume-${id}`, 'object-map', 'fast-diff');
      await driver.snapshots?.flatten(id, call());
      assert.includeMembers([...(await info()).features], ['object-map', 'fast-diff']);
      assert.deepEqual((await info()).flags, []);
    });

  for (const by of ['this driver', 'somebody else'])
    it(`goes back to what was kept before the object maps were made anew by ${by}`, async () => {
      const id = await clone();
      await driver.contents?.write(id, OBJECT_BYTES, new Uint8Array(4096).fill(3), call());
      const kept = await snapshot(id);
      if (by === 'this driver') await driver.snapshots?.flatten(id, call());
      else {
        const name = `rbd/volume-${id}`;
        await lab.cluster.rbd('flatten', name);
        for (const verb of ['disable', 'enable']) await lab.cluster.rbd('feature', verb, name, 'object-map', 'fast-diff');
        await lab.cluster.rbd('object-map', 'rebuild', name);
      }
      await driver.snapshots?.revert(kept, call());
      const expected = Buffer.alloc(2 * OBJECT_BYTES, 8).fill(3, OBJECT_BYTES, OBJECT_BYTES + 4096);
      for (const ref of [await snapshot(id), kept]) {
        const read = await driver.contents?.read(ref, 0, 2 * OBJECT_BYTES, call());
        assert.isTrue(Buffer.from(read ?? []).equals(expected), ref === kept ? 'kept' : 'now');
      }
    });

  it('makes a snapshot anew of which a killed creation left the name alone', async () => {
    const id = await volume(OBJECT_BYTES);
    await driver.contents?.write(id, 0, new Uint8Array(4096).fill(1), call());
    const [whole, half] = [await snapshot(id), await snapshot(id)];
    const { id: imageId } = JSON.parse(await lab.cluster.rbd('info', '--format=json', `rbd/volume-${id}`)) as { readonly id: string };
    const listed = JSON.parse(await lab.cluster.rbd('snap', 'ls', '--format=json', `rbd/volume-${id}`)) as readonly {
      readonly id: number;
      readonly name: string;
    }[];
    const number = listed.find(({ name }) => name === half.id)?.id ?? 0;
    const map = `rbd_object_map.${imageId}.${number.toString(16).padStart(16, '0')}`;
    await run(['rados', `--conf=${lab.cluster.configPath}`, '--pool=rbd', 'rm', map]);
    assert.equal(await fault(read(half)), 'not_found');
    for (const made of [whole, half]) await driver.snapshots?.create(made, call());
    for (const made of [whole, half]) assert.equal(await read(made), 1);
  });

  it('frees what a killed deletion left on its way into the trash', async () => {
    const id = await volume(OBJECT_BYTES);
    await lab.cluster.rbd('rename', `rbd/volume-${id}`, `rbd/part-volume-${id}-0123456789ab`);
    await lab.cluster.rbd('trash', 'mv', `rbd/part-volume-${id}-0123456789ab`);
    const [entry] = (JSON.parse(await trash()) as readonly { readonly id: string; readonly name: string }[]).filter(({ name }) =>
      name.includes(id),
    );
    // The last byte of what is kept of it says how far it has come: 1, it moves.
    const directory = await mkdtemp(join(tmpdir(), 'pileus-rbd-'));
    try {
      const file = join(directory, 'entry');
      const rados = (...words: readonly string[]) => run(['rados', `--conf=${lab.cluster.configPath}`, '--pool=rbd', ...words]);
      await rados('getomapval', 'rbd_trash', `id_${entry?.id}`, file);
      const bytes = await readFile(file);
      assert.equal(bytes.at(-1), 0);
      bytes[bytes.length - 1] = 1;
      await writeFile(file, bytes);
      await rados('setomapval', 'rbd_trash', `id_${entry?.id}`, '--input-file', file);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
    await driver.volumes.delete(id, call());
    await until(async () => !(await trash()).includes(id), 'its space is freed');
  });

  describe('when it was killed between the steps of a renaming', () => {
    const image = async (id = crypto.randomUUID()) => {
      const content = {
        sizeBytes: MIB,
        async *open() {
          yield new Uint8Array(MIB).fill(7);
        },
      };
      await driver.images.put({ id, format: 'raw', virtualSizeBytes: MIB, content }, call());
      return id;
    };
    const seed = async (id = crypto.randomUUID()) => {
      await driver.seeds.put(id, new Uint8Array(512).fill(7), call());
      return id;
    };
    const sealed = async (id = crypto.randomUUID()) => {
      await driver.encryption?.create({ id, sizeBytes: MIB, key: KEY }, call());
      return id;
    };
    const ways = [
      { kind: 'image', as: 'image', put: image },
      { kind: 'seed', as: 'seed', put: seed },
      { kind: 'volume', as: 'luks', put: sealed },
    ] as const;
    const listed = async () => (await driver.list(call())).map(({ kind, id }) => `${kind}-${id}`);
    const names = async () => (await lab.cluster.rbd('ls')).split('\n');
    const partsOf = async (id: string) => (await names()).filter((name) => name.startsWith('part-') && name.includes(id));

    /** What leads to an image by its name leads to it by another, too, after `work`. */
    async function alsoNamed(name: string, other: string, work = async (): Promise<unknown> => undefined): Promise<void> {
      const directory = await mkdtemp(join(tmpdir(), 'pileus-rbd-'));
      const rados = (...words: readonly string[]) => run(['rados', `--conf=${lab.cluster.configPath}`, '--pool=rbd', ...words]);
      try {
        await rados('get', `rbd_id.${name}`, join(directory, 'id'));
        await work();
        await rados('put', `rbd_id.${other}`, join(directory, 'id'));
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    }

    /** It has its name yet, or already, and is listed under that of a part. */
    async function cut(kind: string, as: string, id: string): Promise<void> {
      const name = `${kind}-${id}`;
      await alsoNamed(name, name, () => lab.cluster.rbd('rename', `rbd/${name}`, `rbd/part-${as}-${id}-0123456789ab`));
    }

    it('leaves what is whole alone, though the name of its part leads to it yet', async () => {
      const [imageId, id] = [await image(), crypto.randomUUID()];
      const part = `part-image-${imageId}-0123456789ab`;
      await alsoNamed(`image-${imageId}`, part);
      const settings = readSettings({ poolId: crypto.randomUUID(), scope: 'zone', settings: lab.settings });
      const pool = new CephPool(settings, new ClusterLinks().open(settings), () => undefined);
      await new Purge(pool, 0).discard(part);
      await pool.close();
      await driver.volumes.create({ id, sizeBytes: MIB, imageId }, call());
      assert.equal(await read(await snapshot(id)), 7);
      const objects = await run(['rados', `--conf=${lab.cluster.configPath}`, '--pool=rbd', 'ls']);
      assert.notInclude(objects, part);
    });

    for (const { kind, as, put } of ways.filter((way) => FULL || way.kind === 'image')) {
      it(`lists what is whole (${kind}) when it is asked for again, and never takes it for a part`, async () => {
        const id = await put();
        await cut(kind, as, id);
        assert.notInclude(await listed(), `${kind}-${id}`);
        await put(id);
        assert.include(await listed(), `${kind}-${id}`);
        assert.deepEqual(await partsOf(id), []);
      });

      it(`lists it (${kind}) also when nobody asks again`, async () => {
        const id = await put();
        await cut(kind, as, id);
        await until(async () => {
          await driver.ensurePool(call());
          return (await partsOf(id)).length === 0;
        }, 'the part is no part any more');
        assert.include(await listed(), `${kind}-${id}`);
        await put(id);
        assert.include(await names(), `${kind}-${id}`);
      });

      it(`deletes it (${kind}) when that is asked for again, and makes it anew`, async () => {
        const id = await put();
        await cut(kind, kind === 'volume' ? 'volume' : as, id);
        await (kind === 'volume' ? driver.volumes.delete(id, call()) : driver[`${kind}s`].delete(id, call()));
        assert.isUndefined(await driver.inspect(kind, id, call()));
        await until(async () => {
          await driver.ensurePool(call());
          return (await partsOf(id)).length === 0 && !(await trash()).includes(id);
        }, 'its space is freed');
        await put(id);
        assert.include(await listed(), `${kind}-${id}`);
        assert.equal((await driver.inspect(kind, id, call()))?.id, id);
      });
    }
  });

  (FULL ? it : () => undefined)('frees all of a volume whose way into the trash was cut short between its two names', async () => {
    const rados = async (...words: readonly string[]) =>
      (await run(['rados', `--conf=${lab.cluster.configPath}`, '--pool=rbd', ...words])).trim();
    for (const left of ['rbd_directory', 'rbd_id'] as const) {
      const id = await volume(2 * OBJECT_BYTES);
      const name = `volume-${id}`;
      await driver.contents?.write(id, 0, new Uint8Array(4096).fill(3), call());
      const { id: imageId } = JSON.parse(await lab.cluster.rbd('info', '--format=json', `rbd/${name}`)) as { readonly id: string };
      const directory = await mkdtemp(join(tmpdir(), 'pileus-rbd-'));
      try {
        const file = (key: string) => join(directory, key);
        const keys = [`name_${name}`, `id_${imageId}`];
        for (const key of keys) await rados('getomapval', 'rbd_directory', key, file(key));
        await rados('get', `rbd_id.${name}`, file('id'));
        const part = `part-volume-${id}-0123456789ab`;
        await lab.cluster.rbd('rename', `rbd/${name}`, `rbd/${part}`);
        await lab.cluster.rbd('trash', 'mv', `rbd/${part}`);
        if (left === 'rbd_id') await rados('put', `rbd_id.${name}`, file('id'));
        else for (const key of keys) await rados('setomapval', 'rbd_directory', key, '--input-file', file(key));
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
      await driver.volumes.delete(id, call());
      assert.notInclude(await lab.cluster.rbd('ls'), id, left);
      assert.isUndefined(await driver.inspect('volume', id, call()));
      await until(async () => !(await trash()).includes(id), 'it leaves the trash');
      assert.notInclude(await rados('ls'), imageId, `${left}: its data goes, too`);
    }
  });

  it('goes on with a deletion that was killed before the volume was in the trash', async () => {
    const [again, forgotten] = [await volume(), await volume()];
    for (const id of [again, forgotten]) await lab.cluster.rbd('rename', `rbd/volume-${id}`, `rbd/part-volume-${id}-0123456789ab`);
    assert.isUndefined(await driver.inspect('volume', again, call()));
    await driver.volumes.delete(again, call());
    assert.notInclude(await lab.cluster.rbd('ls'), again);
    await driver.ensurePool(call());
    await until(async () => !(await lab.cluster.rbd('ls')).includes(forgotten), 'the one that nobody asks for again goes, too');
    for (const id of [again, forgotten]) await until(async () => !(await trash()).includes(id), 'its space is freed');
  });

  // It takes minutes to catch a client in that instant.
  (FULL ? it : () => undefined)(
    'does not wait for a client that was killed as its watch was written, which its disk lists for ever',
    async () => {
      await lab.cluster.ceph('config', 'set', 'osd', 'osd_client_watch_timeout', '2');
      const ids = await Promise.all(Array.from({ length: 16 }, () => volume(OBJECT_BYTES)));
      const parts = Array.from({ length: 16 }, () => `part-image-${crypto.randomUUID()}-0123456789ab`);
      for (const name of parts) await lab.plant(name, OBJECT_BYTES);
      const names = [...ids.map((id) => `volume-${id}`), ...parts];
      const { monitors, user } = lab.cluster;
      await using witness = RadosCluster.open({ monitors, user: user.name, key: user.key });
      const watched = async (name: string) => (await witness.pool('rbd').image(name).watchers()).length > 0;
      let listed: readonly string[] = [];
      const isPart = (name: string) => parts.includes(name);
      const sorts = () => new Set(listed.map(isPart)).size;
      for (let round = 0; sorts() < 2 && round < 120; round += 1) {
        await using former = RadosCluster.open({ monitors, user: user.name, key: user.key });
        const images = names.map((name) => former.pool('rbd').image(name));
        await Promise.all(images.map((image) => image.stat()));
        const opened = Promise.allSettled(images.map((image) => image.open().write(0, new Uint8Array(512))));
        // At another moment of the opening each time.
        await sleep(5 + 3 * (round % 30));
        lab.cluster.osd(0).freeze();
        for (const pid of former.processIds) process.kill(pid, 'SIGKILL');
        await opened;
        lab.cluster.osd(0).thaw();
        await sleep(3_000);
        const looked = await Promise.all(names.map(watched));
        listed = names.filter((_, index) => looked[index]);
        // A disk that is busy takes its time: who was not there for long is gone by now.
        if (listed.length > 0) await sleep(10_000);
        const still = await Promise.all(listed.map(watched));
        listed = listed.filter((_, index) => still[index]);
      }
      await lab.cluster.ceph('config', 'rm', 'osd', 'osd_client_watch_timeout');
      assert.equal(sorts(), 2, `the cluster has kept ${listed.join(', ') || 'none'}`);
      for (const id of ids) await driver.volumes.delete(id, call());
      await until(async () => {
        await driver.ensurePool(call());
        const left = await lab.cluster.rbd('ls');
        return !parts.some((name) => left.includes(name));
      }, 'parts with nobody behind their watch are gone, too');
    },
  );
});
