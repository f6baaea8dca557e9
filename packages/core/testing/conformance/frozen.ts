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

/** `tests`: of a verb whose effect cannot be told as a prepared call can. They are tests of their own. */
export type FreezeRow = (() => Promise<PreparedCall>) | { readonly tests: () => void };
export type FreezeTable = Readonly<Record<string, FreezeRow>>;

/** The paths of all that takes a `Call` in an interface of drivers, those of optional parts included: `machines.define`. */
export type Verbs<D> = {
  readonly [K in keyof D & string]-?: NonNullable<D[K]> extends (...args: infer A) => unknown
    ? [Extract<A[number], Call>] extends [never]
      ? never
      : K
    : NonNullable<D[K]> extends readonly unknown[]
      ? never
      : NonNullable<D[K]> extends object
        ? `${K}.${Verbs<NonNullable<D[K]>>}`
        : never;
}[keyof D & string];

/** The verbs that change something: all but those that are named as looks. */
export type Changes<D, Looks extends Verbs<D>> = Exclude<Verbs<D>, Looks>;
/** A row for each of the verbs: one without does not compile. There may be further rows. */
export type Complete<V extends string> = Readonly<Record<V, FreezeRow>>;
/** `machines` of `machines.define`. */
export type PartOf<V extends string> = V extends `${infer P}.${string}` ? P : never;
/** The rows of one part. */
export type PartTable<V extends string, P extends PartOf<V>> = Complete<Extract<V, `${P}.${string}`>>;

interface Classifying {
  classify(error: unknown): Fault;
  close(): Promise<void>;
}

/**
 * Two tests for each mutating verb, with the backend frozen inside the call. Undone: the caller gives up and undoes, the backend thaws, and nothing is left.
 * Repeated: the caller asks again after the thaw, and the effect is there once.
 */
export function frozenCalls<D extends Classifying>(stage: Stage<D, Harness<D>>, table: FreezeTable): void {
  for (const [verb, row] of Object.entries(table)) {
    if ('tests' in row) {
      row.tests();
      continue;
    }
    const prepare = row;
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
