import { expect } from 'chai';
import { image } from '../../../src/cloud/index.ts';
import { type CloudError, operation, timestampOf } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { codeOf } from '../little-cloud.ts';

const DAY_MS = 86_400_000;

describe('an image that is deprecated', () => {
  let stage: MachineStage;
  let id: string;
  beforeEach(async () => {
    stage = await MachineStage.with();
    id = stage.imageId;
  });
  const inDays = (days: number) => timestampOf(stage.sim.environment.clock.nowMs() + days * DAY_MS);
  const asked = () =>
    [
      ['instance.create', stage.input()],
      ['volume.create', { imageId: id }],
    ] as const;

  it('is told to who makes something of it', async () => {
    const obsoleteAt = inDays(30);
    await stage.sim.done('image.deprecate', { obsoleteAt, replacement: 'debian-13' }, id);
    const row = await stage.row(image, id);
    expect(row).to.include({ obsoleteAt, replacement: 'debian-13' });
    for (const [action, input] of asked()) {
      const { operationId } = await stage.sim.submit(action, input);
      const { state, notes } = await stage.sim.ended(operationId);
      expect(state).to.equal('succeeded');
      expect(notes?.deprecatedImage).to.deep.equal({ deprecatedAt: row.deprecatedAt, obsoleteAt, replacement: 'debian-13' });
    }
  });

  it('is nothing to make anything of once it is obsolete, and what there is stays', async () => {
    const machineId = await stage.sim.done('instance.create', stage.input());
    await stage.sim.done('image.deprecate', { obsoleteAt: inDays(10_000 / DAY_MS), replacement: 'debian-13' }, id);
    await stage.sim.run(11_000);
    const operations = (await stage.rows(operation)).length;
    for (const [action, input] of asked()) {
      const error = await stage.sim.submit(action, input).catch((cause: CloudError) => cause);
      expect(error).to.include({ code: 'conflict', pointer: '/imageId' });
      expect((error as CloudError).publicMessage).to.match(/^Image \S+ is obsolete since \S+\. Use debian-13\.$/);
    }
    expect((await stage.rows(operation)).length).to.equal(operations);
    await stage.sim.done('instance.stop', { force: true }, machineId);
    await stage.sim.done('instance.start', {}, machineId);
  });

  it('says anew what holds when it is asked again, but since when it is deprecated', async () => {
    await stage.sim.done('image.deprecate', { obsoleteAt: inDays(-1), replacement: 'debian-13' }, id);
    const { deprecatedAt } = await stage.row(image, id);
    expect(await codeOf(stage.sim.submit('instance.create', stage.input()))).to.equal('conflict');
    await stage.sim.run(1000);
    await stage.sim.done('image.deprecate', {}, id);
    expect(await stage.row(image, id))
      .to.include({ deprecatedAt })
      .and.not.to.have.any.keys('obsoleteAt', 'replacement');
    await stage.sim.done('instance.create', stage.input());
  });

  it('is as before when that is taken back, which it may be twice', async () => {
    await stage.sim.done('image.deprecate', { obsoleteAt: inDays(-1) }, id);
    await stage.sim.done('image.reinstate', {}, id);
    await stage.sim.done('image.reinstate', {}, id);
    expect(await stage.row(image, id)).not.to.have.any.keys('deprecatedAt', 'obsoleteAt', 'replacement');
    const { operationId } = await stage.sim.submit('instance.create', stage.input());
    expect((await stage.sim.ended(operationId)).notes).not.to.have.property('deprecatedImage');
  });

  it('is not so at a time that never is', async () => {
    const error = await stage.sim.submit('image.deprecate', { obsoleteAt: '2026-02-31T25:00:00Z' }, id).catch((cause: CloudError) => cause);
    expect(error).to.include({ code: 'invalid_input', pointer: '/obsoleteAt' });
  });
});
