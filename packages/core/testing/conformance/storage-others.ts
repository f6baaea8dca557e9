import { expect } from 'chai';
import type { Call } from '../../src/strategy/index.ts';
import type { Complete, PreparedCall } from './frozen.ts';
import { MIB, type StorageStage } from './storage-stage.ts';

/** A disk of somebody else, and the id that it is to have. */
async function planted(stage: StorageStage) {
  const id = stage.made('volume');
  const name = `disk-${id}`;
  const plant = stage.harness.plant ?? expect.fail('the harness makes no disks of others');
  await plant.call(stage.harness, name, MIB);
  return { id, name, others: partOf(stage) };
}

const partOf = (stage: StorageStage) => stage.driver.others ?? expect.fail('the driver tells no disks of others');

async function namesOf(stage: StorageStage): Promise<readonly string[]> {
  const names: string[] = [];
  for (let after: string | undefined; ; ) {
    const { disks, next } = await partOf(stage).list(after === undefined ? {} : { after }, stage.call());
    names.push(...disks.map(({ name }) => name));
    if (next === undefined) return names;
    after = next;
  }
}

export function othersTests(stage: StorageStage): void {
  stage.selected('tells them, and nothing of ours', async () => {
    const { name, others } = await planted(stage);
    const ours = await stage.volume();
    const names = await namesOf(stage);
    expect(names).to.include(name);
    expect(names.filter((each) => each.includes(ours))).to.deep.equal([]);
    expect(await stage.listedOf(name)).to.deep.equal([]);
    const { sizeBytes, head } = await others.look(name, 4096, stage.call());
    expect([sizeBytes, head.length]).to.deep.equal([MIB, 4096]);
    expect(await stage.fault(others.look(`${name}-1`, 4096, stage.call()))).to.equal('not_found');
  });

  stage.selected('makes one a volume, and takes that back, each as often as it is asked to', async () => {
    const { id, name, others } = await planted(stage);
    for (let times = 0; times < 2; times += 1) await others.adopt(name, id, stage.call());
    await stage.expectThere('volume', id, MIB);
    expect(await namesOf(stage)).to.not.include(name);
    for (let times = 0; times < 2; times += 1) await others.giveBack(name, id, stage.call());
    await stage.expectAbsent('volume', id);
    expect(await namesOf(stage)).to.include(name);
  });

  stage.selected('adopts nothing that is not there', async () => {
    const id = stage.made('volume');
    expect(await stage.fault(partOf(stage).adopt(`disk-${id}`, id, stage.call()))).to.equal('not_found');
    await stage.expectAbsent('volume', id);
  });
}

/** Each is undone by giving the disk its name back. */
export function othersFreezeTable(stage: StorageStage): Complete<'others.adopt' | 'others.giveBack'> {
  const prepared = ({ id, name, others }: Awaited<ReturnType<typeof planted>>, act: PreparedCall['act'], done: PreparedCall['done']) => ({
    ...{ act, done, undo: (call: Call) => others.giveBack(name, id, call) },
    left: () => stage.listedOf(id),
  });
  return {
    'others.adopt': async () => {
      const at = await planted(stage);
      const act = (call: Call) => at.others.adopt(at.name, at.id, call);
      return {
        ...prepared(at, act, () => stage.expectThere('volume', at.id, MIB)),
        lateArrival: async () => expect((await stage.listedOf(at.id)).length).to.be.at.most(1),
      };
    },
    'others.giveBack': async () => {
      const at = await planted(stage);
      await at.others.adopt(at.name, at.id, stage.call());
      return prepared(
        at,
        (call) => at.others.giveBack(at.name, at.id, call),
        () => stage.expectAbsent('volume', at.id),
      );
    },
  };
}
