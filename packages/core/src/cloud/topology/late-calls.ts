import type { Environment, Settings } from '../../kernel/index.ts';
import { lateSeconds } from './settings.ts';

/** What a call asks of a machine. A host that was asked may do it after it was taken back. */
export interface MachineAsk {
  readonly method: 'remove' | 'attachDisk' | 'detachDisk' | 'attachNic' | 'detachNic' | 'insertIso' | 'ejectIso';
  readonly machineId: string;
  /** Volume, NIC or image. */
  readonly partId?: string;
}

const keyOf = ({ method, machineId, partId = '' }: MachineAsk): string => `${method} ${machineId} ${partId}`;

interface Place {
  /** Since when it has answered all that it was asked. */
  answeringSinceMs: number | undefined;
  readonly asks: Map<string, { readonly ask: MachineAsk; readonly atMs: number }>;
}

/**
 * What hosts were asked and have not answered. Such a call may be carried out as soon as its host goes on, in any order with those that were answered since: a
 * disk is plugged in behind its unplugging, a machine ends behind its return. That is over once its host has answered everything for `hosts.lateSeconds`.
 *
 * Known to this process alone: what one before it had asked is told by whoever goes on with its work.
 */
export class LateCalls {
  readonly #clock: Environment['clock'];
  readonly #settings: Settings;
  readonly #places = new Map<string, Place>();

  constructor({ environment, settings }: { readonly environment: Pick<Environment, 'clock'>; readonly settings: Settings }) {
    this.#clock = environment.clock;
    this.#settings = settings;
  }

  /** It was asked, and nobody knows whether it will be done. */
  note(hostId: string, ask: MachineAsk): void {
    const place = this.#places.get(hostId) ?? { answeringSinceMs: undefined, asks: new Map() };
    this.#places.set(hostId, place);
    place.asks.set(keyOf(ask), { ask, atMs: this.#clock.monotonicMs() });
  }

  /** A call of any kind has ended: with an answer of the host or without one. */
  ended(hostId: string, isAnswered: boolean): void {
    const place = this.#places.get(hostId);
    if (place === undefined) return;
    if (isAnswered) place.answeringSinceMs ??= this.#clock.monotonicMs();
    else place.answeringSinceMs = undefined;
  }

  isLate(hostId: string, ask: MachineAsk): boolean {
    this.#forget(hostId);
    return this.#places.get(hostId)?.asks.has(keyOf(ask)) === true;
  }

  /** The hosts that may do this yet. */
  hostsOf(ask: MachineAsk): readonly string[] {
    return [...this.#places.keys()].filter((hostId) => this.isLate(hostId, ask));
  }

  #forget(hostId: string): void {
    const place = this.#places.get(hostId);
    if (place?.answeringSinceMs === undefined) return;
    const beforeMs = this.#clock.monotonicMs() - this.#settings.global(lateSeconds) * 1000;
    if (place.answeringSinceMs > beforeMs) return;
    for (const [key, { atMs }] of place.asks) if (atMs <= beforeMs) place.asks.delete(key);
    if (place.asks.size === 0) this.#places.delete(hostId);
  }
}
