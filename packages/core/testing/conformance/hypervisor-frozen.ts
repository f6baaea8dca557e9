import { expect } from 'chai';
import type { Call, MachineSpec, PowerState } from '../../src/strategy/index.ts';
import type { FreezeTable, PreparedCall } from './frozen.ts';
import { frozenCalls } from './frozen.ts';
import type { HypervisorFeature, HypervisorStage } from './hypervisor.ts';
import { part, verb } from './hypervisor-change.ts';
import { driveFreezeTable } from './hypervisor-drive.ts';
import { quiesceFreezeTable } from './hypervisor-quiesce.ts';

const MIB = 2 ** 20;

/** Every mutating verb, frozen. The undo of a change of a machine is to remove the machine, except where the change has an undo of its own. */
export function freezeTests(stage: HypervisorStage, features: readonly HypervisorFeature[]): void {
  frozenCalls(stage, {
    'machines.define': () => frozenDefine(stage),
    'machines.remove': () => frozenRemove(stage),
    ...powerTable(stage),
    ...(features.includes('hotplug') ? hotplugTable(stage) : {}),
    ...(features.includes('drive') ? driveFreezeTable(stage) : {}),
    ...(features.includes('resize') ? resizeTable(stage) : {}),
    ...(features.includes('growDisk') ? growthTable(stage) : {}),
    ...(features.includes('secrets') ? secretTable(stage) : {}),
    ...(features.includes('quiesce') ? quiesceFreezeTable(stage) : {}),
    ...limitTable(stage, features),
  });
}

/** A verb on a machine, undone by removing the machine. */
function onMachine(
  stage: HypervisorStage,
  spec: MachineSpec,
  act: (call: Call) => Promise<void>,
  done: () => Promise<unknown>,
): PreparedCall {
  return {
    act,
    done,
    undo: (call) => stage.driver.machines.remove(spec.id, call),
    left: () => stage.listedOf(spec.id),
  };
}

async function frozenDefine(stage: HypervisorStage): Promise<PreparedCall> {
  const spec = await stage.machine();
  return {
    ...onMachine(
      stage,
      spec,
      (call) => stage.driver.machines.define(spec, call),
      async () => expect(await stage.listedOf(spec.id)).to.have.length(1),
    ),
    lateArrival: async () => {
      for (const late of await stage.listedOf(spec.id)) expect(late.power).to.equal('stopped');
    },
  };
}

async function frozenRemove(stage: HypervisorStage): Promise<PreparedCall> {
  const spec = await stage.running();
  return onMachine(
    stage,
    spec,
    (call) => stage.driver.machines.remove(spec.id, call),
    async () => expect(await stage.listedOf(spec.id)).to.deep.equal([]),
  );
}

function powerTable(stage: HypervisorStage): FreezeTable {
  const { expectPower } = stage;
  const inPower = (spec: MachineSpec, power: PowerState) => () => expectPower.call(stage, spec.id, power);
  const suspended = async () => {
    const spec = await stage.running();
    await stage.driver.power.suspend(spec.id, stage.call());
    return spec;
  };
  const row = (
    name: 'start' | 'shutdown' | 'powerOff' | 'suspend' | 'resume' | 'reboot' | 'reset',
    prepare: () => Promise<MachineSpec>,
    after: PowerState,
  ) => ({
    [`power.${name}`]: async () => {
      const spec = await prepare();
      return onMachine(stage, spec, (call) => stage.driver.power[name](spec.id, call), inPower(spec, after));
    },
  });
  return {
    ...row('start', () => stage.defined(), 'running'),
    ...row('powerOff', () => stage.running(), 'stopped'),
    ...row('suspend', () => stage.running(), 'paused'),
    ...row('resume', suspended, 'running'),
    ...row('reset', () => stage.running(), 'running'),
    'power.shutdown': async () => {
      const spec = await stage.booted();
      const done = async () => {
        await stage.eventually(
          () => stage.see(spec.id),
          (seen) => seen.power === 'stopped',
          stage.timeouts.guestMs,
        );
      };
      return onMachine(stage, spec, (call) => stage.driver.power.shutdown(spec.id, call), done);
    },
    'power.reboot': async () => {
      const spec = await stage.booted();
      const done = async () => {
        await stage.harness.booted(spec.id);
        await stage.expectPower(spec.id, 'running');
      };
      return onMachine(stage, spec, (call) => stage.driver.power.reboot(spec.id, call), done);
    },
  };
}

function hotplugTable(stage: HypervisorStage): FreezeTable {
  const plugged = async (id: string, what: 'diskIds' | 'nicIds', part: string) =>
    (await stage.see(id))[what].filter((each) => each === part);
  return {
    'hotplug.attachDisk': async () => {
      const [spec, disk, hotplug] = [await stage.booted(), await stage.harness.disk(1), part(stage.driver, 'hotplug')];
      const left = () => plugged(spec.id, 'diskIds', disk.volumeId);
      return {
        act: (call) => hotplug.attachDisk(spec.id, disk, call),
        done: async () => expect(await left()).to.have.length(1),
        undo: (call) => hotplug.detachDisk(spec.id, disk.volumeId, call),
        left,
        lateArrival: async () => expect((await left()).length).to.be.at.most(1),
      };
    },
    'hotplug.detachDisk': async () => {
      const [spec, disk, hotplug] = [await stage.booted(), await stage.harness.disk(1), part(stage.driver, 'hotplug')];
      await hotplug.attachDisk(spec.id, disk, stage.call());
      const act = (call: Call) => hotplug.detachDisk(spec.id, disk.volumeId, call);
      return onMachine(stage, spec, act, async () => expect(await plugged(spec.id, 'diskIds', disk.volumeId)).to.deep.equal([]));
    },
    'hotplug.attachNic': async () => {
      const [spec, nic, hotplug] = [await stage.booted(), await stage.harness.nic(1), part(stage.driver, 'hotplug')];
      const left = () => plugged(spec.id, 'nicIds', nic.nicId);
      return {
        act: (call) => hotplug.attachNic(spec.id, nic, call),
        done: async () => expect(await left()).to.have.length(1),
        undo: (call) => hotplug.detachNic(spec.id, nic.nicId, call),
        left,
        lateArrival: async () => expect((await left()).length).to.be.at.most(1),
      };
    },
    'hotplug.detachNic': async () => {
      const [spec, nic, hotplug] = [await stage.booted(), await stage.harness.nic(1), part(stage.driver, 'hotplug')];
      await hotplug.attachNic(spec.id, nic, stage.call());
      const act = (call: Call) => hotplug.detachNic(spec.id, nic.nicId, call);
      return onMachine(stage, spec, act, async () => expect(await plugged(spec.id, 'nicIds', nic.nicId)).to.deep.equal([]));
    },
  };
}

function resizeTable(stage: HypervisorStage): FreezeTable {
  return {
    'resize.setVcpus': async () => {
      const spec = await stage.booted();
      const act = (call: Call) => part(stage.driver, 'resize').setVcpus(spec.id, spec.vcpusMax, call);
      return onMachine(stage, spec, act, async () => expect((await stage.see(spec.id)).vcpus).to.equal(spec.vcpusMax));
    },
    'resize.setMemory': async () => {
      const spec = await stage.booted();
      const act = (call: Call) => part(stage.driver, 'resize').setMemory(spec.id, spec.memoryBytesMax, call);
      const done = async () => {
        await stage.eventually(
          () => stage.see(spec.id),
          (seen) => seen.memoryBytes === spec.memoryBytesMax,
          stage.timeouts.guestMs,
        );
      };
      return onMachine(stage, spec, act, done);
    },
  };
}

function growthTable(stage: HypervisorStage): FreezeTable {
  return {
    'resize.growDisk': async () => {
      const [spec, resize] = [await stage.booted(), part(stage.driver, 'resize')];
      const [disk] = spec.disks;
      if (disk === undefined) throw new Error('the machine has no disk');
      const sizeBytes = (await stage.harness.guestDiskBytes(spec.id, disk)) + 8 * MIB;
      const act = (call: Call) => verb(resize, resize.growDisk)(spec.id, disk.volumeId, sizeBytes, call);
      const done = () =>
        stage.eventually(
          () => stage.harness.guestDiskBytes(spec.id, disk),
          (seen) => seen === sizeBytes,
          stage.timeouts.guestMs,
        );
      return onMachine(stage, spec, act, done);
    },
  };
}

/** A host does not list its secrets: one that is there lets the disk in that asks for it. */
function secretTable(stage: HypervisorStage): FreezeTable {
  const prepare = async () => {
    const [spec, hotplug, secrets] = [await stage.booted(), part(stage.driver, 'hotplug'), part(stage.driver, 'secrets')];
    const { disk, secretRef, value } = await stage.harness.sealedDisk(1);
    const fits = async () => {
      await hotplug.attachDisk(spec.id, disk, stage.call());
      await stage.insist((call) => hotplug.detachDisk(spec.id, disk.volumeId, call));
      return [secretRef];
    };
    const left = () =>
      fits().catch((error: unknown) => {
        if (stage.driver.classify(error) !== 'conflict') throw error;
        return [];
      });
    return {
      put: (call: Call) => secrets.put(secretRef, value, call),
      remove: (call: Call) => secrets.delete(secretRef, call),
      fits,
      left,
    };
  };
  return {
    'secrets.put': async () => {
      const { put, remove, fits, left } = await prepare();
      return { act: put, done: fits, undo: remove, left, lateArrival: async () => {} };
    },
    'secrets.delete': async () => {
      const { put, remove, left } = await prepare();
      await put(stage.call());
      return { act: remove, done: async () => expect(await left()).to.deep.equal([]), undo: remove, left };
    },
  };
}

function limitTable(stage: HypervisorStage, features: readonly HypervisorFeature[]): FreezeTable {
  const row = (act: (spec: MachineSpec, call: Call) => Promise<void>, limitsOf: (spec: MachineSpec) => object) => async () => {
    const spec = await stage.running();
    return onMachine(
      stage,
      spec,
      (call) => act(spec, call),
      async () => expect((await stage.see(spec.id)).limits).to.deep.equal(limitsOf(spec)),
    );
  };
  const limits = () => part(stage.driver, 'limits');
  const diskOf = (spec: MachineSpec) => spec.disks[0]?.volumeId ?? '';
  const nicOf = (spec: MachineSpec) => spec.nics[0]?.nicId ?? '';
  const iops = { iopsPerSecond: 100 };
  const inbound = { inboundBytesPerSecond: 1 << 20 };
  return {
    ...(features.includes('cpuShares') && {
      'limits.setCpuShares': row(
        (spec, call) => verb(limits(), limits().setCpuShares)(spec.id, 512, call),
        () => ({ cpuShares: 512 }),
      ),
    }),
    ...(features.includes('diskLimits') && {
      'limits.setDiskLimits': row(
        (spec, call) => verb(limits(), limits().setDiskLimits)(spec.id, diskOf(spec), iops, call),
        (spec) => ({ disks: { [diskOf(spec)]: iops } }),
      ),
    }),
    ...(features.includes('nicLimits') && {
      'limits.setNicLimits': row(
        (spec, call) => verb(limits(), limits().setNicLimits)(spec.id, nicOf(spec), inbound, call),
        (spec) => ({ nics: { [nicOf(spec)]: inbound } }),
      ),
    }),
  };
}
