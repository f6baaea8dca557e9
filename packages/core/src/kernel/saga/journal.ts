import type { Refusal } from '../commits.ts';
import { timestamp } from '../environment.ts';
import { CloudError, type ErrorRecord } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { debt, type JournalEntry } from '../operation.ts';
import { quotaExceeded } from '../quota/index.ts';
import { taken, tooLong } from '../refusals.ts';
import { create } from '../rows.ts';
import type { Statement } from '../store.ts';
import type { Owed } from './definition.ts';
import type { History } from './history.ts';
import type { RunPorts, RunSubject } from './subject.ts';

/** What waits is committed after this time at the latest, so that who watches a long step sees those before it. */
const HELD_MS = 100;
const PROGRESS_INTERVAL_MS = 1000;

/** All that a run writes: its journal, and what its operation's row shows. */
export class Journal {
  readonly #ports: RunPorts;
  readonly #operationId: string;
  readonly #history: History;
  readonly #waitsFor: string | undefined;
  #number: number;
  #percent = 0;
  /** What was told before this run began: less is never told. */
  readonly #toldPercent: number;
  /** The step whose need of attention is on the row. */
  #shown: string | undefined;
  /** Entries that wait for the next commit. */
  #held: Statement[] = [];
  #lastHeld = '';
  /** The row says that the operation runs, and nothing else that the next progress would have to take back. */
  #isPlain: boolean;
  /** When the row last told how far it has come. */
  #toldMs: number;
  #untold: JsonObject | undefined;
  #cancelFlush: (() => void) | undefined;
  #flushing: Promise<unknown> = Promise.resolve();

  constructor(ports: RunPorts, { operationId, nextNumber, percent, resumed, waitsFor }: RunSubject, history: History) {
    this.#ports = ports;
    this.#waitsFor = waitsFor;
    this.#operationId = operationId;
    this.#history = history;
    this.#number = nextNumber;
    this.#toldPercent = percent;
    this.#isPlain = resumed !== true;
    this.#toldMs = ports.environment.clock.monotonicMs();
  }

  /** How far it has come, as it is told. */
  get percent(): number {
    return Math.max(this.#percent, this.#toldPercent);
  }

  get shown(): string | undefined {
    return this.#shown;
  }

  reach(percent: number): void {
    this.#percent = Math.max(this.#percent, percent);
  }

  /** The statement that appends an entry. Its key makes a repeated commit of the same entry recognisable. Entries that are committed together become one row. */
  entry(entry: JournalEntry): Statement {
    const row = { operationId: this.#operationId, number: this.#number, ...this.#ports.stamp, ...entry } as unknown as JsonObject;
    this.#number += 1;
    return { op: 'insert', table: 'journal', row };
  }

  /** @throws CloudError that tells which guard failed; entries that were held are journaled all the same. */
  async commit(path: string, statements: readonly Statement[]): Promise<void> {
    const held = this.#takeHeld();
    if (this.#untold !== undefined) this.#sendLater(Math.max(0, HELD_MS - this.#sinceToldMs));
    const all = inOneRow([...held, ...statements]);
    const committed = this.#flushing.then(async () => {
      const result = await this.#ports.commit(all);
      // Numbers may have gaps.
      if (!result.ok && held.length > 0) await this.#ports.commit(inOneRow(held));
      return result;
    });
    // A step beside it must not be durable before the steps that went ahead of both: this commit may have to be tried again while the other is through.
    if (held.length > 0) this.#flushing = committed.catch(() => undefined);
    const result = await committed;
    if (!result.ok) throw guardFailed(path, result, all[result.statement]);
  }

  /** For a guard whose failure has a meaning of its own. */
  async tryCommit(statements: readonly Statement[]): Promise<boolean> {
    return (await this.#ports.commit(statements)).ok;
  }

  /** Leaves an entry to the next commit, whichever step's it is. */
  hold(path: string, entry: Statement): void {
    this.#held.push(entry);
    this.#lastHeld = path;
    this.#sendLater();
  }

  #sendLater(delayMs = HELD_MS): void {
    this.#cancelFlush ??= this.#ports.environment.timers.after(delayMs, () => void this.#send().catch(() => undefined));
  }

  /** Durable when it answers: what is held. */
  flush(): Promise<unknown> {
    return this.#held.length === 0 ? this.#flushing : this.#send();
  }

  /** The same, in the middle of a run: what it would show on the row may come soon, as in `progress`. */
  settle(): Promise<unknown> {
    const isSoon = this.#isPlain && this.#sinceToldMs < HELD_MS;
    return this.#held.length === 0 || !isSoon ? this.flush() : this.#send(true);
  }

  #send(isToldSoon = false): Promise<unknown> {
    const held = this.#takeHeld();
    if (held.length === 0 && this.#untold === undefined) return this.#flushing;
    const told = held.length === 0 ? {} : this.#told(this.#lastHeld, this.#history.stepsDone);
    // Its state is left as it is: a step beside these may need attention.
    const how = isToldSoon ? [] : [this.update(told)];
    if (isToldSoon) {
      this.#untold = { ...this.#untold, ...told };
      this.#sendLater(Math.max(0, HELD_MS - this.#sinceToldMs));
    }
    const flushed = this.#flushing.then(() => this.#ports.commit(inOneRow([...held, ...how])));
    // What cannot be committed here cannot be by the next commit either, which tells.
    this.#flushing = flushed.catch(() => undefined);
    return flushed;
  }

  #takeHeld(): readonly Statement[] {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    return this.#held.splice(0);
  }

  ending(state: 'succeeded' | 'failed' | 'cancelled', error?: ErrorRecord): readonly Statement[] {
    return [this.entry({ type: 'ended', state }), this.ended(state, this.#history.stepsDone, error)];
  }

  ended(state: 'succeeded' | 'failed' | 'cancelled', stepsDone: number, error?: ErrorRecord, lastStep?: string): Statement {
    return this.update({
      state,
      endedAt: timestamp(this.#ports.environment.clock),
      attention: null,
      stepsDone,
      ...(state === 'succeeded' ? { percent: 100 } : {}),
      ...(error === undefined ? {} : { error }),
      ...(lastStep === undefined ? {} : { lastStep }),
      ...(this.#waitsFor === undefined ? {} : { waitsFor: null }),
    });
  }

  /**
   * What shows on the row that a step is done: with the step's own commit if the last was a while ago, else soon. Most sagas are over in less, and each change of
   * the row costs as much as a step, and is told to all who watch.
   */
  progress(path: string, stepsDone = this.#history.stepsDone): readonly Statement[] {
    const told = this.#told(path, stepsDone);
    if (!this.#isPlain || this.#sinceToldMs >= HELD_MS) return [this.update({ state: 'running', ...told, attention: null })];
    this.#untold = told;
    return [];
  }

  get #sinceToldMs(): number {
    return this.#ports.environment.clock.monotonicMs() - this.#toldMs;
  }

  #told(lastStep: string, stepsDone: number): JsonObject {
    return { lastStep, percent: this.percent, stepsDone };
  }

  update(change: JsonObject): Statement {
    const set = { ...this.#untold, ...change };
    if ('state' in set) this.#isPlain = set.state === 'running';
    if (set.attention === null) this.#shown = undefined;
    this.#toldMs = this.#ports.environment.clock.monotonicMs();
    this.#untold = undefined;
    return { op: 'update', table: 'operation', key: this.#operationId, set };
  }

  /** Steps side by side may be stuck together; the row shows one of them. */
  async showAttention(step: string, phase: 'do' | 'undo', attempts: number, message: string): Promise<void> {
    await this.#ports.commit([this.update({ state: 'needs_attention', attention: { step, phase, attempts, message } })]);
    this.#shown = step;
    this.#ports.onStuck?.();
  }

  /** What a step tells of its own progress, seldom enough to be worth a commit. */
  onProgress(path: string, topSteps: number): (fraction: number) => void {
    const { clock } = this.#ports.environment;
    let lastMs = clock.monotonicMs();
    const base = this.#percent;
    return (fraction) => {
      const nowMs = clock.monotonicMs();
      const percent = Math.min(99, base + Math.floor((100 * Math.min(1, Math.max(0, fraction))) / topSteps));
      if (percent <= this.percent || nowMs - lastMs < PROGRESS_INTERVAL_MS) return;
      lastMs = nowMs;
      this.#percent = percent;
      this.#ports.commit([this.update({ percent, lastStep: path })]).catch(() => undefined);
    };
  }

  /** Each once: what is owed twice by one step is one cleanup. */
  debts(owed: readonly Owed[]): readonly Statement[] {
    const distinct = new Map(owed.map((each) => [JSON.stringify([each.task, each.place, each.target]), each]));
    return [...distinct.values()].map(({ task, place, target }) => {
      const id = this.#ports.ids.mint('debt');
      return create(debt, { id, name: `debt-${id}`, task, place, target, operationId: this.#operationId });
    });
  }
}

/** The entries among the statements in the row of the first: a row costs more than what is in it. */
function inOneRow(statements: readonly Statement[]): readonly Statement[] {
  const isEntry = (statement: Statement) => statement.op === 'insert' && statement.table === 'journal';
  const at = statements.findIndex(isEntry);
  const rows = statements.flatMap((statement) => (statement.op === 'insert' && isEntry(statement) ? [statement.row] : []));
  const [first, ...others] = rows;
  if (first === undefined || others.length === 0) return statements;
  const next = others.map(({ operationId: _operation, number: _number, ...entry }) => entry);
  const row = { op: 'insert', table: 'journal', row: { ...first, next } } as const;
  return statements.flatMap((statement, index) => (index === at ? [row] : isEntry(statement) ? [] : [statement]));
}

const GUARD_MEANING = {
  exists: 'name_taken',
  absent: 'not_found',
  stale: 'conflict',
  in_use: 'in_use',
  too_long: 'invalid_input',
  exceeded: 'no_capacity',
  fenced: 'unavailable',
} as const;

function guardFailed(path: string, result: Refusal, statement: Statement | undefined): CloudError {
  if (result.quota !== undefined) return quotaExceeded(result.quota);
  if (result.reason === 'exists' && statement !== undefined && 'table' in statement) return taken(statement.table, result.fields);
  if (result.reason === 'too_long') return tooLong(result.fields);
  const fields = result.fields === undefined ? '' : ` (${result.fields.join(', ')})`;
  return new CloudError(GUARD_MEANING[result.reason], `The resource changed meanwhile: ${result.reason}${fields}.`, {
    detail: `guard ${result.statement} of step ${path}`,
  });
}
