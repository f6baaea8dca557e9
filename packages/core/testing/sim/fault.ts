import type { Random } from '../../src/kernel/environment.ts';
import type { Fault } from '../../src/strategy/index.ts';

/** Every refusal and failure of a simulated backend. */
export class SimError extends Error {
  readonly #fault: Fault;

  constructor(fault: Fault, message: string) {
    super(message);
    this.name = 'SimError';
    this.#fault = fault;
  }

  /** Total: a private brand is looked up without running anything of the value's. */
  static classify(error: unknown): Fault {
    return typeof error === 'object' && error !== null && #fault in error ? error.#fault : 'internal';
  }
}

/**
 * What an injected fault does to a call. `fail` refuses it before, `fail_after` after it took effect. With `timeout_before` it never lands; with `timeout_after`
 * it lands and the answer is lost; with `late` the caller times out and it lands `delayMs` after that. `hang` never ends, whatever the time-out and signal say, and
 * never lands. `delay` adds `delayMs` to its way there. `duplicate` lands twice, the second time `delayMs` later. With `aged` it lands at once, and its answer comes
 * `delayMs` later, when it may not be true any more. With `stale` a call that lists gets the answer that the same driver got for the one before it.
 */
export type FaultEffect =
  | 'fail'
  | 'fail_after'
  | 'timeout_before'
  | 'timeout_after'
  | 'late'
  | 'hang'
  | 'delay'
  | 'duplicate'
  | 'aged'
  | 'stale';

export interface FaultRule {
  /** Name of the host, or of the site of shared storage; all when left out. */
  readonly host?: string;
  /** For example `machines.define`, `volumes.create`, `ensurePort`; all when left out. */
  readonly command?: string;
  /** How many calls it strikes; all that fit when left out. */
  readonly times?: number;
  /** Chance to strike a call that fits, 0 to 1; certain when left out. */
  readonly probability?: number;
  /** Several: one is drawn each time. */
  readonly effect: FaultEffect | readonly [FaultEffect, ...FaultEffect[]];
  /** For `late`, `delay`, `duplicate`, `aged`; 60 s when left out. */
  readonly delayMs?: number;
  /** What `fail` and `fail_after` are classified as; `internal` when left out. */
  readonly fault?: Fault;
}

export interface StruckFault {
  readonly effect: FaultEffect;
  readonly delayMs: number;
  readonly fault: Fault;
}

/** The rules in force, first added first asked; at most one strikes a call. */
export class Faults {
  readonly #random: Random;
  /** How often each effect has struck. */
  readonly struck = new Map<FaultEffect, number>();
  /** How often there was a call, struck or not, by its command. */
  readonly asked = new Map<string, number>();
  readonly #met = new Set<string>();
  #rules: { readonly rule: FaultRule; left: number }[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Puts a rule in force; the answer takes it out again. */
  add(rule: FaultRule): () => void {
    const entry = { rule, left: rule.times ?? Number.POSITIVE_INFINITY };
    this.#rules.push(entry);
    return () => {
      this.#rules = this.#rules.filter((each) => each !== entry);
    };
  }

  clear(): void {
    this.#rules = [];
  }

  /** Whether such a call has met such an effect at any time. */
  met(command: string, effect: FaultEffect): boolean {
    return this.#met.has(`${command} ${effect}`);
  }

  /** What strikes this call, if anything; counts it. */
  strike(host: string, command: string): StruckFault | undefined {
    this.asked.set(command, (this.asked.get(command) ?? 0) + 1);
    for (const entry of this.#rules) {
      const { rule } = entry;
      if (entry.left <= 0 || (rule.host ?? host) !== host || (rule.command ?? command) !== command) continue;
      if (rule.probability !== undefined && this.#random.next() >= rule.probability) continue;
      entry.left -= 1;
      if (entry.left === 0) this.#rules = this.#rules.filter((each) => each !== entry);
      const effect = this.#draw(rule.effect);
      this.#met.add(`${command} ${effect}`);
      this.struck.set(effect, (this.struck.get(effect) ?? 0) + 1);
      return { effect, delayMs: rule.delayMs ?? 60_000, fault: rule.fault ?? 'internal' };
    }
    return undefined;
  }

  #draw(effect: FaultRule['effect']): FaultEffect {
    if (typeof effect === 'string') return effect;
    return effect[Math.floor(this.#random.next() * effect.length)] ?? effect[0];
  }
}
