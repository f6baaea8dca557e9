import { expect } from 'chai';
import { operation } from '../../../src/kernel/index.ts';
import { codeOf, GIB } from '../little-cloud.ts';
import { MachineStage } from './machine-stage.ts';

describe('the parts of a machine', () => {
  for (const state of ['running', 'stopped'] as const)
    it(`are plugged in and out while it is ${state}, and stay over a restart`, async () => {
      const stage = await MachineStage.with();
      const id = await stage.into(state, await stage.machine());
      const slots = () => stage.real(id).spec.disks.map((disk) => disk.slot);
      const [first, second] = [await stage.volume(8192), await stage.volume(8192)];
      await stage.sim.done('instance.attachVolume', { volumeId: first }, id);
      await stage.sim.done('instance.attachVolume', { volumeId: second }, id);
      expect(slots()).to.deep.equal([0, 1, 2]);
      await stage.sim.done('instance.detachVolume', { volumeId: first }, id);
      await stage.sim.done('instance.attachVolume', { volumeId: await stage.volume(8192) }, id);
      expect(slots().sort(), 'the lowest slot is taken again').to.deep.equal([0, 1, 2]);
      await stage.sim.done('instance.attachNic', { networkId: stage.networkId, address: '10.0.0.9' }, id);
      await stage.sim.done('instance.attachNic', { networkId: stage.networkId }, id);
      const [nic] = await stage.nics(id);
      await stage.sim.done('instance.detachNic', { nicId: nic?.id }, id);
      expect((await stage.nics(id)).map((row) => [row.slot, row.state])).to.deep.equal([[1, 'attached']]);
      if (state === 'running') await stage.into('stopped', id);
      await stage.sim.done('instance.start', {}, id);
      const { spec } = stage.real(id);
      expect([spec.disks.length, spec.nics.length]).to.deep.equal([3, 1]);
      expect([...(stage.worldHost().networks.get(stage.networkId)?.ports.keys() ?? [])]).to.deep.equal(spec.nics.map((each) => each.nicId));
      expect(stage.sim.world.violations).to.deep.equal([]);
    });

  it('are attached and detached again with the same answer', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    const volumeId = await stage.volume(8192);
    for (const verb of ['attachVolume', 'attachVolume', 'detachVolume', 'detachVolume'])
      await stage.sim.done(`instance.${verb}`, { volumeId }, id);
    expect(stage.real(id).spec.disks).to.have.length(1);
  });

  it('stay where they belong', async () => {
    const stage = await MachineStage.with({ hosts: 2 });
    const [id, other] = [await stage.machine({ hostId: stage.hostIds[0] }), await stage.machine({ hostId: stage.hostIds[0] })];
    const volumeId = await stage.volume(8192, { poolId: stage.poolIds[0] });
    await stage.sim.done('instance.attachVolume', { volumeId }, other);
    const [root] = await stage.disks(id);
    await stage.sim.done('instance.attachNic', { networkId: stage.networkId }, other);
    const [nic] = await stage.nics(other);
    const far = await stage.volume(8192, { poolId: stage.poolIds[1] });
    const farNetwork = await stage.network({ hostId: stage.hostIds[1] });
    for (const [verb, input, pointer] of [
      ['attachVolume', { volumeId }, '/volumeId'],
      ['attachVolume', { volumeId: far }, '/volumeId'],
      ['detachVolume', { volumeId: root?.id }, '/volumeId'],
      ['detachVolume', { volumeId }, '/volumeId'],
      ['detachNic', { nicId: nic?.id }, '/nicId'],
      ['attachNic', { networkId: farNetwork }, '/networkId'],
    ] as const) {
      const error = await stage.refusal(`instance.${verb}`, input, id);
      expect([error.code, error.pointer], `${verb} ${JSON.stringify(input)}`).to.deep.equal(['conflict', pointer]);
    }
  });

  it('are at most so many', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ volumes: Array(16).fill({ sizeBytes: 512, deleteWithInstance: true }) });
    const volumeId = await stage.volume(512);
    expect((await stage.outcome('instance.attachVolume', { volumeId }, id)).error?.code).to.equal('conflict');
    for (let count = 0; count < 8; count += 1) await stage.sim.done('instance.attachNic', { networkId: stage.networkId }, id);
    expect((await stage.refusal('instance.attachNic', { networkId: stage.networkId }, id)).code).to.equal('conflict');
  });

  it('come in order when many are plugged in at once', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    const { kernel, principal, environment } = stage.sim;
    const ask = (verb: string, input: object) => kernel.submit({ action: `instance.${verb}`, input, principal, resourceId: id });
    const disks: string[] = [];
    for (let count = 0; count < 6; count += 1) disks.push(await stage.volume(512));
    const accepted = await environment.complete(
      Promise.all([
        ...disks.map((volumeId) => ask('attachVolume', { volumeId })),
        ...Array.from({ length: 5 }, () => ask('attachNic', { networkId: stage.networkId })),
      ]),
    );
    for (const { operationId } of accepted) expect((await stage.sim.ended(operationId)).error).to.equal(undefined);
    expect((await stage.disks(id)).map((row) => row.slot)).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
    expect((await stage.nics(id)).map((row) => row.slot)).to.deep.equal([0, 1, 2, 3, 4]);
    expect(new Set((await stage.nics(id)).map((row) => row.address)).size).to.equal(5);
  });

  for (const verb of ['attachNic', 'detachNic', 'attachVolume', 'detachVolume'] as const)
    it(`end as failed where the machine is gone when its turn comes, and are as before when it is made anew: ${verb}`, async () => {
      const stage = await MachineStage.with();
      const id = await stage.machine({ nics: [{ networkId: stage.networkId }] });
      const [inside, outside] = [await stage.volume(8192), await stage.volume(8192)];
      await stage.sim.done('instance.attachVolume', { volumeId: inside }, id);
      await stage.into('stopped', id);
      const [nic] = await stage.nics(id);
      stage.sim.around = async (point, body) => {
        if (['plug', 'unplug'].includes(point.path)) stage.worldHost().machines.delete(id);
        return body();
      };
      const input = {
        attachNic: { networkId: stage.networkId },
        detachNic: { nicId: nic?.id },
        attachVolume: { volumeId: outside },
        detachVolume: { volumeId: inside },
      }[verb];
      const { operationId } = await stage.sim.submit(`instance.${verb}`, input, id);
      await stage.sim.run(15 * 60_000);
      expect((await stage.row(operation, operationId)).state).to.equal('failed');
      stage.sim.around = undefined;
      await stage.sim.done('instance.start', {}, id);
      const { disks, nics } = stage.real(id).spec;
      expect([disks.length, disks[1]?.volumeId, nics.map(({ nicId }) => nicId)]).to.deep.equal([2, inside, [nic?.id]]);
      expect((await stage.nics(id)).map(({ state }) => state)).to.deep.equal(['attached']);
      expect(stage.sim.world.violations).to.deep.equal([]);
    });
});

describe('the size of a machine', () => {
  it('grows while it runs, up to its maxima', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    await stage.sim.done('instance.resize', { vcpus: 4, memoryBytes: 2 * GIB }, id);
    expect(stage.real(id).spec).to.include({ vcpus: 4, memoryBytes: 2 * GIB });
    expect(await stage.taken(stage.hostIds[0] ?? '')).to.deep.equal([4, 2 * GIB]);
    expect((await stage.refusal('instance.resize', { vcpus: 5 }, id)).pointer).to.equal('/vcpus');
    expect((await stage.refusal('instance.resize', { memoryBytes: 5 * GIB }, id)).pointer).to.equal('/memoryBytes');
    expect((await stage.refusal('instance.resize', { vcpus: 2 }, id)).code).to.equal('unsupported');
  });

  it('becomes any while it is stopped, and its maxima follow', async () => {
    const stage = await MachineStage.with();
    const id = await stage.into('stopped', await stage.machine());
    await stage.sim.done('instance.resize', { vcpus: 8, memoryBytes: 8 * GIB }, id);
    expect(await stage.instance(id)).to.include({ vcpus: 8, vcpusMax: 8, memoryBytes: 8 * GIB, memoryBytesMax: 8 * GIB });
    await stage.sim.done('instance.start', {}, id);
    expect(stage.real(id).spec).to.include({ vcpus: 8, vcpusMax: 8 });
    await stage.into('stopped', id);
    await stage.sim.done('instance.resize', { vcpus: 1, memoryBytes: GIB / 2 }, id);
    expect(await stage.taken(stage.hostIds[0] ?? '')).to.deep.equal([1, GIB / 2]);
    await stage.sim.done('instance.delete', {}, id);
    expect(await stage.taken(stage.hostIds[0] ?? '')).to.deep.equal([0, 0]);
  });

  it('is decided when its turn comes: a machine that has been stopped shrinks, and one that has been started grows at once', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    await stage.sim.done('instance.attachNic', { networkId: stage.networkId }, id);
    for (const [verb, vcpus] of [
      ['stop', 1],
      ['start', 3],
    ] as const) {
      const ahead = await stage.sim.submit(`instance.${verb}`, {}, id);
      const { operationId } = await stage.sim.submit('instance.resize', { vcpus: vcpus === 1 ? 1 : 3, memoryBytes: vcpus * GIB }, id);
      expect((await stage.sim.ended(ahead.operationId)).state).to.equal('succeeded');
      expect((await stage.sim.ended(operationId)).error, verb).to.equal(undefined);
      expect(stage.real(id).spec, verb).to.include({ vcpus, memoryBytes: vcpus * GIB });
      expect(await stage.taken(stage.hostIds[0] ?? ''), verb).to.deep.equal([vcpus, vcpus * GIB]);
    }
  });

  it('is taken off what its host promises when it has shrunk, not when that was asked for', async () => {
    const stage = await MachineStage.with();
    const [hostId = ''] = stage.hostIds;
    const id = await stage.machine();
    await stage.sim.done('instance.resize', { vcpus: 4, memoryBytes: 4 * GIB }, id);
    const asked: string[] = [];
    for (const [verb, input] of [
      ['stop', {}],
      ['resize', { vcpus: 2 }],
      ['resize', { vcpus: 1, memoryBytes: GIB }],
      ['resize', { memoryBytes: 5 * GIB }],
    ] as const)
      asked.push((await stage.sim.submit(`instance.${verb}`, input, id)).operationId);
    expect(await stage.taken(hostId)).to.deep.equal([4, 5 * GIB]);
    const ended: (string | undefined)[] = [];
    for (const operationId of asked) ended.push((await stage.sim.ended(operationId)).error?.code);
    expect(ended).to.deep.equal([undefined, undefined, 'conflict', 'conflict']);
    expect(await stage.taken(hostId)).to.deep.equal([2, 4 * GIB]);
    await stage.sim.done('instance.resize', { memoryBytes: 2 * GIB }, id);
    expect(await stage.taken(hostId)).to.deep.equal([2, 2 * GIB]);
    await stage.sim.done('instance.delete', {}, id);
    expect(await stage.taken(hostId)).to.deep.equal([0, 0]);
  });

  it('that cannot be had is taken back from a machine that came up by itself meanwhile', async () => {
    const stage = await MachineStage.with();
    const id = await stage.into('stopped', await stage.machine());
    await stage.sim.done('instance.attachNic', { networkId: stage.networkId }, id);
    // Nobody has told yet.
    stage.real(id).start();
    const { state, error } = await stage.outcome('instance.resize', { vcpus: 2 }, id);
    expect([state, error?.code]).to.deep.equal(['failed', 'conflict']);
    expect(await stage.taken(stage.hostIds[0] ?? '')).to.deep.equal([1, GIB]);
    expect(stage.real(id).spec.vcpus).to.equal(1);
  });

  it('is refused beyond what the host has', async () => {
    const stage = await MachineStage.with({ cpus: 2, cluster: { vcpuOvercommit: 1 } });
    const id = await stage.into('stopped', await stage.machine());
    expect((await stage.refusal('instance.resize', { vcpus: 3 }, id)).code).to.equal('no_capacity');
    for (const memoryBytes of [1, 1.5, 2 ** 53, 1e300, '1'])
      expect((await stage.refusal('instance.resize', { memoryBytes }, id)).code).to.equal('invalid_input');
    expect(await codeOf(stage.sim.done('instance.resize', { vcpus: 2 }, id))).to.equal('succeeded');
  });
});

describe('limits of a machine', () => {
  it('take effect at once while it runs, and are lifted with 0', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ nics: [{ networkId: stage.networkId }] });
    const [disk] = await stage.disks(id);
    const [nic] = await stage.nics(id);
    const { real } = { real: () => stage.real(id).spec };
    await stage.sim.done('volume.setLimits', { limits: { iopsPerSecond: 500 } }, disk?.id);
    expect(real().disks[0]?.limits).to.deep.equal({ iopsPerSecond: 500 });
    await stage.sim.done('volume.setLimits', { limits: { bytesPerSecond: 1000 } }, disk?.id);
    expect(real().disks[0]?.limits, 'what is not named is lifted').to.deep.equal({ bytesPerSecond: 1000 });
    await stage.sim.done('volume.setLimits', { limits: { bytesPerSecond: 0 } }, disk?.id);
    expect(real().disks[0]?.limits).to.equal(undefined);
    await stage.sim.done('nic.setLimits', { limits: { outboundBytesPerSecond: 9 } }, nic?.id);
    expect(real().nics[0]?.limits).to.deep.equal({ outboundBytesPerSecond: 9 });
    await stage.sim.done('instance.setCpuShares', { cpuShares: 77 }, id);
    expect(real().cpuShares).to.equal(77);
    expect((await stage.refusal('nic.setLimits', { limits: {} }, nic?.id)).code).to.equal('invalid_input');
  });

  it('of what a NIC sends are refused where the switch would not heed them', async () => {
    const landing = <T>(_: string, command: string, apply: () => T): T =>
      (command === 'ensurePort' ? { ...apply(), type: 'ovsPort', offloads: false } : apply()) as T;
    const stage = await MachineStage.with({}, { world: { landing } });
    const [nic] = await stage.nics(await stage.machine({ nics: [{ networkId: stage.networkId }] }));
    const { operationId } = await stage.sim.submit('nic.setLimits', { limits: { outboundBytesPerSecond: 9 } }, nic?.id);
    expect((await stage.sim.ended(operationId)).error).to.include({ code: 'unsupported' });
    await stage.sim.done('nic.setLimits', { limits: { inboundBytesPerSecond: 9 } }, nic?.id);
    const limits = { outboundBytesPerSecond: 9 };
    const made = await stage.sim.submit('instance.create', stage.input({ nics: [{ networkId: stage.networkId, limits }] }));
    expect((await stage.sim.ended(made.operationId)).error).to.include({ code: 'unsupported' });
  });

  it('wait for the start of one that does not run', async () => {
    const stage = await MachineStage.with();
    const id = await stage.into('stopped', await stage.machine());
    const [disk] = await stage.disks(id);
    await stage.sim.done('volume.setLimits', { limits: { iopsPerSecond: 500 } }, disk?.id);
    await stage.sim.done('instance.setCpuShares', { cpuShares: 77 }, id);
    await stage.sim.done('instance.start', {}, id);
    expect(stage.real(id).spec.disks[0]?.limits).to.deep.equal({ iopsPerSecond: 500 });
    expect(stage.real(id).spec.cpuShares).to.equal(77);
  });

  it('follow a disk that is being attached when they are set', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    const volumeId = await stage.volume(512);
    const attach = await stage.sim.submit('instance.attachVolume', { volumeId }, id);
    const limit = await stage.sim.submit('volume.setLimits', { limits: { iopsPerSecond: 5 } }, volumeId);
    for (const { operationId } of [attach, limit]) expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    expect(stage.real(id).spec.disks[1]?.limits).to.deep.equal({ iopsPerSecond: 5 });
  });
});

describe('a host that cannot do all', () => {
  it('refuses by the name of the feature, before anything changes', async () => {
    const without = ['hotplug', 'resize', 'cpuShares', 'diskLimits', 'nicLimits', 'serial', 'vnc'] as const;
    const stage = await MachineStage.with({}, { without });
    const id = await stage.machine({ nics: [{ networkId: stage.networkId }] });
    const [[disk], [nic], volumeId] = [await stage.disks(id), await stage.nics(id), await stage.volume(512)];
    for (const [action, input, target, capability] of [
      ['instance.attachVolume', { volumeId }, id, 'hotplug'],
      ['instance.attachNic', { networkId: stage.networkId }, id, 'hotplug'],
      ['instance.detachNic', { nicId: nic?.id }, id, 'hotplug'],
      ['instance.resize', { vcpus: 2 }, id, 'resize'],
      ['instance.setCpuShares', { cpuShares: 2 }, id, 'cpuShares'],
      ['volume.setLimits', { limits: { iopsPerSecond: 1 } }, disk?.id, 'diskLimits'],
      ['nic.setLimits', { limits: { inboundBytesPerSecond: 1 } }, nic?.id, 'nicLimits'],
    ] as const) {
      const error = await stage.refusal(action, input, target);
      expect([error.code, error.params?.capability], action).to.deep.equal(['unsupported', capability]);
    }
    for (const type of ['serial', 'vnc'])
      expect(await codeOf(stage.ask('POST', '/instances/{id}/console', { params: { id }, body: { type } }))).to.equal('unsupported');
  });
});
