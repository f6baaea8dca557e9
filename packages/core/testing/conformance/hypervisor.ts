import { expect } from 'chai';
import type {
  Attachment,
  DiskSpec,
  HostEndpoint,
  HypervisorDriver,
  IsoSpec,
  MachineObservation,
  MachineSpec,
  NicSpec,
} from '../../src/strategy/index.ts';
import { expectTotal } from './classification.ts';
import type { Harness, Setup } from './harness.ts';
import { Stage, UNANSWERED } from './harness.ts';
import { changeTests } from './hypervisor-change.ts';
import { diskBackupTests } from './hypervisor-disk-backup.ts';
import { diskCopyTests } from './hypervisor-disk-copy.ts';
import { diskTests } from './hypervisor-disks.ts';
import { driveTests } from './hypervisor-drive.ts';
import { freezeTests } from './hypervisor-frozen.ts';
import { migrationTests } from './hypervisor-migration.ts';
import { powerTests } from './hypervisor-power.ts';
import { quiesceTests } from './hypervisor-quiesce.ts';
import { recordTests } from './hypervisor-record.ts';
import { usageTests } from './hypervisor-usage.ts';
import { watchTests } from './hypervisor-watch.ts';

/** What a hypervisor driver may leave out. */
export type HypervisorFeature =
  | 'hotplug'
  | 'drive'
  | 'diskBackup'
  | 'diskCopy'
  | 'migration'
  | 'resize'
  | 'growDisk'
  | 'secrets'
  | 'quiesce'
  | 'usage'
  | 'cpuShares'
  | 'diskLimits'
  | 'nicLimits'
  | 'serial'
  | 'vnc'
  | 'watch';

export interface HypervisorHarness extends Harness<HypervisorDriver> {
  /**
   * A machine not known to the host yet, with an id, name and owner of its own; `vcpusMax` and `memoryBytesMax` leave room to grow. The disk in slot 0 is its
   * own and boots a guest that powers off when asked and echoes what is typed at its serial console. One NIC, in slot 0. All it refers to exists.
   */
  machine(): Promise<MachineSpec>;
  /** A further disk that exists and no machine uses. */
  disk(slot: number): Promise<DiskSpec>;
  /** A further place that is as large as a disk, and that nobody uses. Asked only of a driver that offers `diskCopy` or `diskBackup`. */
  place(disk: DiskSpec): Promise<Attachment>;
  /** A further disk that the backend opens for those alone that know the value behind its `secretRef`: of no other disk. */
  sealedDisk(slot: number): Promise<{ readonly disk: DiskSpec; readonly secretRef: string; readonly value: string }>;
  /** How large the guest that has booted sees a disk of its machine. */
  guestDiskBytes(machineId: string, disk: DiskSpec): Promise<number>;
  /** Begins to take a disk out of the running, booted machine alone: its definition keeps it. */
  tear(machineId: string, disk: DiskSpec): Promise<void>;
  /** A further ISO that can be read from the host. Asked only of a driver that offers `drive`. */
  iso(): Promise<IsoSpec>;
  /** A further NIC whose network and port exist. */
  nic(slot: number): Promise<NicSpec>;
  /** Resolves when the running guest has come so far that it answers the power button, the unplugging of a device, and its serial console. */
  booted(machineId: string): Promise<void>;
  /** A second host that the first reaches, and the other way round. Asked only of a driver that offers `migration`. */
  elsewhere(): Promise<{ readonly driver: HypervisorDriver; readonly endpoint: HostEndpoint; readonly home: HostEndpoint }>;
  /** As `machine`; all it refers to is there on both hosts, too. */
  portable(): Promise<MachineSpec>;
  /** Makes a machine that is not ours, without our mark; its id. The harness removes it at the end. */
  foreignMachine(): Promise<string>;
}

export type HypervisorSetup = Setup<HypervisorFeature, HypervisorHarness>;

export function offeredFeatures(driver: HypervisorDriver): HypervisorFeature[] {
  const offers: Record<HypervisorFeature, unknown> = {
    hotplug: driver.hotplug,
    drive: driver.drive,
    diskBackup: driver.diskBackup,
    diskCopy: driver.diskCopy,
    migration: driver.migration,
    resize: driver.resize,
    growDisk: driver.resize?.growDisk,
    secrets: driver.secrets,
    cpuShares: driver.limits?.setCpuShares,
    diskLimits: driver.limits?.setDiskLimits,
    nicLimits: driver.limits?.setNicLimits,
    serial: driver.consoles?.serial,
    vnc: driver.consoles?.vnc,
    watch: driver.watch,
    quiesce: driver.quiesce,
    usage: driver.usage,
  };
  return (Object.keys(offers) as HypervisorFeature[]).filter((feature) => offers[feature] !== undefined);
}

/** The suite's stage with the verbs that machines want. */
export class HypervisorStage extends Stage<HypervisorDriver, HypervisorHarness> {
  readonly #made = new Set<string>();

  /** A fresh machine, defined; removed after the test. */
  async defined(change: Partial<MachineSpec> = {}): Promise<MachineSpec> {
    const spec = await this.machine(change);
    await this.driver.machines.define(spec, this.call());
    return spec;
  }

  async running(change: Partial<MachineSpec> = {}): Promise<MachineSpec> {
    const spec = await this.defined(change);
    await this.driver.power.start(spec.id, this.call());
    return spec;
  }

  async booted(change: Partial<MachineSpec> = {}): Promise<MachineSpec> {
    const spec = await this.running(change);
    await this.harness.booted(spec.id);
    return spec;
  }

  /** A fresh machine that is only described. */
  async machine(change: Partial<MachineSpec> = {}): Promise<MachineSpec> {
    const spec = { ...(await this.harness.machine()), ...change };
    this.#made.add(spec.id);
    return spec;
  }

  look(id: string): Promise<MachineObservation | undefined> {
    return this.driver.machines.inspect(id, this.call());
  }

  async see(id: string): Promise<MachineObservation> {
    const seen = await this.look(id);
    if (seen === undefined) throw new Error(`machine ${id} is not there`);
    return seen;
  }

  async expectPower(id: string, power: MachineObservation['power']): Promise<void> {
    expect((await this.see(id)).power).to.equal(power);
  }

  /** The ids of the host's machines. */
  async listed(): Promise<readonly string[]> {
    return (await this.driver.machines.list(this.call())).map((machine) => machine.id);
  }

  async listedOf(id: string): Promise<readonly MachineObservation[]> {
    return (await this.driver.machines.list(this.call())).filter((machine) => machine.id === id);
  }

  /** Removes what tests left, and only that: a driver whose `remove` fails for absent machines is told so by the test of it. */
  async sweep(): Promise<void> {
    await this.calm(() => this.listed());
    for (const id of await this.listed()) if (this.#made.has(id)) await this.insist((call) => this.driver.machines.remove(id, call));
    this.#made.clear();
  }
}

/** The contract of `HypervisorDriver`, sentence by sentence. Mocha's globals must be there. */
export function describeHypervisor(name: string, setup: HypervisorSetup): void {
  describe(`HypervisorDriver conformance: ${name}`, function () {
    const stage = new HypervisorStage(setup);
    this.timeout(stage.timeouts.testMs);
    before(() => stage.begin());
    afterEach(() => stage.sweep());
    after(() => stage.end());

    it('offers exactly the features it is registered with', () => {
      expect(offeredFeatures(stage.driver).sort()).to.deep.equal([...setup.features].sort());
    });
    describe('host', () => hostTests(stage));
    describe('definitions', () => definitionTests(stage));
    describe('machines', () => machineTests(stage));
    describe('records', () => recordTests(stage));
    describe('several at once', () => concurrencyTests(stage));
    describe('power', () => powerTests(stage));
    describe('changes', () => changeTests(stage, setup.features));
    describe('disks', () => diskTests(stage, setup.features));
    describe('consoles and hints', () => watchTests(stage, setup.features));
    if (setup.features.includes('drive')) describe('the drive', () => driveTests(stage));
    if (setup.features.includes('quiesce')) describe('guests that hold their writes back', () => quiesceTests(stage));
    if (setup.features.includes('usage')) describe('what is in use', () => usageTests(stage));
    if (setup.features.includes('diskBackup')) describe('disks as they are at one instant', () => diskBackupTests(stage));
    if (setup.features.includes('diskCopy')) describe('disks that change their place', () => diskCopyTests(stage));
    if (setup.features.includes('migration')) describe('machines that go to another host', () => migrationTests(stage));
    describe('frozen backend', () => freezeTests(stage, setup.features));
  });
}

function hostTests(stage: HypervisorStage): void {
  it('tells what the host is, and the same to every driver object', async () => {
    const inventory = await stage.driver.inventory(stage.call());
    expect(inventory.cpus).to.be.greaterThan(0);
    expect(inventory.memoryBytes).to.be.greaterThan(0);
    for (const text of [inventory.hostname, inventory.hostUuid, inventory.cpuModel, inventory.architecture, inventory.hypervisor])
      expect(text).to.be.a('string').and.not.equal('');
    expect(inventory.virtType).to.be.oneOf(['kvm', 'tcg', 'simulated']);
    expect((await (await stage.open()).inventory(stage.call())).hostUuid).to.equal(inventory.hostUuid);
  });

  it('classifies whatever is thrown, and never throws itself', () => {
    expectTotal((error) => stage.driver.classify(error), stage.harness.environment.random);
  });

  it('is gone after close, while other driver objects and the machines go on', async () => {
    const spec = await stage.running();
    const other = await stage.open();
    await other.inventory(stage.call());
    await other.close();
    await stage.fault(other.machines.list(stage.call()));
    await stage.expectPower(spec.id, 'running');
  });

  it('does nothing for a call that is aborted before it begins', async () => {
    const spec = await stage.machine();
    await stage.fault(stage.driver.machines.define(spec, stage.call(undefined, { signal: AbortSignal.abort() })));
    await stage.harness.settle();
    expect(await stage.look(spec.id)).to.equal(undefined);
  });
}

function definitionTests(stage: HypervisorStage): void {
  it('define makes the machine known as it was described, and does not start it', async () => {
    const extra = await stage.harness.disk(1);
    const base = await stage.machine();
    const spec = { ...base, disks: [...base.disks, extra] };
    await stage.driver.machines.define(spec, stage.call());
    const expected: MachineObservation = {
      id: spec.id,
      name: spec.name,
      power: 'stopped',
      owner: spec.owner,
      vcpus: spec.vcpus,
      memoryBytes: spec.memoryBytes,
      diskIds: spec.disks.map((disk) => disk.volumeId),
      nicIds: spec.nics.map((nic) => nic.nicId),
    };
    expect(await stage.look(spec.id)).to.deep.equal(expected);
    expect(await stage.listedOf(spec.id)).to.deep.equal([expected]);
  });

  it('lists disks by slot, in whatever order they were given', async () => {
    const base = await stage.machine();
    const disks = [await stage.harness.disk(2), await stage.harness.disk(1), ...base.disks];
    await stage.driver.machines.define({ ...base, disks }, stage.call());
    expect((await stage.see(base.id)).diskIds).to.deep.equal([...disks].reverse().map((disk) => disk.volumeId));
  });

  it('define with the same spec again changes nothing, whether the machine is stopped or runs', async () => {
    const spec = await stage.defined();
    const before = await stage.see(spec.id);
    await stage.driver.machines.define(spec, stage.call());
    expect(await stage.listedOf(spec.id)).to.deep.equal([before]);
    await stage.driver.power.start(spec.id, stage.call());
    await stage.driver.machines.define(spec, stage.call());
    expect(await stage.listedOf(spec.id)).to.deep.equal([{ ...before, power: 'running' }]);
  });

  it('define with another spec replaces a stopped machine', async () => {
    const spec = await stage.defined();
    const extra = await stage.harness.disk(1);
    const next = { ...spec, name: `${spec.name}-b`, vcpus: spec.vcpusMax, disks: [...spec.disks, extra], nics: [] };
    await stage.driver.machines.define(next, stage.call());
    const [seen, ...others] = await stage.listedOf(spec.id);
    expect(others).to.deep.equal([]);
    expect(seen).to.include({ name: next.name, vcpus: next.vcpus, power: 'stopped', owner: spec.owner });
    expect(seen?.diskIds).to.deep.equal(next.disks.map((disk) => disk.volumeId));
    expect(seen?.nicIds).to.deep.equal([]);
  });
}

function machineTests(stage: HypervisorStage): void {
  it('inspect of an absent machine answers undefined, and list does not show it', async () => {
    const id = stage.newId();
    expect(await stage.look(id)).to.equal(undefined);
    expect(await stage.listed()).not.to.include(id);
  });

  it('remove forgets a stopped machine, and succeeds when it is absent', async () => {
    const spec = await stage.defined();
    await stage.driver.machines.remove(spec.id, stage.call());
    expect(await stage.look(spec.id)).to.equal(undefined);
    await stage.driver.machines.remove(spec.id, stage.call());
    await stage.driver.machines.remove(stage.newId(), stage.call());
  });

  it('remove powers off a running or a suspended machine, and its disks stay', async () => {
    const spec = await stage.running();
    await stage.driver.machines.remove(spec.id, stage.call());
    expect(await stage.listedOf(spec.id)).to.deep.equal([]);
    await stage.driver.machines.define(spec, stage.call());
    await stage.driver.power.start(spec.id, stage.call());
    await stage.driver.power.suspend(spec.id, stage.call());
    await stage.driver.machines.remove(spec.id, stage.call());
    expect(await stage.listedOf(spec.id)).to.deep.equal([]);
  });

  it('a machine outlives the driver object that made it', async () => {
    const maker = await stage.open();
    const spec = await stage.machine();
    await maker.machines.define(spec, stage.call());
    await maker.power.start(spec.id, stage.call());
    await maker.close();
    const seen = await (await stage.open()).machines.inspect(spec.id, stage.call());
    expect(seen).to.include({ id: spec.id, owner: spec.owner, power: 'running' });
  });

  it('lists machines that are not ours without an owner, and leaves them alone', async () => {
    const id = await stage.harness.foreignMachine();
    const foreign = (await stage.listedOf(id))[0];
    expect(foreign).to.deep.include({ id, diskIds: [], nicIds: [] });
    expect(foreign?.owner).to.equal(undefined);
    const spec = await stage.running();
    await stage.driver.machines.remove(spec.id, stage.call());
    expect(await stage.listedOf(id)).to.deep.equal([foreign]);
  });
}

function concurrencyTests(stage: HypervisorStage): void {
  it('the same call twice in parallel has one effect', async () => {
    const spec = await stage.machine();
    const { machines, power } = stage.driver;
    const twice = (act: () => Promise<void>) => Promise.all([act(), act()]);
    await twice(() => machines.define(spec, stage.call()));
    expect(await stage.listedOf(spec.id)).to.have.length(1);
    await twice(() => power.start(spec.id, stage.call()));
    await stage.expectPower(spec.id, 'running');
    await twice(() => power.suspend(spec.id, stage.call()));
    await twice(() => power.resume(spec.id, stage.call()));
    await stage.expectPower(spec.id, 'running');
    await twice(() => power.powerOff(spec.id, stage.call()));
    await stage.expectPower(spec.id, 'stopped');
    await twice(() => machines.remove(spec.id, stage.call()));
    expect(await stage.listedOf(spec.id)).to.deep.equal([]);
  });

  it('different machines in parallel, through different driver objects, do not disturb each other', async () => {
    const other = await stage.open();
    const specs = await Promise.all([1, 2, 3, 4, 5, 6].map(() => stage.machine()));
    await Promise.all(specs.map((spec, at) => (at % 2 === 0 ? stage.driver : other).machines.define(spec, stage.call())));
    const ids = specs.map((spec) => spec.id);
    expect(await stage.listed()).to.include.members(ids);
    await Promise.all(ids.map((id, at) => (at % 2 === 0 ? other : stage.driver).machines.remove(id, stage.call())));
    for (const id of ids) expect(await stage.listed()).not.to.include(id);
  });

  it('a frozen backend makes every look fail, never answer "absent"', async () => {
    const spec = await stage.defined();
    await stage.whileFrozen(async () => {
      expect(await stage.fault(stage.driver.machines.inspect(spec.id, stage.brief()))).to.be.oneOf(UNANSWERED);
      expect(await stage.fault(stage.driver.machines.inspect(stage.newId(), stage.brief()))).to.be.oneOf(UNANSWERED);
      expect(await stage.fault(stage.driver.machines.list(stage.brief()))).to.be.oneOf(UNANSWERED);
      expect(await stage.fault(stage.driver.inventory(stage.brief()))).to.be.oneOf(UNANSWERED);
    });
    await stage.eventually(
      () => stage.look(spec.id).catch(() => undefined),
      (seen) => seen?.id === spec.id,
    );
  });

  it('a call ends when its signal aborts, though the backend is frozen', async () => {
    await stage.whileFrozen(async () => {
      const abort = new AbortController();
      const work = stage.fault(stage.driver.machines.list(stage.call(undefined, { signal: abort.signal })));
      const { clock } = stage.harness.environment;
      const sinceMs = clock.monotonicMs();
      await stage.pause(stage.timeouts.frozenMs);
      abort.abort();
      expect(await work).to.be.oneOf(UNANSWERED);
      expect(clock.monotonicMs() - sinceMs).to.be.lessThan(stage.timeouts.callMs);
    });
  });
}
