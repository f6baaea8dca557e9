import { expect } from 'chai';
import type { Complete } from './frozen.ts';
import type { StorageStage } from './storage-stage.ts';
import { MIB } from './storage-stage.ts';

const [FIRST, SECOND] = ['0123456789abcde', 'fedcba987654321'];

const partOf = (stage: StorageStage) => stage.driver.marks ?? expect.fail('the driver keeps no marks');

export function markTests(stage: StorageStage): void {
  stage.selected('stay, until another is set, and are each of one volume', async () => {
    const [id, other] = [await stage.volume(), await stage.volume()];
    const marks = partOf(stage);
    expect(await marks.get(id, stage.call())).to.equal(undefined);
    for (const word of [FIRST, FIRST, SECOND]) {
      expect(await marks.set(id, word, stage.call())).to.equal(true);
      expect(await marks.get(id, stage.call())).to.equal(word);
    }
    expect(await marks.get(other, stage.call())).to.equal(undefined);
    await stage.expectThere('volume', id, MIB);
    expect(await stage.fault(marks.set(id, 'a word', stage.call()))).to.equal('invalid');
    expect(await marks.get(id, stage.call())).to.equal(SECOND);
  });

  stage.selected('are of volumes that are there', async () => {
    const id = stage.newId();
    expect(await stage.fault(partOf(stage).set(id, FIRST, stage.call()))).to.equal('not_found');
    expect(await stage.fault(partOf(stage).get(id, stage.call()))).to.equal('not_found');
  });

  stage.selected('are gone from what was written to, and from what has grown, where any can', async () => {
    const id = stage.made('volume');
    const marks = partOf(stage);
    await stage.driver.volumes.create({ id, sizeBytes: MIB, toFill: true }, stage.call());
    // One that is to be filled need not be able to have any.
    if (await marks.set(id, FIRST, stage.call())) await stage.driver.contents?.write(id, 0, new Uint8Array(4096).fill(7), stage.call());
    expect(await marks.get(id, stage.call())).to.equal(undefined);
    const grown = await stage.volume();
    expect(await marks.set(grown, FIRST, stage.call())).to.equal(true);
    const { resize } = stage.driver.volumes;
    await resize?.(grown, 2 * MIB, stage.call());
    expect(await marks.get(grown, stage.call())).to.equal(resize === undefined ? FIRST : undefined);
  });
}

export function marksFreezeTable(stage: StorageStage): Complete<'marks.set'> {
  return {
    'marks.set': async () => {
      const id = await stage.volume();
      return {
        act: (call) => partOf(stage).set(id, FIRST, call),
        done: async () => expect(await partOf(stage).get(id, stage.call())).to.equal(FIRST),
        undo: (call) => stage.driver.volumes.delete(id, call),
        left: () => stage.listedOf(id),
      };
    },
  };
}
