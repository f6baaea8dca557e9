import { expect } from 'chai';
import type { HypervisorStage } from './hypervisor.ts';

export function powerTests(stage: HypervisorStage): void {
  it('start, suspend, resume and powerOff do what they say, and succeed again when it is already so', async () => {
    const { power } = stage.driver;
    const { id } = await stage.defined();
    for (const [act, after] of [
      [power.start, 'running'],
      [power.suspend, 'paused'],
      [power.resume, 'running'],
      [power.powerOff, 'stopped'],
    ] as const) {
      await act.call(power, id, stage.call());
      await stage.expectPower(id, after);
      await act.call(power, id, stage.call());
      await stage.expectPower(id, after);
    }
  });

  it('powerOff ends a suspended machine, and it starts again', async () => {
    const { power } = stage.driver;
    const { id } = await stage.running();
    await power.suspend(id, stage.call());
    await power.powerOff(id, stage.call());
    await stage.expectPower(id, 'stopped');
    await power.start(id, stage.call());
    await stage.expectPower(id, 'running');
  });

  it('shutdown asks the guest, which goes down in its own time; a stopped machine is already there', async () => {
    const { id } = await stage.booted();
    await stage.driver.power.shutdown(id, stage.call());
    await stage.eventually(
      () => stage.see(id),
      (seen) => seen.power === 'stopped',
      stage.timeouts.guestMs,
    );
    await stage.driver.power.shutdown(id, stage.call());
    await stage.expectPower(id, 'stopped');
  });

  it('reset and reboot leave the machine running with a guest that boots again', async () => {
    const { power } = stage.driver;
    const { id } = await stage.booted();
    await power.reset(id, stage.call());
    await stage.expectPower(id, 'running');
    await stage.harness.booted(id);
    await power.reboot(id, stage.call());
    await stage.harness.booted(id);
    await stage.expectPower(id, 'running');
  });

  it('every verb but powerOff says not_found for an unknown machine', async () => {
    const { power } = stage.driver;
    const id = stage.newId();
    for (const act of [power.start, power.shutdown, power.suspend, power.resume, power.reboot, power.reset])
      expect(await stage.fault(act.call(power, id, stage.call()))).to.equal('not_found');
    await power.powerOff(id, stage.call());
    expect(await stage.look(id)).to.equal(undefined);
  });
}
