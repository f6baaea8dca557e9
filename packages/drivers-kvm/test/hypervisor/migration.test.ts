import { randomUUID } from 'node:crypto';
import type { Call, HostEndpoint, HypervisorDriver, MachineSpec } from '@pileus/core/strategy';
import { expect } from 'chai';
import { virsh } from '../../../../test/lab/guest-domain.ts';
import { type Lab, labUp } from '../../../../test/lab/lab.ts';
import { share } from '../../../../tools/test/slice.ts';
import { type KvmOptions, kvm } from '../../src/index.ts';
import { required } from '../conformance/lab-host.ts';

const MIB = 2 ** 20;

const call = (timeoutMs = 120_000): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs });

describe('machines between hosts that are reached by TLS', function () {
  this.timeout(300_000);
  let lab: Lab;
  const drivers: HypervisorDriver[] = [];

  before(async () => {
    lab = await labUp({ hosts: 2, tls: true });
  });
  after(async () => {
    for (const driver of drivers) await driver.close();
    await lab?.down();
  });

  const endpoint = (index: number): HostEndpoint => {
    const { tls, name } = lab.host(index);
    if (tls === undefined || lab.client === undefined) throw new Error('the lab has no TLS');
    return { hostId: name, uri: `qemu+tls://${tls.address}:${tls.port}/system`, tls: lab.client };
  };

  const open = (index: number, migration: NonNullable<KvmOptions['migration']>): HypervisorDriver => {
    const options = { virtType: 'tcg', cpuShares: false, nicLimits: false, migration, migrationPkiPath: '/etc/libvirt/pki' } as const;
    const driver = required(kvm(options).strategies.hypervisor).open(endpoint(index));
    drivers.push(driver);
    return driver;
  };

  /** Without a disk or a guest: its memory is all there is of it. */
  const started = async (driver: HypervisorDriver): Promise<string> => {
    const size = { vcpus: 1, vcpusMax: 1, memoryBytes: 32 * MIB, memoryBytesMax: 32 * MIB };
    const spec: MachineSpec = {
      ...{ id: randomUUID(), name: 'm', owner: 'o', ...size, guestOs: 'linux', firmware: 'bios', diskBus: 'virtio' },
      ...{ disks: [], nics: [], record: 'a record' },
    };
    await driver.machines.define(spec, call());
    await driver.power.start(spec.id, call());
    return spec.id;
  };
  const powers = (id: string, ...at: readonly HypervisorDriver[]) =>
    Promise.all(at.map(async (driver) => (await driver.machines.inspect(id, call()))?.power));

  for (const way of share(1, ['tunnelled', 'tls'] as const, (way) => way))
    it(`go there and back (${way})`, async () => {
      const [here, there] = [open(0, way), open(1, way)];
      const id = await started(here);
      await here.migration?.send(id, endpoint(1), call());
      expect(await powers(id, here, there)).to.deep.equal([undefined, 'paused']);
      await there.power.resume(id, call());
      await there.migration?.send(id, endpoint(0), call());
      await here.power.resume(id, call());
      expect(await powers(id, here, there)).to.deep.equal(['running', undefined]);
      await here.machines.remove(id, call());
      for (const host of lab.hosts) expect((await virsh(host, 'list', '--all', '--name')).trim()).to.equal('');
    });

  it('are refused a host that is no host of theirs, and one that only this machine reaches', async () => {
    const here = open(0, 'tunnelled');
    const id = await started(here);
    const fault = (target: HostEndpoint) =>
      here.migration?.send(id, target, call()).then(
        () => 'no fault',
        (error: unknown) => here.classify(error),
      );
    expect(await fault({ ...endpoint(1), uri: endpoint(1).uri.replace(/:\d+\/system$/, ':1/system') })).to.equal('unavailable');
    const socket = { hostId: 'socket', uri: `qemu+unix:///system?socket=${lab.host(1).socketPath}` };
    expect(await fault(socket)).to.equal('unsupported');
    expect(await powers(id, here)).to.deep.equal(['running']);
    await here.machines.remove(id, call());
  });
});
