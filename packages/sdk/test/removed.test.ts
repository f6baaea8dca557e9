import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from './fixture/simulated-server.ts';

const GIB = 1024 ** 3;

describe('sdk: verbs that end with their resource', () => {
  let server: SimulatedServer;
  before(async () => {
    server = await startSimulatedServer();
  });
  after(() => server.close());

  /** A volume in a pool that nothing explains, found. */
  async function stray(objectId: string): Promise<string> {
    const { cloud, world } = server;
    const pool = await cloud.pools.get('disks');
    world.pools.get(`hv1/${pool.id}`)?.createVolume(objectId, GIB, undefined);
    await cloud.hosts.reconnect('hv1').wait();
    for (;;) {
      const found = (await cloud.strays.list({ where: { objectId } }).toArray())[0];
      if (found !== undefined) return found.id;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it('succeed, and yield what is left: the deleted row', async () => {
    const { cloud } = server;
    const [one, two] = ['00000000-0000-7000-8000-00000000000a', '00000000-0000-7000-8000-00000000000b'];
    const removed = await cloud.strays.remove(await stray(one)).wait();
    expect(removed).to.include({ state: 'deleted', objectId: one });
    if (removed.state === 'deleted') expect(removed.deletedAt).to.match(/^\d{4}-/);
    const adopted = await cloud.strays.adopt(await stray(two), { name: 'found' }).wait();
    expect(adopted).to.include({ state: 'deleted', objectId: two });
    expect(await cloud.volumes.get('found')).to.include({ id: two, state: 'available' });
  });

  it('as does a change whose resource somebody deletes before it is waited for', async () => {
    const { cloud } = server;
    const pending = await cloud.volumes.create({ name: 'short-lived', sizeBytes: GIB });
    await pending.wait();
    await cloud.volumes.delete(pending.id).wait();
    expect(await pending.wait()).to.include({ state: 'deleted', name: 'short-lived' });
  });

  it('are seen in the feed, also page by page, without a stream', async () => {
    const { cloud } = server;
    const { items, next } = await cloud.changes({ kinds: ['volume'] });
    expect(items).to.deep.equal([]);
    const { id } = await cloud.volumes.create({ name: 'fed', sizeBytes: GIB }).wait();
    const page = await cloud.changes({ after: next, kinds: ['volume'], limit: 1, waitSeconds: 5 });
    expect(page.items.map(({ type, kind, row }) => [type, kind, row.id])).to.deep.equal([['created', 'volume', id]]);
    expect(page.next).to.equal(page.items[0]?.cursor);
  });
});
