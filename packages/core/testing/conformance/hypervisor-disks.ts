import { expect } from 'chai';
import type { HypervisorFeature, HypervisorStage } from './hypervisor.ts';
import { part, verb } from './hypervisor-change.ts';

/** Disks that grow under a machine, and disks that ask for a secret. */
export function diskTests(stage: HypervisorStage, features: readonly HypervisorFeature[]): void {
  if (features.includes('growDisk')) growthTests(stage);
  if (features.includes('secrets')) secretTests(stage);
}

const MIB = 2 ** 20;

function growthTests(stage: HypervisorStage): void {
  const grower = () => {
    const resize = part(stage.driver, 'resize');
    return verb(resize, resize.growDisk);
  };

  it('a disk of a running machine grows, its root disk too, and the guest sees it', async () => {
    const growDisk = grower();
    const extra = await stage.harness.disk(1);
    const base = await stage.machine();
    const spec = await stage.booted({ ...base, disks: [...base.disks, extra] });
    for (const disk of spec.disks) {
      const sizeBytes = (await stage.harness.guestDiskBytes(spec.id, disk)) + 8 * MIB;
      for (let round = 0; round < 2; round += 1) {
        await growDisk(spec.id, disk.volumeId, sizeBytes, stage.call());
        await stage.eventually(
          () => stage.harness.guestDiskBytes(spec.id, disk),
          (seen) => seen === sizeBytes,
          stage.timeouts.guestMs,
        );
      }
      expect(await stage.fault(growDisk(spec.id, disk.volumeId, sizeBytes - MIB, stage.call()))).to.equal('invalid');
      expect(await stage.harness.guestDiskBytes(spec.id, disk)).to.equal(sizeBytes);
    }
  });

  it('growing is not_found for what is not there, and a conflict of a machine that is off', async () => {
    const growDisk = grower();
    const spec = await stage.defined();
    const volumeId = spec.disks[0]?.volumeId ?? '';
    expect(await stage.fault(growDisk(spec.id, volumeId, 1024 * MIB, stage.call()))).to.equal('conflict');
    await stage.driver.power.start(spec.id, stage.call());
    expect(await stage.fault(growDisk(spec.id, stage.newId(), 1024 * MIB, stage.call()))).to.equal('not_found');
    expect(await stage.fault(growDisk(stage.newId(), volumeId, 1024 * MIB, stage.call()))).to.equal('not_found');
  });
}

function secretTests(stage: HypervisorStage): void {
  it('a disk that needs a secret is plugged in with it alone, whichever driver object put it', async () => {
    const [hotplug, secrets] = [part(stage.driver, 'hotplug'), part(stage.driver, 'secrets')];
    const spec = await stage.booted();
    const { disk, secretRef, value } = await stage.harness.sealedDisk(1);
    const without = await stage.see(spec.id);
    expect(await stage.fault(hotplug.attachDisk(spec.id, disk, stage.call()))).to.equal('conflict');
    expect(await stage.see(spec.id)).to.deep.equal(without);
    const other = await stage.open();
    for (let round = 0; round < 2; round += 1) await part(other, 'secrets').put(secretRef, value, stage.call());
    await other.close();
    await hotplug.attachDisk(spec.id, disk, stage.call());
    expect((await stage.see(spec.id)).diskIds).to.include(disk.volumeId);
    await stage.insist((call) => hotplug.detachDisk(spec.id, disk.volumeId, call));
    for (let round = 0; round < 2; round += 1) await secrets.delete(secretRef, stage.call());
    expect(await stage.fault(hotplug.attachDisk(spec.id, disk, stage.call()))).to.equal('conflict');
  });

  it('a machine starts from a disk whose secret was replaced by the right one, and never without it', async () => {
    const secrets = part(stage.driver, 'secrets');
    const { disk, secretRef, value } = await stage.harness.sealedDisk(0);
    const { value: another } = await stage.harness.sealedDisk(0);
    const spec = await stage.defined({ disks: [disk] });
    expect(await stage.fault(stage.driver.power.start(spec.id, stage.call()))).to.equal('conflict');
    await stage.expectPower(spec.id, 'stopped');
    await secrets.put(secretRef, another, stage.call());
    await secrets.put(secretRef, value, stage.call());
    await stage.driver.power.start(spec.id, stage.call());
    await stage.expectPower(spec.id, 'running');
    await secrets.delete(secretRef, stage.call());
    await stage.expectPower(spec.id, 'running');
  });
}
