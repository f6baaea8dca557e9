import type { JournalEntry } from './operation.ts';
import type { SagaRun } from './saga/run.ts';

/** An accepted operation as this node holds it until it has ended. */
export interface Live {
  readonly id: string;
  /** Whose it is. Those of one account wait for each other before those of others wait for them. */
  readonly account: string;
  readonly action: string;
  readonly saga: string;
  readonly resourceId: string;
  keys: readonly string[];
  readonly forced: boolean;
  readonly attempt: number;
  cancelRequested: boolean;
  /** Durably so: nothing of it has begun. */
  queued: boolean;
  /** Taken over from an earlier life, which may have begun the step after the journal's end. */
  resumed: boolean;
  journal: readonly JournalEntry[] | undefined;
  nextNumber: number;
  run?: SagaRun;
  /** Forced, and another has ended for it half done: only this one removes what that one left. */
  passed?: boolean;
}
export type AcceptedOperation = Omit<Live, 'resumed' | 'journal' | 'nextNumber' | 'run' | 'passed'>;
