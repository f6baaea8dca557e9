import type { ErrorRecord } from '../errors.ts';
import type { JournalEntry } from '../operation.ts';
import { type AnySaga, type BoundSaga, FORWARD_ONLY, type Known, type StepNode, sagaKey } from './definition.ts';
import { Interrupted, type RunPorts, type RunSubject } from './subject.ts';

/** A saga at its place in the run: the whole, or one that runs in the place of a step. */
export interface Frame {
  /** Of the paths of its steps; empty for the whole. */
  readonly prefix: string;
  readonly saga: AnySaga;
  readonly ctx: unknown;
  readonly params: unknown;
}
export type Outputs = Record<string, unknown>;
export type Seen = Known<unknown, unknown, unknown>;
export type Subs = Extract<StepNode, { type: 'subs' }>;

/** What has been done and undone, read from the journal and kept in step with it, and what that says about where the run is. */
export class History {
  readonly #subject: RunSubject;
  readonly #definition: RunPorts['definition'];
  #params: unknown;
  #done = new Map<string, unknown>();
  #undone = new Set<string>();
  #sagaOf = new Map<string, string>();
  #failure: ErrorRecord | undefined;
  #hasPassed = false;

  constructor(subject: RunSubject, definition: RunPorts['definition']) {
    this.#subject = subject;
    this.#definition = definition;
    for (const entry of subject.journal) this.add(entry);
  }

  get params(): unknown {
    return this.#params;
  }

  /** Why it unwinds, once it does. */
  get failure(): ErrorRecord | undefined {
    return this.#failure;
  }

  get stepsDone(): number {
    return this.#done.size;
  }

  add(entry: JournalEntry): void {
    if (entry.type === 'accepted' || entry.type === 'again') {
      this.#params = entry.params;
      this.#done = new Map();
      this.#undone = new Set();
      this.#sagaOf = new Map();
      this.#failure = undefined;
    } else if (entry.type === 'done') {
      this.#done.set(entry.path, entry.output);
      if (entry.saga !== undefined) this.#sagaOf.set(entry.path.slice(0, entry.path.lastIndexOf('/') + 1), entry.saga);
    } else if (entry.type === 'failed') this.#failure = entry.error;
    else if (entry.type === 'undone') this.#undone.add(entry.path);
    else if (entry.type === 'passed') this.#hasPassed = true;
  }

  isDone(path: string): boolean {
    return this.#done.has(path);
  }

  output(path: string): unknown {
    return this.#done.get(path);
  }

  isUndone(path: string): boolean {
    return this.#undone.has(path);
  }

  root(): Frame {
    return { prefix: '', saga: this.#subject.saga, ctx: this.#subject.ctx, params: this.#params };
  }

  /** With the definition its steps have been journaled under. */
  child(prefix: string, bound: BoundSaga): Frame {
    const journaled = this.#sagaOf.get(prefix);
    const saga = journaled === undefined || journaled === sagaKey(bound.saga) ? bound.saga : this.#definition(journaled);
    if (saga === undefined) throw new Interrupted('parked', new Error(`no definition ${journaled}`));
    return { prefix, saga, ctx: bound.ctx, params: bound.params };
  }

  /** The sagas of a step, stage by stage; undefined where they cannot be told, so that none of them has begun. */
  stages(frame: Frame, node: Subs, seen: Seen): (readonly Frame[])[] | undefined {
    const path = frame.prefix + node.name;
    return told(() => node.run(seen).map((stage, s) => stage.map((bound, index) => this.child(`${path}[${s}.${index}]/`, bound))));
  }

  seen({ ctx, params }: Frame, out: Outputs): Seen {
    return { ctx, params, out, operationId: this.#subject.operationId };
  }

  /**
   * Puts what is known of a step's output into `out`; true when the step was complete, so that the next one may have begun. With `lightly` a light step
   * counts as complete whatever the journal says of it.
   */
  collect(frame: Frame, node: StepNode, out: Outputs, lightly = false): boolean {
    const seen = this.seen(frame, out);
    const path = frame.prefix + node.name;
    if (node.type === 'subs') {
      const stages = this.stages(frame, node, seen);
      return stages?.every((stage) => stage.every((child) => this.isComplete(child, lightly))) ?? false;
    }
    const passed = lightly && 'light' in node && node.light === true;
    if (node.type !== 'each') {
      if (this.#done.has(path)) out[node.name] = this.#done.get(path);
      return passed || this.#done.has(path);
    }
    const paths = told(() => node.items(seen))?.map((_, index) => `${path}[${index}]`);
    if (paths === undefined) return false;
    const all = paths.every((item) => this.#done.has(item));
    if (all) out[node.name] = paths.map((item) => this.#done.get(item));
    return passed || all;
  }

  isComplete(frame: Frame, lightly: boolean): boolean {
    const out: Outputs = {};
    return frame.saga.steps.every((node) => this.collect(frame, node, out, lightly));
  }

  /** Whether it is the forward-only step of the whole behind which there is no way back, and none ahead of it can have pivoted. */
  isFirstPivot({ prefix, saga }: Frame, step: StepNode): boolean {
    const first = saga.steps.find((each) => each.type === 'subs' || each.undo === FORWARD_ONLY);
    return prefix === '' && first === step && !this.#hasPassed;
  }

  /** Whether a forward-only step is done, or is the next, which may have begun. */
  get mayHavePivoted(): boolean {
    return this.#hasPassed || this.#mayHavePivotedIn(this.root());
  }

  #mayHavePivotedIn(frame: Frame): boolean {
    const out: Outputs = {};
    for (const node of frame.saga.steps) {
      if (node.type === 'subs') {
        for (const stage of this.stages(frame, node, this.seen(frame, out)) ?? []) {
          if (stage.some((child) => this.#mayHavePivotedIn(child))) return true;
          if (!stage.every((child) => this.isComplete(child, false))) return false;
        }
        continue;
      }
      const complete = this.collect(frame, node, out);
      if (node.undo === FORWARD_ONLY && (complete || node.type !== 'write')) return true;
      if (!complete) return false;
    }
    return false;
  }
}

/** The fan-out of a step, or undefined where it cannot be told: then none of it has ever begun. */
export function told<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return undefined;
  }
}
