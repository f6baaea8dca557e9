import { expect } from 'chai';
import type { Call, HypervisorDriver } from '../../src/strategy/index.ts';
import type { Complete } from './frozen.ts';
import type { HypervisorStage } from './hypervisor.ts';
import { part } from './hypervisor-change.ts';

/** Frozen inside the call: what may have landed late is seen, and thawed. */
export function quiesceFreezeTable(stage: HypervisorStage): Complete<'quiesce.freeze' | 'quiesce.thaw'> {
  const quiesce = () => part(stage.driver, 'quiesce');
  return {
    'quiesce.freeze': async () => {
      const { id } = await stage.booted();
      return {
        act: (call) =>
          quiesce()
            .freeze(id, call)
            .catch((error) => {
              if (stage.driver.classify(error) !== 'unsupported') throw error;
            }),
        done: () => stage.expectPower(id, 'running'),
        undo: (call) => quiesce().thaw(id, call),
        // It may show for a while yet that it was asked.
        left: async () => ((await quiesce().thaw(id, stage.call())) ? [id] : []),
        lateArrival: () => stage.expectPower(id, 'running'),
      };
    },
    'quiesce.thaw': async () => {
      const { id } = await stage.booted();
      await quiesce()
        .freeze(id, stage.call())
        .catch(() => {});
      const thaw = (call: Call) => quiesce().thaw(id, call);
      return { act: thaw, done: async () => expect(await thaw(stage.call())).to.equal(false), undo: thaw, left: async () => [] };
    },
  };
}

/** What the contract says of guests that are asked to hold their writes back. Whether an agent answers in the harness's guest is its own matter. */
export function quiesceTests(stage: HypervisorStage): void {
  const quiesce = (): NonNullable<HypervisorDriver['quiesce']> => stage.driver.quiesce ?? expect.fail('the driver asks no agents');
  const power = async (id: string) => (await stage.driver.machines.inspect(id, stage.call()))?.power;

  it('freeze holds writes back until thaw or power-off, again changes nothing, or no agent answers', async () => {
    const { id } = await stage.booted();
    const freeze = () =>
      quiesce()
        .freeze(id, stage.call())
        .then(
          () => 'frozen',
          (error) => stage.driver.classify(error),
        );
    const first = await freeze();
    expect(first).to.be.oneOf(['frozen', 'unsupported']);
    expect(await freeze()).to.equal(first);
    expect(await power(id)).to.equal('running');
    expect((await stage.see(id)).mayBeFrozen).to.equal(first === 'frozen' || undefined);
    expect(await quiesce().thaw(id, stage.call())).to.equal(first === 'frozen');
    expect((await stage.see(id)).mayBeFrozen).to.equal(undefined);
    expect(await quiesce().thaw(id, stage.call())).to.equal(false);
    expect(await power(id)).to.equal('running');
    expect(await freeze()).to.equal(first);
    await stage.driver.power.powerOff(id, stage.call());
    expect((await stage.see(id)).mayBeFrozen).to.equal(undefined);
    expect(await quiesce().thaw(id, stage.call())).to.equal(false);
  });

  it('thaw of a machine that is off, or is not there, changes nothing', async () => {
    const { id } = await stage.defined();
    expect(await quiesce().thaw(id, stage.call())).to.equal(false);
    expect(await power(id)).to.equal('stopped');
    expect(await quiesce().thaw(stage.newId(), stage.call())).to.equal(false);
  });

  it('a machine that is off, or is not there, is not frozen', async () => {
    const { id } = await stage.defined();
    expect(await stage.fault(quiesce().freeze(id, stage.call()))).to.equal('conflict');
    expect(await stage.fault(quiesce().freeze(stage.newId(), stage.call()))).to.equal('not_found');
  });
}
