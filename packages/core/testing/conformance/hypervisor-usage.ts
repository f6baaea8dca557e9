import { expect } from 'chai';
import type { HostUsage } from '../../src/strategy/index.ts';
import type { HypervisorStage } from './hypervisor.ts';

/** Reading changes nothing, so that nothing is frozen here. */
export function usageTests(stage: HypervisorStage): void {
  const read = () => stage.driver.usage?.read(stage.call()) ?? expect.fail('the driver does not tell what is in use');

  it('is told of the host and of machines that are on, in times that only grow', async () => {
    const off = await stage.defined();
    const on = await stage.running();
    const { memoryBytes } = await stage.driver.inventory(stage.call());
    const first = await read();
    const cpuMs = ({ machines }: HostUsage) => machines.find(({ id }) => id === on.id)?.cpuMs ?? Number.NaN;
    expect(first.usedMemoryBytes).to.be.within(1, memoryBytes);
    expect(first.machines.map(({ id }) => id)).to.not.include(off.id);
    expect(first.machines.find(({ id }) => id === on.id)?.usedMemoryBytes).to.be.greaterThan(0);
    let last = first;
    await stage.eventually(read, (now) => {
      expect(now.cpuMs).to.be.at.least(last.cpuMs);
      expect(cpuMs(now)).to.be.at.least(cpuMs(last));
      last = now;
      return now.cpuMs > first.cpuMs && cpuMs(now) > cpuMs(first);
    });
  });
}
