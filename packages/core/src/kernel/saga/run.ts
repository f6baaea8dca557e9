// Long because a run is one state machine: going forward, trying again and unwinding share what is done, what is pivoted and what is held.
import { type Environment, sleep, timestamp } from '../environment.ts';
import { CloudError, describeChain, ERROR_CODES, type ErrorRecord, toErrorRecord } from '../errors.ts';
import type { Ids } from '../id.ts';
import type { JsonObject } from '../json.ts';
import { debt, type JournalEntry } from '../operation.ts';
import { create } from '../rows.ts';
import type { CommitResult, Statement } from '../store.ts';
import { traced } from '../tracing.ts';
import {
  type AnySaga,
  type BoundSaga,
  FORWARD_ONLY,
  type Known,
  NOTHING_TO_UNDO,
  type Owed,
  type RetryPolicy,
  type StepInput,
  type StepNode,
  sagaKey,
} from './definition.ts';
import { inLanes } from './lanes.ts';

/** What a run reaches: nothing of the cloud, everything of the kernel that it needs. */
export interface RunPorts {
  readonly environment: Environment;
  readonly ids: Ids;
  /** The node that runs it and the epoch it holds, written into every entry. */
  readonly stamp: { readonly node: string; readonly epoch: number };
  /** Durable when it answers; retries an unknown outcome itself. */
  readonly commit: (statements: readonly Statement[]) => Promise<CommitResult>;
  /** An older definition by `name@version`. */
  readonly definition: (key: string) => AnySaga | undefined;
  /** Told when the run begins to show `needs_attention`. */
  readonly onStuck?: () => void;
  /** Spans, and the faults of tests: called around each do and undo of an effect, and each commit of a write. A throw counts as the step's own. */
  readonly around?: <R>(point: StepPoint, body: () => Promise<R>) => Promise<R>;
}

export interface StepPoint {
  readonly operationId: string;
  readonly path: string;
  readonly phase: 'do' | 'undo';
  readonly type: 'effect' | 'write';
}

export interface RunSubject {
  readonly operationId: string;
  readonly saga: AnySaga;
  readonly ctx: unknown;
  /** The journal so far, in order; the first is `accepted`. */
  readonly journal: readonly JournalEntry[];
  /** Number of the next entry; numbers grow, and may have gaps. */
  readonly nextNumber: number;
  readonly attempt: number;
  readonly cancelRequested: boolean;
  /** Taken over from an earlier life, which may have begun the step after the journal's end. */
  readonly resumed?: boolean;
  /** It must not begin: whatever an earlier life may have begun is undone, and it ends. */
  readonly refused?: ErrorRecord | undefined;
  readonly unwound?: ((params: unknown) => readonly Statement[]) | undefined;
  /** Committed with the end of a run that is abandoned: what it had reserved beyond its rows, which the forced operation does not know of. */
  readonly abandoned?: ((params: unknown) => readonly Statement[]) | undefined;
  readonly again?:
    | ((failed: {
        params: unknown;
        error: ErrorRecord;
        attempt: number;
      }) => Promise<{ params: unknown; statements: readonly Statement[]; keys?: readonly string[]; notes?: JsonObject } | undefined>)
    | undefined;
  /** All keys of the operation, with those that a new attempt adds. */
  readonly holds?: (more: readonly string[]) => readonly string[];
}

export type Outcome = 'succeeded' | 'failed' | 'cancelled' | 'parked';

interface Frame {
  readonly prefix: string;
  readonly saga: AnySaga;
  readonly ctx: unknown;
  readonly params: unknown;
}
type Outputs = Record<string, unknown>;
type Effect = Extract<StepNode, { type: 'effect' }>;
type Each = Extract<StepNode, { type: 'each' }>;
type Write = Extract<StepNode, { type: 'write' }>;
type Subs = Extract<StepNode, { type: 'subs' }>;
type Doable = { readonly undo: Effect['undo'] | Each['undo']; readonly retry?: RetryPolicy; readonly timeoutMs?: number };

const RETRY: RetryPolicy = { attempts: 3, backoffMs: 250 };
const STEP_TIMEOUT_MS = 60_000;
const ATTENTION_AFTER_ATTEMPTS = 5;
const BACKOFF_MS_MAX = 30_000;
const PROGRESS_INTERVAL_MS = 1000;

class StepFailed extends Error {
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

/** Stops a run where it is: parked for the next start, or given up for a forced operation that takes over. */
class Interrupted extends Error {
  readonly how: 'parked' | 'abandoned';
  constructor(how: 'parked' | 'abandoned', cause?: unknown) {
    super(how, { cause });
    this.how = how;
  }
}

/**
 * One saga from its journal to its end. Forward: each effect's output is journaled after it, each write commits with its entry. On failure or cancel:
 * everything done and everything that may have begun is undone, last first; an undo is retried for ever.
 */
export class SagaRun {
  readonly #ports: RunPorts;
  readonly #subject: RunSubject;
  readonly #abort = new AbortController();
  #params: unknown;
  #attempt: number;
  #number: number;
  #done = new Map<string, unknown>();
  #sagaOf = new Map<string, string>();
  #undone = new Set<string>();
  #failure: ErrorRecord | undefined;
  #cancel: boolean;
  /** A forward-only effect may have begun. */
  #pivoted = false;
  /** A step has failed: nothing of the steps side by side begins any more. */
  #failing: StepFailed | undefined;
  /** Entries of effects whose write follows at once in the same frame, by its prefix: they are committed with it. */
  readonly #held = new Map<string, readonly Statement[]>();
  #percent = 0;
  #stepsDone = 0;
  #ended = false;
  /** Paths that fail for the fifth time and on. Steps side by side may be stuck together; the row shows one of them. */
  readonly #stuck = new Set<string>();
  #shown: string | undefined;
  readonly #wakes = new Map<string, PromiseWithResolvers<'retry' | 'skip'>>();
  readonly #interrupted: { reason?: Interrupted; readonly promise: PromiseWithResolvers<never> } = {
    promise: Promise.withResolvers<never>(),
  };

  constructor(ports: RunPorts, subject: RunSubject) {
    this.#ports = ports;
    this.#subject = subject;
    this.#attempt = subject.attempt;
    this.#cancel = subject.cancelRequested;
    this.#number = subject.nextNumber;
    this.#interrupted.promise.promise.catch(() => undefined);
    for (const entry of subject.journal) this.#replay(entry);
  }

  /** Ends as soon as the step at work has answered, and unwinds; without effect once a forward-only step may have begun. */
  cancel(): boolean {
    if (this.#pivoted) return false;
    this.#cancel = true;
    this.#abort.abort(new CloudError('cancelled', 'Cancelled on request.'));
    return true;
  }

  /** Steers the step that is shown to need attention, and no other: try it now, or go on as if it had been done. */
  steer(verb: 'retry' | 'skip'): void {
    if (this.#shown !== undefined) this.#wakeOf(this.#shown).resolve(verb);
  }

  /** True while a step of it needs attention. */
  get stuck(): boolean {
    return this.#stuck.size > 0;
  }

  /** Leaves the rest to the next start. What is at work is told to stop; it will be done again, idempotently. */
  park(): void {
    this.#interrupt(new Interrupted('parked'));
  }

  /** Ends a stuck run as failed without unwinding further: a forced operation removes what is left. */
  abandon(cause: CloudError): void {
    this.#interrupt(new Interrupted('abandoned', cause));
  }

  #interrupt(reason: Interrupted): void {
    this.#interrupted.reason ??= reason;
    this.#interrupted.promise.reject(reason);
  }

  async run(): Promise<Outcome> {
    try {
      if (this.#subject.resumed === true && this.#failure === undefined) this.#lookForPivot(this.#root());
      for (;;) {
        if (this.#failure === undefined) {
          const failed = this.#refusal() ?? (await this.#forward());
          if (failed === undefined) return 'succeeded';
          if (this.#mayHaveBegun) await this.#beginUnwinding(failed);
          else this.#failure = failed.record;
        }
        if (this.#mayHaveBegun) await this.#unwindFrame(this.#root());
        const outcome = await this.#afterUnwind(this.#failure ?? { code: 'internal', message: 'Unwound without a cause.' });
        if (outcome !== undefined) return outcome;
      }
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      if (error.how === 'parked') {
        if (error.cause !== undefined) await this.#ports.commit([this.#update({ state: 'parked' })]);
        return 'parked';
      }
      this.#failure = toErrorRecord(error.cause);
      await this.#commitOrThrow('', [...this.#ending('failed'), ...(this.#subject.abandoned?.(this.#params) ?? [])]);
      return 'failed';
    }
  }

  #refusal(): StepFailed | undefined {
    const { refused } = this.#subject;
    return refused === undefined || this.#pivoted ? undefined : new StepFailed('', refused);
  }

  get #mayHaveBegun(): boolean {
    return this.#subject.refused === undefined || this.#subject.resumed === true;
  }

  /** After a crash: forward-only steps that are done, or next, which may have begun. True when the frame is complete. */
  #lookForPivot(frame: Frame): boolean {
    const out: Outputs = {};
    for (const node of frame.saga.steps) {
      const known = this.#known(frame, out);
      if (node.type === 'subs') {
        for (const stage of this.#stages(frame, node, known) ?? [])
          if (!stage.map((child) => this.#lookForPivot(child)).every(Boolean)) return false;
        continue;
      }
      const complete = this.#collect(frame, node, known, out);
      if (node.undo === FORWARD_ONLY && (complete || node.type !== 'write')) this.#pivoted = true;
      if (!complete) return false;
    }
    return true;
  }

  #stages(frame: Frame, node: Subs, known: Known<unknown, unknown, unknown>): (readonly Frame[])[] | undefined {
    const path = frame.prefix + node.name;
    return told(() => node.run(known).map((stage, s) => stage.map((bound, index) => this.#child(`${path}[${s}.${index}]/`, bound))));
  }

  #root(): Frame {
    return { prefix: '', saga: this.#subject.saga, ctx: this.#subject.ctx, params: this.#params };
  }

  #known({ ctx, params }: Frame, out: Outputs): Known<unknown, unknown, unknown> {
    return { ctx, params, out, operationId: this.#subject.operationId };
  }

  #replay(entry: JournalEntry): void {
    if (entry.type === 'accepted' || entry.type === 'again') {
      this.#params = entry.params;
      this.#forget();
    } else if (entry.type === 'done') {
      this.#done.set(entry.path, entry.output);
      if (entry.saga !== undefined) this.#sagaOf.set(entry.path.slice(0, entry.path.lastIndexOf('/') + 1), entry.saga);
      this.#stepsDone += 1;
    } else if (entry.type === 'failed') this.#failure = entry.error;
    else if (entry.type === 'undone') this.#undone.add(entry.path);
  }

  #forget(): void {
    this.#done = new Map();
    this.#undone = new Set();
    this.#sagaOf = new Map();
    this.#failure = undefined;
    this.#failing = undefined;
    this.#stepsDone = 0;
  }

  // ---- forward ----

  async #forward(): Promise<StepFailed | undefined> {
    try {
      await this.#sequence(this.#root());
      return undefined;
    } catch (error) {
      if (error instanceof StepFailed) return error;
      throw error;
    }
  }

  async #sequence(frame: Frame): Promise<void> {
    const out: Outputs = {};
    const { steps } = frame.saga;
    for (const [index, node] of steps.entries()) {
      const next = steps[index + 1];
      const last = frame.prefix === '' && next === undefined;
      out[node.name] = await this.#step(frame, node, out, { holds: next?.type === 'write', last });
      if (frame.prefix === '') this.#percent = Math.max(this.#percent, Math.floor((100 * (index + 1)) / steps.length));
    }
    // The last write commits the end with it; any other last step leaves it to do.
    if (frame.prefix === '' && !this.#ended) await this.#commitOrThrow('', this.#ending('succeeded'));
  }

  async #step(frame: Frame, node: StepNode, out: Outputs, place: { holds: boolean; last: boolean }): Promise<unknown> {
    const path = frame.prefix + node.name;
    const known = this.#known(frame, out);
    if (node.type === 'write') return this.#write(frame, node, path, known, place.last);
    if (node.type === 'effect') return this.#effect(frame, node, path, (input) => node.do({ ...known, ...input }), place.holds);
    if (node.type === 'each') {
      const items = await this.#fanOut(path, () => node.items(known));
      return inLanes(items, node.limit, (item, index) =>
        this.#effect(frame, node, `${path}[${index}]`, (input) => node.do({ ...known, ...input, item }), false),
      );
    }
    const stages = await this.#fanOut(path, () => node.run(known));
    for (const [stage, bound] of stages.entries())
      await inLanes(bound, node.limit, (child, index) => this.#sequence(this.#child(`${path}[${stage}.${index}]/`, child)));
    return undefined;
  }

  /** What a step spreads over. A throw counts as the step's own. */
  async #fanOut<T>(path: string, ask: () => readonly T[]): Promise<readonly T[]> {
    const answer = await this.#persist(path, 'do', { attempts: 1, backoffMs: RETRY.backoffMs }, async () => ask());
    return answer === SKIPPED ? [] : answer;
  }

  #child(prefix: string, bound: BoundSaga): Frame {
    const journaled = this.#sagaOf.get(prefix);
    const saga = journaled === undefined || journaled === sagaKey(bound.saga) ? bound.saga : this.#ports.definition(journaled);
    if (saga === undefined) throw new Interrupted('parked', new Error(`no definition ${journaled}`));
    return { prefix, saga, ctx: bound.ctx, params: bound.params };
  }

  async #effect(
    frame: Frame,
    step: Doable,
    path: string,
    body: (input: Pick<StepInput<unknown, unknown, unknown>, 'call' | 'owe'>) => unknown,
    holds: boolean,
  ): Promise<unknown> {
    if (this.#done.has(path)) return this.#done.get(path);
    this.#stopIfEnding(path);
    if (step.undo === FORWARD_ONLY) this.#pivoted = true;
    const owed: Owed[] = [];
    const output = await this.#persist(path, 'do', step.retry ?? RETRY, async () => {
      owed.length = 0;
      return this.#attemptEffect(step, path, 'do', body, owed);
    });
    const plain = output === undefined || output === SKIPPED ? undefined : (JSON.parse(JSON.stringify(output)) as unknown);
    const statements = [
      ...this.#entry({ type: 'done', path, ...(plain === undefined ? {} : { output: plain }), ...this.#sagaTag(frame) }),
      ...this.#debts(owed),
    ];
    this.#done.set(path, plain);
    this.#stepsDone += 1;
    if (holds) this.#held.set(frame.prefix, statements);
    else await this.#commitOrThrow(path, [...statements, this.#progress(path, this.#stepsDone)]);
    return plain;
  }

  /** Nothing begins once it is cancelled, or once another step side by side has failed: a forward-only one could no longer be unwound. */
  #stopIfEnding(path: string): void {
    if (this.#pivoted) return;
    if (this.#cancel) throw this.#failed(path, new CloudError('cancelled', 'Cancelled on request.'));
    if (this.#failing !== undefined) throw this.#failing;
  }

  #failed(path: string, cause: unknown): StepFailed {
    this.#failing ??= new StepFailed(path, cause);
    return this.#failing;
  }

  async #write(frame: Frame, node: Write, path: string, known: Known<unknown, unknown, unknown>, last: boolean): Promise<void> {
    if (this.#done.has(path)) return;
    this.#stopIfEnding(path);
    if (node.undo === FORWARD_ONLY) this.#pivoted = true;
    const commit = async (statements: readonly Statement[]) => {
      const entry = this.#entry({ type: 'done', path, ...this.#sagaTag(frame) });
      const stepsDone = this.#stepsDone + 1;
      const rest = last ? this.#ending('succeeded', path, stepsDone) : [this.#progress(path, stepsDone)];
      await this.#commitOrThrow(path, [...entry, ...statements, ...rest]);
    };
    const result = await this.#persist(path, 'do', { attempts: 1, backoffMs: RETRY.backoffMs }, () =>
      this.#around(path, 'do', 'write', () => commit(node.do(known))),
    );
    if (result === SKIPPED) await commit([]);
    this.#stepsDone += 1;
    this.#done.set(path, undefined);
    this.#ended = last;
  }

  // ---- trying, and trying again ----

  /** Before a forward-only step: the step's own policy. After it, and in every undo: for ever, visibly. */
  async #persist<R>(path: string, phase: 'do' | 'undo', policy: RetryPolicy, body: () => Promise<R>): Promise<R | typeof SKIPPED> {
    for (let attempt = 1; ; attempt += 1) {
      if (this.#interrupted.reason !== undefined) throw this.#interrupted.reason;
      if (phase === 'do') this.#stopIfEnding(path);
      try {
        const result = await body();
        this.#calm(path);
        return result;
      } catch (error) {
        if (error instanceof StepFailed || error instanceof Interrupted) throw error;
        const record = toErrorRecord(error);
        this.#ports.environment.logger.warn(
          { operationId: this.#subject.operationId, step: path, phase, attempt, error: describeChain(error) },
          'step failed',
        );
        const forEver = phase === 'undo' || this.#pivoted;
        const again = forEver || (ERROR_CODES[record.code].retry === 'same_request' && attempt < policy.attempts && !this.#cancel);
        // What a cancelled step answers is the cancel's doing.
        if (!again && this.#cancel) this.#stopIfEnding(path);
        if (!again) throw this.#failed(path, error);
        // A step beside it that went on has taken its place on the row: it is shown again.
        if (forEver && attempt >= ATTENTION_AFTER_ATTEMPTS && this.#shown !== path) await this.#showAttention(path, phase, attempt, record);
        if ((await this.#pause(path, policy.backoffMs * 2 ** (attempt - 1), phase)) === 'skip' && forEver) {
          this.#calm(path);
          return SKIPPED;
        }
      }
    }
  }

  /** What was said to a step is not for the next one. */
  #calm(path: string): void {
    this.#stuck.delete(path);
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
    if (phase === 'do' && !this.#pivoted) this.#abort.signal.addEventListener('abort', () => stop.abort(), { once: true });
    try {
      const slept = sleep(this.#ports.environment.timers, Math.min(delayMs, BACKOFF_MS_MAX) * jitter, stop.signal).then(
        () => undefined,
        () => undefined,
      );
      const verb = await Promise.race([slept, this.#wakeOf(path).promise, this.#interrupted.promise.promise]);
      if (verb !== undefined) this.#wakes.delete(path);
      return verb;
    } finally {
      stop.abort();
    }
  }

  #attemptEffect(
    step: Doable,
    path: string,
    phase: 'do' | 'undo',
    body: (input: Pick<StepInput<unknown, unknown, unknown>, 'call' | 'owe'>) => unknown,
    owed: Owed[],
  ): Promise<unknown> {
    return this.#around(path, phase, 'effect', async () => {
      const abort = new AbortController();
      const late = Promise.withResolvers<never>();
      const timeoutMs = step.timeoutMs ?? STEP_TIMEOUT_MS;
      const stop = (reason: unknown) => {
        abort.abort(reason);
        late.reject(reason);
      };
      const cancelTimer = this.#ports.environment.timers.after(timeoutMs, () =>
        stop(new CloudError('timeout', `Step ${path} did not end in ${timeoutMs} ms.`)),
      );
      const onCancel = () => abort.abort(this.#abort.signal.reason);
      if (phase === 'do' && !this.#pivoted) this.#abort.signal.addEventListener('abort', onCancel, { once: true });
      try {
        const call = { requestId: this.#subject.operationId, signal: abort.signal, timeoutMs, onProgress: this.#onProgress(path) };
        late.promise.catch(() => undefined);
        return await Promise.race([
          Promise.resolve(body({ call, owe: (debt) => owed.push(debt) })),
          late.promise,
          this.#interrupted.promise.promise,
        ]);
      } finally {
        cancelTimer();
        if (this.#interrupted.reason !== undefined) abort.abort(this.#interrupted.reason);
        this.#abort.signal.removeEventListener('abort', onCancel);
      }
    });
  }

  #around<R>(path: string, phase: 'do' | 'undo', type: 'effect' | 'write', body: () => Promise<R>): Promise<R> {
    const point: StepPoint = { operationId: this.#subject.operationId, path, phase, type };
    const { around } = this.#ports;
    return traced(point.operationId, path, { 'pileus.phase': phase }, () => (around === undefined ? body() : around(point, body)));
  }

  #onProgress(path: string): (fraction: number) => void {
    let lastMs = this.#ports.environment.clock.monotonicMs();
    const topSteps = this.#subject.saga.steps.length;
    const base = this.#percent;
    return (fraction) => {
      const nowMs = this.#ports.environment.clock.monotonicMs();
      const percent = Math.min(99, base + Math.floor((100 * Math.min(1, Math.max(0, fraction))) / topSteps));
      if (percent <= this.#percent || nowMs - lastMs < PROGRESS_INTERVAL_MS) return;
      lastMs = nowMs;
      this.#percent = percent;
      this.#ports.commit([this.#update({ percent, lastStep: path })]).catch(() => undefined);
    };
  }

  // ---- unwinding ----

  async #beginUnwinding(failed: StepFailed): Promise<void> {
    this.#failure = failed.record;
    const state = this.#cancel && failed.record.code === 'cancelled' ? { cancelRequested: true } : {};
    await this.#commitOrThrow(failed.path, [
      ...this.#entry({ type: 'failed', path: failed.path, error: failed.record }),
      this.#update({ state: 'unwinding', error: failed.record, ...state }),
    ]);
  }

  async #unwindFrame(frame: Frame): Promise<void> {
    const out: Outputs = {};
    const reached: StepNode[] = [];
    for (const node of frame.saga.steps) {
      reached.push(node);
      const known = this.#known(frame, out);
      if (!this.#collect(frame, node, known, out)) break;
    }
    for (const node of reached.reverse()) await this.#unwindStep(frame, node, this.#known(frame, out));
  }

  /** Puts what is known of a step's output into `out`; true when the step was complete, so that the next one may have begun. */
  #collect(frame: Frame, node: StepNode, known: Known<unknown, unknown, unknown>, out: Outputs): boolean {
    const path = frame.prefix + node.name;
    if (node.type === 'subs') {
      const stages = this.#stages(frame, node, known);
      return stages?.every((stage) => stage.every((child) => this.#complete(child))) ?? false;
    }
    if (node.type !== 'each') {
      if (this.#done.has(path)) out[node.name] = this.#done.get(path);
      return this.#done.has(path);
    }
    const paths = told(() => node.items(known))?.map((_, index) => `${path}[${index}]`);
    if (paths === undefined) return false;
    if (paths.every((item) => this.#done.has(item))) out[node.name] = paths.map((item) => this.#done.get(item));
    return paths.every((item) => this.#done.has(item));
  }

  #complete(frame: Frame): boolean {
    const out: Outputs = {};
    return frame.saga.steps.every((node) => this.#collect(frame, node, this.#known(frame, out), out));
  }

  async #unwindStep(frame: Frame, node: StepNode, known: Known<unknown, unknown, unknown>): Promise<void> {
    const path = frame.prefix + node.name;
    if (node.type === 'write') return this.#undoWrite(node, path, known);
    if (node.type === 'effect')
      return this.#undoEffect(node, path, (input) => (typeof node.undo === 'string' ? undefined : node.undo({ ...known, ...input })));
    if (node.type === 'each') {
      const undo = node.undo;
      await inLanes(told(() => node.items(known)) ?? [], node.limit, (item, index) =>
        this.#undoEffect(node, `${path}[${index}]`, (input) => (typeof undo === 'string' ? undefined : undo({ ...known, ...input, item }))),
      );
      return;
    }
    await this.#unwindSubs(frame, node, known);
  }

  async #unwindSubs(frame: Frame, node: Subs, known: Known<unknown, unknown, unknown>): Promise<void> {
    const stages = this.#stages(frame, node, known) ?? [];
    const incomplete = stages.findIndex((stage) => !stage.every((frame) => this.#complete(frame)));
    const reached = incomplete < 0 ? stages : stages.slice(0, incomplete + 1);
    for (const stage of reached.reverse()) await inLanes(stage, node.limit, (frame) => this.#unwindFrame(frame));
  }

  async #undoEffect(
    step: Doable,
    path: string,
    body: (input: Pick<StepInput<unknown, unknown, unknown>, 'call' | 'owe'>) => unknown,
  ): Promise<void> {
    if (this.#undone.has(path) || step.undo === NOTHING_TO_UNDO || step.undo === FORWARD_ONLY) return;
    const owed: Owed[] = [];
    const result = await this.#persist(path, 'undo', step.retry ?? RETRY, async () => {
      owed.length = 0;
      await this.#attemptEffect(step, path, 'undo', body, owed);
    });
    const entry: JournalEntry = { type: 'undone', path, ...(result === SKIPPED ? { skipped: true } : {}) };
    await this.#commitOrThrow(path, [
      ...this.#entry(entry),
      ...this.#debts(owed),
      this.#update({ state: 'unwinding', lastStep: path, attention: null }),
    ]);
    this.#undone.add(path);
  }

  async #undoWrite(node: Write, path: string, known: Known<unknown, unknown, unknown>): Promise<void> {
    if (!this.#done.has(path) || this.#undone.has(path) || typeof node.undo === 'string') return;
    const undo = node.undo;
    const result = await this.#persist(path, 'undo', RETRY, () =>
      this.#around(path, 'undo', 'write', () =>
        this.#commitOrThrow(path, [
          ...this.#entry({ type: 'undone', path }),
          ...undo(known),
          this.#update({ state: 'unwinding', lastStep: path, attention: null }),
        ]),
      ),
    );
    if (result === SKIPPED)
      await this.#commitOrThrow(path, [
        ...this.#entry({ type: 'undone', path, skipped: true }),
        this.#update({ state: 'unwinding', attention: null }),
      ]);
    this.#undone.add(path);
  }

  async #afterUnwind(error: ErrorRecord): Promise<Outcome | undefined> {
    const next = this.#cancel || !this.#mayHaveBegun ? undefined : await this.#again(error);
    if (next !== undefined) {
      const update = this.#update({
        state: 'running',
        attempt: this.#attempt + 1,
        error: null,
        ...(next.keys === undefined ? {} : { keys: this.#subject.holds?.(next.keys) ?? next.keys }),
        ...(next.notes === undefined ? {} : { notes: next.notes }),
      });
      const result = await this.#ports.commit([...this.#entry({ type: 'again', params: next.params }), ...next.statements, update]);
      if (result.ok) {
        this.#attempt += 1;
        this.#replay({ type: 'again', params: next.params });
        return undefined;
      }
    }
    const outcome = this.#cancel && error.code === 'cancelled' ? 'cancelled' : 'failed';
    await this.#persist('', 'undo', RETRY, () =>
      this.#commitOrThrow('', [...this.#ending(outcome), ...(this.#subject.unwound?.(this.#params) ?? [])]),
    );
    return outcome;
  }

  async #again(error: ErrorRecord) {
    try {
      return await this.#subject.again?.({ params: this.#params, error, attempt: this.#attempt });
    } catch (cause) {
      const { operationId } = this.#subject;
      this.#ports.environment.logger.warn({ operationId, error: describeChain(cause) }, 'cannot begin anew; it fails');
      return undefined;
    }
  }

  // ---- journal ----

  /** The statement that appends an entry. Its key makes a repeated commit of the same entry recognisable. */
  #entry(entry: JournalEntry): readonly Statement[] {
    const row = { operationId: this.#subject.operationId, number: this.#number, ...this.#ports.stamp, ...entry } as unknown as JsonObject;
    this.#number += 1;
    return [{ op: 'insert', table: 'journal', row }];
  }

  async #commitOrThrow(path: string, statements: readonly Statement[]): Promise<void> {
    const held = this.#takeHeld(path);
    const result = await this.#ports.commit([...held, ...statements]);
    if (result.ok) return;
    // The guard that failed belongs to this step: what the effect before it did is journaled all the same. Numbers may have gaps.
    if (held.length > 0) await this.#ports.commit(held);
    throw guardFailed(path, result);
  }

  /** What the frame of this step holds; once unwinding begins or it all ends, what any frame holds. */
  #takeHeld(path: string): readonly Statement[] {
    const prefix = path.slice(0, path.lastIndexOf('/') + 1);
    const all = this.#failure !== undefined;
    const held = [...this.#held].filter(([frame]) => all || frame === prefix);
    for (const [frame] of held) this.#held.delete(frame);
    return held.flatMap(([, statements]) => statements);
  }

  #ending(state: 'succeeded' | 'failed' | 'cancelled', lastStep?: string, stepsDone = this.#stepsDone): readonly Statement[] {
    const set = {
      state,
      endedAt: timestamp(this.#ports.environment.clock),
      attention: null,
      stepsDone,
      ...(state === 'succeeded' ? { percent: 100 } : {}),
      ...(this.#failure === undefined ? {} : { error: this.#failure }),
      ...(lastStep === undefined ? {} : { lastStep }),
    };
    return [...this.#entry({ type: 'ended', state }), this.#update(set)];
  }

  #progress(path: string, stepsDone: number): Statement {
    return this.#update({ state: 'running', lastStep: path, percent: this.#percent, stepsDone, attention: null });
  }

  #update(set: JsonObject): Statement {
    if (set.attention === null) this.#shown = undefined;
    return { op: 'update', table: 'operation', key: this.#subject.operationId, set };
  }

  async #showAttention(path: string, phase: 'do' | 'undo', attempts: number, record: ErrorRecord): Promise<void> {
    this.#stuck.add(path);
    await this.#ports.commit([
      this.#update({ state: 'needs_attention', attention: { step: path, phase, attempts, message: record.message } }),
    ]);
    this.#shown = path;
    this.#ports.onStuck?.();
  }

  #debts(owed: readonly Owed[]): readonly Statement[] {
    return owed.map(({ task, place, target }) => {
      const id = this.#ports.ids.mint('debt');
      return create(debt, { id, name: `debt-${id}`, task, place, target, operationId: this.#subject.operationId });
    });
  }

  #sagaTag(frame: Frame): { readonly saga?: string } {
    return frame.prefix === '' ? {} : { saga: sagaKey(frame.saga) };
  }
}

const SKIPPED = Symbol('skipped');

/** The fan-out of a step, or undefined where it cannot be told: then none of it has ever begun. */
function told<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return undefined;
  }
}

const GUARD_MEANING = {
  exists: 'name_taken',
  absent: 'not_found',
  stale: 'conflict',
  in_use: 'in_use',
  exceeded: 'no_capacity',
  fenced: 'unavailable',
} as const;

function guardFailed(path: string, result: Extract<CommitResult, { ok: false }>): CloudError {
  const fields = result.fields === undefined ? '' : ` (${result.fields.join(', ')})`;
  return new CloudError(GUARD_MEANING[result.reason], `The resource changed meanwhile: ${result.reason}${fields}.`, {
    detail: `guard ${result.statement} of step ${path}`,
  });
}
