import type { Environment } from './environment.ts';
import { CloudError, describeChain } from './errors.ts';
import type { JsonObject } from './json.ts';
import type { Reader } from './reader.ts';

declare const payload: unique symbol;
declare const result: unique symbol;

/** May refuse, before anything changes, within a time budget. One that throws or is late refuses. */
export interface Gate<T> {
  readonly type: 'gate';
  readonly id: string;
  /** Phantom. In a function's place, so that a gate that asks for less may guard an action that tells more. */
  readonly [payload]?: (subject: T) => void;
}
/** Adds values; asked in declared order. One that throws fails the request, unless who asks knows better. */
export interface Contribution<T, R> {
  readonly type: 'contribution';
  readonly id: string;
  readonly [payload]?: T;
  readonly [result]?: R;
}
/** Told after commit, at least once; cannot change the outcome. One that throws is told again. */
export interface Notice<T extends JsonObject> {
  readonly type: 'notice';
  readonly id: string;
  readonly [payload]?: T;
}

export const gate = <T>(id: string): Gate<T> => ({ type: 'gate', id });
export const contribution = <T, R>(id: string): Contribution<T, R> => ({ type: 'contribution', id });
export const notice = <T extends JsonObject>(id: string): Notice<T> => ({ type: 'notice', id });

export interface Refusal {
  /** Stable, machine readable. */
  readonly reason: string;
  readonly message?: string;
}
export type GateHandler<T> = (subject: T, signal: AbortSignal) => Promise<Refusal | undefined> | Refusal | undefined;

/** What contributions may look at. */
export interface HookPorts {
  readonly reader: Reader;
}

export interface HookBinding {
  readonly point: { readonly type: string; readonly id: string };
  readonly handler: (...args: never[]) => unknown;
  /** Plugin ids whose handlers on the same point come first. */
  readonly after: readonly string[];
  readonly budgetMs: number;
}
interface HookOptions {
  readonly after?: readonly string[];
  readonly budgetMs?: number;
}

const bind = (point: HookBinding['point'], handler: HookBinding['handler'], options: HookOptions = {}): HookBinding => ({
  point,
  handler,
  after: options.after ?? [],
  budgetMs: options.budgetMs ?? 1000,
});

/** Binds a handler to a point, for a plugin's `hooks`. A handler of the wrong contract does not compile. */
export const onGate = <T>(point: Gate<T>, handler: GateHandler<T>, options?: HookOptions): HookBinding =>
  bind(point, handler as HookBinding['handler'], options);
export const onContribution = <T, R>(
  point: Contribution<T, R>,
  handler: (subject: T, ports: HookPorts) => R | Promise<R>,
  options?: HookOptions,
): HookBinding => bind(point, handler as HookBinding['handler'], options);
export const onNotice = <T extends JsonObject>(
  point: Notice<T>,
  handler: (subject: T) => Promise<void> | void,
  options?: HookOptions,
): HookBinding => bind(point, handler as HookBinding['handler'], options);

interface Bound extends HookBinding {
  readonly plugin: string;
}

/** All hooks, ordered and sealed at start. */
export class Hooks {
  readonly #environment: Environment;
  readonly #ports: HookPorts;
  readonly #points = new Map<string, { readonly plugin: string; readonly type: string; handlers: Bound[] }>();

  constructor(environment: Environment, ports: HookPorts) {
    this.#environment = environment;
    this.#ports = ports;
  }

  declare(plugin: string, point: { readonly type: string; readonly id: string }): void {
    const other = this.#points.get(point.id);
    if (other !== undefined) throw new Error(`plugins ${other.plugin} and ${plugin} both declare the hook ${point.id}`);
    this.#points.set(point.id, { plugin, type: point.type, handlers: [] });
  }

  bind(plugin: string, binding: HookBinding): void {
    const point = this.#points.get(binding.point.id);
    if (point === undefined) throw new Error(`plugin ${plugin} uses the unknown hook ${binding.point.id}`);
    point.handlers.push({ ...binding, plugin });
  }

  /** Orders the handlers of each point by `after`. @throws Error on a cycle, naming the plugins. */
  seal(): void {
    for (const [id, point] of this.#points) point.handlers = ordered(id, point.handlers);
  }

  /** Whether any plugin listens to any notice: without, the outbox need not look. */
  get hasNotices(): boolean {
    return [...this.#points.values()].some((point) => point.type === 'notice' && point.handlers.length > 0);
  }

  has(point: { readonly id: string }): boolean {
    return (this.#points.get(point.id)?.handlers.length ?? 0) > 0;
  }

  /** @throws CloudError `refused` with the plugin and its reason. */
  async pass<T>(point: Gate<T>, subject: T): Promise<void> {
    for (const bound of this.#handlers(point)) {
      const refusal = await this.#ask(bound, subject);
      if (refusal !== undefined)
        throw new CloudError('refused', refusal.message ?? `Refused by ${bound.plugin}: ${refusal.reason}.`, {
          params: { plugin: bound.plugin, reason: refusal.reason },
        });
    }
  }

  /** @param instead what one that throws counts as; without, what it throws is thrown */
  async collect<T, R>(point: Contribution<T, R>, subject: T, instead?: (error: unknown, plugin: string) => R): Promise<readonly R[]> {
    const results: R[] = [];
    for (const bound of this.#handlers(point)) {
      const handler = bound.handler as unknown as (subject: T, ports: HookPorts) => R | Promise<R>;
      try {
        results.push(await this.#marked(bound, () => handler(subject, this.#ports)));
      } catch (error) {
        if (instead === undefined) throw error;
        results.push(instead(error, bound.plugin));
      }
    }
    return results;
  }

  async tell(pointId: string, subject: JsonObject): Promise<void> {
    for (const bound of this.#points.get(pointId)?.handlers ?? []) {
      const handler = bound.handler as unknown as (subject: JsonObject) => Promise<void> | void;
      await this.#marked(bound, () => handler(subject));
    }
  }

  /** Also one that throws has ended. */
  async #marked<R>({ point, plugin }: Bound, body: () => R | Promise<R>): Promise<R> {
    const { marks } = this.#environment;
    marks?.begin(point.id, plugin, '');
    try {
      return await body();
    } finally {
      marks?.end(point.id, plugin, '');
    }
  }

  #handlers(point: { readonly id: string }): readonly Bound[] {
    return this.#points.get(point.id)?.handlers ?? [];
  }

  async #ask(bound: Bound, subject: unknown): Promise<Refusal | undefined> {
    const abort = new AbortController();
    const late = Promise.withResolvers<Refusal>();
    const cancel = this.#environment.timers.after(bound.budgetMs, () => {
      abort.abort();
      late.resolve({ reason: 'gate_timeout', message: `The gate of ${bound.plugin} did not answer in time.` });
    });
    try {
      const handler = bound.handler as unknown as GateHandler<unknown>;
      return await Promise.race([this.#marked(bound, () => handler(subject, abort.signal)), late.promise]);
    } catch (error) {
      this.#environment.logger.error({ plugin: bound.plugin, gate: bound.point.id, error: describeChain(error) }, 'gate threw; refused');
      return { reason: 'gate_failed', message: `The gate of ${bound.plugin} failed.` };
    } finally {
      cancel();
    }
  }
}

function ordered(id: string, handlers: readonly Bound[]): Bound[] {
  const left = [...handlers];
  const result: Bound[] = [];
  while (left.length > 0) {
    const index = left.findIndex((bound) => !left.some((other) => other !== bound && bound.after.includes(other.plugin)));
    if (index < 0) throw new Error(`hook ${id}: ${left.map((bound) => bound.plugin).join(' and ')} each want to come after the other`);
    result.push(...left.splice(index, 1));
  }
  return result;
}
