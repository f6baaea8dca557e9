import { expect } from 'chai';
import { instance, stray } from '../../../src/cloud/index.ts';
import { change, operation, type Statement } from '../../../src/kernel/index.ts';
import { GIB } from '../little-cloud.ts';
import { LOOK_MS, MachineStage } from './machine-stage.ts';

describe('what is seen of a machine', () => {
  it('that powers itself off: it is stopped, with the reason', async () => {
    const stage = await MachineStage.with({}, { world: { guests: () => ({ haltsAfterMs: 500 }) } });
    const id = await stage.machine();
    await stage.sim.run(5000);
    const row = await stage.instance(id);
    expect(row).to.include({ state: 'stopped', desiredPower: 'running' });
    expect(row.stateReason).to.include({ code: 'powered_off' });
    await stage.sim.done('instance.start', {}, id);
    expect(await stage.instance(id)).not.to.have.property('stateReason');
  });

  it('that crashes: it is crashed, and comes back by start and by reset', async () => {
    const stage = await MachineStage.with();
    for (const verb of ['start', 'reset']) {
      const id = await stage.into('crashed', await stage.machine());
      expect((await stage.instance(id)).stateReason).to.include({ code: 'crashed' });
      await stage.sim.done(`instance.${verb}`, {}, id);
      expect(stage.real(id).power).to.equal('running');
    }
  });

  it('that is killed, paused, started or resumed behind our back: its state follows', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    for (const [act, state, code] of [
      ['suspend', 'suspended', 'found_paused'],
      ['resume', 'running', 'found_running'],
      ['stop', 'stopped', 'powered_off'],
      ['start', 'running', 'found_running'],
    ] as const) {
      stage.real(id)[act]();
      await stage.sim.run(LOOK_MS);
      const row = await stage.instance(id);
      expect([row.state, row.stateReason?.code], act).to.deep.equal([state, code]);
      expect(row.observedGeneration, act).to.equal(row.generation);
    }
  });

  it('that is undefined: it is missing, not gone, and start makes it anew on its disks', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ nics: [{ networkId: stage.networkId }] });
    const [disks, { mac }] = [await stage.disks(id), (await stage.nics(id))[0] ?? { mac: '' }];
    await stage.into('missing', id);
    expect((await stage.instance(id)).stateReason).to.include({ code: 'absent' });
    expect(await stage.taken(stage.hostIds[0] ?? ''), 'its place is kept').to.deep.equal([1, GIB]);
    await stage.sim.done('instance.start', {}, id);
    expect(stage.real(id).spec.disks.map((disk) => disk.volumeId)).to.deep.equal(disks.map((disk) => disk.id));
    expect(stage.real(id).spec.nics[0]?.mac).to.equal(mac);
  });

  it('that is renamed: nothing, it is known by its id, and the next start gives it its name again', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ name: 'web' });
    const { generation } = await stage.instance(id);
    const real = stage.real(id);
    real.spec = { ...real.spec, name: 'other' };
    await stage.sim.run(3 * LOOK_MS);
    expect(await stage.instance(id)).to.include({ state: 'running', name: 'web', generation });
    await stage.into('stopped', id);
    await stage.sim.done('instance.start', {}, id);
    expect(stage.real(id).spec.name).to.equal('web');
  });

  it('that a host which came back lost its power over: it is stopped', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    stage.sim.world.crash('hv1');
    stage.sim.world.boot('hv1');
    await stage.sim.run(LOOK_MS);
    expect((await stage.instance(id)).state).to.equal('stopped');
  });

  it('is not believed after one failed look', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    stage.sim.world.partition('hv1');
    await stage.sim.run(5 * LOOK_MS);
    expect((await stage.instance(id)).state).to.equal('running');
  });
});

describe('what is found on a host', () => {
  it('with our mark and a tombstone: a late arrival, removed', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    const { spec } = stage.real(id);
    await stage.into('deleted', id);
    stage.worldHost().define(spec);
    await stage.sim.run(LOOK_MS);
    expect(stage.copies(id)).to.equal(0);
    expect(await stage.rows(stray)).to.deep.equal([]);
  });

  it('with our mark and unknown: quarantined, and never removed', async () => {
    const stage = await MachineStage.with();
    const { spec } = stage.real(await stage.machine());
    const unknown = stage.sim.kernel.services.ids.mint('instance');
    stage.worldHost().define({ ...spec, id: unknown, name: 'unknown', disks: [], nics: [] });
    await stage.sim.run(5 * LOOK_MS);
    const rows = await stage.rows(stray);
    expect(rows.map(({ objectId, objectKind, state }) => [objectId, objectKind, state])).to.deep.equal([
      [unknown, 'machine', 'quarantined'],
    ]);
    expect(stage.copies(unknown)).to.equal(1);
    expect(await stage.rows(instance)).to.have.length(1);
  });

  it('with our mark while its row says that it is elsewhere: quarantined, and the one that is right goes on', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    const id = await stage.machine({ hostId: stage.hostIds[0] });
    stage.worldHost(2).define({ ...stage.real(id).spec, disks: [], nics: [] });
    await stage.sim.run(2 * LOOK_MS);
    const [row] = await stage.rows(stray);
    expect(row).to.include({ objectId: id, hostId: stage.hostIds[1] });
    expect(row?.details).to.include({ rowHostId: stage.hostIds[0] });
    expect([(await stage.instance(id)).state, stage.copies(id)]).to.deep.equal(['running', 2]);
  });

  it('without our mark: not touched, not even looked at', async () => {
    const stage = await MachineStage.with();
    const foreign = stage.worldHost().addForeignMachine('theirs');
    foreign.start();
    const revision = await stage.revision();
    await stage.sim.run(5 * LOOK_MS);
    expect(foreign.power).to.equal('running');
    expect(await stage.rows(stray)).to.deep.equal([]);
    expect(await stage.revision()).to.equal(revision);
  });

  it('and is as it should be: no write at all, however many looks', async () => {
    const stage = await MachineStage.with();
    for (let count = 0; count < 5; count += 1) await stage.machine({ nics: [{ networkId: stage.networkId }], start: count > 2 });
    await stage.sim.run(LOOK_MS);
    const revision = await stage.revision();
    await stage.sim.run(20 * LOOK_MS);
    expect(await stage.revision()).to.equal(revision);
  });
});

describe('what is in a machine', () => {
  /** A machine with a disk and a NIC that were plugged in, and as it was before that. */
  async function plugged(stage: MachineStage) {
    const id = await stage.machine();
    const before = stage.real(id).spec;
    const volumeId = await stage.volume(4096);
    await stage.sim.done('instance.attachVolume', { volumeId }, id);
    await stage.sim.done('instance.attachNic', { networkId: stage.networkId }, id);
    const [nicId = ''] = (await stage.nics(id)).map((row) => row.id);
    return { id, before, volumeId, nicId, after: stage.real(id).spec };
  }
  const shown = (stage: MachineStage, id: string) => {
    const { diskIds, nicIds } = stage.real(id).observe();
    return { diskIds, nicIds };
  };

  for (const power of ['running', 'suspended', 'stopped'] as const)
    it(`late, after it was taken out of one that is ${power}: goes, and the machine stays as it is`, async () => {
      const stage = await MachineStage.with();
      const { id, volumeId, nicId, after } = await plugged(stage);
      await stage.sim.done('instance.detachVolume', { volumeId }, id);
      await stage.sim.done('instance.detachNic', { nicId }, id);
      if (power !== 'running') await stage.into(power, id);
      const right = shown(stage, id);
      stage.real(id).spec = after;
      await stage.sim.run(2 * LOOK_MS);
      expect(shown(stage, id)).to.deep.equal(right);
      expect(stage.real(id).power).to.equal(power === 'suspended' ? 'paused' : power);
      expect((await stage.instance(id)).state).to.equal(power);
    });

  for (const power of ['running', 'suspended', 'stopped'] as const)
    it(`and lost to an old definition that landed late, on one that is ${power}: comes back in its place`, async () => {
      const stage = await MachineStage.with();
      const { id, before, after } = await plugged(stage);
      if (power !== 'running') await stage.into(power, id);
      stage.real(id).spec = before;
      await stage.sim.run(2 * LOOK_MS);
      expect(stage.real(id).spec.disks).to.deep.equal(after.disks);
      expect(stage.real(id).spec.nics).to.deep.equal(after.nics);
      expect((await stage.instance(id)).state).to.equal(power);
    });

  for (const power of ['running', 'stopped'] as const)
    it(`that nothing explains stays in one that is ${power}`, async () => {
      const stage = await MachineStage.with();
      const { id, after } = await plugged(stage);
      if (power === 'stopped') await stage.into(power, id);
      const [disk] = after.disks;
      if (disk === undefined) throw new Error('no disk');
      const unknown = { ...disk, volumeId: stage.sim.kernel.services.ids.mint('volume'), slot: 9 };
      stage.real(id).spec = { ...after, disks: [...after.disks, unknown] };
      await stage.sim.run(3 * LOOK_MS);
      expect(shown(stage, id).diskIds).to.include(unknown.volumeId);
    });

  for (const power of ['running', 'suspended', 'stopped'] as const)
    it(`and its size, where a resize arrived late on one that is ${power}: is as its row says again`, async () => {
      const stage = await MachineStage.with();
      const id = await stage.machine();
      if (power !== 'running') await stage.into(power, id);
      const right = stage.real(id).spec;
      stage.real(id).spec = { ...right, vcpus: 3, memoryBytes: 3 * GIB };
      await stage.sim.run(2 * LOOK_MS);
      expect(stage.real(id).spec).to.deep.equal(right);
      expect((await stage.instance(id)).state).to.equal(power);
    });

  for (const power of ['running', 'suspended'] as const)
    it(`and limits that arrived late on one that is ${power}: are as its rows say again`, async () => {
      const stage = await MachineStage.with();
      const { id, volumeId, nicId } = await plugged(stage);
      await stage.sim.done('volume.setLimits', { limits: { iopsPerSecond: 100 } }, volumeId);
      await stage.sim.done('nic.setLimits', { limits: { inboundBytesPerSecond: 1_000_000 } }, nicId);
      await stage.sim.done('instance.setCpuShares', { cpuShares: 512 }, id);
      if (power !== 'running') await stage.into(power, id);
      const { limits: right } = stage.real(id).observe();
      expect(right).to.deep.equal({
        cpuShares: 512,
        disks: { [volumeId]: { iopsPerSecond: 100 } },
        nics: { [nicId]: { inboundBytesPerSecond: 1_000_000 } },
      });
      const { spec } = stage.real(id);
      const late = { bytesPerSecond: 4096 };
      const inbound = { inboundBytesPerSecond: 4096, outboundBytesPerSecond: 4096 };
      stage.real(id).spec = {
        ...spec,
        cpuShares: 64,
        disks: spec.disks.map((disk) => ({ ...disk, limits: late })),
        nics: spec.nics.map((nic) => ({ ...nic, limits: inbound })),
      };
      await stage.sim.run(2 * LOOK_MS);
      expect(stage.real(id).observe().limits).to.deep.equal(right);
      expect((await stage.instance(id)).state).to.equal(power);
    });

  for (const power of ['running', 'suspended'] as const)
    it(`and was taken out of one that is ${power}, but not out of its definition: comes back`, async () => {
      const stage = await MachineStage.with();
      const { id, volumeId, nicId, after } = await plugged(stage);
      if (power !== 'running') await stage.into(power, id);
      for (const device of [volumeId, nicId]) stage.worldHost().tear(id, device);
      await stage.sim.run(2 * LOOK_MS);
      expect(stage.real(id).observe()).not.to.have.property('halfPluggedIds');
      expect(stage.real(id).spec).to.deep.equal(after);
      expect((await stage.instance(id)).state).to.equal(power);
    });

  it('and its size that it does not take while it runs: is shown until it has it', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    const right = stage.real(id).spec;
    const refused = stage.sim.world.faults.add({ command: 'resize.setVcpus', effect: 'fail', fault: 'conflict' });
    stage.real(id).spec = { ...right, vcpus: 3 };
    await stage.sim.run(2 * LOOK_MS);
    const row = await stage.instance(id);
    expect(row).to.include({ state: 'running', vcpus: 1 });
    expect(row.stateReason).to.deep.include({
      code: 'size_differs',
      message:
        'It has 3 processors and 1073741824 bytes (1 GiB) of memory in place of 1 processor and 1073741824 bytes (1 GiB), and does not take its size while it runs; its next start gives it that.',
    });
    await stage.sim.run(3 * LOOK_MS);
    expect((await stage.instance(id)).generation, 'it is written once').to.equal(row.generation);
    refused();
    await stage.sim.run(3 * LOOK_MS);
    expect(stage.real(id).spec).to.deep.equal(right);
    expect(await stage.instance(id)).not.to.have.property('stateReason');
  });

  it('and is not what the rows say is left alone while an operation is at work', async () => {
    const stage = await MachineStage.with();
    const { id, before, after } = await plugged(stage);
    stage.sim.world.faults.add({ command: 'power.reboot', times: 1, effect: 'delay', delayMs: 4 * LOOK_MS });
    const { operationId } = await stage.sim.submit('instance.reboot', {}, id);
    await stage.sim.run(100);
    stage.real(id).spec = before;
    await stage.sim.run(3 * LOOK_MS);
    expect(stage.real(id).spec).to.deep.equal(before);
    await stage.sim.ended(operationId);
    await stage.sim.run(2 * LOOK_MS);
    expect(stage.real(id).spec.disks).to.deep.equal(after.disks);
  });

  /** Runs until the mending of a machine waits for a call that takes long. */
  async function slowly(stage: MachineStage, command: string): Promise<void> {
    let struck = false;
    const { faults } = stage.sim.world;
    const strike = faults.strike.bind(faults);
    faults.add({ command, times: 1, effect: 'delay', delayMs: 5000 });
    faults.strike = (host, asked) => {
      const fault = strike(host, asked);
      struck ||= fault !== undefined;
      return fault;
    };
    for (let waitedMs = 0; !struck; waitedMs += 100) {
      if (waitedMs > 2 * LOOK_MS) throw new Error(`nothing asks for ${command}`);
      await stage.sim.run(100);
    }
    Object.assign(faults, { strike });
  }

  it('and is mended while the machine is off lets a start wait: no seed is written under a guest that boots', async () => {
    const stage = await MachineStage.with();
    const { id, before, after } = await plugged(stage);
    await stage.into('stopped', id);
    stage.real(id).spec = before;
    await slowly(stage, 'seeds.put');
    const { operationId } = await stage.sim.submit('instance.start', {}, id);
    await stage.sim.run(3000);
    expect([stage.real(id).power, (await stage.row(operation, operationId)).state]).to.deep.equal(['stopped', 'queued']);
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    expect([stage.real(id).power, stage.real(id).spec.disks]).to.deep.equal(['running', after.disks]);
  });

  it('and comes back lets who takes it out for another machine wait: it is never in both', async () => {
    const stage = await MachineStage.with();
    const { id, before, volumeId } = await plugged(stage);
    const other = await stage.into('stopped', await stage.machine());
    stage.real(id).spec = before;
    await slowly(stage, 'volumes.attach');
    const detached = await stage.sim.submit('instance.detachVolume', { volumeId }, id);
    const attached = await stage.sim.submit('instance.attachVolume', { volumeId }, other);
    await stage.sim.run(3000);
    expect((await stage.row(operation, detached.operationId)).state).to.equal('queued');
    for (const { operationId } of [detached, attached]) expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    expect([id, other].map((each) => shown(stage, each).diskIds.includes(volumeId))).to.deep.equal([false, true]);
  });

  it('and does not come out at once keeps no other look from its work, and is tried again', async () => {
    const stage = await MachineStage.with();
    const { id, nicId, after } = await plugged(stage);
    const other = await stage.machine();
    await stage.sim.done('instance.detachNic', { nicId }, id);
    stage.sim.world.faults.add({ command: 'hotplug.detachNic', times: 1, effect: 'hang' });
    stage.real(id).spec = after;
    stage.real(other).stop();
    await stage.sim.run(2 * LOOK_MS);
    expect((await stage.instance(other)).state).to.equal('stopped');
    await stage.sim.run(4 * LOOK_MS);
    expect(shown(stage, id).nicIds).to.deep.equal([]);
  });
});

describe('a look', () => {
  it('that is older than the row is dropped, and the next one decides', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    await stage.sim.run(LOOK_MS);
    const row = await stage.instance(id);
    const { kernel } = stage.sim;
    const observe = kernel.observe.bind(kernel);
    const outcomes: boolean[] = [];
    // Between the look and the write of what it found, the row changes.
    Object.assign(kernel, {
      observe: async (statements: readonly Statement[]) => {
        if (outcomes.length === 0) await observe([change(instance, row.id, { description: 'changed since' })]);
        const result = await observe(statements);
        outcomes.push(result.ok);
        return result;
      },
    });
    stage.real(id).suspend();
    await stage.sim.run(1000);
    expect(outcomes).to.deep.equal([false]);
    expect(await stage.instance(id)).to.include({ state: 'running', description: 'changed since', generation: row.generation + 1 });
    await stage.sim.run(LOOK_MS);
    expect((await stage.instance(id)).state).to.equal('suspended');
  });

  it('writes nothing while an operation holds the machine', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    await stage.sim.run(LOOK_MS);
    const { generation } = await stage.instance(id);
    stage.sim.world.faults.add({ command: 'power.reboot', times: 1, effect: 'delay', delayMs: 4 * LOOK_MS });
    const { operationId } = await stage.sim.submit('instance.reboot', {}, id);
    await stage.sim.run(100);
    stage.real(id).suspend();
    await stage.sim.run(2 * LOOK_MS);
    expect(await stage.instance(id)).to.include({ state: 'running', generation });
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    await stage.sim.run(LOOK_MS);
    expect((await stage.instance(id)).state).to.equal('suspended');
  });
});
