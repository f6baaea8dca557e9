import { type CloudError, describeChain, type ErrorRecord, isCloudError, toErrorRecord } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { type JournalEntry, keysJournaled, keysShown } from '../operation.ts';
import type { Statement } from '../store.ts';
import { FORWARD_ONLY, type Owed, type StepNode, sagaKey } from './definition.ts';
import { type Frame, History, type Outputs, type Seen, told } from './history.ts';
import { Journal } from './journal.ts';
import { inLanes } from './lanes.ts';
import { Interrupted, type NewBeginning, type Outcome, type RunPorts, type RunSubject } from './subject.ts';
import { type EffectBody, RETRY, SKIPPED, StepFailed, Trials } from './trials.ts';
import { Unwinding } from './unwinding.ts';

type Doable = Extract<StepNode, { type: 'effect' | 'each' }>;
type Write = Extract<StepNode, { type: 'write' }>;
interface Place {
  readonly frame: Frame;
  readonly path: string;
  /** The step behind it in which anything happens, once its own output is known. */
  readonly next: (output?: unknown) => StepNode | undefined;
  /** Nothing comes behind it but the end. */
  readonly last: boolean;
}

/**
 * One saga from its journal to its end. Forward: each effect's output is journaled after it, each write commits with its entry. On failure or cancel it
 * unwinds, and ends or begins anew elsewhere.
 */
export class SagaRun {
  readonly #ports: RunPorts;
  readonly #subject: RunSubject;
  readonly #history: History;
  readonly #journal: Journal;
  readonly #trials: Trials;
  readonly #unwinding: Unwinding;
  #attempt: number;
  #ended = false;

  constructor(ports: RunPorts, subject: RunSubject) {
    this.#ports = ports;
    this.#subject = subject;
    this.#attempt = subject.attempt;
    this.#history = new History(subject, ports.definition);
    this.#journal = new Journal(ports, subject, this.#history);
    this.#trials = new Trials(ports, subject, this.#journal);
    const parts = { history: this.#history, journal: this.#journal, trials: this.#trials };
    this.#unwinding = new Unwinding(parts, subject.resumed === true);
  }

  get percent(): number {
    return this.#journal.percent;
  }

  /** Ends as soon as the step at work has answered, and unwinds; without effect once a forward-only step may have begun. */
  cancel(): boolean {
    if (this.#trials.pivoted) return false;
    this.#trials.cancel();
    return true;
  }

  /** Steers the step that is shown to need attention, and no other: try it now, or go on as if it had been done. */
  steer(verb: 'retry' | 'skip'): void {
    this.#trials.steer(verb);
  }

  /** What it was accepted with, or begun anew. */
  get params(): unknown {
    return this.#history.params;
  }

  /** True while a step of it needs attention. */
  get stuck(): boolean {
    return this.#trials.stuck;
  }

  /** The step that is shown to need attention, where those behind it cannot do without it. */
  get needed(): string | undefined {
    return this.#trials.needed;
  }

  /** Leaves the rest to the next start. What is at work is told to stop; it will be done again, idempotently. */
  park(): void {
    this.#trials.interrupt(new Interrupted('parked'));
  }

  /** Ends a stuck run as failed without unwinding further: a forced operation removes what is left. */
  abandon(cause: CloudError): void {
    this.#trials.interrupt(new Interrupted('abandoned', cause));
  }

  async run(): Promise<Outcome> {
    try {
      this.#trials.stopIfInterrupted();
      return await this.#toItsEnd();
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      if (error.how === 'parked') {
        await this.#journal.flush().catch(() => undefined);
        if (error.cause !== undefined) await this.#journal.tryCommit([this.#journal.update({ state: 'parked' })]);
        return 'parked';
      }
      const ending = this.#journal.ending('failed', toErrorRecord(error.cause));
      const isDone = (step: string) => this.#history.isDone(step) && !this.#history.isUndone(step);
      const reserved = (await this.#subject.abandoned?.(this.#history.params, isDone)) ?? [];
      await this.#journal.commit('', [...ending, ...reserved]);
      return 'failed';
    }
  }

  async #toItsEnd(): Promise<Outcome> {
    const isUnwinding = this.#history.failure !== undefined;
    if (this.#subject.resumed === true && !isUnwinding && this.#history.mayHavePivoted) this.#trials.pivot();
    for (;;) {
      if (this.#history.failure === undefined) {
        const failed = this.#refusal() ?? (await this.#forward());
        if (failed === undefined) return 'succeeded';
        if (!this.#mayHaveBegun) return this.#end(failed.record);
        await this.#beginUnwinding(failed);
      }
      await this.#unwinding.unwind(this.#history.root());
      const outcome = await this.#afterUnwind(this.#history.failure ?? { code: 'internal', message: 'Unwound without a cause.' });
      if (outcome !== undefined) return outcome;
    }
  }

  #refusal(): StepFailed | undefined {
    const { refused } = this.#subject;
    return refused === undefined || this.#trials.pivoted ? undefined : new StepFailed('', refused);
  }

  get #mayHaveBegun(): boolean {
    return this.#subject.refused === undefined || this.#subject.resumed === true;
  }

  // ---- forward ----

  async #forward(): Promise<StepFailed | undefined> {
    try {
      await this.#sequence(this.#history.root(), true);
      return undefined;
    } catch (error) {
      if (error instanceof StepFailed) return error;
      throw error;
    }
  }

  /** @param last nothing comes behind it but the end */
  async #sequence(frame: Frame, last: boolean): Promise<void> {
    const out: Outputs = {};
    const { steps } = frame.saga;
    for (const [index, node] of steps.entries()) {
      const rest = steps.slice(index + 1);
      const next = (output?: unknown) => this.#nextOf(frame, rest, { ...out, [node.name]: output });
      const place = { frame, path: frame.prefix + node.name, next, last: last && rest.length === 0 };
      out[node.name] = await this.#step(place, node, out);
      if (frame.prefix === '') this.#journal.reach(Math.floor((100 * (index + 1)) / steps.length));
    }
    // The last write commits the end with it; any other last step leaves it to do.
    if (frame.prefix !== '' || this.#ended) return;
    await this.#pass('');
    await this.#journal.commit('', this.#journal.ending('succeeded'));
  }

  /** The next step in which anything happens: what spreads over nothing is none. */
  #nextOf(frame: Frame, rest: readonly StepNode[], out: Outputs): StepNode | undefined {
    const seen = this.#history.seen(frame, out);
    return rest.find((node) => node.type !== 'each' || told(() => node.items(seen))?.length !== 0);
  }

  async #step(place: Place, node: StepNode, out: Outputs): Promise<unknown> {
    const { frame, path } = place;
    const seen = this.#history.seen(frame, out);
    if (node.type === 'write') return this.#write(place, node, seen);
    if (node.type === 'effect') return this.#effect(place, node, (input) => node.do({ ...seen, ...input }));
    if (node.type === 'each') {
      const items = await this.#fanOut(path, () => node.items(seen));
      return inLanes(items, node.limit, (item, index) =>
        this.#effect({ ...place, path: `${path}[${index}]`, next: () => undefined, last: false }, node, (input) =>
          node.do({ ...seen, ...input, item }),
        ),
      );
    }
    const stages = await this.#fanOut(path, () => node.run(seen));
    for (const [stage, bound] of stages.entries()) {
      const last = place.last && stage === stages.length - 1 && bound.length === 1;
      await inLanes(bound, node.limit, (child, index) => this.#sequence(this.#history.child(`${path}[${stage}.${index}]/`, child), last));
    }
    return undefined;
  }

  /** What a step spreads over. A throw counts as the step's own. */
  async #fanOut<T>(path: string, ask: () => readonly T[]): Promise<readonly T[]> {
    const answer = await this.#trials.persist(path, 'do', { attempts: 1, backoffMs: RETRY.backoffMs }, async () => ask());
    return answer === SKIPPED ? [] : answer;
  }

  async #effect({ frame, path, next }: Place, step: Doable, body: EffectBody): Promise<unknown> {
    if (this.#history.isDone(path)) return this.#history.output(path);
    this.#trials.stopIfEnding(path);
    if (step.undo === FORWARD_ONLY) await this.#pivot(path);
    const owed: Owed[] = [];
    const output = await this.#trials.persist(
      path,
      'do',
      step.retry ?? RETRY,
      async () => {
        owed.length = 0;
        const answer = await this.#trials.effect(path, 'do', step.timeoutMs, body, owed);
        if (step.light === true && answer !== undefined) throw new Error(`step ${path} is light and must return nothing`);
        return answer;
      },
      { isFirst: this.#history.isFirstPivot(frame, step), isNeeded: 'needed' in step && step.needed === true },
    );
    const plain = output === undefined || output === SKIPPED ? undefined : (JSON.parse(JSON.stringify(output)) as unknown);
    const done: JournalEntry = { type: 'done', path, ...(plain === undefined ? {} : { output: plain }), ...sagaTag(frame) };
    this.#history.add(done);
    const entry = this.#journal.entry(done);
    const canWait = next(plain)?.type === 'write' || (plain === undefined && (step.light === true || this.#trials.pivoted));
    if (canWait && owed.length === 0 && this.#journal.shown === undefined) this.#journal.hold(path, entry);
    else await this.#journal.commit(path, [entry, ...this.#journal.debts(owed), ...this.#journal.progress(path)]);
    return plain;
  }

  /** A resume that finds the steps before this one not journaled would take it for one that has not begun. */
  async #pivot(path: string): Promise<void> {
    if (!this.#trials.pivoted) {
      await this.#journal.settle();
      this.#trials.stopIfEnding(path);
      this.#trials.pivot();
    }
    await this.#pass(path);
  }

  /** Of steps side by side each waits for it. */
  async #pass(path: string): Promise<void> {
    if (this.#ports.beforePivot === undefined) return;
    const { beforePivot } = this.#ports;
    const take = async (keys: readonly string[]) => {
      this.#trials.pivot();
      const passed: JournalEntry = { type: 'passed', ...keysJournaled(keys) };
      await this.#journal.commit('', [this.#journal.entry(passed), this.#journal.update(keysShown(keys))]);
      this.#history.add(passed);
    };
    await this.#trials.persist(path, 'do', RETRY, () => beforePivot(take), { isNeeded: true });
    this.#trials.stopIfInterrupted();
  }

  async #write({ frame, path, last }: Place, node: Write, seen: Seen): Promise<void> {
    if (this.#history.isDone(path)) return;
    this.#trials.stopIfEnding(path);
    if (node.undo === FORWARD_ONLY) this.#trials.pivot();
    if (node.undo === FORWARD_ONLY || last) await this.#pass(path);
    const done: JournalEntry = { type: 'done', path, ...sagaTag(frame) };
    const commit = (statements: readonly Statement[]) => {
      const entry = this.#journal.entry(done);
      const stepsDone = this.#history.stepsDone + 1;
      const rest = last
        ? [this.#journal.entry({ type: 'ended', state: 'succeeded' }), this.#journal.ended('succeeded', stepsDone, undefined, path)]
        : this.#journal.progress(path, stepsDone);
      return this.#journal.commit(path, [entry, ...statements, ...rest]);
    };
    const result = await this.#trials.persist(path, 'do', { attempts: 1, backoffMs: RETRY.backoffMs }, () =>
      this.#trials.around(path, 'do', 'write', async () => commit(this.#trials.writes(path, () => node.do(seen)))),
    );
    if (result === SKIPPED) await commit([]);
    this.#history.add(done);
    this.#ended = last;
  }

  // ---- back, and anew ----

  async #beginUnwinding({ path, record }: StepFailed): Promise<void> {
    const failed: JournalEntry = { type: 'failed', path, error: record };
    const state = this.#trials.cancelled && record.code === 'cancelled' ? { cancelRequested: true } : {};
    await this.#journal.commit(path, [this.#journal.entry(failed), this.#journal.update({ state: 'unwinding', error: record, ...state })]);
    this.#history.add(failed);
  }

  async #afterUnwind(error: ErrorRecord): Promise<Outcome | undefined> {
    const next = this.#trials.cancelled ? undefined : await this.#again(error);
    if (next === undefined) return this.#end(error);
    if (isCloudError(next)) return this.#end(toErrorRecord(next));
    return next.queue === true ? this.#queueAgain(next, error) : this.#beginAgain(next, error);
  }

  async #beginAgain(next: NewBeginning, error: ErrorRecord): Promise<Outcome | undefined> {
    const again: JournalEntry = { type: 'again', params: next.params };
    const keys = next.keys === undefined ? {} : { keys: this.#subject.holds?.(next.keys) ?? next.keys };
    if (!(await this.#commitAgain(again, next, { state: 'running', ...keys }))) return this.#end(error);
    this.#attempt += 1;
    this.#history.add(again);
    this.#trials.forget();
    return undefined;
  }

  /** With keys that others may hold: at once when it has them all. */
  async #queueAgain(next: NewBeginning, error: ErrorRecord): Promise<Outcome | undefined> {
    const { keys = [], ...rest } = next;
    const moved = this.#subject.move?.(keys);
    if (moved === undefined) return this.#beginAgain(rest, error);
    const again: JournalEntry = { type: 'again', params: next.params, ...keysJournaled(keys) };
    if (await this.#commitAgain(again, next, { state: 'queued', place: moved.place, keyCount: null, ...keysShown(keys) })) return 'moved';
    moved.stay();
    return this.#end(error);
  }

  #commitAgain(again: JournalEntry, next: NewBeginning, set: JsonObject): Promise<boolean> {
    const notes = next.notes === undefined ? {} : { notes: next.notes };
    const update = this.#journal.update({ attempt: this.#attempt + 1, error: null, ...notes, ...set });
    return this.#journal.tryCommit([this.#journal.entry(again), ...next.statements, update]);
  }

  async #end(error: ErrorRecord): Promise<Outcome> {
    const outcome = this.#trials.cancelled && error.code === 'cancelled' ? 'cancelled' : 'failed';
    const result = await this.#trials.persist('', 'undo', RETRY, () => this.#endTakenBack(outcome, error));
    if (result === SKIPPED) await this.#journal.commit('', this.#journal.ending(outcome, error));
    return outcome;
  }

  async #endTakenBack(outcome: 'cancelled' | 'failed', error: ErrorRecord): Promise<void> {
    const takenBack = (await this.#subject.unwound?.(this.#history.params)) ?? [];
    await this.#journal.commit('', [...this.#journal.ending(outcome, error), ...takenBack]);
  }

  async #again(error: ErrorRecord) {
    try {
      return await this.#subject.again?.({ params: this.#history.params, error, attempt: this.#attempt });
    } catch (cause) {
      const { operationId } = this.#subject;
      this.#ports.environment.logger.warn({ operationId, error: describeChain(cause) }, 'cannot begin anew; it fails');
      return undefined;
    }
  }
}

const sagaTag = (frame: Frame): { readonly saga?: string } => (frame.prefix === '' ? {} : { saga: sagaKey(frame.saga) });
