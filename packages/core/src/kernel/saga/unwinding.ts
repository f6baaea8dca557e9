import type { JournalEntry } from '../operation.ts';
import { FORWARD_ONLY, NOTHING_TO_UNDO, type Owed, type StepNode } from './definition.ts';
import { type Frame, type History, type Outputs, type Seen, type Subs, told } from './history.ts';
import type { Journal } from './journal.ts';
import { inLanes } from './lanes.ts';
import { type EffectBody, RETRY, SKIPPED, type Trials } from './trials.ts';

type Write = Extract<StepNode, { type: 'write' }>;
type Doable = Extract<StepNode, { type: 'effect' | 'each' }>;

/** The way back: everything done and everything that may have begun is undone, last first; an undo is tried for ever. */
export class Unwinding {
  readonly #history: History;
  readonly #journal: Journal;
  readonly #trials: Trials;
  /** After another life of it: light steps that the journal does not know may be done, and the steps behind them may have begun. */
  readonly #lightly: boolean;

  constructor(parts: { readonly history: History; readonly journal: Journal; readonly trials: Trials }, lightly: boolean) {
    this.#history = parts.history;
    this.#journal = parts.journal;
    this.#trials = parts.trials;
    this.#lightly = lightly;
  }

  async unwind(frame: Frame): Promise<void> {
    const out: Outputs = {};
    const reached: StepNode[] = [];
    for (const node of frame.saga.steps) {
      reached.push(node);
      if (!this.#history.collect(frame, node, out, this.#lightly)) break;
    }
    for (const node of reached.reverse()) await this.#step(frame, node, this.#history.seen(frame, out));
  }

  async #step(frame: Frame, node: StepNode, seen: Seen): Promise<void> {
    const path = frame.prefix + node.name;
    if (node.type === 'write') return this.#write(node, path, seen);
    if (node.type === 'subs') return this.#subs(frame, node, seen);
    if (node.type === 'effect') {
      const { undo } = node;
      return this.#effect(node, path, (input) => (typeof undo === 'string' ? undefined : undo({ ...seen, ...input })));
    }
    const { undo } = node;
    await inLanes(told(() => node.items(seen)) ?? [], node.limit, (item, index) =>
      this.#effect(node, `${path}[${index}]`, (input) => (typeof undo === 'string' ? undefined : undo({ ...seen, ...input, item }))),
    );
  }

  async #subs(frame: Frame, node: Subs, seen: Seen): Promise<void> {
    const stages = this.#history.stages(frame, node, seen) ?? [];
    const incomplete = stages.findIndex((stage) => !stage.every((child) => this.#history.isComplete(child, this.#lightly)));
    const reached = incomplete < 0 ? stages : stages.slice(0, incomplete + 1);
    for (const stage of reached.reverse()) await inLanes(stage, node.limit, (child) => this.unwind(child));
  }

  async #effect(step: Doable, path: string, body: EffectBody): Promise<void> {
    if (this.#history.isUndone(path) || step.undo === NOTHING_TO_UNDO || step.undo === FORWARD_ONLY) return;
    const owed: Owed[] = [];
    const result = await this.#trials.persist(path, 'undo', step.retry ?? RETRY, async () => {
      owed.length = 0;
      await this.#trials.effect(path, 'undo', step.timeoutMs, body, owed);
    });
    const entry: JournalEntry = { type: 'undone', path, ...(result === SKIPPED ? { skipped: true } : {}) };
    await this.#journal.commit(path, [this.#journal.entry(entry), ...this.#journal.debts(owed), this.#shows(path)]);
    this.#history.add(entry);
  }

  async #write(node: Write, path: string, seen: Seen): Promise<void> {
    const { undo } = node;
    if (!this.#history.isDone(path) || this.#history.isUndone(path) || typeof undo === 'string') return;
    const undone: JournalEntry = { type: 'undone', path };
    const result = await this.#trials.persist(path, 'undo', RETRY, () =>
      this.#trials.around(path, 'undo', 'write', () =>
        this.#journal.commit(path, [this.#journal.entry(undone), ...this.#trials.writes(path, () => undo(seen)), this.#shows(path)]),
      ),
    );
    if (result === SKIPPED) await this.#journal.commit(path, [this.#journal.entry({ ...undone, skipped: true }), this.#shows(path)]);
    this.#history.add(undone);
  }

  #shows(lastStep: string) {
    return this.#journal.update({ state: 'unwinding', lastStep, attention: null });
  }
}
