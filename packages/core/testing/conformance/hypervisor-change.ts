import { expect } from 'chai';
import type { HypervisorDriver } from '../../src/strategy/index.ts';
import type { HypervisorFeature, HypervisorStage } from './hypervisor.ts';

type Part<
  K extends 'hotplug' | 'drive' | 'diskBackup' | 'diskCopy' | 'migration' | 'resize' | 'limits' | 'consoles' | 'secrets' | 'quiesce',
> = NonNullable<HypervisorDriver[K]>;

/** A part that the driver is registered with. */
export function part<
  K extends 'hotplug' | 'drive' | 'diskBackup' | 'diskCopy' | 'migration' | 'resize' | 'limits' | 'consoles' | 'secrets' | 'quiesce',
>(driver: HypervisorDriver, name: K): Part<K> {
  const offered = driver[name];
  if (offered === undefined) throw new Error(`the driver does not offer ${name}`);
  return offered;
}

/** A verb of a part, bound to it. */
export function verb<F extends (...args: never[]) => unknown>(owner: object, method: F | undefined): F {
  if (method === undefined) throw new Error('the driver does not offer this verb');
  return method.bind(owner) as F;
}

/** Hot-plug, growth and limits, as far as the driver has them. */
export function changeTests(stage: HypervisorStage, features: readonly HypervisorFeature[]): void {
  if (features.includes('hotplug')) hotplugTests(stage);
  if (features.includes('resize')) resizeTests(stage);
  limitTests(stage, features);
}

function hotplugTests(stage: HypervisorStage): void {
  for (const state of ['stopped', 'running'] as const) {
    it(`a disk goes into a ${state} machine and out again, once however often asked`, async () => {
      const hotplug = part(stage.driver, 'hotplug');
      const spec = state === 'running' ? await stage.booted() : await stage.defined();
      const disk = await stage.harness.disk(1);
      const roots = spec.disks.map((each) => each.volumeId);
      for (let round = 0; round < 2; round += 1) {
        await hotplug.attachDisk(spec.id, disk, stage.call());
        expect(await stage.see(spec.id)).to.deep.include({ power: state, diskIds: [...roots, disk.volumeId] });
      }
      for (let round = 0; round < 2; round += 1) {
        await stage.insist((call) => hotplug.detachDisk(spec.id, disk.volumeId, call));
        expect(await stage.see(spec.id)).to.deep.include({ power: state, diskIds: roots });
      }
    });

    it(`a NIC goes into a ${state} machine and out again, once however often asked`, async () => {
      const hotplug = part(stage.driver, 'hotplug');
      const spec = state === 'running' ? await stage.booted() : await stage.defined();
      const nic = await stage.harness.nic(1);
      const nicIds = spec.nics.map((each) => each.nicId);
      for (let round = 0; round < 2; round += 1) {
        await hotplug.attachNic(spec.id, nic, stage.call());
        expect(await stage.see(spec.id)).to.deep.include({ power: state, nicIds: [...nicIds, nic.nicId] });
      }
      for (let round = 0; round < 2; round += 1) {
        await stage.insist((call) => hotplug.detachNic(spec.id, nic.nicId, call));
        expect(await stage.see(spec.id)).to.deep.include({ power: state, nicIds });
      }
    });
  }

  it('what was plugged into a running machine is still there after a power-off, and the machine starts with it', async () => {
    const hotplug = part(stage.driver, 'hotplug');
    const spec = await stage.running();
    const disk = await stage.harness.disk(1);
    const nic = await stage.harness.nic(1);
    await hotplug.attachDisk(spec.id, disk, stage.call());
    await hotplug.attachNic(spec.id, nic, stage.call());
    await stage.driver.power.powerOff(spec.id, stage.call());
    await stage.driver.power.start(spec.id, stage.call());
    const seen = await stage.see(spec.id);
    expect(seen.diskIds).to.include(disk.volumeId);
    expect(seen.nicIds).to.include(nic.nicId);
  });

  it('a disk that a running machine has lost, and its definition has not, is shown as half plugged, and completed by plugging it in', async () => {
    const hotplug = part(stage.driver, 'hotplug');
    const spec = await stage.booted();
    const disk = await stage.harness.disk(1);
    await hotplug.attachDisk(spec.id, disk, stage.call());
    const whole = await stage.see(spec.id);
    expect(whole).not.to.have.property('halfPluggedIds');
    await stage.harness.tear(spec.id, disk);
    const torn = await stage.eventually(
      () => stage.see(spec.id),
      (seen) => seen.halfPluggedIds !== undefined,
      stage.timeouts.guestMs,
    );
    expect(torn).to.deep.equal({ ...whole, halfPluggedIds: [disk.volumeId] });
    await hotplug.attachDisk(spec.id, disk, stage.call());
    expect(await stage.see(spec.id)).to.deep.equal(whole);
  });

  it('plugging into an unknown machine is not_found', async () => {
    const hotplug = part(stage.driver, 'hotplug');
    const disk = await stage.harness.disk(1);
    const nic = await stage.harness.nic(1);
    expect(await stage.fault(hotplug.attachDisk(stage.newId(), disk, stage.call()))).to.equal('not_found');
    expect(await stage.fault(hotplug.attachNic(stage.newId(), nic, stage.call()))).to.equal('not_found');
  });

  it('the same disk plugged twice in parallel is there once', async () => {
    const hotplug = part(stage.driver, 'hotplug');
    const spec = await stage.running();
    const disk = await stage.harness.disk(1);
    await Promise.all([hotplug.attachDisk(spec.id, disk, stage.call()), hotplug.attachDisk(spec.id, disk, stage.call())]);
    expect((await stage.see(spec.id)).diskIds.filter((id) => id === disk.volumeId)).to.have.length(1);
  });
}

function resizeTests(stage: HypervisorStage): void {
  it('a running machine grows to its maxima, and keeps the size over a power-off', async () => {
    const resize = part(stage.driver, 'resize');
    const spec = await stage.booted();
    const grown = { vcpus: spec.vcpusMax, memoryBytes: spec.memoryBytesMax };
    const asGrown = () =>
      stage.eventually(
        () => stage.see(spec.id),
        (seen) => seen.vcpus === grown.vcpus && seen.memoryBytes === grown.memoryBytes,
        stage.timeouts.guestMs,
      );
    for (let round = 0; round < 2; round += 1) {
      await resize.setVcpus(spec.id, grown.vcpus, stage.call());
      await resize.setMemory(spec.id, grown.memoryBytes, stage.call());
      await asGrown();
    }
    await stage.driver.power.powerOff(spec.id, stage.call());
    await stage.driver.power.start(spec.id, stage.call());
    await asGrown();
  });

  it('growing beyond the maxima is invalid, of an unknown machine not_found, and changes nothing', async () => {
    const resize = part(stage.driver, 'resize');
    const spec = await stage.running();
    const before = await stage.see(spec.id);
    expect(await stage.fault(resize.setVcpus(spec.id, spec.vcpusMax + 1, stage.call()))).to.equal('invalid');
    expect(await stage.fault(resize.setMemory(spec.id, 2 * spec.memoryBytesMax, stage.call()))).to.equal('invalid');
    expect(await stage.see(spec.id)).to.deep.equal(before);
    expect(await stage.fault(resize.setVcpus(stage.newId(), 1, stage.call()))).to.equal('not_found');
    expect(await stage.fault(resize.setMemory(stage.newId(), spec.memoryBytes, stage.call()))).to.equal('not_found');
  });
}

function limitTests(stage: HypervisorStage, features: readonly HypervisorFeature[]): void {
  if (features.includes('cpuShares'))
    it('CPU shares of a running machine are set, again and again', async () => {
      const limits = part(stage.driver, 'limits');
      const setCpuShares = verb(limits, limits.setCpuShares);
      const { id } = await stage.running();
      for (const cpuShares of [512, 512, 2048]) {
        await setCpuShares(id, cpuShares, stage.call());
        expect((await stage.see(id)).limits).to.deep.equal({ cpuShares });
      }
      expect(await stage.fault(setCpuShares(stage.newId(), 512, stage.call()))).to.equal('not_found');
    });

  if (features.includes('diskLimits'))
    it('the limits of a disk of a running machine are set, again, and lifted by 0', async () => {
      const limits = part(stage.driver, 'limits');
      const setDiskLimits = verb(limits, limits.setDiskLimits);
      const { id, disks } = await stage.running();
      const volumeId = disks[0]?.volumeId ?? '';
      for (const iopsPerSecond of [100, 100, 0]) {
        await setDiskLimits(id, volumeId, { iopsPerSecond }, stage.call());
        expect((await stage.see(id)).limits?.disks).to.deep.equal(iopsPerSecond === 0 ? undefined : { [volumeId]: { iopsPerSecond } });
      }
      const both = { iopsPerSecond: 200, bytesPerSecond: 1 << 20 };
      await setDiskLimits(id, volumeId, both, stage.call());
      expect((await stage.see(id)).limits?.disks).to.deep.equal({ [volumeId]: both });
      expect(await stage.fault(setDiskLimits(stage.newId(), volumeId, { iopsPerSecond: 1 }, stage.call()))).to.equal('not_found');
      expect(await stage.fault(setDiskLimits(id, stage.newId(), { iopsPerSecond: 1 }, stage.call()))).to.equal('not_found');
    });

  if (features.includes('nicLimits'))
    it('the limits of a NIC of a running machine are set, again, and lifted by 0', async () => {
      const limits = part(stage.driver, 'limits');
      const setNicLimits = verb(limits, limits.setNicLimits);
      const { id, nics } = await stage.running();
      const nicId = nics[0]?.nicId ?? '';
      for (const inboundBytesPerSecond of [1 << 20, 1 << 20, 0]) {
        await setNicLimits(id, nicId, { inboundBytesPerSecond }, stage.call());
        const limits = inboundBytesPerSecond === 0 ? undefined : { [nicId]: { inboundBytesPerSecond } };
        expect((await stage.see(id)).limits?.nics).to.deep.equal(limits);
      }
      await setNicLimits(id, nicId, { outboundBytesPerSecond: 1 << 20 }, stage.call());
      expect((await stage.see(id)).limits?.nics).to.deep.equal({ [nicId]: { outboundBytesPerSecond: 1 << 20 } });
      expect(await stage.fault(setNicLimits(stage.newId(), nicId, { inboundBytesPerSecond: 1 }, stage.call()))).to.equal('not_found');
      expect(await stage.fault(setNicLimits(id, stage.newId(), { inboundBytesPerSecond: 1 }, stage.call()))).to.equal('not_found');
    });
}
