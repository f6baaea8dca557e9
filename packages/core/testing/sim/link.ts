import type { Environment } from '../../src/kernel/environment.ts';
import type { Call } from '../../src/strategy/index.ts';
import type { Incarnation } from './environment.ts';
import type { StruckFault } from './fault.ts';
import { SimError } from './fault.ts';
import type { SimSite } from './site.ts';
import type { SimWorld } from './world.ts';

/** What a driver object runs in: an incarnation, or for processes that are never killed any environment. */
export type DriverEnvironment = Environment & Partial<Pick<Incarnation, 'port' | 'alive'>>;

/** They ask for all there is, so that an earlier answer is one to the same question. */
const LISTS = new Set(['machines.list', 'list', 'listNetworks']);

/** By the contract these are carried out by who asks: nothing of them is done once that has given up, or died. */
const BY_CALLER = new Set(['snapshots.revert']);

/** One request: `apply` changes the world in the instant it lands there, whole or not at all. */
export interface Request<T> {
  readonly command: string;
  readonly call: Call;
  readonly apply: () => T;
  /** What the caller's side does first, within the same time: reading content, say. `stop` aborts when the caller has given up. */
  readonly prepare?: (stop: AbortSignal) => Promise<void>;
}

/** A driver object's way to one site: latency, time-outs, injected faults and the end of the incarnation are met here and nowhere else. */
export class SimLink {
  readonly #world: SimWorld;
  readonly #site: () => SimSite | undefined;
  readonly #environment: DriverEnvironment;
  /** What each call that lists everything was answered last. */
  readonly #answers = new Map<string, unknown>();
  #closed = false;

  constructor(world: SimWorld, site: () => SimSite | undefined, environment: DriverEnvironment) {
    this.#world = world;
    this.#site = site;
    this.#environment = environment;
  }

  /** False once closed or killed: nothing reaches the driver's owner any more. */
  get open(): boolean {
    return !this.#closed && this.#environment.alive !== false;
  }

  close(): void {
    this.#closed = true;
  }

  ask<T>(request: Request<T>): Promise<T> {
    const exchange = () => {
      const site = this.#site();
      if (this.#closed) return Promise.reject(new SimError('unavailable', 'the driver is closed'));
      if (request.call.signal.aborted)
        return Promise.reject(new SimError('unavailable', `${request.command} was aborted before it was sent`));
      if (site === undefined) return Promise.reject(new SimError('unavailable', 'there is no such host'));
      return new Promise<T>((resolve, reject) => this.#exchange(site, request, resolve, reject));
    };
    return this.#environment.port?.(exchange) ?? exchange();
  }

  #exchange<T>(site: SimSite, request: Request<T>, resolve: (value: T) => void, reject: (error: unknown) => void): void {
    const { call, command } = request;
    const fault = this.#world.faults.strike(site.name, command);
    if (fault?.effect === 'hang') return;

    let finished = false;
    const stop = request.prepare === undefined ? undefined : new AbortController();
    const finish = (settle: () => void) => {
      if (finished) return;
      finished = true;
      stop?.abort();
      cancel();
      call.signal.removeEventListener('abort', giveUp);
      settle();
    };
    const giveUp = () => finish(() => reject(new SimError('unknown_outcome', `${site.name} has not answered ${command}`)));
    const cancel = this.#world.environment.timers.after(call.timeoutMs, giveUp);
    call.signal.addEventListener('abort', giveUp, { once: true });

    const reply: Reply<T> = {
      isOver: () => finished || this.#environment.alive === false,
      value: (value) => finish(() => resolve(value)),
      error: (error) => finish(() => reject(error)),
    };
    if (request.prepare === undefined || stop === undefined) this.#send(site, request, fault, reply);
    else
      request.prepare(stop.signal).then(
        () => {
          // Neither a caller that has given up nor one that was killed meanwhile sends any more.
          if (!reply.isOver()) this.#send(site, request, fault, reply);
        },
        (error) => reply.error(error),
      );
  }

  #send<T>(site: SimSite, request: Request<T>, fault: StruckFault | undefined, reply: Reply<T>): void {
    const world = this.#world;
    const { command } = request;
    if (fault !== undefined) world.trace(`${site.name} ${command} meets ${fault.effect}`);
    if (fault?.effect === 'timeout_before') return;
    if (fault?.effect === 'fail') {
      world.after(world.latencyMs(), () => reply.error(injected(site, command, fault)));
      return;
    }
    const extraMs = fault?.effect === 'late' ? request.call.timeoutMs + fault.delayMs : fault?.effect === 'delay' ? fault.delayMs : 0;
    world.send(site, world.latencyMs() + extraMs, command, {
      land: () => this.#land(site, request, fault, reply),
      refuse: () => reply.error(new SimError('unavailable', `${site.name} refuses connections`)),
    });
  }

  #land<T>(site: SimSite, request: Request<T>, fault: StruckFault | undefined, reply: Reply<T>): void {
    const world = this.#world;
    const { command } = request;
    if (BY_CALLER.has(command) && reply.isOver()) return;
    const apply = () => world.land(site, command, request.apply);
    const answer = attempt(fault?.effect === 'stale' ? () => this.#before(command, apply) : () => this.#kept(command, apply), reply);
    if (fault?.effect === 'duplicate' && !BY_CALLER.has(command))
      world.send(site, fault.delayMs, command, { land: () => void attempt(apply, reply), refuse: () => undefined });
    if (fault?.effect === 'timeout_after' || fault?.effect === 'late') return;
    const { life } = site;
    world.after(world.latencyMs() + (fault?.effect === 'aged' ? fault.delayMs : 0), () => {
      if (!site.answers(life)) return;
      if (fault?.effect === 'fail_after') reply.error(injected(site, command, fault));
      else answer();
    });
  }

  #kept<T>(command: string, apply: () => T): T {
    const value = apply();
    if (LISTS.has(command)) this.#answers.set(command, value);
    return value;
  }

  #before<T>(command: string, apply: () => T): T {
    return this.#answers.has(command) ? (this.#answers.get(command) as T) : this.#kept(command, apply);
  }
}

interface Reply<T> {
  /** Who asked has its answer, has given up, or has died. */
  isOver(): boolean;
  value(value: T): void;
  error(error: unknown): void;
}

/** Applies now; the answer, to be given later, is its outcome. */
function attempt<T>(apply: () => T, reply: Reply<T>): () => void {
  try {
    const value = apply();
    return () => reply.value(value);
  } catch (error) {
    return () => reply.error(error);
  }
}

const injected = (site: SimSite, command: string, struck: StruckFault) =>
  new SimError(struck.fault, `${site.name} fails ${command}, as the simulation wants it`);
