import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Call, HypervisorDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { kvm } from '../../src/index.ts';
import { LabBackend, required } from '../conformance/lab-host.ts';

const MIB = 2 ** 20;
const call = (): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 60_000 });

describe('limits that a host cannot enforce', function () {
  this.timeout(300_000);
  let backend: LabBackend;
  let driver: HypervisorDriver;

  before(async () => {
    backend = await LabBackend.up();
    driver = required(kvm({ virtType: 'tcg' }).strategies.hypervisor).open(backend.host);
    const path = join(backend.lab.sharedDir, 'net.xml');
    await writeFile(path, "<network><name>test</name><bridge name='test0'/></network>");
    await backend.virsh('net-define', path);
    await backend.virsh('net-start', 'test');
  });

  after(async () => {
    await driver?.close();
    await backend?.close();
  });

  const faultOf = async (work: Promise<void> | undefined) =>
    work?.then(
      () => 'no fault',
      (error: unknown) => driver.classify(error),
    );

  it('are refused as unsupported, and neither the machine nor its definition changes', async () => {
    const size = { vcpus: 1, vcpusMax: 1, memoryBytes: 32 * MIB, memoryBytesMax: 32 * MIB };
    const nic = { nicId: randomUUID(), mac: '52:54:00:83:00:01', plug: { type: 'libvirtNetwork', network: 'test' } as const, slot: 0 };
    const profile = { guestOs: 'linux', firmware: 'bios', diskBus: 'virtio' } as const;
    const machine = { id: randomUUID(), name: 'm', owner: 'o', ...size, ...profile, disks: [], nics: [nic] };
    const { id } = machine;
    const limits = { inboundBytesPerSecond: MIB };
    await driver.machines.define({ ...machine, nics: [{ ...nic, limits }] }, call());
    expect(await faultOf(driver.power.start(id, call()))).to.equal('unsupported');
    expect(await driver.machines.inspect(id, call())).to.include({ power: 'stopped' });
    await driver.machines.define(machine, call());
    await driver.power.start(id, call());
    const dumps = () => Promise.all([backend.virsh('dumpxml', id), backend.virsh('dumpxml', id, '--inactive')]);
    const before = await dumps();
    const other = { ...nic, nicId: randomUUID(), mac: '52:54:00:83:00:02', slot: 1, limits };
    expect(await faultOf(driver.limits?.setCpuShares?.(id, 512, call()))).to.equal('unsupported');
    expect(await faultOf(driver.limits?.setNicLimits?.(id, nic.nicId, limits, call()))).to.equal('unsupported');
    expect(await faultOf(driver.hotplug?.attachNic(id, other, call()))).to.equal('unsupported');
    expect(await dumps()).to.deep.equal(before);
  });
});
