import { expect } from 'chai';
import type { Complete } from './frozen.ts';
import type { StorageClient, StorageStage } from './storage-stage.ts';

const isRefused = (client: StorageClient): Promise<boolean> =>
  client.write().then(
    () => false,
    () => true,
  );

/** Runs `work` with a new client of the volume, and closes it whatever happens. */
async function withClient<T>(stage: StorageStage, volumeId: string, work: (client: StorageClient) => Promise<T>): Promise<T> {
  const client = await (stage.harness.client?.(volumeId) ?? expect.fail('the harness opens no volumes'));
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Who had a volume open is shut out for ever; who opens it later is not. */
export function fenceTests(stage: StorageStage): void {
  const fence = () => stage.driver.fence ?? expect.fail('the driver has no fence');
  const clients = (volumeId: string) => fence().clients(volumeId, stage.call());
  const exclude = (volumeId: string, seen: readonly string[] = []) => fence().exclude(volumeId, seen, stage.call());

  it('what had the volume open cannot write ever again, and what opens it later can', async () => {
    const id = await stage.volume();
    await withClient(stage, id, async (before) => {
      await before.write();
      expect(await exclude(id)).to.be.at.least(1);
      expect(await isRefused(before), 'the first client is shut out').to.equal(true);
      await withClient(stage, id, async (after) => {
        await after.write();
        expect(await isRefused(before), 'the first client stays shut out').to.equal(true);
        await after.write();
      });
      expect(await isRefused(before), 'also when the second has left').to.equal(true);
    });
  });

  it('shuts out all who have it open, and again whoever opened it since', async () => {
    const id = await stage.volume();
    await withClient(stage, id, async (first) => {
      await first.write();
      await exclude(id);
      await withClient(stage, id, async (second) => {
        await second.write();
        expect(await exclude(id)).to.be.at.least(1);
        expect([await isRefused(first), await isRefused(second)]).to.deep.equal([true, true]);
      });
      await withClient(stage, id, (third) => third.write());
    });
  });

  it('of a volume that nobody has open it shuts out nobody', async () => {
    const id = await stage.volume();
    for (let round = 0; round < 2; round += 1) expect(await exclude(id)).to.equal(0);
    await withClient(stage, id, (client) => client.write());
  });

  it('sees who has it open, and shuts out who was seen before, also one who has it open no more', async () => {
    const id = await stage.volume();
    expect(await clients(id)).to.deep.equal([]);
    const seen = await withClient(stage, id, async (client) => {
      await client.write();
      return clients(id);
    });
    expect(seen).not.to.have.length(0);
    expect(await exclude(id, seen)).to.be.at.least(seen.length);
    await withClient(stage, id, async (client) => {
      await client.write();
      expect(await clients(id)).not.to.include(seen[0]);
    });
  });

  it('clients of other volumes go on', async () => {
    const [id, other] = [await stage.volume(), await stage.volume()];
    await withClient(stage, id, (client) =>
      withClient(stage, other, async (untouched) => {
        await client.write();
        await untouched.write();
        await exclude(id);
        await untouched.write();
        expect(await isRefused(client)).to.equal(true);
      }),
    );
  });

  it('of an absent volume it is not_found', async () => {
    expect(await stage.fault(Promise.resolve(exclude(stage.newId())))).to.equal('not_found');
    expect(await stage.fault(Promise.resolve(clients(stage.newId())))).to.equal('not_found');
  });
}

/** Its one mutating verb, frozen. */
export function fenceTable(stage: StorageStage): Complete<'fence.exclude'> {
  return {
    'fence.exclude': async () => {
      const id = await stage.volume();
      const client = await (stage.harness.client?.(id) ?? expect.fail('the harness opens no volumes'));
      await client.write();
      return {
        act: (call) => stage.driver.fence?.exclude(id, [], call) ?? expect.fail('the driver has no fence'),
        done: async () => expect(await isRefused(client)).to.equal(true),
        undo: async (call) => {
          await client.close();
          await stage.driver.volumes.delete(id, call);
        },
        left: () => stage.listedOf(id),
      };
    },
  };
}
