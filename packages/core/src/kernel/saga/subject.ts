import type { Committed } from '../commits.ts';
import type { Environment } from '../environment.ts';
import type { CloudError, ErrorRecord } from '../errors.ts';
import type { Ids } from '../id.ts';
import type { JsonObject } from '../json.ts';
import type { JournalEntry } from '../operation.ts';
import type { Statement } from '../store.ts';
import type { AnySaga } from './definition.ts';

/** Row changes that take an acceptance back. */
export type Unwound = (params: unknown) => readonly Statement[] | Promise<readonly Statement[]>;
/** What is given back of it when its run is abandoned. @param isDone whether a step is */
export type Abandoned = (params: unknown, isDone: (step: string) => boolean) => readonly Statement[] | Promise<readonly Statement[]>;

/** What a run reaches: nothing of the cloud, everything of the kernel that it needs. */
export interface RunPorts {
  readonly environment: Environment;
  readonly ids: Ids;
  /** The node that runs it and the epoch it holds, written into every entry. */
  readonly stamp: { readonly node: string; readonly epoch: number };
  /** Durable when it answers; retries an unknown outcome itself. */
  readonly commit: (statements: readonly Statement[]) => Promise<Committed>;
  /** An older definition by `name@version`. */
  readonly definition: (key: string) => AnySaga | undefined;
  /** Told when a step of the run begins to show `needs_attention`. */
  readonly onStuck?: () => void;
  /** Told when no step of it needs attention any more. */
  readonly onFreed?: () => void;
  /** Told when a step waits to be tried again; answers how to go on. */
  readonly rest?: () => () => void;
  /**
   * Of a forced run: what is to be done before its first forward-only step, or its end. Called before each; done once a life. `take` makes durable that there is
   * no way back, and that these are its keys.
   */
  readonly beforePivot?: (take: (keys: readonly string[]) => Promise<void>) => Promise<void>;
  /** Told of each try of a step that failed. */
  readonly failed?: (
    operationId: string,
    failure: {
      readonly at: string;
      readonly step: string;
      readonly phase: 'do' | 'undo';
      readonly attempt: number;
      readonly error: unknown;
    },
  ) => void;
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
  /** How far it has come, as its row tells. */
  readonly percent: number;
  readonly attempt: number;
  readonly cancelRequested: boolean;
  /** Taken over from an earlier life, which may have begun steps after the journal's end. */
  readonly resumed?: boolean;
  /** It must not begin: whatever an earlier life may have begun is undone, and it ends. */
  readonly refused?: ErrorRecord | undefined;
  /** What it has waited for and did not get. */
  readonly waitsFor?: string | undefined;
  readonly unwound?: Unwound | undefined;
  /** Committed with the end of a run that is abandoned: what it had reserved beyond its rows, which the forced operation does not know of. */
  readonly abandoned?: Abandoned | undefined;
  readonly again?:
    | ((failed: { params: unknown; error: ErrorRecord; attempt: number }) => Promise<NewBeginning | CloudError | undefined>)
    | undefined;
  /** Takes a place behind all others for these keys; undefined when it holds them all already. */
  readonly move?: (keys: readonly string[]) => { readonly place: string; readonly stay: () => void } | undefined;
  /** All keys of the operation, with those that a new attempt adds. */
  readonly holds?: (more: readonly string[]) => readonly string[];
}

export interface NewBeginning {
  readonly params: unknown;
  readonly statements: readonly Statement[];
  readonly keys?: readonly string[];
  readonly queue?: true;
  readonly notes?: JsonObject;
}

/** `moved`: unwound, and in its queues for a new beginning. */
export type Outcome = 'succeeded' | 'failed' | 'cancelled' | 'parked' | 'moved';

/** Why a run stops where it is: parked for the next start, or given up for a forced operation that takes over. */
export class Interrupted extends Error {
  readonly how: 'parked' | 'abandoned';
  constructor(how: 'parked' | 'abandoned', cause?: unknown) {
    super(how, { cause });
    this.how = how;
  }
}
