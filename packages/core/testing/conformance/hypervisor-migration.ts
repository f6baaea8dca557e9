import { expect } from 'chai';
import type { MachineObservation, MachineSpec } from '../../src/strategy/index.ts';
import type { Complete } from './frozen.ts';
import { UNANSWERED } from './harness.ts';
import type { HypervisorHarness, HypervisorStage } from './hypervisor.ts';
import { part } from './hypervisor-change.ts';

/** Two hosts, and the verbs that tests of the way between them want. */
class Way {
  readonly #stage: HypervisorStage;
  readonly #made: string[] = [];
  #other: Awaited<ReturnType<HypervisorHarness['elsewhere']>> | undefined;

  constructor(stage: HypervisorStage) {
    this.#stage = stage;
  }

  get other(): Awaited<ReturnType<HypervisorHarness['elsewhere']>> {
    if (this.#other === undefined) throw new Error('the suite has not begun');
    return this.#other;
  }

  hooks(): void {
    before(async () => {
      this.#other = await this.#stage.harness.elsewhere();
    });
    afterEach(() => this.#sweep());
    after(() => this.other.driver.close());
  }

  async #sweep(): Promise<void> {
    for (const id of this.#made.splice(0)) {
      await this.#stage.insist((call) => part(this.#stage.driver, 'migration').cancel(id, call));
      await this.#stage.insist((call) => this.other.driver.machines.remove(id, call));
      await this.#stage.insist((call) => this.#stage.driver.machines.remove(id, call));
    }
  }

  async portable(): Promise<MachineSpec> {
    const spec = await this.#stage.harness.portable();
    this.#made.push(spec.id);
    await this.#stage.driver.machines.define(spec, this.#stage.call());
    return spec;
  }

  async running(): Promise<MachineSpec> {
    const spec = await this.portable();
    await this.#stage.driver.power.start(spec.id, this.#stage.call());
    return spec;
  }

  send(id: string, call = this.#stage.call(this.#stage.timeouts.guestMs)): Promise<void> {
    return part(this.#stage.driver, 'migration').send(id, this.other.endpoint, call);
  }

  cancel(id: string, call = this.#stage.call()): Promise<void> {
    return part(this.#stage.driver, 'migration').cancel(id, call);
  }

  there(id: string): Promise<MachineObservation | undefined> {
    return this.other.driver.machines.inspect(id, this.#stage.call());
  }

  /** Which copy is right, by the rule of the contract. */
  async active(id: string): Promise<'here' | 'there' | 'nowhere'> {
    const isOn = (seen: MachineObservation | undefined) => seen?.power === 'running' || seen?.power === 'paused';
    if (isOn(await this.#stage.look(id))) return 'here';
    const there = await this.there(id);
    return isOn(there) && there?.incoming !== true ? 'there' : 'nowhere';
  }
}

/** The contract of `migration`, sentence by sentence. */
export function migrationTests(stage: HypervisorStage): void {
  const way = new Way(stage);
  way.hooks();
  passageTests(stage, way);
  troubleTests(stage, way);
}

function passageTests(stage: HypervisorStage, way: Way): void {
  stage.selected('is paused there and unknown here, as it was, and goes on by resume', async () => {
    const spec = await way.running();
    const before = await stage.see(spec.id);
    const told: number[] = [];
    await way.send(spec.id, stage.call(stage.timeouts.guestMs, { onProgress: (fraction) => told.push(fraction) }));
    expect(await stage.look(spec.id)).to.equal(undefined);
    expect(await way.there(spec.id)).to.deep.equal({ ...before, power: 'paused' });
    expect(told).to.deep.equal([...told].sort((a, b) => a - b));
    await way.other.driver.power.resume(spec.id, stage.call());
    expect(await way.there(spec.id)).to.deep.equal(before);
    // Defined there for good.
    await way.other.driver.power.powerOff(spec.id, stage.call());
    await way.other.driver.power.start(spec.id, stage.call());
    expect(await way.there(spec.id)).to.include({ power: 'running', record: spec.record });
  });

  stage.selected('comes back the same way', async () => {
    const spec = await way.running();
    await way.send(spec.id);
    await way.other.driver.power.resume(spec.id, stage.call());
    await part(way.other.driver, 'migration').send(spec.id, way.other.home, stage.call(stage.timeouts.guestMs));
    expect(await way.there(spec.id)).to.equal(undefined);
    await stage.expectPower(spec.id, 'paused');
    await stage.driver.power.resume(spec.id, stage.call());
    await stage.expectPower(spec.id, 'running');
  });

  stage.selected('one that is off, paused or absent is refused', async () => {
    const spec = await way.portable();
    expect(await stage.fault(way.send(spec.id))).to.equal('conflict');
    expect(await stage.fault(way.send(stage.newId()))).to.equal('not_found');
    await stage.driver.power.start(spec.id, stage.call());
    await stage.driver.power.suspend(spec.id, stage.call());
    expect(await stage.fault(way.send(spec.id))).to.equal('conflict');
    await stage.expectPower(spec.id, 'paused');
    expect(await way.there(spec.id)).to.equal(undefined);
  });

  stage.selected('a host that cannot be reached from here leaves the machine as it is', async () => {
    const spec = await way.running();
    const { uri } = way.other.endpoint;
    const nowhere = { ...way.other.endpoint, uri: uri.replace(/hv2|h2\b/g, 'h99') };
    expect(nowhere.uri).not.to.equal(uri);
    expect(await stage.fault(part(stage.driver, 'migration').send(spec.id, nowhere, stage.call()))).to.be.oneOf([
      'unavailable',
      'internal',
    ]);
    await stage.expectPower(spec.id, 'running');
  });

  stage.selected('cancel, when none is on its way, changes nothing', async () => {
    const spec = await way.running();
    await way.cancel(spec.id);
    await way.cancel(stage.newId());
    await stage.expectPower(spec.id, 'running');
  });
}

function troubleTests(stage: HypervisorStage, way: Way): void {
  stage.selected('a transfer that is cancelled on its way ends here or there, and none is left at work', async () => {
    const spec = await way.running();
    const sent = way.send(spec.id).then(
      () => 'there',
      () => 'here',
    );
    await way.cancel(spec.id);
    const told = await sent;
    await way.cancel(spec.id);
    expect(await way.active(spec.id)).to.equal(told);
    if (told === 'there') return;
    await stage.eventually(
      () => way.there(spec.id),
      (seen) => seen === undefined,
    );
    await way.send(spec.id);
    expect(await way.active(spec.id)).to.equal('there');
  });

  stage.selected('asked twice at once, or again after it was given up, goes over once', async () => {
    const spec = await way.running();
    const [first, second] = await Promise.allSettled([way.send(spec.id), stage.pause(1).then(() => way.send(spec.id))]);
    // The one that came too late for it finds nothing any more.
    expect([first.status, second.status]).to.include('fulfilled');
    expect(await way.active(spec.id)).to.equal('there');
  });
}

/** The undo of what may be in two places is that it is in one. */
export function migrationFreezeTable(stage: HypervisorStage): Complete<'migration.send' | 'migration.cancel'> {
  const onTheWay = (title: string, tests: (way: Way) => void) => ({
    tests: () =>
      describe(title, () => {
        const way = new Way(stage);
        way.hooks();
        tests(way);
      }),
  });
  return {
    'migration.send': onTheWay('a machine that is sent', (way) => frozenSend(stage, way)),
    'migration.cancel': onTheWay('a machine that is held back', (way) => frozenCancel(stage, way)),
  };
}

function frozenSend(stage: HypervisorStage, way: Way): void {
  stage.selected('migration.send: given up on a frozen backend and cancelled after the thaw, is in one place', async () => {
    const spec = await way.running();
    await stage.whileFrozen(async () => {
      expect(await stage.fault(way.send(spec.id, stage.brief()))).to.be.oneOf(UNANSWERED);
    });
    await stage.insist((call) => part(stage.driver, 'migration').cancel(spec.id, call));
    const active = () => stage.answered(() => way.active(spec.id));
    const where = await active();
    expect(where).to.be.oneOf(['here', 'there']);
    await stage.harness.settle();
    expect(await active()).to.equal(where);
  });
}

function frozenCancel(stage: HypervisorStage, way: Way): void {
  stage.selected('migration.cancel: given up on a frozen backend and repeated after the thaw, leaves it in one place', async () => {
    const spec = await way.running();
    const sent = way.send(spec.id).then(
      () => 'there',
      (error: unknown) => error,
    );
    await stage.whileFrozen(async () => {
      expect(await stage.fault(way.cancel(spec.id, stage.brief()))).to.be.oneOf(UNANSWERED);
    });
    await stage.insist((call) => way.cancel(spec.id, call));
    const told = await sent;
    await stage.insist((call) => way.cancel(spec.id, call));
    const active = () => stage.answered(() => way.active(spec.id));
    const where = await active();
    expect(where).to.be.oneOf(['here', 'there']);
    if (told === 'there') expect(where).to.equal('there');
    await stage.harness.settle();
    expect(await active()).to.equal(where);
  });
}
