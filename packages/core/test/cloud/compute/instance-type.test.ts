import { expect } from 'chai';
import { instanceType } from '../../../src/cloud/index.ts';
import { codeOf, GIB } from '../little-cloud.ts';
import { MachineStage } from './machine-stage.ts';

describe('instance types', () => {
  it('are never changed: a revision is the next version, and machines keep theirs', async () => {
    const stage = await MachineStage.with();
    const [first] = await stage.rows(instanceType);
    const old = await stage.machine();
    await stage.sim.done('instanceType.revise', { vcpus: 2, memoryBytes: 2 * GIB }, first?.id);
    const versions = [...(await stage.rows(instanceType))].sort((a, b) => a.version - b.version);
    expect(versions.map(({ name, version, vcpus }) => [name, version, vcpus])).to.deep.equal([
      ['small', 1, 1],
      ['small', 2, 2],
    ]);
    expect(versions[0]).to.deep.equal(first);
    expect((await stage.instance(old)).instanceTypeId).to.equal(first?.id);
    expect(await stage.instance(await stage.machine())).to.include({ instanceTypeId: versions[1]?.id, vcpus: 2 });
    expect(await stage.instance(await stage.machine({ instanceType: first?.id }))).to.include({ instanceTypeId: first?.id, vcpus: 1 });
    expect(stage.sim.kernel.registry.findAction('instanceType.update')).to.equal(undefined);
  });

  it('get one version each when revised side by side', async () => {
    const stage = await MachineStage.with();
    const [first] = await stage.rows(instanceType);
    const { kernel, principal, environment } = stage.sim;
    const input = { vcpus: 2, memoryBytes: GIB };
    const revise = () => kernel.submit({ action: 'instanceType.revise', input, principal, resourceId: first?.id ?? '' });
    const accepted = await environment.complete(Promise.all([revise(), revise(), revise()]));
    for (const { operationId } of accepted) expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    expect((await stage.rows(instanceType)).map((row) => row.version).sort()).to.deep.equal([1, 2, 3, 4]);
  });

  it('stay while a machine is of them, and the version before is the newest again when one goes', async () => {
    const stage = await MachineStage.with();
    const [first] = await stage.rows(instanceType);
    await stage.sim.done('instanceType.revise', { vcpus: 2, memoryBytes: GIB }, first?.id);
    const second = (await stage.rows(instanceType)).find((row) => row.version === 2);
    const id = await stage.machine();
    expect((await stage.refusal('instanceType.delete', {}, second?.id)).code).to.equal('in_use');
    await stage.sim.done('instance.delete', {}, id);
    await stage.sim.done('instanceType.delete', {}, second?.id);
    expect((await stage.instance(await stage.machine())).instanceTypeId).to.equal(first?.id);
  });

  it('are refused when they contradict themselves', async () => {
    const stage = await MachineStage.with();
    for (const [input, pointer] of [
      [{ name: 'x', vcpus: 4, memoryBytes: GIB, vcpusMax: 2 }, '/vcpusMax'],
      [{ name: 'x', vcpus: 4, memoryBytes: GIB, memoryBytesMax: GIB / 2 }, '/memoryBytesMax'],
      [{ name: 'x', vcpus: 0, memoryBytes: GIB }, '/vcpus'],
      [{ name: 'x', vcpus: 1, memoryBytes: 1 }, '/memoryBytes'],
      [{ name: 'small', vcpus: 1, memoryBytes: GIB }, '/name'],
    ] as const)
      expect((await stage.refusal('instanceType.create', input)).pointer, JSON.stringify(input)).to.equal(pointer);
    expect(await codeOf(stage.sim.done('instanceType.create', { vcpus: 1, memoryBytes: GIB }))).to.equal('succeeded');
  });
});
