import { expect } from 'chai';
import type { NewVolume, StorageDriver } from '../../src/strategy/index.ts';
import type { Complete, FreezeRow } from './frozen.ts';
import { MIB, type StorageStage } from './storage-stage.ts';

const KEY = 'c29tZSByYW5kb20gYnl0ZXMgb2YgYSBrZXk=';
const OTHER_KEY = 'b3RoZXIgYnl0ZXM=';
const encryptionOf = (stage: StorageStage): NonNullable<StorageDriver['encryption']> =>
  stage.driver.encryption ?? expect.fail('the driver encrypts nothing');

const keysOf = (stage: StorageStage) => encryptionOf(stage).keys ?? expect.fail('the driver changes no keys');
const liveKeysOf = (stage: StorageStage) => keysOf(stage).live ?? expect.fail('the driver changes no keys of volumes in use');

/** Volumes whose content is ciphertext. That a guest reads what it wrote, and the pool's content is another, is shown where there are guests. */
export function encryptionTests(stage: StorageStage): void {
  const create = async (request: Omit<NewVolume, 'id'>) => {
    const id = stage.made('volume');
    await encryptionOf(stage).create({ ...request, id, key: KEY }, stage.call());
    return id;
  };
  const attach = (id: string) => stage.driver.volumes.attach(id, stage.harness.host, stage.call());

  it('attachments tell that one is encrypted, and by which reference its key is asked for; it grows with its key, and never shrinks', async () => {
    const [id, plain] = [await create({ sizeBytes: 4 * MIB }), await stage.volume()];
    const encryption = encryptionOf(stage);
    const secretRef = encryption.secretRef(id);
    const attachment = await attach(id);
    expect(attachment.encryption).to.deep.equal({ format: 'luks', secretRef });
    expect(JSON.stringify(attachment)).not.to.contain(KEY);
    expect(encryption.secretRef(plain)).not.to.equal(secretRef);
    expect((await attach(plain)).encryption).to.equal(undefined);

    await stage.expectThere('volume', id, 4 * MIB);
    await encryption.create({ id, sizeBytes: 4 * MIB, key: KEY }, stage.call());
    expect(await stage.fault(encryption.create({ id, sizeBytes: 8 * MIB, key: KEY }, stage.call()))).to.equal('conflict');
    expect(await stage.fault(stage.driver.volumes.create({ id, sizeBytes: 4 * MIB }, stage.call()))).to.equal('conflict');

    for (let round = 0; round < 2; round += 1) await encryption.resize(id, 8 * MIB, KEY, stage.call());
    await stage.expectThere('volume', id, 8 * MIB);
    expect(await stage.fault(encryption.resize(id, 4 * MIB, KEY, stage.call()))).to.equal('invalid');
    expect(await attach(id)).to.deep.equal(attachment);
    for (let round = 0; round < 2; round += 1) await stage.delete('volume', id, stage.call());
    await stage.expectAbsent('volume', id);
  });

  it('one is made from an image, at least as large as that', async () => {
    const imageId = await stage.image();
    expect(await stage.fault(create({ sizeBytes: MIB / 2, imageId }))).to.equal('invalid');
    const id = await create({ sizeBytes: 2 * MIB, imageId });
    await stage.expectThere('volume', id, 2 * MIB);
    expect((await attach(id)).encryption?.format).to.equal('luks');
  });

  it('another key does not open one: it neither grows by it, nor is it what was asked for', async () => {
    const id = await create({ sizeBytes: 4 * MIB });
    expect(await stage.fault(encryptionOf(stage).resize(id, 8 * MIB, OTHER_KEY, stage.call()))).to.equal('conflict');
    await stage.expectThere('volume', id, 4 * MIB);
    const plain = await stage.volume();
    expect(await stage.fault(encryptionOf(stage).resize(plain, 2 * MIB, KEY, stage.call()))).to.equal('conflict');
    await stage.expectThere('volume', plain, MIB);
    expect(await stage.fault(encryptionOf(stage).create({ id: plain, sizeBytes: MIB, key: KEY }, stage.call()))).to.equal('conflict');
  });
}

/** Where keys can be changed. */
export function keyTests(stage: StorageStage): void {
  // On some hosts each opening takes seconds of a processor.
  stage.selected(
    'another key opens one, too, and then alone; which neither a key that does not open it brings about, nor anything while a machine has it',
    async () => {
      const [id, plain] = [stage.made('volume'), await stage.volume()];
      const { create, resize } = encryptionOf(stage);
      const { add, keep } = keysOf(stage);
      const conflict = async (work: Promise<void>) => expect(await stage.fault(work)).to.equal('conflict');
      await create({ id, sizeBytes: 4 * MIB, key: KEY }, stage.call());
      await conflict(add(id, OTHER_KEY, 'a third', stage.call()));
      await conflict(keep(id, OTHER_KEY, stage.call()));
      await conflict(add(plain, KEY, OTHER_KEY, stage.call()));
      for (let round = 0; round < 2; round += 1) await add(id, KEY, OTHER_KEY, stage.call());
      await resize(id, 8 * MIB, KEY, stage.call());
      if (stage.harness.client !== undefined)
        await stage.whileHeld(id, async () => {
          await conflict(keep(id, OTHER_KEY, stage.call()));
          await conflict(add(id, KEY, 'a third', stage.call()));
        });
      for (let round = 0; round < 2; round += 1) await keep(id, OTHER_KEY, stage.call());
      await conflict(resize(id, 16 * MIB, KEY, stage.call()));
      await conflict(keep(id, KEY, stage.call()));
      await resize(id, 16 * MIB, OTHER_KEY, stage.call());
      await stage.expectThere('volume', id, 16 * MIB);
    },
  );
}

/** Where they can be changed while a machine has the volume. */
export function liveKeyTests(stage: StorageStage): void {
  stage.selected('another key takes the place of the one of before while a machine has the volume open, and without it', async () => {
    const id = stage.made('volume');
    const { create, resize } = encryptionOf(stage);
    const { add, keep } = liveKeysOf(stage);
    const conflict = async (work: Promise<void>) => expect(await stage.fault(work)).to.equal('conflict');
    await create({ id, sizeBytes: 4 * MIB, key: KEY }, stage.call());
    // By one who knows nothing of the header, and so writes nothing: that a guest goes on is shown where there are guests.
    await stage.whileHeld(id, async () => {
      await conflict(add(id, OTHER_KEY, 'a third', stage.call()));
      for (let round = 0; round < 2; round += 1) await add(id, KEY, OTHER_KEY, stage.call());
      await conflict(keep(id, 'a third', stage.call()));
      for (let round = 0; round < 2; round += 1) await keep(id, OTHER_KEY, stage.call());
    });
    await conflict(resize(id, 8 * MIB, KEY, stage.call()));
    await resize(id, 8 * MIB, OTHER_KEY, stage.call());
    await add(id, OTHER_KEY, KEY, stage.call());
    await keep(id, KEY, stage.call());
    await resize(id, 16 * MIB, KEY, stage.call());
  });
}

/** Where there are snapshots, too. */
export function encryptedSnapshotTests(stage: StorageStage): void {
  it('snapshots of one have its size; clones of them are as it is, and opened by its key alone', async () => {
    const [id, cloneId] = [stage.made('volume'), stage.made('volume')];
    const { create, resize } = encryptionOf(stage);
    await create({ id, sizeBytes: 4 * MIB, key: KEY }, stage.call());
    const snapshot = await stage.snapshot(id);
    await resize(id, 8 * MIB, KEY, stage.call());
    expect(await stage.snapshots.list(id, stage.call())).to.deep.equal([{ id: snapshot.id, sizeBytes: 4 * MIB }]);
    const clone = { id: cloneId, sizeBytes: 4 * MIB, snapshot };
    expect(await stage.fault(create({ ...clone, key: OTHER_KEY }, stage.call()))).to.equal('conflict');
    expect(await stage.fault(stage.driver.volumes.create(clone, stage.call()))).to.equal('conflict');
    await stage.expectAbsent('volume', cloneId);
    expect(await stage.fault(create({ ...clone, sizeBytes: 2 * MIB, key: KEY }, stage.call()))).to.equal('invalid');
    for (let round = 0; round < 2; round += 1) await create({ ...clone, key: KEY }, stage.call());
    await stage.expectThere('volume', cloneId, 4 * MIB);
    const { encryption } = await stage.driver.volumes.attach(cloneId, stage.harness.host, stage.call());
    expect(encryption).to.deep.equal({ format: 'luks', secretRef: encryptionOf(stage).secretRef(cloneId) });
    await stage.snapshots.flatten(cloneId, stage.call());
    const keys = encryptionOf(stage).keys;
    if (keys !== undefined) expect(await stage.fault(keys.add(id, KEY, OTHER_KEY, stage.call()))).to.equal('conflict');
    await stage.snapshots.revert(snapshot, stage.call());
    await stage.expectThere('volume', id, 4 * MIB);
    for (const each of [id, cloneId]) await resize(each, 8 * MIB, KEY, stage.call());
    await stage.expectThere('volume', cloneId, 8 * MIB);
  });
}

export function encryptionFreezeTable(stage: StorageStage): Complete<'encryption.create' | 'encryption.resize'> {
  return {
    'encryption.create': async () => {
      const id = stage.made('volume');
      return {
        act: (call) => encryptionOf(stage).create({ id, sizeBytes: MIB, key: KEY }, call),
        done: () => stage.expectThere('volume', id, MIB),
        undo: (call) => stage.delete('volume', id, call),
        left: () => stage.listedOf(id),
        lateArrival: async () => expect((await stage.listedOf(id)).length).to.be.at.most(1),
      };
    },
    'encryption.resize': async () => {
      const id = stage.made('volume');
      await encryptionOf(stage).create({ id, sizeBytes: 4 * MIB, key: KEY }, stage.call());
      return {
        act: (call) => encryptionOf(stage).resize(id, 8 * MIB, KEY, call),
        done: () => stage.expectThere('volume', id, 8 * MIB),
        undo: (call) => stage.delete('volume', id, call),
        left: () => stage.listedOf(id),
      };
    },
  };
}

type KeyVerb = 'encryption.keys.add' | 'encryption.keys.keep' | 'encryption.keys.live.add' | 'encryption.keys.live.keep';

export function keyFreezeTable(stage: StorageStage): Complete<KeyVerb> {
  const [add, keep] = frozenKeys(stage, () => keysOf(stage));
  const [addLive, keepLive] = frozenKeys(stage, () => liveKeysOf(stage));
  return {
    'encryption.keys.add': add,
    'encryption.keys.keep': keep,
    'encryption.keys.live.add': addLive,
    'encryption.keys.live.keep': keepLive,
  };
}

function frozenKeys(stage: StorageStage, keys: () => Pick<ReturnType<typeof keysOf>, 'add' | 'keep'>): readonly [FreezeRow, FreezeRow] {
  const opened = async (id: string, key: string) => {
    const sizeBytes = ((await stage.look('volume', id))?.sizeBytes ?? 0) + MIB;
    await encryptionOf(stage).resize(id, sizeBytes, key, stage.call());
  };
  const made = async () => {
    const id = stage.made('volume');
    await encryptionOf(stage).create({ id, sizeBytes: 4 * MIB, key: KEY }, stage.call());
    return id;
  };
  /** Whatever has landed or lands yet: what is to open it does. */
  return [
    async () => {
      const id = await made();
      return {
        act: (call) => keys().add(id, KEY, OTHER_KEY, call),
        done: async () => {
          await opened(id, KEY);
          await opened(id, OTHER_KEY);
        },
        undo: async (call) => {
          await keys().keep(id, KEY, call);
          await opened(id, KEY);
          await stage.delete('volume', id, call);
        },
        left: () => stage.listedOf(id),
      };
    },
    async () => {
      const id = await made();
      await keys().add(id, KEY, OTHER_KEY, stage.call());
      return {
        act: (call) => keys().keep(id, OTHER_KEY, call),
        done: async () => {
          await opened(id, OTHER_KEY);
          expect(await stage.fault(opened(id, KEY))).to.equal('conflict');
        },
        undo: async (call) => {
          await keys().add(id, OTHER_KEY, KEY, call);
          await opened(id, KEY);
          await stage.delete('volume', id, call);
        },
        left: () => stage.listedOf(id),
      };
    },
  ];
}
