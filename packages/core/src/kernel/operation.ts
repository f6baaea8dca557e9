import { Type } from 'typebox';
import { CloudError, type ErrorRecord } from './errors.ts';
import { defineKind, type RowOf } from './kind.ts';
import { SEALED_TABLE } from './secrets.ts';
import type { TableSpec } from './store.ts';

/**
 * One accepted request for change. Its id is the trace id. A key's queue is its unfinished operations in order of acceptance (= order of id); an operation
 * runs when it is first in all its queues, so nothing deadlocks and there are no locks.
 */
export const operation = defineKind({
  name: 'operation',
  plural: 'operations',
  description: 'An accepted change: its progress, its outcome, and how to steer it.',
  scope: 'project',
  schema: Type.Object({
    action: Type.String({ description: 'e.g. `instance.create`' }),
    resourceKind: Type.String(),
    resourceId: Type.String({ format: 'uuid' }),
    actor: Type.String({ description: 'Who asked.' }),
    accountId: Type.Optional(Type.String({ format: 'uuid', description: 'The account of its project.' })),
    saga: Type.String({ description: 'Definition that runs, as name@version.' }),
    node: Type.String({ description: 'The node that accepted it.' }),
    epoch: Type.Integer({ minimum: 0, description: 'The epoch that node held.' }),
    incarnation: Type.String({ description: 'Of the store that accepted it; a restore changes it.' }),
    keys: Type.Array(Type.String(), { description: 'Resources it waits for and holds; of very many the first.' }),
    keyCount: Type.Optional(Type.Integer({ minimum: 0, description: 'How many they are, when not all are shown.' })),
    place: Type.Optional(
      Type.String({ description: 'Its place in the order of acceptance, when that is not its id: it has queued again.' }),
    ),
    causeId: Type.Optional(Type.String({ format: 'uuid', description: 'The operation that asked for it, e.g. that of its stack.' })),
    attempt: Type.Integer({ minimum: 0 }),
    waitsFor: Type.Optional(
      Type.String({
        description: 'What it waits for before it begins, e.g. `capacity`; `notes` tells what is missing. It can be cancelled.',
      }),
    ),
    lastStep: Type.Optional(Type.String({ description: 'Path of the step that ended last.' })),
    stepsDone: Type.Integer({ minimum: 0 }),
    percent: Type.Integer({ minimum: 0, maximum: 100 }),
    cancelRequested: Type.Optional(Type.Boolean()),
    forced: Type.Optional(Type.Boolean()),
    error: Type.Optional(
      Type.Unsafe<ErrorRecord>({
        type: 'object',
        required: ['code', 'message'],
        properties: { code: { type: 'string' }, message: { type: 'string' } },
      }),
    ),
    attention: Type.Optional(
      Type.Object(
        {
          step: Type.String(),
          phase: Type.Union([Type.Literal('do'), Type.Literal('undo')]),
          attempts: Type.Integer(),
          message: Type.String(),
        },
        {
          description: 'What it is stuck on; it keeps trying, and takes the verbs retry and skip.',
        },
      ),
    ),
    notes: Type.Optional(
      Type.Unsafe<Record<string, unknown>>({ type: 'object', description: 'Why it was decided so, e.g. the placement of an instance.' }),
    ),
    startedAt: Type.Optional(Type.String({ format: 'date-time' })),
    endedAt: Type.Optional(Type.String({ format: 'date-time' })),
  }),
  states: {
    queued: ['running', 'unwinding', 'succeeded', 'failed', 'cancelled'],
    running: ['unwinding', 'needs_attention', 'succeeded', 'failed', 'cancelled'],
    unwinding: ['running', 'queued', 'needs_attention', 'failed', 'cancelled'],
    needs_attention: ['running', 'unwinding', 'succeeded', 'failed', 'cancelled'],
    /** Its saga's version is not known to this release: kept, never guessed. */
    parked: ['running', 'unwinding'],
    succeeded: [],
    failed: [],
    cancelled: [],
  },
  initial: 'queued',
  indexed: ['action', 'resourceId', 'state', 'resourceKind'],
});
export type Operation = RowOf<typeof operation>;

export const UNFINISHED = ['queued', 'running', 'unwinding', 'needs_attention', 'parked'] as const;
export const isFinished = (row: Operation): boolean => !(UNFINISHED as readonly string[]).includes(row.state);

/** A cleanup that a step left undone because its place was out of reach. Retried for ever; gone when done. */
export const debt = defineKind({
  name: 'debt',
  plural: 'debts',
  description:
    'A cleanup that is owed to a place out of reach, retried until it is done; `stateReason` tells why it failed last. `place` lists those of one host.',
  scope: 'cloud',
  schema: Type.Object({
    task: Type.String(),
    place: Type.String({ description: 'Where it has to be done, usually a host id.' }),
    target: Type.Unsafe<Record<string, unknown>>({ type: 'object' }),
    operationId: Type.String({ format: 'uuid' }),
  }),
  states: { owed: ['deleted'] },
  initial: 'owed',
  indexed: ['place', 'task', 'state'],
});

const plain = (
  name: string,
  key: readonly string[],
  columns: TableSpec['columns'] = {},
  indexes: TableSpec['indexes'] = [],
): TableSpec => ({
  name,
  type: 'plain',
  key,
  columns: { ...Object.fromEntries(key.map((field) => [field, 'text' as const])), ...columns },
  unique: [],
  indexes,
});

/** The kernel's own tables, beside those of the kinds. */
export const KERNEL_TABLES: readonly TableSpec[] = [
  plain('journal', ['operationId', 'number'], { number: 'integer' }),
  plain('idempotency', ['scope', 'requestKey'], { expiresAt: 'text' }, [['expiresAt']]),
  // By number: what is not sealed, and the chain. By resource: what has become of one. All, and an account's own, newest first.
  plain('audit', ['id'], { number: 'integer', at: 'text', accountId: 'text', resourceId: 'text' }, [
    ['number'],
    ['at'],
    ['accountId', 'at'],
    ['resourceId'],
  ]),
  plain(SEALED_TABLE, ['id']),
  plain('outbox', ['id']),
  plain('setting', ['name']),
];

const KEYS_SHOWN = 100;

/** The row is written with each step, so that of a great many keys it has the first only: then the journal has all. */
export function keysShown(keys: readonly string[]): { readonly keys: string[]; readonly keyCount?: number } {
  return keys.length <= KEYS_SHOWN ? { keys: [...keys] } : { keys: keys.slice(0, KEYS_SHOWN), keyCount: keys.length };
}
export const keysJournaled = (keys: readonly string[]): { readonly keys?: readonly string[] } =>
  keys.length <= KEYS_SHOWN ? {} : { keys };

/** What the journal of an operation holds, numbered from 0. Together with the saga's definition it is all that a resume needs. */
export type JournalEntry =
  /** `keys` here and below: all of them, when they are too many for the operation's row. */
  | { readonly type: 'accepted'; readonly params: unknown; readonly keys?: readonly string[] }
  /** `saga` names the definition a step of a sub-saga belongs to, so that a resume runs the same. */
  | { readonly type: 'done'; readonly path: string; readonly output?: unknown; readonly saga?: string }
  | { readonly type: 'failed'; readonly path: string; readonly error: ErrorRecord }
  | { readonly type: 'undone'; readonly path: string; readonly skipped?: true }
  /** Unwound, and begun anew with other parameters (another host). */
  | { readonly type: 'again'; readonly params: unknown; readonly keys?: readonly string[] }
  /** Forced, and about to end those that it has passed: there is no way back, and what they hold is its own. */
  | { readonly type: 'passed'; readonly keys?: readonly string[] }
  | { readonly type: 'ended'; readonly state: 'succeeded' | 'failed' | 'cancelled' };

/** A row of the journal: an entry, and those that were committed with it. */
export type JournalRow = JournalEntry & { readonly operationId: string; readonly number: number; readonly next?: readonly JournalEntry[] };

/** The entries of rows in their order. */
export const entriesOf = (rows: readonly JournalRow[]): readonly JournalEntry[] =>
  rows.flatMap(({ next = [], ...first }): JournalEntry[] => [first, ...next]);

/** Why it cannot be cancelled, and what is left to do. */
export function onlyForward({ state }: Operation): CloudError {
  const way =
    state === 'needs_attention'
      ? ' When its step cannot be done, put things right by hand and skip it: it goes on as if that were done.'
      : '';
  return new CloudError('conflict', `The operation has begun what cannot be taken back; it can only go on.${way}`);
}
