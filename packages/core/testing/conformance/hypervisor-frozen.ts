import { expect } from 'chai';
import type { Call, HypervisorDriver, MachineSpec, PowerState } from '../../src/strategy/index.ts';
import type { Changes, Complete, PartOf, PartTable, PreparedCall } from './frozen.ts';
import { frozenCalls } from './frozen.ts';
import type { HypervisorFeature, HypervisorStage } from './hypervisor.ts';
import { part, verb } from './hypervisor-change.ts';
import { diskBackupFreezeTable } from './hypervisor-disk-backup.ts';
import { diskCopyFreezeTable } from './hypervisor-disk-copy.ts';
import { driveFreezeTable } from './hypervisor-drive.ts';
import { migrationFreezeTable } from './hypervisor-migration.ts';
import { quiesceFreezeTable } from './hypervisor-quiesce.ts';

const MIB = 2 ** 20;

type Looks =
  | 'inventory'
  | 'usage.read'
  | 'machines.inspect'
  | 'machines.list'
  | 'diskBackup.finish'
  | 'diskBackup.trails'
  | 'diskCopy.look'
  | 'consoles.serial'
  | 'consoles.vnc';
type Change = Changes<HypervisorDriver, Looks>;

/** What a driver has that offers a part, or a verb of one. */
const FEATURE_OF: Readonly<Record<Exclude<PartOf<Change>, 'machines' | 'power' | 'limits'>, HypervisorFeature>> = {
  hotplug: 'hotplug',
  drive: 'drive',
  resize: 'resize',
  secrets: 'secrets',
  quiesce: 'quiesce',
  diskBackup: 'diskBackup',
  diskCopy: 'diskCopy',
  migration: 'migration',
};
const FEATURE_OF_VERB: Readonly<Record<Extract<Change, `limits.${string}`> | 'resize.growDisk', HypervisorFeature>> = {
  'resize.growDisk': 'growDisk',
  'limits.setCpuShares': 'cpuShares',
  'limits.setDiskLimits': 'diskLimits',
  'limits.setNicLimits': 'nicLimits',
};

/** Every verb that changes something, frozen. The undo of a change of a machine is to remove the machine, except where the change has an undo of its own. */
export function freezeTests(stage: HypervisorStage, features: readonly HypervisorFeature[]): void {
  const table: Complete<Change> = {
    'machines.define': () => frozenDefine(stage),
    'machines.remove': () => frozenRemove(stage),
    ...powerTable(stage),
    ...hotplugTable(stage),
    ...driveFreezeTable(stage),
    ...resizeTable(stage),
    ...growthTable(stage),
    ...secretTable(stage),
    ...quiesceFreezeTable(stage),
    ...limitTable(stage),
    ...diskBackupFreezeTable(stage),
    ...diskCopyFreezeTable(stage),
    ...migrationFreezeTable(stage),
  };
  const byVerb: Readonly<Record<string, HypervisorFeature>> = FEATURE_OF_VERB;
  const byPart: Readonly<Record<string, HypervisorFeature>> = FEATURE_OF;
  const featureOf = (verb: string) => byVerb[verb] ?? byPart[verb.slice(0, verb.indexOf('.'))];
  const isOffered = ([verb]: readonly [string, unknown]) => {
    const feature = featureOf(verb);
    return feature === undefined || features.includes(feature);
  };
  frozenCalls(stage, Object.fromEntries(Object.entries(table).filter(isOffered)));
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

function powerTable(stage: HypervisorStage): PartTable<Change, 'power'> {
  const { expectPower } = stage;
  const inPower = (spec: MachineSpec, power: PowerState) => () => expectPower.call(stage, spec.id, power);
  const suspended = async () => {
    const spec = await stage.running();
    await stage.driver.power.suspend(spec.id, stage.call());
    return spec;
  };
  const row =
    (name: 'start' | 'powerOff' | 'suspend' | 'resume' | 'reset', prepare: () => Promise<MachineSpec>, after: PowerState) => async () => {
      const spec = await prepare();
      return onMachine(stage, spec, (call) => stage.driver.power[name](spec.id, call), inPower(spec, after));
    };
  return {
    'power.start': row('start', () => stage.defined(), 'running'),
    'power.powerOff': row('powerOff', () => stage.running(), 'stopped'),
    'power.suspend': row('suspend', () => stage.running(), 'paused'),
    'power.resume': row('resume', suspended, 'running'),
    'power.reset': row('reset', () => stage.running(), 'running'),
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

function hotplugTable(stage: HypervisorStage): PartTable<Change, 'hotplug'> {
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

function resizeTable(stage: HypervisorStage): Complete<'resize.setVcpus' | 'resize.setMemory'> {
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

function growthTable(stage: HypervisorStage): Complete<'resize.growDisk'> {
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
function secretTable(stage: HypervisorStage): PartTable<Change, 'secrets'> {
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

function limitTable(stage: HypervisorStage): PartTable<Change, 'limits'> {
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
    'limits.setCpuShares': row(
      (spec, call) => verb(limits(), limits().setCpuShares)(spec.id, 512, call),
      () => ({ cpuShares: 512 }),
    ),
    'limits.setDiskLimits': row(
      (spec, call) => verb(limits(), limits().setDiskLimits)(spec.id, diskOf(spec), iops, call),
      (spec) => ({ disks: { [diskOf(spec)]: iops } }),
    ),
    'limits.setNicLimits': row(
      (spec, call) => verb(limits(), limits().setNicLimits)(spec.id, nicOf(spec), inbound, call),
      (spec) => ({ nics: { [nicOf(spec)]: inbound } }),
    ),
  };
}
