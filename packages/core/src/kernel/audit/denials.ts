import type { Environment } from '../environment.ts';
import type { ErrorRecord } from '../errors.ts';
import type { AuditCall, AuditEnd } from './record.ts';

/** How long like calls gather after one that is an entry of its own. */
const GATHER_MS = 60_000;
/** Kinds of denied calls that are told apart at once, and entries that wait to be written. */
const DENIED_MAX = 10_000;

/** What is to be written of a call, or of several that are alike. */
export interface Denial {
  readonly call: AuditCall;
  readonly end: AuditEnd;
}

interface Alike {
  call: AuditCall;
  error: ErrorRecord;
  /** Since the last entry of them. */
  times: number;
  endedAt: string;
}

/**
 * Denied calls on their way into the audit. The first is an entry at once; what the same caller is denied of the same action in the minute after becomes one
 * more, which tells how often: so a flood of them fills nothing. Of who was not let in `request` says whom he has named.
 */
export class Denials {
  readonly #environment: Pick<Environment, 'timers' | 'logger'>;
  /** Called when there is something to write. */
  readonly #due: () => void;
  #waiting: Denial[] = [];
  readonly #alike = new Map<string, Alike>();
  /** Those that will be no entries, since the log told of one. */
  #dropped = 0;
  #cancel: (() => void) | undefined;

  constructor(environment: Pick<Environment, 'timers' | 'logger'>, due: () => void) {
    this.#environment = environment;
    this.#due = due;
  }

  get waiting(): readonly Denial[] {
    return this.#waiting;
  }

  add(call: AuditCall, error: ErrorRecord): void {
    const key = JSON.stringify([call.actor, call.projectId, call.accountId, call.action, error.code, error.params, call.request]);
    const known = this.#alike.get(key);
    if (known === undefined) this.#begin(key, call, error);
    else if (known.times === 0) Object.assign(known, { call, error, times: 1, endedAt: call.at });
    else Object.assign(known, { call: common(known.call, call), times: known.times + 1, endedAt: call.at });
  }

  /** They will be no entry. Logs the first of a flood; how many they were, when what waits is written. */
  drop({ actor, action }: AuditCall, times = 1): void {
    if (this.#dropped === 0)
      this.#environment.logger.warn({ actor, action }, 'a denied call is no entry of the audit: too many wait, or the server stops');
    this.#dropped += times;
  }

  /** The first ones are in the store. */
  written(count: number): void {
    this.#waiting.splice(0, count);
    if (this.#waiting.length > 0 || this.#dropped === 0) return;
    this.#environment.logger.warn({ calls: this.#dropped }, 'denied calls are no entries of the audit');
    this.#dropped = 0;
  }

  /** Nothing gathers any more: what has waits to be written. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#gathered();
    this.#alike.clear();
  }

  #begin(key: string, call: AuditCall, error: ErrorRecord): void {
    if (this.#alike.size >= DENIED_MAX || this.#waiting.length >= DENIED_MAX) {
      this.drop(call);
      return;
    }
    this.#alike.set(key, { call, error, times: 0, endedAt: call.at });
    this.#waiting.push({ call, end: { result: 'denied', endedAt: call.at, error } });
    this.#gather();
    this.#due();
  }

  #gather(): void {
    this.#cancel ??= this.#environment.timers.after(GATHER_MS, () => {
      this.#cancel = undefined;
      this.#gathered();
      if (this.#alike.size > 0) this.#gather();
    });
  }

  #gathered(): void {
    for (const [key, alike] of this.#alike) {
      const { call, error, times, endedAt } = alike;
      if (times === 0) this.#alike.delete(key);
      else if (this.#waiting.length >= DENIED_MAX) this.drop(call, times);
      else this.#waiting.push({ call: times === 1 ? call : { ...call, times }, end: { result: 'denied', endedAt, error } });
      alike.times = 0;
    }
    if (this.#waiting.length > 0) this.#due();
  }
}

/** The resource is named where all were of the same. */
function common(first: AuditCall, { resourceId }: AuditCall): AuditCall {
  if (first.resourceId === resourceId) return first;
  const { resourceId: _one, ...rest } = first;
  return rest;
}
