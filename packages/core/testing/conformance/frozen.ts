import { expect } from 'chai';
import type { Call, Fault } from '../../src/strategy/index.ts';
import type { Harness, Stage } from './harness.ts';
import { UNANSWERED } from './harness.ts';

/** One mutating verb, made ready on a live backend. */
export interface PreparedCall {
  act(call: Call): Promise<unknown>;
  /** Fails the test unless the verb's effect is there. */
  done(): Promise<unknown>;
  /** Takes the effect back, as a saga's undo does: succeeds also when there is nothing to take back. */
  undo(call: Call): Promise<unknown>;
  /** What `undo` should have taken away and the backend still lists. */
  left(): Promise<readonly unknown[]>;
  /** Fails the test if what arrived late does harm before it is removed, for example runs. Given for verbs that create. */
  lateArrival?(): Promise<unknown>;
}

export type FreezeTable = Readonly<Record<string, () => Promise<PreparedCall>>>;

interface Classifying {
  classify(error: unknown): Fault;
  close(): Promise<void>;
}

/**
 * Two tests for each mutating verb, with the backend frozen inside the call. Undone: the caller gives up and undoes, the backend thaws, and nothing is left.
 * Repeated: the caller asks again after the thaw, and the effect is there once.
 */
export function frozenCalls<D extends Classifying>(stage: Stage<D, Harness<D>>, table: FreezeTable): void {
  for (const [verb, prepare] of Object.entries(table)) {
    stage.selected(`${verb}: given up on a frozen backend and undone, leaves nothing after the thaw`, async () => {
      const prepared = await prepare();
      await stage.whileFrozen(async () => {
        expect(await stage.fault(prepared.act(stage.brief()))).to.be.oneOf(UNANSWERED);
        await Promise.allSettled([prepared.undo(stage.brief())]);
      });
      await stage.insist((call) => prepared.undo(call));
      await stage.harness.settle();
      if (prepared.lateArrival !== undefined) {
        // A create may land after its undo: the contract is that it does no harm until a reconciler, which remembers the id, undoes it again.
        await stage.answered(prepared.lateArrival);
        await stage.insist((call) => prepared.undo(call));
      }
      expect(await stage.answered(prepared.left)).to.deep.equal([]);
    });

    stage.selected(`${verb}: given up on a frozen backend and repeated after the thaw, happens once`, async () => {
      const prepared = await prepare();
      await stage.whileFrozen(async () => {
        expect(await stage.fault(prepared.act(stage.brief()))).to.be.oneOf(UNANSWERED);
      });
      await stage.insist((call) => prepared.act(call));
      await stage.harness.settle();
      await stage.answered(prepared.done);
      await stage.insist((call) => prepared.undo(call));
      expect(await stage.answered(prepared.left)).to.deep.equal([]);
    });
  }
}
