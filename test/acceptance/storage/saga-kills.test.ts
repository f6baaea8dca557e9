import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Id } from '@pileus/sdk';
import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import { Seeded } from '../seeded.ts';
import { bucketStore } from './bucket.ts';
import { CephCloud, MIB } from './ceph-cloud.ts';
import { leftParts } from './inventory.ts';
import { CONTENT_BYTES, type Ground, type Play } from './kills/ground.ts';
import { WAVES } from './kills/plays.ts';
import { cleared, settledWorld } from './kills/world.ts';

/** Each saga is struck so often while it is at work, and is asked for no more then: one that ends in an instant is often missed. */
const HITS = 3;
const KILLS_MAX = 12 * HITS;
/** Guests that boot at a time. */
const BOOTS = 3;
const END_TIMEOUT_MS = 300_000;

interface Played {
  readonly title: string;
  /** How it ended. */
  readonly end: string;
  readonly wasHit: boolean;
  readonly tookMs: number;
}

/** Minutes for each wave: of the full run. */
(FULL ? describe : () => undefined)('a server that is killed in the middle of each saga of storage', function (this: Mocha.Suite) {
  this.timeout(3_600_000);
  // They are played on one ground.
  this.bail(true);
  const chance = new Seeded();
  let lab: CephCloud;
  let files = '';
  let ground: Ground;

  before(async () => {
    files = await mkdtemp('/tmp/pileus-kills-');
    lab = await CephCloud.up({
      hosts: 1,
      config: { images: { directories: [files] }, trash: { retentionSeconds: 3600 } },
      pools: ['cloud', 'other'],
      gateway: true,
    });
    ground = await laid();
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
    await rm(files, { recursive: true, force: true });
  });

  async function laid(): Promise<Ground> {
    const { cloud } = lab;
    // Else a killed client counts as a machine for half a minute, each time.
    await lab.ceph.ceph('config', 'set', 'osd', 'osd_client_watch_timeout', '5');
    await mkdir(join(files, 'cellar'));
    const imageId = await filledImage();
    const path = join(files, 'local');
    const local = { name: 'local', driver: 'libvirt-dir', hostId: lab.hostIds[0], storageClass: 'local', settings: { path } };
    const store = { name: 'cellar', driver: 'directory', settings: { path: join(files, 'cellar') } };
    const [{ id: localId }, { id: storeId }, { id: bucketId }] = await Promise.all([
      cloud.pools.create(local).wait(),
      cloud.backupStores.create(store).wait(),
      cloud.backupStores.create(await bucketStore(lab.ceph)).wait(),
    ]);
    const [guestId, isoId] = [await lab.uploadGuestImage(), await iso()];
    let names = 0;
    const name = (of: string) => {
      names += 1;
      return `${of}-${names}`;
    };
    const { storageClass } = await cloud.pools.get(lab.poolId);
    return { ...{ lab, cloud, imageId, guestId, isoId, localId, storageClass, storeId, bucketId, files, name }, running: [] };
  }

  async function iso(): Promise<Id<'image'>> {
    const { id } = await lab.cloud.images.create({ name: 'iso' }).wait();
    const content = Buffer.alloc(MIB);
    // What ISO 9660 begins with, in its seventeenth sector.
    content.set(Buffer.from('\x01CD001\x01\x00', 'latin1'), 32_768);
    await lab.cloud.images.upload(id, content);
    return id;
  }

  /** The pool has a copy of it before anything is killed. */
  async function filledImage(): Promise<Id<'image'>> {
    const { id } = await lab.cloud.images.create({ name: 'content' }).wait();
    await lab.cloud.images.upload(id, randomBytes(CONTENT_BYTES));
    const { id: volumeId } = await lab.cloud.volumes.create({ imageId: id, poolId: lab.poolId }).wait();
    await lab.cloud.volumes.delete(volumeId, { permanent: true }).wait();
    return id;
  }

  /** As many as a wave wants, which have booted: those of the wave before, and others. */
  async function standBy(machines = 0): Promise<void> {
    ground.running.splice(machines);
    await cleared(ground);
    while (ground.running.length < machines) {
      const count = Math.min(BOOTS, machines - ground.running.length);
      ground.running.push(...(await Promise.all(Array.from({ length: count }, booted))));
    }
  }

  async function booted(): Promise<Id<'instance'>> {
    const more = { rootVolume: { storageClass: ground.storageClass } };
    const { id } = await lab.machine(ground.name('runs'), ground.guestId, 0, more);
    await lab.guest(id, 0).booted();
    return id;
  }

  /** All of a wave at once, and a kill so long after they were asked for; none if no time is given. */
  async function played(plays: readonly Play[], killAfterMs?: number): Promise<readonly Played[]> {
    const asks = await Promise.all(plays.map(({ ready }) => ready(ground)));
    const askedMs = Date.now();
    const requests = asks.map((ask) => ask());
    const accepted = Promise.all(requests);
    accepted.catch(() => undefined);
    let killedMs = Number.POSITIVE_INFINITY;
    if (killAfterMs !== undefined) {
      await sleep(killAfterMs);
      killedMs = Date.now();
      await lab.kill();
      await lab.start();
    }
    const ended = (await accepted).map(async ({ operationId, beganMs }, index) => {
      const { title } = plays[index] as Play;
      const outcome = await lab.cloud.operations.wait(operationId, { timeoutMs: END_TIMEOUT_MS }).safe();
      const { createdAt, endedAt } = await lab.cloud.operations.get(operationId);
      const endedMs = Date.parse(endedAt ?? '');
      return {
        title,
        end: outcome.ok ? 'succeeded' : `failed: ${outcome.error.code} ${outcome.error.message}`,
        wasHit: (beganMs ?? Date.parse(createdAt)) <= killedMs && endedMs > killedMs,
        tookMs: endedMs - askedMs,
      };
    });
    return Promise.all(ended);
  }

  async function expectRest(when: string): Promise<void> {
    const told = await settledWorld(ground);
    expect(told.seen, `${when} (seed ${chance.seed})`).to.deep.equal(told.expected);
  }

  for (const wave of WAVES)
    it(`has what its rows say, and nothing else: ${wave.title} (seed ${chance.seed})`, async () => {
      const hits = new Map(wave.plays.map(({ title }) => [title, 0]));
      const ends = new Map<string, number>();
      await standBy(wave.machines);
      const quiet = await played(wave.plays);
      expect(quiet.filter(({ end }) => end !== 'succeeded')).to.deep.equal([]);
      await expectRest('undisturbed');
      await cleared(ground);
      const tookMs = new Map(quiet.map((each) => [each.title, each.tookMs]));
      for (let kill = 1; kill <= KILLS_MAX; kill += 1) {
        // Every second one falls anywhere, the others while that is at work which was struck least: what else is at work then is struck with it.
        const [aim, least] = [...hits].toSorted(([, a], [, b]) => a - b)[0] ?? expect.fail();
        if (least >= HITS) break;
        const asked = wave.plays.filter(({ title }) => (hits.get(title) ?? 0) < HITS);
        const withinMs = kill % 2 === 0 ? Math.max(...asked.map(({ title }) => tookMs.get(title) ?? 0)) : (tookMs.get(aim) ?? 0);
        const afterMs = chance.next() * withinMs;
        const when = `kill ${kill}, ${Math.round(afterMs)} ms after`;
        for (const { title, end, wasHit, ...each } of await played(asked, afterMs)) {
          if (wasHit) hits.set(title, (hits.get(title) ?? 0) + 1);
          // As busy as the machine is by now.
          else tookMs.set(title, each.tookMs > afterMs ? 1.3 * (tookMs.get(title) ?? 0) : each.tookMs);
          if (end !== 'succeeded') ends.set(`${title} ${end}`, (ends.get(`${title} ${end}`) ?? 0) + 1);
        }
        await expectRest(when);
        await cleared(ground);
        await expectRest(`${when}, with all deleted`);
        const left = (await lab.cloud.volumes.list().toArray()).map(({ instanceId }) => instanceId);
        expect(left, when).to.have.members(ground.running);
      }
      const told = JSON.stringify({ hits: Object.fromEntries(hits), ends: Object.fromEntries(ends), parts: await leftParts(lab.ceph) });
      expect(Math.min(...hits.values()), told).to.be.at.least(HITS);
      expect([...ends.keys()], told).to.deep.equal([]);
    });
});
