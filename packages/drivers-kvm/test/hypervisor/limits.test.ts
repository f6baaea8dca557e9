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
  this.timeout(60_000);
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

  it('are refused as unsupported, and neither the machine nor its definition changes', async () => {
    const size = { vcpus: 1, vcpusMax: 1, memoryBytes: 32 * MIB, memoryBytesMax: 32 * MIB };
    const nic = { nicId: randomUUID(), mac: '52:54:00:83:00:01', plug: { type: 'libvirtNetwork', network: 'test' } as const, slot: 0 };
    const profile = { guestOs: 'linux', firmware: 'bios', diskBus: 'virtio' } as const;
    const { id } = { id: randomUUID() };
    await driver.machines.define({ id, name: 'm', owner: 'o', ...size, ...profile, disks: [], nics: [nic] }, call());
    await driver.power.start(id, call());
    const dumps = () => Promise.all([backend.virsh('dumpxml', id), backend.virsh('dumpxml', id, '--inactive')]);
    const before = await dumps();
    const refusals = [
      driver.limits?.setCpuShares?.(id, 512, call()),
      driver.limits?.setNicLimits?.(id, nic.nicId, { inboundBytesPerSecond: MIB }, call()),
    ];
    for (const refusal of refusals) {
      const fault = await refusal?.then(
        () => 'no fault',
        (error) => driver.classify(error),
      );
      expect(fault).to.equal('unsupported');
    }
    expect(await dumps()).to.deep.equal(before);
  });
});
