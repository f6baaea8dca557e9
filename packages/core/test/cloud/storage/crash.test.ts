import { expect } from 'chai';
import { image, stray } from '../../../src/cloud/index.ts';
import { equals, operation } from '../../../src/kernel/index.ts';
import { crashMatrix, type SimCloud } from '../../../testing/index.ts';
import { GIB, HEARTBEAT_MS, LittleCloud, once } from '../little-cloud.ts';

/** What only an upload or an operator can ask for; all other actions are in the crash matrix of the whole cloud. */
describe('storage, in every way it can go wrong', () => {
  for (const action of ['stray.remove', 'stray.delete'])
    it(`${action} ends whole or not at all`, async () => {
      const played = await crashMatrix({
        name: action,
        prepare: withStray,
        act: async (sim) => {
          const [row] = await sim.environment.complete(sim.kernel.reader.list(stray));
          return (await sim.submit(action, {}, row?.id)).operationId;
        },
      });
      expect(played).to.be.greaterThan(10);
    });

  it('image.complete ends whole or not at all', async () => {
    const played = await crashMatrix({
      name: 'image.complete',
      prepare: async () => {
        const cloud = await LittleCloud.open();
        await cloud.sim.done('image.create', { name: 'debian' });
        return cloud.sim;
      },
      act: upload,
    });
    expect(played).to.be.greaterThan(3);
  });
});

async function withStray(): Promise<SimCloud> {
  const cloud = await LittleCloud.open();
  const poolId = await cloud.pool(await cloud.host('hv1'));
  const id = cloud.sim.kernel.services.ids.mint('volume');
  cloud.sim.world.pools.get(`hv1/${poolId}`)?.createVolume(id, GIB, undefined);
  await cloud.sim.run(10 * HEARTBEAT_MS);
  return cloud.sim;
}

/** Nobody waits for the answer: the process may end before it. Answers the operation that the upload has asked for. */
async function upload(sim: SimCloud): Promise<string> {
  const [row] = await sim.environment.complete(sim.kernel.reader.list(image));
  if (row === undefined) throw new Error('nothing to upload to');
  sim.call('PUT', '/images/{id}/content', { params: { id: row.id }, bytes: once(new Uint8Array(4096)) }).catch(() => undefined);
  for (;;) {
    await sim.run(10);
    if (!sim.alive) await sim.start();
    const [found] = await sim.environment.complete(sim.kernel.reader.list(operation, equals('action', 'image.complete')));
    if (found !== undefined) return found.id;
  }
}
