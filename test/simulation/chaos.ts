import type { StepPoint } from '@pileus/core/kernel';
import type { FaultEffect, SimCloud, StoreFaults } from '@pileus/core/testing';

const EFFECTS: readonly [FaultEffect, ...FaultEffect[]] = [
  'fail',
  'fail_after',
  'timeout_before',
  'timeout_after',
  'late',
  'delay',
  'duplicate',
];
const CALL_TROUBLE = 0.03;
const STEP_CRASH = 0.006;
const never = new Promise<never>(() => undefined);

/** Everything that goes wrong around a control plane, drawn from the seed of its environment, until it is healed. */
export class Chaos {
  readonly #sim: SimCloud;
  readonly #hosts: readonly string[];
  readonly #storeFaults: StoreFaults;
  /** How often each thing went wrong. */
  readonly tally: Record<string, number> = {};
  #raging = false;
  starting = false;
  /** The virtual instant at which a killed control plane is started again. */
  downUntilMs = 0;

  constructor(sim: SimCloud, hosts: readonly string[], storeFaults: StoreFaults) {
    this.#sim = sim;
    this.#hosts = hosts;
    this.#storeFaults = storeFaults;
    sim.around = (point, body) => this.#around(point, body);
  }

  rage(): void {
    this.#raging = true;
    Object.assign(this.#storeFaults, { commitFails: 0.03, acknowledgementLost: 0.03 });
    this.#sim.world.faults.add({ probability: CALL_TROUBLE, effect: EFFECTS, delayMs: 20_000 });
    for (const hostname of this.#hosts) this.#trouble(hostname);
  }

  /** From now on nothing goes wrong any more, and everything is up. */
  heal(): void {
    const { world } = this.#sim;
    this.#raging = false;
    this.downUntilMs = 0;
    Object.assign(this.#storeFaults, { commitFails: 0, acknowledgementLost: 0 });
    world.faults.clear();
    for (const hostname of this.#hosts) this.#end(hostname);
  }

  #count(what: string): void {
    this.tally[what] = (this.tally[what] ?? 0) + 1;
  }

  /** A host is well for a while, then is not, then is again. */
  #trouble(hostname: string): void {
    const { environment, world } = this.#sim;
    environment.timers.after(environment.random.between(5000, 120_000), () => {
      if (!this.#raging) return;
      const how = environment.random.pick<'crash' | 'freeze' | 'partition' | 'disconnect'>(['crash', 'freeze', 'partition', 'disconnect']);
      this.#count(how);
      world[how](hostname);
      environment.timers.after(environment.random.between(200, 60_000), () => {
        if (!this.#raging) return;
        this.#end(hostname);
        this.#trouble(hostname);
      });
    });
  }

  #end(hostname: string): void {
    const { world } = this.#sim;
    const { site } = world.host(hostname);
    if (!site.up) world.boot(hostname);
    if (site.frozen) world.thaw(hostname);
    if (site.reach !== 'connected') world.reconnect(hostname);
  }

  async #around<R>(point: StepPoint, body: () => Promise<R>): Promise<R> {
    const { environment } = this.#sim;
    // One that is still starting is not killed again: its start is awaited, and would never end.
    if (!this.#raging || this.starting) return body();
    if (environment.random.chance(STEP_CRASH)) return this.#crash(`before ${point.phase} ${point.path}`);
    const result = await body();
    if (this.#raging && !this.starting && environment.random.chance(STEP_CRASH)) return this.#crash(`after ${point.phase} ${point.path}`);
    return result;
  }

  #crash(where: string): Promise<never> {
    const { environment } = this.#sim;
    this.#count('kill');
    environment.trace(`control plane killed ${where}`);
    this.#sim.crash();
    this.downUntilMs = environment.clock.monotonicMs() + environment.random.between(100, 20_000);
    return never;
  }
}
