import { setTimeout as sleep } from 'node:timers/promises';
import type { Id, Pending } from '@pileus/sdk';
import { expect } from 'chai';
import { Seeded } from '../seeded.ts';
import { CephCloud, MIB } from './ceph-cloud.ts';
import { leftParts, settledInventory } from './inventory.ts';

const KILLS = process.env.PILEUS_FULL === '1' ? 60 : 6;
/** What is asked takes about this long here: kills fall into all of it, and before and after. */
const KILL_WITHIN_MS = 1200;
const END_TIMEOUT_MS = 120_000;

type Asked = Pending<'volume', unknown> | Pending<'instance', unknown>;

describe('a server that is killed while it works on a pool of Ceph', function () {
  this.timeout(KILLS * 180_000);
  const chance = new Seeded();
  let lab: CephCloud;
  let imageId: Id<'image'>;

  before(async () => {
    lab = await CephCloud.up({ hosts: 1 });
    imageId = await lab.uploadHaltImage();
  });
  after(() => lab?.[Symbol.asyncDispose]());

  it(`brings what it was asked to its end, ${KILLS} times, and the pool has what the rows say (seed ${chance.seed})`, async () => {
    const ends: Record<string, number> = {};
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const asked = await ask(kill);
      await sleep(chance.below(KILL_WITHIN_MS));
      await lab.kill();
      await lab.start();
      for (const request of asked) {
        const { action, operationId } = await request;
        const ended = await lab.cloud.operations.wait(operationId, { timeoutMs: END_TIMEOUT_MS }).safe();
        const end = `${action} ${ended.ok ? 'succeeded' : `failed: ${ended.error.code} ${ended.error.message}`}`;
        ends[end] = (ends[end] ?? 0) + 1;
      }
      for (const { id } of await lab.cloud.instances.list().toArray()) await lab.cloud.instances.delete(id).wait();
      const { seen, expected } = await settledInventory(lab);
      expect(seen, `after kill ${kill}`).to.deep.equal(expected);
      // A kill falls into the writing of one copy of the image and of one seed at most.
      expect((await leftParts(lab.ceph)).length, `parts left after kill ${kill}`).to.be.at.most(2 * kill);
    }
    expect(Object.keys(ends), JSON.stringify(ends)).to.have.members([
      ...['volume.create succeeded', 'volume.resize succeeded', 'volume.delete succeeded', 'instance.create succeeded'],
    ]);
    for (const { id } of await lab.cloud.volumes.list().toArray()) await lab.cloud.volumes.delete(id).wait();
    await lab.cloud.images.delete(imageId).wait();
    expect((await settledInventory(lab)).seen).to.deep.equal({ images: [], trash: [], snapshots: [], watched: [], locked: [] });
    await lab.cloud.pools.delete(lab.poolId).wait();
  });

  /** Of all that changes the pool, at once: an empty volume, one that grows, one that goes, a machine with a clone of an image and a further disk. */
  async function ask(kill: number): Promise<readonly Asked[]> {
    const { volumes } = lab.cloud;
    const [grows, goes] = await Promise.all([1, 2].map((n) => volumes.create({ name: `v-${kill}-${n}`, sizeBytes: 8 * MIB }).wait()));
    if (grows === undefined || goes === undefined) return expect.fail();
    const machine = { name: `m-${kill}`, instanceType: 'tiny', imageId, nics: [], volumes: [{ sizeBytes: MIB, deleteWithInstance: true }] };
    return [
      volumes.create({ name: `v-${kill}`, sizeBytes: 16 * MIB }),
      volumes.resize(grows.id, { sizeBytes: 32 * MIB }),
      volumes.delete(goes.id),
      lab.cloud.instances.create(machine),
    ];
  }
});
