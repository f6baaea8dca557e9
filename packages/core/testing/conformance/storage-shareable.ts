import { expect } from 'chai';
import type { Complete, PreparedCall } from './frozen.ts';
import type { StorageClient, StorageFeature, StorageStage } from './storage-stage.ts';
import { MIB } from './storage-stage.ts';

const partOf = (stage: StorageStage) => stage.driver.shareable ?? expect.fail('the driver has no volumes of several machines');
const fenceOf = (stage: StorageStage) => partOf(stage).fence ?? expect.fail('the driver shuts no single machine out');

const isRefused = (client: StorageClient): Promise<boolean> =>
  client.write().then(
    () => false,
    () => true,
  );

async function made(stage: StorageStage): Promise<string> {
  const id = stage.made('volume');
  await partOf(stage).create({ id, sizeBytes: MIB }, stage.call());
  return id;
}

const opened = (stage: StorageStage, volumeId: string): Promise<StorageClient> =>
  stage.harness.client?.(volumeId, { shareable: true }) ?? expect.fail('the harness opens no volumes');

/** Runs `work` with clients that have the volume open, one after the other told to be a machine's, and closes them whatever happens. */
async function withMachines(
  stage: StorageStage,
  volumeId: string,
  machineIds: readonly string[],
  work: (...clients: readonly StorageClient[]) => Promise<void>,
): Promise<void> {
  const clients: StorageClient[] = [];
  try {
    for (const machineId of machineIds) {
      clients.push(await opened(stage, volumeId));
      expect(await fenceOf(stage).learn(volumeId, machineId, stage.call())).to.equal(1);
    }
    await work(...clients);
  } finally {
    for (const client of clients) await client.close();
  }
}

/** Several have one open, and it is a volume in all else. */
export function shareableTests(stage: StorageStage, features: readonly StorageFeature[]): void {
  it('are made empty, of the size, and again unchanged; one of another size or that is not shareable is a conflict', async () => {
    const id = await made(stage);
    const [other, { volumes }] = [await stage.volume(), stage.driver];
    await partOf(stage).create({ id, sizeBytes: MIB }, stage.call());
    await stage.expectThere('volume', id, MIB);
    for (const work of [
      () => partOf(stage).create({ id, sizeBytes: 2 * MIB }, stage.call()),
      () => partOf(stage).create({ id: other, sizeBytes: MIB }, stage.call()),
      () => volumes.create({ id, sizeBytes: MIB }, stage.call()),
    ])
      expect(await stage.fault(work())).to.equal('conflict');
    await stage.expectThere('volume', id, MIB);
  });

  it('are open in several places at once, all of which write', async () => {
    const id = await made(stage);
    const clients = [await opened(stage, id), await opened(stage, id)];
    try {
      for (let round = 0; round < 2; round += 1) for (const client of clients) await client.write();
    } finally {
      for (const client of clients) await client.close();
    }
  });

  it('are reached without a key, grow, and are deleted', async () => {
    const id = await made(stage);
    const { volumes } = stage.driver;
    expect(await volumes.attach(id, stage.harness.host, stage.call())).not.to.have.property('encryption');
    if (stage.canGrow) {
      await stage.grow(id, 2 * MIB);
      await stage.expectThere('volume', id, 2 * MIB);
    }
    await volumes.delete(id, stage.call());
    await stage.expectAbsent('volume', id);
  });

  if (features.includes('snapshots') && features.includes('contents'))
    it('have snapshots, whose differences are told rightly', async () => {
      const id = await made(stage);
      const first = await stage.snapshot(id);
      await stage.contents.write(id, 65_536, new Uint8Array(4096).fill(7), stage.call());
      const second = await stage.snapshot(id);
      const changed: (readonly [number, number])[] = [];
      for await (const { offsetBytes, lengthBytes } of stage.contents.changes(second, first.id, stage.call()))
        changed.push([offsetBytes, offsetBytes + lengthBytes]);
      expect(changed.some(([from, to]) => from <= 65_536 && to >= 69_632)).to.equal(true);
      const at = async (of: typeof first) => (await stage.contents.read(of, 65_536, 1, stage.call()))[0];
      expect([await at(first), await at(second)]).to.deep.equal([0, 7]);
      for (const snapshot of [first, second]) await stage.snapshots.delete(snapshot, stage.call());
    });
}

/** One machine is shut out, for ever, and no other. */
export function sharedFenceTests(stage: StorageStage): void {
  const clients = (volumeId: string, machineId: string) => fenceOf(stage).clients(volumeId, machineId, stage.call());
  const exclude = (volumeId: string, machineId: string) => fenceOf(stage).exclude(volumeId, machineId, stage.call());

  it('shuts out the machine alone: the others go on, and what opens the volume later can write', async () => {
    const [id, lost, well] = [await made(stage), stage.newId(), stage.newId()];
    await withMachines(stage, id, [lost, well], async (first, second) => {
      for (const client of [first, second]) await client?.write();
      expect(await clients(id, lost)).not.to.have.members(await clients(id, well));
      for (let round = 0; round < 2; round += 1) expect(await exclude(id, lost)).to.equal(1);
      expect(first && (await isRefused(first)), 'the lost one').to.equal(true);
      await second?.write();
      await withMachines(stage, id, [lost], async (anew) => {
        await anew?.write();
        await second?.write();
        expect(first && (await isRefused(first)), 'the lost one, also later').to.equal(true);
      });
    });
  });

  it('claims nothing of which it cannot be sure: a machine that nobody is known of, and a client that is nobody’s', async () => {
    const [id, lost, well] = [await made(stage), stage.newId(), stage.newId()];
    await withMachines(stage, id, [lost, well], async (first, second) => {
      expect(await stage.fault(exclude(id, stage.newId()))).to.equal('conflict');
      const stranger = await opened(stage, id);
      try {
        expect(await stage.fault(exclude(id, lost))).to.equal('unavailable');
        for (const client of [first, second, stranger]) await client?.write();
      } finally {
        await stranger.close();
      }
      expect(await exclude(id, lost)).to.equal(1);
    });
  });

  it('knows none that it does not see, and forgets who has left', async () => {
    const [id, machineId] = [await made(stage), stage.newId()];
    expect(await fenceOf(stage).learn(id, machineId, stage.call())).to.equal(0);
    await withMachines(stage, id, [machineId], async () => {
      expect(await clients(id, machineId)).to.have.length(1);
    });
    expect(await clients(id, machineId), 'it may be out of sight').to.have.length(1);
    for (let round = 0; round < 2; round += 1) await fenceOf(stage).forget(id, machineId, stage.call());
    expect(await clients(id, machineId)).to.deep.equal([]);
    expect(await stage.fault(exclude(id, machineId))).to.equal('conflict');
  });

  it('of an absent volume it is not_found', async () => {
    const [id, machineId] = [stage.newId(), stage.newId()];
    for (const work of [
      () => fenceOf(stage).learn(id, machineId, stage.call()),
      () => clients(id, machineId),
      () => exclude(id, machineId),
    ])
      expect(await stage.fault(work())).to.equal('not_found');
    await fenceOf(stage).forget(id, machineId, stage.call());
  });
}

type Verb = `shareable.${'create' | `fence.${'learn' | 'exclude' | 'forget'}`}`;

export function shareableFreezeTable(stage: StorageStage): Complete<Verb> {
  return {
    'shareable.create': async () => {
      const id = stage.made('volume');
      return {
        act: (call) => partOf(stage).create({ id, sizeBytes: MIB }, call),
        done: () => stage.expectThere('volume', id, MIB),
        undo: (call) => stage.driver.volumes.delete(id, call),
        left: () => stage.listedOf(id),
        lateArrival: async () => expect((await stage.listedOf(id)).length).to.be.at.most(1),
      };
    },
    'shareable.fence.learn': () =>
      frozen(stage, { learned: false }, ({ id, machineId }) => ({
        act: (call) => fenceOf(stage).learn(id, machineId, call),
        done: async () => expect(await fenceOf(stage).clients(id, machineId, stage.call())).to.have.length(1),
      })),
    'shareable.fence.exclude': () =>
      frozen(stage, { learned: true }, ({ id, machineId, client }) => ({
        act: (call) => fenceOf(stage).exclude(id, machineId, call),
        done: async () => expect(await isRefused(client)).to.equal(true),
      })),
    'shareable.fence.forget': () =>
      frozen(stage, { learned: true }, ({ id, machineId }) => ({
        act: (call) => fenceOf(stage).forget(id, machineId, call),
        done: async () => expect(await fenceOf(stage).clients(id, machineId, stage.call())).to.deep.equal([]),
      })),
  };
}

interface Used {
  readonly id: string;
  readonly machineId: string;
  readonly client: StorageClient;
}

/** Of a volume that a machine has open, which is known or not; undone by forgetting it. */
async function frozen(
  stage: StorageStage,
  { learned }: { readonly learned: boolean },
  verb: (used: Used) => Pick<PreparedCall, 'act' | 'done'>,
): Promise<PreparedCall> {
  const [id, machineId] = [await made(stage), stage.newId()];
  const client = await opened(stage, id);
  if (learned) await fenceOf(stage).learn(id, machineId, stage.call());
  return {
    ...verb({ id, machineId, client }),
    undo: (call) => fenceOf(stage).forget(id, machineId, call),
    lateArrival: async () => expect(await stage.listedOf(id)).to.have.length(1),
    left: async () => {
      // Not while the backend is frozen: it would take who cannot say good-bye for there a while yet.
      await client.close();
      return fenceOf(stage).clients(id, machineId, stage.call());
    },
  };
}
