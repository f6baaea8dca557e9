import { expect } from 'chai';
import type { IsoSpec } from '../../src/strategy/index.ts';
import type { Complete } from './frozen.ts';
import type { HypervisorStage } from './hypervisor.ts';
import { part } from './hypervisor-change.ts';

/** ISOs that go into the drive of a machine, and out again. */
export function driveTests(stage: HypervisorStage): void {
  const insert = (id: string, iso: IsoSpec) => part(stage.driver, 'drive').insert(id, iso, stage.call());
  const eject = (id: string) => part(stage.driver, 'drive').eject(id, true, stage.call());
  const isoIn = async (id: string) => (await stage.see(id)).isoId;

  for (const state of ['stopped', 'running'] as const)
    it(`take an ISO of a ${state} machine, another in its place, and are empty again, however often asked`, async () => {
      const spec = state === 'running' ? await stage.running() : await stage.defined();
      const before = await stage.see(spec.id);
      expect(before).not.to.have.property('isoId');
      for (const iso of [await stage.harness.iso(), await stage.harness.iso()])
        for (let round = 0; round < 2; round += 1) {
          await insert(spec.id, iso);
          expect(await stage.see(spec.id)).to.deep.equal({ ...before, isoId: iso.imageId });
        }
      for (let round = 0; round < 2; round += 1) {
        await eject(spec.id);
        expect(await stage.see(spec.id)).to.deep.equal(before);
      }
    });

  stage.selected('keep over a power-off what was put in while the machine ran, and stay empty over the next', async () => {
    const spec = await stage.running();
    const iso = await stage.harness.iso();
    await insert(spec.id, iso);
    for (const change of [async () => undefined, () => eject(spec.id)]) {
      await change();
      const expected = await isoIn(spec.id);
      await stage.driver.power.powerOff(spec.id, stage.call());
      expect(await isoIn(spec.id)).to.equal(expected);
      await stage.driver.power.start(spec.id, stage.call());
      expect(await isoIn(spec.id)).to.equal(expected);
    }
    expect(await isoIn(spec.id)).to.equal(undefined);
  });

  stage.selected('are part of the definition', async () => {
    const iso = await stage.harness.iso();
    const spec = await stage.defined({ iso });
    expect(await isoIn(spec.id)).to.equal(iso.imageId);
    await stage.driver.power.start(spec.id, stage.call());
    expect(await isoIn(spec.id)).to.equal(iso.imageId);
    await stage.driver.machines.define(spec, stage.call());
    await stage.driver.power.powerOff(spec.id, stage.call());
    const { iso: _, ...empty } = spec;
    await stage.driver.machines.define(empty, stage.call());
    expect(await isoIn(spec.id)).to.equal(undefined);
  });

  it('of a machine that is not there are not found', async () => {
    const iso = await stage.harness.iso();
    expect(await stage.fault(insert(stage.newId(), iso))).to.equal('not_found');
    expect(await stage.fault(eject(stage.newId()))).to.equal('not_found');
  });
}

/** Each is undone by the other. */
export function driveFreezeTable(stage: HypervisorStage): Complete<'drive.insert' | 'drive.eject'> {
  const prepare = (isFull: boolean) => async () => {
    const drive = part(stage.driver, 'drive');
    const iso = await stage.harness.iso();
    const spec = await stage.running(isFull ? { iso } : {});
    const isoIds = async () => (await stage.see(spec.id)).isoId;
    const insert = (call: Parameters<typeof drive.eject>[2]) => drive.insert(spec.id, iso, call);
    const eject = (call: Parameters<typeof drive.eject>[2]) => drive.eject(spec.id, true, call);
    return {
      act: isFull ? eject : insert,
      undo: isFull ? insert : eject,
      done: async () => expect(await isoIds()).to.equal(isFull ? undefined : iso.imageId),
      lateArrival: async () => expect(await isoIds()).to.be.oneOf([undefined, iso.imageId]),
      left: async () => ((await isoIds()) === (isFull ? iso.imageId : undefined) ? [] : [spec.id]),
    };
  };
  return { 'drive.insert': prepare(false), 'drive.eject': prepare(true) };
}
