import type { Id } from './id.ts';

/** States of an operation. The last three are ends. */
export type OperationState = 'queued' | 'running' | 'unwinding' | 'needs_attention' | 'parked' | 'succeeded' | 'failed' | 'cancelled';

/** What an operation waits for before it begins, as it is when it is asked for. */
export interface OperationWaiting {
  /**
   * `operations`: those in `heldBy` have what it needs. `turn`: as many as may are at work. `recovery`: a restored store is to be confirmed. Else as
   * `waitsFor`.
   */
  readonly for: string;
  /** How many go before it: in its queues, or until its turn if no others come. */
  readonly ahead?: number;
  /** Those first in its queues, those with most of its keys first. What the caller may not see has its `keys` alone. */
  readonly heldBy?: readonly {
    /** Which of its own `keys` are held. */
    readonly keys: readonly string[];
    readonly operationId?: Id<'operation'>;
    readonly action?: string;
    readonly resourceKind?: string;
    readonly resourceId?: string;
    readonly state?: OperationState;
    /** When it began; of one that waits itself, when it was accepted. */
    readonly since?: string;
  }[];
  /** How many are at work at once. */
  readonly atWorkMax?: number;
}

/** One accepted change: its progress, its outcome. It is part of the protocol, the same on every server, and so written here by hand. */
export interface Operation {
  readonly id: Id<'operation'>;
  readonly projectId: Id<'project'>;
  readonly name: string;
  readonly state: OperationState;
  /** e.g. `instance.create` */
  readonly action: string;
  readonly resourceKind: string;
  readonly resourceId: string;
  /** Who asked. */
  readonly actor: string;
  /** The resources that it waits for and holds. */
  readonly keys: readonly string[];
  /** How often it began anew, e.g. on another host. */
  readonly attempt: number;
  /** What it waits for before it begins, e.g. `capacity`; `notes` tells what is missing. It can be cancelled. */
  readonly waitsFor?: string;
  /** Beside the row, where one operation is asked for and has not begun: what keeps it. */
  readonly waiting?: OperationWaiting;
  /** Path of the step that ended last. */
  readonly lastStep?: string;
  readonly stepsDone: number;
  /** 0 to 100. */
  readonly percent: number;
  readonly cancelRequested?: boolean;
  /** Why it failed; its codes are those of `PileusError`. */
  readonly error?: {
    readonly code: string;
    readonly message: string;
    readonly pointer?: string;
    readonly params?: Readonly<Record<string, unknown>>;
  };
  /** What it is stuck on. It keeps trying, and takes the verbs retry and skip. */
  readonly attention?: { readonly step: string; readonly phase: 'do' | 'undo'; readonly attempts: number; readonly message: string };
  /** Why it was decided so, e.g. the placement of an instance. */
  readonly notes?: Readonly<Record<string, unknown>>;
  readonly generation: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
}

const ENDS: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);
/** True when the operation will not change any more. */
export const isFinished = (operation: Operation): boolean => ENDS.has(operation.state);
