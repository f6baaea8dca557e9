import { SimError } from './fault.ts';
import type { SimHost } from './host.ts';
import type { SimMachine } from './machine.ts';
import type { SimWorld } from './world.ts';

/** How often two hosts look again whether one of them has thawed. */
const AGAIN_MS = 50;
/** From the guest standing still there to its being forgotten here. */
const CONFIRM_MS = 10;

/**
 * A machine on its way from one host to another, as the two settle it among themselves, whatever becomes of who asked: copied while it runs; then it stands still, and is there; then it is
 * forgotten here. In the end it is paused there, or as it was here.
 */
export class SimTransfer {
  readonly to: SimHost;
  readonly #from: SimHost;
  readonly #world: SimWorld;
  readonly #machine: SimMachine;
  readonly #shell: SimMachine;
  #isSettling = false;

  /** @throws SimError */
  constructor(world: SimWorld, from: SimHost, id: string, to: SimHost, copyMs: number) {
    const machine = from.machine(id);
    if (machine.power !== 'running') throw new SimError('conflict', `machine ${id} is ${machine.power}`);
    if (!between(from, to)) throw new SimError('unavailable', `${from.hostname} does not reach ${to.hostname}`);
    this.#world = world;
    this.#from = from;
    this.to = to;
    this.#machine = machine;
    this.#shell = to.expect(machine);
    this.#after(copyMs, () => this.#switch());
  }

  /** Stops it if it is not decided yet. */
  cancel(): void {
    if (!this.#isSettling) this.#end(true);
  }

  #switch(): void {
    if (this.#from.sending.get(this.#machine.spec.id) !== this) return;
    const isThere = this.to.machines.get(this.#machine.spec.id) === this.#shell;
    if (!isThere || !this.#machine.live || !between(this.#from, this.to)) this.#end(true);
    else if (this.#from.site.frozen || this.to.site.frozen) this.#after(AGAIN_MS, () => this.#switch());
    else {
      this.#isSettling = true;
      this.#machine.suspend();
      this.#shell.arrive(this.#machine);
      this.#after(CONFIRM_MS, () => this.#confirm());
    }
  }

  #confirm(): void {
    const { site } = this.#from;
    if (site.up && site.frozen) {
      this.#after(AGAIN_MS, () => this.#confirm());
      return;
    }
    if (site.up && this.#machine.live) this.#from.remove(this.#machine.spec.id);
    this.#end(false);
  }

  #end(isOff: boolean): void {
    const { id } = this.#machine.spec;
    if (this.#from.sending.get(id) === this) this.#from.sending.delete(id);
    if (isOff && this.to.machines.get(id) === this.#shell) this.to.remove(id);
  }

  #after(delayMs: number, run: () => void): void {
    this.#world.environment.timers.after(delayMs, run);
  }
}

const between = (a: SimHost, b: SimHost): boolean => [a, b].every(({ site }) => site.up && site.reach !== 'partitioned');
