import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Id, Instance, Pending } from '@pileus/sdk';
import { expect } from 'chai';
import { LabCloud } from './lab-cloud.ts';
import { Seeded } from './seeded.ts';
import { readStore, type StoreFacts } from './store-witness.ts';

const KILLS = process.env.PILEUS_FULL === '1' ? 200 : 20;
const MACHINES_MAX = 4;
/** A create takes about this long here: kills fall into all of it, and before and after. */
const KILL_WITHIN_MS = 1800;
const BOOTED_SHARE = 0.08;
const END_TIMEOUT_MS = 120_000;

describe('a server that is killed at random moments of creates and deletes', function () {
  this.timeout(KILLS * 60_000);
  const chance = new Seeded();
  let lab: LabCloud;
  let guestImageId: Id<'image'>;
  let baseline: StoreFacts;
  let filesBefore: readonly string[];

  before(async () => {
    lab = await LabCloud.up();
    guestImageId = await lab.uploadGuestImage();
    // One machine comes and goes undisturbed, so that the pool holds its copies of the images.
    for (const [name, imageId] of [
      ['first', lab.haltImageId],
      ['second', guestImageId],
    ] as const) {
      await lab.cloud.instances.create(lab.instanceRequest(name, { imageId, start: false })).wait();
      await lab.cloud.instances.delete(name).wait();
    }
    baseline = facts();
    filesBefore = await lab.poolFiles();
  });

  after(() => lab?.down());

  const facts = () => readStore(join(lab.serverDir, 'data/pileus.db'));

  it(`brings every accepted operation to its end, ${KILLS} times, and leaves nothing behind (seed ${chance.seed})`, async () => {
    const machines = new Set<Id<'instance'>>();
    const ends: Record<string, number> = {};
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const requests = ask(kill, machines);
      await sleep(chance.below(KILL_WITHIN_MS));
      await lab.kill();
      await lab.start();
      // The client has sent again, with the same keys, what was not answered.
      for (const request of requests) {
        const { action, id, operationId } = await request;
        const ended = await lab.cloud.operations.wait(operationId, { timeoutMs: END_TIMEOUT_MS }).safe();
        const end = ended.ok ? 'succeeded' : `failed: ${ended.error.code} ${ended.error.message}`;
        ends[`${action} ${end}`] = (ends[`${action} ${end}`] ?? 0) + 1;
        if (action === 'instance.create' && ended.ok) machines.add(id);
        if (action === 'instance.delete' && ended.ok) machines.delete(id);
      }
      expect(new Set(await lab.virshNames('list', '--all', '--uuid')), `machines after kill ${kill}`).to.deep.equal(machines);
    }
    expect(Object.keys(ends), JSON.stringify(ends)).to.have.members(['instance.create succeeded', 'instance.delete succeeded']);

    for (const id of machines) await lab.cloud.instances.delete(id).wait();
    for (const volume of await lab.cloud.volumes.list().toArray()) await lab.cloud.volumes.delete(volume.id).wait();
    await expectNothingLeft();
  });

  /** Creates and deletes, under way at once. Some machines have an image that boots, some a second disk. */
  function ask(kill: number, machines: ReadonlySet<Id<'instance'>>): readonly Pending<'instance', Instance | undefined>[] {
    const gone = chance.some([...machines], machines.size / MACHINES_MAX / 2);
    const coming = 1 + chance.below(Math.min(3, MACHINES_MAX - machines.size + gone.length));
    const creates = Array.from({ length: coming }, (_, index) =>
      lab.cloud.instances.create(
        lab.instanceRequest(`m-${kill}-${index}`, {
          ...(chance.chance(BOOTED_SHARE) ? { imageId: guestImageId } : {}),
          ...(chance.chance(0.3) ? { volumes: [{ sizeBytes: 2 ** 20, deleteWithInstance: chance.chance(0.5) }] } : {}),
        }),
      ),
    );
    return [...creates, ...gone.map((id) => lab.cloud.instances.delete(id))];
  }

  async function expectNothingLeft(): Promise<void> {
    expect(await lab.virshNames('list', '--all', '--name'), 'domains').to.deep.equal([]);
    expect(await lab.poolFiles(), 'files of the pool').to.have.members([...filesBefore]);
    const ports = (await lab.virsh('net-dumpxml', lab.networkId)).split('\n').filter((line) => /nic-|<host /.test(line));
    expect(ports, 'ports of the network').to.deep.equal([]);
    const left = facts();
    expect(left.unfinished, 'operations').to.deep.equal([]);
    // Addresses and copies of images among them.
    for (const [kind, rows] of Object.entries(left.live)) expect(idsOf(rows), kind).to.have.members(idsOf(baseline.live[kind]));
    for (const kind of ['instance', 'volume', 'nic', 'debt', 'stray']) expect(left.live[kind], kind).to.deep.equal([]);
    expect(withoutProbes(left.counters), 'reservations').to.deep.equal(withoutProbes(baseline.counters));

    const { cloud } = lab;
    await cloud.networks.delete(lab.networkId).wait({ timeoutMs: END_TIMEOUT_MS });
    for (const image of await cloud.images.list().toArray()) await cloud.images.delete(image.id).wait();
    for (const pool of await cloud.pools.list().toArray()) await cloud.pools.delete(pool.id).wait();
    expect(await lab.virshNames('net-list', '--all', '--name'), 'networks').to.deep.equal([]);
    expect(await lab.virshNames('pool-list', '--all', '--name'), 'pools').to.deep.equal([]);
    expect(await lab.poolFiles(), 'files of the pool').to.deep.equal([]);
  }
});

const idsOf = (rows: StoreFacts['live'][string] = []): readonly unknown[] => rows.map(({ id }) => id);

/** The health check counts its own writes. */
const withoutProbes = (counters: StoreFacts['counters']): StoreFacts['counters'] =>
  Object.fromEntries(Object.entries(counters).filter(([name]) => !name.startsWith('health/')));
