import { sleep, timestamp } from '../environment.ts';
import { CloudError, describeChain, ERROR_CODES, type ErrorRecord, toErrorRecord } from '../errors.ts';
import { traced } from '../tracing.ts';
import { NeverHappened, type Owed, type RetryPolicy, type StepInput } from './definition.ts';
import type { Journal } from './journal.ts';
import { Interrupted, type RunPorts, type RunSubject, type StepPoint } from './subject.ts';

export const RETRY: RetryPolicy = { attempts: 3, backoffMs: 250 };
const STEP_TIMEOUT_MS = 60_000;
const ATTENTION_AFTER_ATTEMPTS = 5;
const BACKOFF_MS_MAX = 30_000;

/** What a trial answers when an operator said to go on as if it had been done. */
export const SKIPPED = Symbol('skipped');

export type EffectBody = (input: Pick<StepInput<unknown, unknown, unknown>, 'call' | 'owe' | 'mayHaveBegun'>) => unknown;

export class StepFailed extends Error {
  readonly path: string;
  readonly record: ErrorRecord;
  constructor(path: string, cause: unknown) {
    super(`step ${path} failed`, { cause });
    this.path = path;
    this.record = isRecord(cause) ? cause : toErrorRecord(cause);
  }
}
const isRecord = (cause: unknown): cause is ErrorRecord =>
  typeof cause === 'object' && cause !== null && !(cause instanceof Error) && 'code' in cause;

/** Trying a step, and trying it again: until it is done, it may not be tried any more, it is cancelled, or the run is told to stop. */
export class Trials {
  readonly #ports: RunPorts;
  readonly #subject: RunSubject;
  readonly #journal: Journal;
  readonly #abort = new AbortController();
  #cancelled: boolean;
  /** A step has failed: nothing of the steps side by side begins any more. */
  #failing: StepFailed | undefined;
  #pivoted = false;
  /** Paths that fail for the fifth time and on. */
  readonly #stuck = new Set<string>();
  /** Paths of those that fail and are not passed over. */
  readonly #needed = new Set<string>();
  readonly #wakes = new Map<string, PromiseWithResolvers<'retry' | 'skip'>>();
  #reason: Interrupted | undefined;
  readonly #interrupted = Promise.withResolvers<never>();

  constructor(ports: RunPorts, subject: RunSubject, journal: Journal) {
    this.#ports = ports;
    this.#subject = subject;
    this.#journal = journal;
    this.#cancelled = subject.cancelRequested;
    this.#interrupted.promise.catch(() => undefined);
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** A forward-only step may have begun: there is no way back. */
  get pivoted(): boolean {
    return this.#pivoted;
  }

  /** True while a step needs attention. */
  get stuck(): boolean {
    return this.#stuck.size > 0;
  }

  get needed(): string | undefined {
    const { shown } = this.#journal;
    return shown !== undefined && this.#needed.has(shown) ? shown : undefined;
  }

  pivot(): void {
    this.#pivoted = true;
  }

  /** What made it pivot has never happened. */
  #unpivot(path: string, { cause }: NeverHappened): StepFailed {
    this.#pivoted = false;
    this.#calm(path);
    return this.#failed(path, cause);
  }

  cancel(): void {
    this.#cancelled = true;
    this.#abort.abort(new CloudError('cancelled', 'Cancelled on request.'));
  }

  interrupt(reason: Interrupted): void {
    this.#reason ??= reason;
    this.#interrupted.reject(reason);
  }

  steer(verb: 'retry' | 'skip'): void {
    if (this.#journal.shown !== undefined) this.#wakeOf(this.#journal.shown).resolve(verb);
  }

  /** What failed is forgotten: the run begins anew. */
  forget(): void {
    this.#failing = undefined;
  }

  stopIfInterrupted(): void {
    if (this.#reason !== undefined) throw this.#reason;
  }

  /** Nothing begins once it is cancelled, or once another step side by side has failed: a forward-only one could no longer be unwound. */
  stopIfEnding(path: string): void {
    if (this.#pivoted) return;
    if (this.#cancelled) throw this.#failed(path, new CloudError('cancelled', 'Cancelled on request.'));
    if (this.#failing !== undefined) throw this.#failing;
  }

  #failed(path: string, cause: unknown): StepFailed {
    this.#failing ??= new StepFailed(path, cause);
    return this.#failing;
  }

  /**
   * Before a forward-only step: the step's own policy. After it, and in every undo: for ever, visibly.
   * @param how `isFirst` of the forward-only steps: there is a way back from it where it tells that it never happened. `isNeeded`: it is not passed over
   */
  async persist<R>(
    path: string,
    phase: 'do' | 'undo',
    policy: RetryPolicy,
    body: () => Promise<R>,
    { isFirst = false, isNeeded = false }: { readonly isFirst?: boolean; readonly isNeeded?: boolean } = {},
  ): Promise<R | typeof SKIPPED> {
    for (let attempt = 1; ; attempt += 1) {
      this.stopIfInterrupted();
      if (phase === 'do') this.stopIfEnding(path);
      try {
        const result = await body();
        this.#calm(path);
        return result;
      } catch (thrown) {
        if (thrown instanceof StepFailed || thrown instanceof Interrupted) throw thrown;
        if (thrown instanceof NeverHappened && isFirst) throw this.#unpivot(path, thrown);
        const error = thrown instanceof NeverHappened ? thrown.cause : thrown;
        const record = toErrorRecord(error);
        this.#ports.environment.logger.warn(
          { operationId: this.#subject.operationId, step: path, phase, attempt, error: describeChain(error) },
          'step failed',
        );
        this.#tell({ step: path, phase, attempt, error });
        const forEver = phase === 'undo' || this.#pivoted;
        const again = forEver || (ERROR_CODES[record.code].retry === 'same_request' && attempt < policy.attempts && !this.#cancelled);
        // What a cancelled step answers is the cancel's doing.
        if (!again && this.#cancelled) this.stopIfEnding(path);
        if (!again) throw this.#failed(path, error);
        if (forEver && isNeeded) this.#needed.add(path);
        if (forEver && attempt >= ATTENTION_AFTER_ATTEMPTS) await this.#needAttention(path, phase, attempt, record);
        // A step that is not to be tried again may want no pause: its undo is tried again, and not in a circle.
        const backoffMs = forEver ? Math.max(policy.backoffMs, RETRY.backoffMs) : policy.backoffMs;
        if ((await this.#pause(path, backoffMs * 2 ** (attempt - 1), phase)) === 'skip' && forEver && !isNeeded) {
          this.#calm(path);
          return SKIPPED;
        }
      }
    }
  }

  #tell(failure: { readonly step: string; readonly phase: 'do' | 'undo'; readonly attempt: number; readonly error: unknown }): void {
    const { environment, failed } = this.#ports;
    failed?.(this.#subject.operationId, { at: timestamp(environment.clock), ...failure });
  }

  /** A step beside it that went on may have taken its place on the row: then it is shown again. */
  async #needAttention(path: string, phase: 'do' | 'undo', attempt: number, { message }: ErrorRecord): Promise<void> {
    this.#stuck.add(path);
    if (this.#journal.shown !== path) await this.#journal.showAttention(path, phase, attempt, message);
  }

  /** What was said to a step is not for the next one. */
  #calm(path: string): void {
    this.#needed.delete(path);
    if (this.#stuck.delete(path) && this.#stuck.size === 0) this.#ports.onFreed?.();
    this.#wakes.delete(path);
  }

  #wakeOf(path: string): PromiseWithResolvers<'retry' | 'skip'> {
    const wake = this.#wakes.get(path) ?? Promise.withResolvers<'retry' | 'skip'>();
    this.#wakes.set(path, wake);
    return wake;
  }

  async #pause(path: string, delayMs: number, phase: 'do' | 'undo'): Promise<'retry' | 'skip' | undefined> {
    const jitter = 0.5 + this.#ports.environment.random.next();
    const stop = new AbortController();
    const goOn = this.#ports.rest?.();
    if (phase === 'do' && !this.#pivoted) this.#abort.signal.addEventListener('abort', () => stop.abort(), { once: true });
    try {
      const slept = sleep(this.#ports.environment.timers, Math.min(delayMs, BACKOFF_MS_MAX) * jitter, stop.signal).then(
        () => undefined,
        () => undefined,
      );
      const verb = await Promise.race([slept, this.#wakeOf(path).promise, this.#interrupted.promise]);
      if (verb !== undefined) this.#wakes.delete(path);
      return verb;
    } finally {
      goOn?.();
      stop.abort();
    }
  }

  /** One try of an effect's do or undo, ended by its time, a cancel, or a stop of the run. What it owes is collected in `owed`. */
  effect(path: string, phase: 'do' | 'undo', timeoutMs: number | undefined, body: EffectBody, owed: Owed[]): Promise<unknown> {
    const { operationId, saga, resumed } = this.#subject;
    const { marks } = this.#ports.environment;
    return this.around(path, phase, 'effect', async () => {
      const abort = new AbortController();
      const late = Promise.withResolvers<never>();
      const limitMs = timeoutMs ?? STEP_TIMEOUT_MS;
      const cancelTimer = this.#ports.environment.timers.after(limitMs, () => {
        const reason = new CloudError('timeout', `Step ${path} did not end in ${limitMs} ms.`);
        abort.abort(reason);
        late.reject(reason);
      });
      const onCancel = () => abort.abort(this.#abort.signal.reason);
      if (phase === 'do' && !this.#pivoted) this.#abort.signal.addEventListener('abort', onCancel, { once: true });
      try {
        const onProgress = this.#journal.onProgress(path, saga.steps.length);
        marks?.begin(saga.name, path, operationId);
        const call = { requestId: operationId, signal: abort.signal, timeoutMs: limitMs, onProgress };
        late.promise.catch(() => undefined);
        const answered = Promise.resolve(body({ call, mayHaveBegun: resumed === true, owe: (debt) => owed.push(debt) }));
        return await Promise.race([answered, late.promise, this.#interrupted.promise]);
      } finally {
        marks?.end(saga.name, path, operationId);
        cancelTimer();
        if (this.#reason !== undefined) abort.abort(this.#reason);
        this.#abort.signal.removeEventListener('abort', onCancel);
      }
    });
  }

  /** What a write decides to change. */
  writes<R>(path: string, body: () => R): R {
    const { marks } = this.#ports.environment;
    const { operationId, saga } = this.#subject;
    marks?.begin(saga.name, path, operationId);
    try {
      return body();
    } finally {
      marks?.end(saga.name, path, operationId);
    }
  }

  around<R>(path: string, phase: 'do' | 'undo', type: 'effect' | 'write', body: () => Promise<R>): Promise<R> {
    const point: StepPoint = { operationId: this.#subject.operationId, path, phase, type };
    const { around } = this.#ports;
    return traced(point.operationId, path, { 'pileus.phase': phase }, () => (around === undefined ? body() : around(point, body)));
  }
}
