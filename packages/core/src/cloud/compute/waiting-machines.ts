import { type CloudError, describeChain, isCloudError, quotaExceeded, type Statement, type TakenUp, taken } from '../../kernel/index.ts';
import { isNicClash } from '../network/contract.ts';
import { isPlaceTaken } from '../placement/contract.ts';
import type { ComputeServices } from './context.ts';
import { CAPACITY, takeUpCreate, type WaitingParams } from './instance-wait.ts';

/** What is freed at once is looked at once. */
const PAUSE_MS = 100;
/** Looks without a sign, for what another node has freed. */
const IDLE_MS = 30_000;
const ATTEMPTS = 5;
/** Faults that pass: the machine waits on. Anything else would be the same at the next look. */
const PASSING = new Set(['no_capacity', 'unavailable', 'timeout', 'busy', 'internal']);
const PLACES = new Set(['host', 'cluster', 'pool']);

/** Whether there may be more room after these. */
const mayFree = (statement: Statement): boolean =>
  (statement.op === 'adjust' && statement.by < 0 && /^(capacity|placement)\//.test(statement.counter)) ||
  (statement.op === 'limit' && statement.counter.startsWith('capacity/')) ||
  (statement.op === 'update' && PLACES.has(statement.table));

/**
 * Looks through the machines that wait for room whenever some may have come free: accounts in turn, of each the first that came first, and each that fits,
 * whoever waits before it. So a large one keeps no small one waiting; it may itself wait long for room in one piece.
 */
export class WaitingMachines {
  readonly #services: ComputeServices;
  readonly #stops: (() => void)[] = [];
  #cancelTimer: () => void = () => undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(services: ComputeServices) {
    this.#services = services;
  }

  start(): void {
    const kernel = this.#services.kernel();
    const { waiting } = kernel.operations;
    this.#stops.push(
      kernel.onOutcome((statements, ok) => {
        if (ok && statements.some(mayFree) && waiting.isAwaited(CAPACITY)) this.#soon();
      }),
      waiting.onArrival(() => this.#soon()),
    );
    this.#soon();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    for (const stop of this.#stops) stop();
    await this.#looking;
  }

  #soon(): void {
    if (this.#looking !== undefined) this.#again = true;
    else this.#in(PAUSE_MS);
  }

  #in(delayMs: number): void {
    this.#cancelTimer();
    if (this.#stopped) return;
    this.#cancelTimer = this.#services.environment.timers.after(delayMs, () => {
      this.#looking = this.#look().finally(() => {
        this.#looking = undefined;
        const isAnyone = this.#services.kernel().operations.waiting.isAwaited(CAPACITY);
        if (this.#again || isAnyone) this.#in(this.#again ? PAUSE_MS : IDLE_MS);
        this.#again = false;
      });
    });
  }

  async #look(): Promise<void> {
    const { kernel, environment } = this.#services;
    const { waiting } = kernel().operations;
    const full = new Set<string>();
    for (const id of waiting.waitingFor(CAPACITY)) {
      if (this.#stopped) return;
      try {
        const params = (await waiting.params(id)) as WaitingParams | undefined;
        if (params === undefined || full.has(shapeOf(params))) continue;
        if ((await this.#takeUp(id, params)) === 'full') full.add(shapeOf(params));
      } catch (error) {
        environment.logger.error({ operationId: id, error: describeChain(error) }, 'a machine that waits for room could not be looked at');
      }
    }
  }

  async #takeUp(id: string, params: WaitingParams): Promise<'full' | 'done'> {
    const { waiting } = this.#services.kernel().operations;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      try {
        const result = await waiting.takeUp(id, await takeUpCreate(this.#services, params, attempt));
        if (result.ok || result.failure === undefined) return 'done';
        const refusal = refusalOf(result);
        if (refusal !== undefined) throw refusal;
      } catch (error) {
        if (isCloudError(error) && error.code === 'no_capacity') return 'full';
        if (isCloudError(error) && !PASSING.has(error.code)) waiting.giveUp(id, error);
        else throw error;
        return 'done';
      }
    }
    return 'done';
  }
}

/** Why it will not do at another place either. */
function refusalOf({ failure, statement }: Extract<TakenUp, { ok: false }>): CloudError | undefined {
  if (failure?.quota !== undefined) return quotaExceeded(failure.quota);
  if (failure?.reason !== 'exists' || isPlaceTaken(statement) || isNicClash(failure, statement)) return undefined;
  return taken(statement !== undefined && 'table' in statement ? statement.table : 'resource', failure.fields);
}

/** Machines alike in what they ask for: where one finds no room, the others find none. */
const shapeOf = ({ input }: WaitingParams): string => {
  const { name, description, hostname, sshKeys, start, ...asked } = input;
  return JSON.stringify(asked);
};
