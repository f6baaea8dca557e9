import type { Environment } from '../kernel/index.ts';

/** A backend that is only slow has answered some call meanwhile. */
const SILENT_MS = 5_000;

/** A call that has not ended. */
export interface Waiting {
  readonly operationId: string;
  goOn?: () => void;
}

/** One method of a backend: it may hang in one, and answer whoever looks at it. */
class Method {
  readonly waiting = new Set<Waiting>();
  /** Since when something has been asked, and nothing heard. */
  sinceMs: number | undefined;
  isSilent = false;
}

/**
 * Knows in which calls a backend lets nothing be heard of itself, and lets their operations give their places to others for as long. One that answers, however
 * slowly, is not silent: its operations keep their places, so that it is not asked for more at once than there are.
 */
export class Silence {
  readonly #environment: Pick<Environment, 'clock' | 'timers'>;
  readonly #rest: (operationId: string) => () => void;
  readonly #methods = new Map<string, Method>();
  #waiting = 0;
  #cancelLook: (() => void) | undefined;

  /** @param rest gives the place of an operation to others; answers how to go on */
  constructor(environment: Pick<Environment, 'clock' | 'timers'>, rest: (operationId: string) => () => void) {
    this.#environment = environment;
    this.#rest = rest;
  }

  /** A call begins; `end` follows. */
  begin(name: string, operationId: string): Waiting {
    const method = this.#methods.get(name) ?? new Method();
    this.#methods.set(name, method);
    const call: Waiting = { operationId };
    method.waiting.add(call);
    method.sinceMs ??= this.#environment.clock.monotonicMs();
    if (method.isSilent) call.goOn = this.#rest(operationId);
    this.#waiting += 1;
    this.#cancelLook ??= this.#environment.timers.after(SILENT_MS, () => this.#look());
    return call;
  }

  /** @param isHeard whether it was the backend that ended it, in whatever way */
  end(name: string, call: Waiting, isHeard: boolean): void {
    const method = this.#methods.get(name);
    call.goOn?.();
    method?.waiting.delete(call);
    this.#waiting -= 1;
    if (isHeard && method !== undefined) this.#heard(name, method);
  }

  close(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  #heard(name: string, method: Method): void {
    method.isSilent = false;
    method.sinceMs = this.#environment.clock.monotonicMs();
    for (const call of method.waiting) {
      call.goOn?.();
      delete call.goOn;
    }
    if (method.waiting.size === 0) this.#methods.delete(name);
  }

  #look(): void {
    // None is set or cleared with each call: they are on every call's path.
    this.#cancelLook = this.#waiting === 0 ? undefined : this.#environment.timers.after(SILENT_MS, () => this.#look());
    const silentMs = this.#environment.clock.monotonicMs() - SILENT_MS;
    for (const method of this.#methods.values()) {
      if (!method.isSilent && (method.sinceMs ?? silentMs) > silentMs) continue;
      method.isSilent = true;
      for (const call of method.waiting) call.goOn ??= this.#rest(call.operationId);
    }
  }
}
