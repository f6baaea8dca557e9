import type { MachineObservation, MachineSpec, PowerState } from '../../src/strategy/index.ts';
import { SimError } from './fault.ts';

/** How a guest behaves. Times in virtual milliseconds. */
export interface GuestProfile {
  /** From power to answering the power button. */
  readonly bootMs: number;
  readonly shutdownMs: number;
  readonly onShutdown: 'powers_off' | 'ignores';
  /** Answers requests of the hypervisor once it has booted. */
  readonly hasAgent: boolean;
  /** Powers itself off so long after its boot. */
  readonly haltsAfterMs?: number;
  /** Crashes so long after its boot. */
  readonly crashesAfterMs?: number;
}

interface Ahead {
  readonly run: (machine: SimMachine) => void;
  cancel: (() => void) | undefined;
  leftMs: number;
  sinceMs: number;
}

/** What a machine needs of where it runs. */
export interface MachineGround {
  nowMs(): number;
  after(delayMs: number, run: () => void): () => void;
  profile(spec: MachineSpec): GuestProfile;
  /** Called at each change that a watcher should hear of. */
  changed(id: string): void;
  /** Takes what the machine runs on (disks, networks), or throws the refusal. */
  occupy(machine: SimMachine): void;
  vacate(machine: SimMachine): void;
}

/** One machine of a host: its definition, its power, and the guest in it as a state machine on timers. */
export class SimMachine {
  spec: MachineSpec;
  /** Undefined for a machine that is not ours. */
  readonly owner: string | undefined;
  /** What of its definition the running machine has lost. */
  readonly lost = new Set<string>();
  /** How large the guest sees the disks that it runs with, by volume. */
  readonly diskBytes = new Map<string, number>();
  readonly #ground: MachineGround;
  readonly #listeners = new Set<(text: Uint8Array | undefined) => void>();
  readonly #ahead = new Set<Ahead>();
  /** The guest holds its writes back. */
  frozen = false;
  /** The guest has locked the tray of its drive, as while it has what is in it mounted. */
  trayLocked = false;
  /** It is on its way here: no machine yet. */
  incoming = false;
  /** Its guest has come here, and has not gone on yet: it takes what it runs on when it does. */
  #arrived = false;
  #power: PowerState = 'stopped';
  #booted = false;

  constructor(ground: MachineGround, spec: MachineSpec, owner: string | undefined) {
    this.#ground = ground;
    this.spec = spec;
    this.owner = owner;
  }

  get power(): PowerState {
    return this.#power;
  }

  /** True while the guest answers the power button. */
  get booted(): boolean {
    return this.#booted;
  }

  get live(): boolean {
    return this.#power === 'running' || this.#power === 'paused';
  }

  observe(): MachineObservation {
    const { spec } = this;
    const ours = this.owner !== undefined;
    const bySlot = <T extends { readonly slot: number }>(items: readonly T[]) => (ours ? [...items].sort((a, b) => a.slot - b.slot) : []);
    return {
      id: spec.id,
      name: spec.name,
      power: this.#power,
      ...(this.owner === undefined ? {} : { owner: this.owner }),
      vcpus: spec.vcpus,
      memoryBytes: spec.memoryBytes,
      diskIds: bySlot(spec.disks).map((disk) => disk.volumeId),
      nicIds: bySlot(spec.nics).map((nic) => nic.nicId),
      ...(ours && spec.iso !== undefined ? { isoId: spec.iso.imageId } : {}),
      ...(this.lost.size === 0 ? {} : { halfPluggedIds: [...this.lost] }),
      ...(ours && this.live ? limitsOf(spec) : {}),
      ...(ours && spec.record !== undefined ? { record: spec.record } : {}),
      ...(this.frozen ? { mayBeFrozen: true } : {}),
      ...(this.incoming ? { incoming: true } : {}),
    };
  }

  start(): void {
    if (this.#power === 'running') return;
    if (this.#power === 'paused') throw new SimError('conflict', 'the machine is suspended');
    this.#ground.occupy(this);
    this.#become('running');
    this.#boot();
  }

  /** Memory is made ready for a guest that comes from another host. */
  expect(): void {
    this.incoming = true;
    this.#become('paused');
  }

  /** The guest is here, as it stood still at the other host, and stands still. */
  arrive(from: SimMachine): void {
    this.incoming = false;
    this.#arrived = true;
    this.frozen = from.frozen;
    this.trayLocked = from.trayLocked;
    this.#booted = from.#booted;
    for (const id of from.lost) this.lost.add(id);
    for (const { run, leftMs } of from.#ahead) this.#ahead.add({ run, leftMs, cancel: undefined, sinceMs: 0 });
    this.#ground.changed(this.spec.id);
  }

  /** The plug is pulled, by whomever; `crashed` when the guest did it by failing. */
  stop(as: 'stopped' | 'crashed' = 'stopped'): void {
    if (!this.live) {
      this.#power = as;
      return;
    }
    this.#clear();
    this.lost.clear();
    this.#arrived = false;
    this.#ground.vacate(this);
    this.#become(as);
    for (const listener of [...this.#listeners]) listener(undefined);
    this.#listeners.clear();
  }

  suspend(): void {
    if (this.#power === 'paused') return;
    this.#needLive();
    for (const ahead of this.#ahead) {
      ahead.cancel?.();
      ahead.leftMs -= this.#ground.nowMs() - ahead.sinceMs;
    }
    this.#become('paused');
  }

  resume(): void {
    if (this.#power === 'running') return;
    this.#needLive();
    if (this.incoming) throw new SimError('conflict', 'the machine is not here yet');
    if (this.#arrived) this.#ground.occupy(this);
    this.#arrived = false;
    this.#become('running');
    for (const ahead of this.#ahead) this.#arm(ahead);
  }

  freeze(): void {
    if (this.#power !== 'running') throw new SimError('conflict', `the machine is ${this.#power}`);
    if (!this.#booted || !this.#ground.profile(this.spec).hasAgent) throw new SimError('unsupported', 'no agent answers in the guest');
    this.frozen = true;
  }

  thaw(): boolean {
    const wasFrozen = this.frozen;
    this.frozen = false;
    return wasFrozen;
  }

  /** The power button: a guest that has not booted, or does not care, ignores it. */
  shutdown(): void {
    if (!this.live) return;
    const profile = this.#ground.profile(this.spec);
    if (this.#booted && profile.onShutdown === 'powers_off') this.#later(profile.shutdownMs, (machine) => machine.stop());
  }

  reboot(): void {
    this.#needLive();
    const profile = this.#ground.profile(this.spec);
    if (this.#booted && profile.onShutdown === 'powers_off') this.#later(profile.shutdownMs, (machine) => machine.reset());
  }

  reset(): void {
    this.#needLive();
    this.#boot();
  }

  /** Takes part in the serial console: told what the guest writes, then `undefined` at its end. Gives the keyboard, which the guest echoes, and a way to leave. */
  listen(listener: (text: Uint8Array | undefined) => void): { type(text: Uint8Array): void; leave(): void } {
    this.#needLive();
    this.#listeners.add(listener);
    return {
      type: (text) => {
        if (this.#listeners.has(listener) && this.#power === 'running') this.#write(text);
      },
      leave: () => void this.#listeners.delete(listener),
    };
  }

  #needLive(): void {
    if (!this.live) throw new SimError('conflict', `the machine is ${this.#power}`);
  }

  #become(power: PowerState): void {
    this.#power = power;
    this.#ground.changed(this.spec.id);
  }

  #boot(): void {
    this.#clear();
    const profile = this.#ground.profile(this.spec);
    this.#later(profile.bootMs, (machine) => {
      machine.#booted = true;
      machine.#write(new TextEncoder().encode(`${this.spec.name} has booted\r\n`));
      if (profile.haltsAfterMs !== undefined) machine.#later(profile.haltsAfterMs, (at) => at.stop());
      if (profile.crashesAfterMs !== undefined) machine.#later(profile.crashesAfterMs, (at) => at.stop('crashed'));
    });
  }

  #write(text: Uint8Array): void {
    for (const listener of [...this.#listeners]) listener(text);
  }

  /** What the guest will do in its own time; a suspended guest's time stands still. */
  #later(delayMs: number, run: (machine: SimMachine) => void): void {
    const ahead: Ahead = { run, cancel: undefined, leftMs: delayMs, sinceMs: 0 };
    this.#ahead.add(ahead);
    if (this.#power === 'running') this.#arm(ahead);
  }

  #arm(ahead: Ahead): void {
    ahead.sinceMs = this.#ground.nowMs();
    ahead.cancel = this.#ground.after(ahead.leftMs, () => {
      this.#ahead.delete(ahead);
      ahead.run(this);
    });
  }

  #clear(): void {
    for (const ahead of this.#ahead) ahead.cancel?.();
    this.#ahead.clear();
    this.#booted = false;
    this.frozen = false;
    this.trayLocked = false;
  }
}

function limitsOf({ cpuShares, disks, nics }: MachineSpec): Pick<MachineObservation, 'limits'> {
  const limited = <T extends { readonly limits?: object }>(items: readonly T[], idOf: (item: T) => string) =>
    Object.fromEntries(items.flatMap((item) => (item.limits === undefined ? [] : [[idOf(item), item.limits]])));
  const byDisk = limited(disks, ({ volumeId }) => volumeId);
  const byNic = limited(nics, ({ nicId }) => nicId);
  const limits = {
    ...(cpuShares === undefined ? {} : { cpuShares }),
    ...(Object.keys(byDisk).length === 0 ? {} : { disks: byDisk }),
    ...(Object.keys(byNic).length === 0 ? {} : { nics: byNic }),
  };
  return Object.keys(limits).length === 0 ? {} : { limits };
}
