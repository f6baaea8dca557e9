import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cloud, systemPrincipal, volume } from '@pileus/core';
import { Kernel } from '@pileus/core/kernel';
import { directoryBackups, directoryImageStore, nodeEnvironment } from '@pileus/core/node';
import { openSqlite } from '@pileus/core/sqlite';
import { SimWorld, simulated } from '@pileus/core/testing';
import { RadosCluster, type RbdPool } from '@pileus/drivers-rbd/rados';
import { rbd } from '@pileus/drivers-rbd/rbd';
import { expect } from 'chai';
import fc from 'fast-check';
import { CephCluster } from '../../../tools/system/ceph-cluster.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { MIB } from './ceph-cloud.ts';

const CHUNK = 4 * MIB;
const [CHUNKS, CHUNKS_MAX] = [4, 7] as const;
const END_MS = 600_000;
const LOOK_MS = 500;
const RUNS = 20;

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), chunk: fc.nat(20), byte: fc.nat(3), part: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('backUp' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restore' as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('snapshot' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('revert' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flatten' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('grow' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

interface Kept {
  readonly id: string;
  readonly content: Buffer;
}

/** A control plane with a pool of a real cluster and a backup store in a folder, and the binding as who writes to volumes and reads them. */
class Ground implements AsyncDisposable {
  readonly cluster: CephCluster;
  readonly folder: string;
  readonly #kernel: Kernel;
  readonly #pool: RbdPool;
  readonly #stack: AsyncDisposableStack;
  #poolId = '';
  #names = 0;

  private constructor(cluster: CephCluster, folder: string, kernel: Kernel, pool: RbdPool, stack: AsyncDisposableStack) {
    this.cluster = cluster;
    this.folder = folder;
    this.#kernel = kernel;
    this.#pool = pool;
    this.#stack = stack;
  }

  static async lay(): Promise<Ground> {
    await using stack = new AsyncDisposableStack();
    const cluster = stack.use(await CephCluster.start({ manager: true }));
    const { monitors, user } = cluster;
    const binding = stack.use(RadosCluster.open({ monitors, user: user.name, key: user.key }));
    const dir = stack.adopt(await mkdtemp(join(tmpdir(), 'pileus-histories-')), (path) => rm(path, { recursive: true, force: true }));
    const environment = nodeEnvironment();
    const store = await openSqlite({ path: join(dir, 'pileus.db') });
    stack.defer(() => store.close());
    const world = new SimWorld(environment, { latencyMs: [0, 0] });
    world.addHost('hv1');
    const folders = { id: 'folders', version: '0.1.0', strategies: { backup: [directoryBackups] } };
    const kernel = new Kernel({
      environment,
      store,
      sealKey: new Uint8Array(32),
      plugins: cloud({
        cloudId: 'histories',
        imageStore: await directoryImageStore(join(dir, 'images')),
        plugins: [simulated({ world, environment }), rbd(), folders],
      }),
    });
    await kernel.start();
    stack.defer(() => kernel.stop());
    const ground = new Ground(cluster, join(dir, 'cellar'), kernel, binding.pool('rbd'), stack.move());
    await ground.#populate();
    return ground;
  }

  async done(action: string, input: object, resourceId?: string): Promise<string> {
    const target = resourceId === undefined ? {} : { resourceId };
    const accepted = await this.#kernel.submit({ action, input, principal: systemPrincipal(), ...target });
    const { state, error } = await this.#kernel.operations.wait(accepted.operationId, END_MS);
    if (state !== 'succeeded') throw new Error(`${action} ${state}: ${JSON.stringify(error)}`);
    return accepted.resourceId;
  }

  make(sizeBytes: number): Promise<string> {
    return this.done('volume.create', { sizeBytes, poolId: this.#poolId });
  }

  /** A clone, and what it was cloned from. */
  async cloned(content: Buffer): Promise<readonly [id: string, sourceId: string]> {
    const sourceId = await this.make(content.length);
    await this.write(sourceId, 0, content);
    const snapshotId = await this.done('snapshot.create', { volumeId: sourceId });
    return [await this.done('volume.create', { snapshotId }), sourceId];
  }

  async restore(backupId: string): Promise<string> {
    this.#names += 1;
    const name = `again-${this.#names}`;
    await this.done('backup.restore', { name }, backupId);
    const made = (await this.#kernel.reader.list(volume)).find((row) => row.name === name);
    return made?.id ?? expect.fail('no volume is restored');
  }

  async write(volumeId: string, offsetBytes: number, bytes: Uint8Array): Promise<void> {
    await using image = this.#pool.image(`volume-${volumeId}`).open();
    await image.write(offsetBytes, bytes);
  }

  async expectContent(volumeId: string, content: Buffer, when: string): Promise<void> {
    await using image = this.#pool.image(`volume-${volumeId}`).open({ readOnly: true });
    expect(Number((await image.stat()).sizeBytes), when).to.equal(content.length);
    for (let at = 0; at < content.length; at += CHUNK) {
      const isSame = Buffer.from(await image.read(at, CHUNK)).equals(content.subarray(at, at + CHUNK));
      expect(isSame, `${when}: chunk ${at / CHUNK}`).to.equal(true);
    }
  }

  /** What there is in the pool, in its trash, and in the folder. */
  async left(): Promise<readonly string[]> {
    const files = (await readdir(this.folder, { recursive: true, withFileTypes: true })).filter((file) => file.isFile());
    return [
      ...(await this.cluster.rbd('ls')).split('\n'),
      ...(await this.cluster.rbd('trash', 'ls', '--all')).split('\n'),
      // Of what a collection removes it keeps the names for a day.
      ...files.map(({ parentPath, name }) => join(parentPath, name)).filter((path) => !/\/(pileus\/store|late)$/.test(path)),
    ].filter((name) => name !== '');
  }

  async #populate(): Promise<void> {
    const zoneId = await this.done('zone.create', { name: 'z' });
    const clusterId = await this.done('cluster.create', { name: 'c', zoneId, hypervisor: 'simulated' });
    await this.done('host.create', { name: 'hv1', clusterId, uri: 'sim://hv1' });
    const { monitors, user } = this.cluster;
    const settings = { monitors: monitors.join(','), user: user.name, pool: 'rbd' };
    this.#poolId = await this.done('pool.create', { name: 'p', driver: 'rbd', zoneId, settings, secrets: { key: user.key } });
    await this.done('backupStore.create', { name: 'cellar', driver: 'directory', settings: { path: this.folder } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/** A clone with its snapshots and backups, and beside it what each of these has to bring back. */
class Model {
  readonly #ground: Ground;
  readonly #volumeId: string;
  readonly #sourceId: string;
  readonly #snapshots: Kept[] = [];
  readonly #backups: Kept[] = [];
  readonly #restored: Kept[] = [];
  #content: Buffer;

  private constructor(ground: Ground, content: Buffer, [volumeId, sourceId]: readonly [string, string]) {
    this.#ground = ground;
    this.#content = content;
    this.#volumeId = volumeId;
    this.#sourceId = sourceId;
  }

  static async begin(ground: Ground): Promise<Model> {
    const content = Buffer.alloc(CHUNKS * CHUNK).fill(7, CHUNK, 2 * CHUNK);
    return new Model(ground, content, await ground.cloned(content));
  }

  async apply(each: Step): Promise<void> {
    const ground = this.#ground;
    if (each.do === 'write') {
      const at = (each.chunk % (this.#content.length / CHUNK)) * CHUNK;
      const bytes = Buffer.alloc(each.part ? 4096 : CHUNK, each.byte);
      await ground.write(this.#volumeId, at + (each.part ? 512 : 0), bytes);
      bytes.copy(this.#content, at + (each.part ? 512 : 0));
    } else if (each.do === 'backUp')
      this.#backups.push({ id: await ground.done('backup.create', { volumeId: this.#volumeId }), content: Buffer.from(this.#content) });
    else if (each.do === 'delete') {
      const [gone] = this.#backups.splice(each.which % Math.max(1, this.#backups.length), 1);
      if (gone !== undefined) await ground.done('backup.delete', {}, gone.id);
    } else if (each.do === 'restore') {
      const of = this.#backups[each.which % Math.max(1, this.#backups.length)];
      if (of !== undefined) this.#restored.push({ id: await ground.restore(of.id), content: of.content });
    } else if (each.do === 'snapshot') {
      const id = await ground.done('snapshot.create', { volumeId: this.#volumeId });
      this.#snapshots.push({ id, content: Buffer.from(this.#content) });
    } else if (each.do === 'revert') {
      const of = this.#snapshots[each.which % Math.max(1, this.#snapshots.length)];
      if (of === undefined) return;
      await ground.done('snapshot.revert', {}, of.id);
      this.#content = Buffer.from(of.content);
    } else if (each.do === 'drop') {
      const [gone] = this.#snapshots.splice(each.which % Math.max(1, this.#snapshots.length), 1);
      if (gone !== undefined) await ground.done('snapshot.delete', {}, gone.id);
    } else if (each.do === 'flatten') await ground.done('volume.flatten', {}, this.#volumeId);
    else if (this.#content.length < CHUNKS_MAX * CHUNK) {
      this.#content = Buffer.concat([this.#content, Buffer.alloc(CHUNK)]);
      await ground.done('volume.resize', { sizeBytes: this.#content.length }, this.#volumeId);
    }
  }

  async check(): Promise<void> {
    const ground = this.#ground;
    await ground.expectContent(this.#volumeId, this.#content, 'the volume itself');
    for (const { id, content } of this.#restored) await ground.expectContent(id, content, 'restored meanwhile');
    for (const { id, content } of this.#backups) {
      await ground.done('backup.verify', {}, id);
      const again = await ground.restore(id);
      await ground.expectContent(again, content, 'restored at the end');
      for (const [action, what] of [
        ['backup.delete', id],
        ['volume.delete', again],
      ] as const)
        await ground.done(action, action === 'volume.delete' ? { permanent: true } : {}, what);
    }
    for (const { id } of this.#snapshots) await ground.done('snapshot.delete', {}, id);
    // What the clone was made of goes before it.
    for (const id of [...this.#restored.map((each) => each.id), this.#sourceId, this.#volumeId])
      await ground.done('volume.delete', { permanent: true, recursive: id === this.#sourceId }, id);
  }
}

// Minutes, and more on a busy machine: of the full run.
(FULL ? describe : () => undefined)('backups of volumes on Ceph, whatever is done in whatever order', function (this: Mocha.Suite) {
  this.timeout(3_600_000);
  let ground: Ground;
  before(async () => {
    ground = await Ground.lay();
  });
  after(() => ground?.[Symbol.asyncDispose]());

  it('bring back what was there, byte for byte, and leave nothing when they are gone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 16, size: 'max' }), async (steps) => {
        const model = await Model.begin(ground);
        for (const each of steps) await model.apply(each);
        await model.check();
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    for (const deadline = performance.now() + END_MS; ; await sleep(LOOK_MS)) {
      const left = await ground.left();
      if (left.length === 0) break;
      expect(performance.now(), `left: ${left.join(', ')}`).to.be.below(deadline);
    }
  });
});
