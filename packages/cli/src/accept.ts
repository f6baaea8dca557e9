import {
  type Accepted,
  type ErrorCode,
  isOperationFailed,
  isPileusError,
  type Operation,
  type Pending,
  type UntypedRow,
} from '@pileus/sdk';
import { type KindDescription, kebab } from '@pileus/sdk/document';
import { type Command, Option } from 'commander';
import { UsageError } from './exit.ts';
import { defaultColumns, FORMATS, type Format, formatRow, formatRows, type Row } from './format.ts';
import { kindCalled } from './server.ts';
import type { Session } from './session.ts';
import { describeWaiting } from './waiting.ts';

export interface ChangeFlags {
  readonly output: Format;
  readonly wait?: boolean;
  readonly timeout?: number;
  readonly idempotencyKey?: string;
  readonly dryRun?: boolean;
}

export const dryRunOption = (): Option =>
  new Option('--dry-run', 'tell what it would do, what it takes of quotas and what stands in its way; do nothing');

export const outputOption = (): Option => new Option('-o, --output <format>', 'how to show it').choices([...FORMATS]).default('table');

/** Said before anything is asked for: what is no time must not come out when the change is under way. */
export const timeoutOption = (): Option =>
  new Option('--timeout <seconds>', 'stop waiting after this; the operation goes on').argParser((text) => {
    if (!/^\d+(\.\d+)?$/.test(text)) throw new UsageError(`--timeout: ${JSON.stringify(text)} is not a number of seconds.`);
    return Number(text);
  });

/** The flags of everything that changes something. */
export function declareChange(command: Command): Command {
  return command
    .addOption(outputOption())
    .addOption(dryRunOption())
    .option('--wait', 'wait for the end, showing each step (default on a terminal)')
    .option('--no-wait', 'return as soon as it is accepted')
    .addOption(timeoutOption())
    .addOption(new Option('--idempotency-key <key>', 'makes it safe to repeat the command').hideHelp());
}

/** Sends changes, waits for their ends if asked to, and shows what came of them. */
export async function settle<R extends UntypedRow | undefined>(
  session: Session,
  kind: KindDescription,
  changes: readonly { readonly label: string; readonly pending: Pending<string, R> }[],
  flags: ChangeFlags,
  makes: readonly string[] = [],
): Promise<void> {
  const accepted = await acceptAll(session, changes, flags.output);
  if (!(flags.wait ?? session.interactive))
    return showAccepted(
      session,
      accepted.map(({ accepted }) => accepted),
      flags.output,
    );
  const rows = await Promise.all(accepted.map((one) => waitFor(session, one, flags)));
  const made = (await Promise.all(accepted.map((one) => madeBy(session, makes, one.accepted)))).filter((each) => each !== undefined);
  if (made.length > 0) return showMade(session, made, flags.output);
  const present = rows.filter((row) => row !== undefined);
  if (present.length > 0) showRows(session, kind, present, flags.output);
  else {
    showGone(session, accepted, flags.output);
    if (kind.verbs.some(({ segment }) => segment === 'recover')) await tellOfTrash(session, kind, accepted);
  }
}

function showRows(session: Session, kind: KindDescription, rows: readonly Row[], format: Format): void {
  const [only] = rows;
  if (only !== undefined && rows.length === 1 && format !== 'table') session.out(formatRow(only, format));
  else session.out(formatRows(rows, format, defaultColumns(kind), session.width));
}

interface Made {
  readonly kind: KindDescription;
  readonly row: Row;
}

/** Of what was made people want to know the name and the place; what it was made of is as before. */
function showMade(session: Session, made: readonly Made[], format: Format): void {
  // A program reads one list; a person a table for each kind.
  const shown = format === 'table' ? [...Map.groupBy(made, ({ kind }) => kind).values()] : [made];
  for (const some of shown)
    if (some[0] !== undefined)
      showRows(
        session,
        some[0].kind,
        some.map(({ row }) => row),
        format,
      );
}

/** What a verb has made beside its resource, as its operation tells; undefined where it has made nothing, or that is gone again. */
async function madeBy(session: Session, makes: readonly string[], accepted: Accepted<string, unknown>): Promise<Made | undefined> {
  if (makes.length === 0) return undefined;
  const { cloud, description } = await session.server();
  const { notes = {} } = await accepted.operation({ signal: session.signal });
  const kind = kindCalled(makes.find((name) => typeof notes[`${name}Id`] === 'string') ?? '', description);
  if (kind === undefined) return undefined;
  const found = await cloud
    .resource(kind)
    .get(String(notes[`${kind.kind}Id`]), { signal: session.signal })
    .safe();
  return found.ok ? { kind, row: asRow(found.data) } : undefined;
}

/** What can be brought back is not gone. */
async function tellOfTrash(
  session: Session,
  kind: KindDescription,
  gone: readonly { readonly label: string; readonly accepted: Accepted<string, unknown> }[],
): Promise<void> {
  const { cloud } = await session.server();
  for (const { label, accepted } of gone) {
    const found = await cloud.resource(kind).get(accepted.id, { signal: session.signal }).safe();
    if (found.ok && found.data.state === 'trashed')
      session.note(`It lies in the trash. Bring it back: pileus ${kebab(kind.plural)} recover ${label}`);
  }
}

/** What the server has promised. When it refuses one, the others are told of before that: they go on. @throws PileusError the first refusal */
async function acceptAll<R extends UntypedRow | undefined>(
  session: Session,
  changes: readonly { readonly label: string; readonly pending: Pending<string, R> }[],
  format: Format,
): Promise<readonly { readonly label: string; readonly accepted: Accepted<string, R> }[]> {
  const answers = await Promise.allSettled(changes.map(async ({ label, pending }) => ({ label, accepted: await pending })));
  const accepted = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const refused = answers.find((answer) => answer.status === 'rejected');
  if (refused === undefined) return accepted;
  if (accepted.length > 0) {
    session.note(`Accepted, and going on: ${accepted.map(({ label }) => label).join(', ')}`);
    showAccepted(
      session,
      accepted.map((one) => one.accepted),
      format,
    );
  }
  throw refused.reason;
}

/** Why the end of what was accepted is not heard of. It comes all the same, and a server that is killed loses nothing. */
const AWAY = 'It was accepted, and goes on as soon as the server is there again.';
const UNHEARD: { readonly [C in ErrorCode]?: string } = {
  aborted: 'Interrupted; the operation goes on.',
  connection_failed: AWAY,
  bad_response: AWAY,
  unavailable: AWAY,
  busy: 'It was accepted, and goes on.',
  timeout: AWAY,
};

async function waitFor<R>(
  session: Session,
  { label, accepted }: { readonly label: string; readonly accepted: Accepted<string, R> },
  { timeout }: ChangeFlags,
): Promise<R | undefined> {
  const progress = new Progress(`${accepted.action} ${label}`, (text) => session.note(text));
  try {
    return await accepted.wait({
      signal: session.signal,
      onProgress: (operation) => progress.show(operation),
      ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
    });
  } catch (error) {
    const why = isPileusError(error) && !isOperationFailed(error) ? UNHEARD[error.code] : undefined;
    if (why !== undefined)
      session.note(
        `${why}\n  wait on:  pileus operations wait ${accepted.operationId}\n  stop it:  pileus operations cancel ${accepted.operationId}`,
      );
    // A verb may be the end of its resource: of a stray that is adopted or removed.
    if (isPileusError(error) && error.code === 'not_found' && (await accepted.operation()).state === 'succeeded') return undefined;
    throw error;
  }
}

function showAccepted(session: Session, accepted: readonly Accepted<string, unknown>[], format: Format): void {
  const bodies = accepted.map(({ operationId, action, resourceKind, id, acceptedAt }) => ({
    operationId,
    action,
    resourceKind,
    resourceId: id,
    acceptedAt,
  }));
  const [only] = bodies;
  if (format === 'name') session.out(bodies.map(({ operationId }) => `${operationId}\n`).join(''));
  else if (format === 'table') session.out(formatRows(bodies, format, ['operationId', 'action', 'resourceId']));
  else session.out(bodies.length === 1 && only !== undefined ? formatRow(only, format) : formatRows(bodies, format, []));
}

function showGone(
  session: Session,
  gone: readonly { readonly label: string; readonly accepted: Accepted<string, unknown> }[],
  format: Format,
): void {
  if (format === 'table')
    session.out(
      gone
        .map(({ label, accepted }) => `${accepted.resourceKind} ${label} ${accepted.action.endsWith('.delete') ? 'deleted' : 'is gone'}\n`)
        .join(''),
    );
  else
    showAccepted(
      session,
      gone.map(({ accepted }) => accepted),
      format,
    );
}

/** Tells of each step when it has ended, with the time it is at. */
export class Progress {
  readonly #label: string;
  readonly #write: (text: string) => void;
  readonly #startedMs = performance.now();
  #last = '';

  constructor(label: string, write: (text: string) => void) {
    this.#label = label;
    this.#write = write;
  }

  show(operation: Operation): void {
    const text = describeProgress(operation);
    if (text === undefined || text === this.#last) return;
    this.#last = text;
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(1);
    this.#write(`${this.#label}  ${seconds.padStart(5)} s  ${text}`);
  }
}

/** Undefined while there is nothing to tell. */
export function describeProgress(operation: Operation): string | undefined {
  const { state, percent, lastStep, attention, waitsFor, waiting, id } = operation;
  const done = `${String(percent).padStart(3)} %  ${lastStep ?? ''}`.trimEnd();
  if (state === 'queued' && waitsFor !== undefined && waiting?.for !== 'operations' && waiting?.for !== 'recovery')
    return `queued, waits for ${waitsFor}. Why: pileus operations show ${id}; wait no longer: pileus operations cancel ${id}`;
  if (waiting !== undefined) return `${state}, ${describeWaiting(waiting)}`;
  if (state === 'needs_attention' && attention !== undefined)
    return `stuck at ${attention.step} (${attention.phase}): ${attention.message}; it keeps trying. Steer it: pileus operations retry|skip|cancel ${id}`;
  if (state === 'unwinding') return `unwinding  ${lastStep ?? ''}`.trimEnd();
  if (state === 'queued' || state === 'parked') return state;
  if (state === 'failed' || state === 'cancelled') return state;
  if (state === 'succeeded') return '100 %  done';
  return lastStep === undefined ? undefined : done;
}

/** A row with what is not for tables left as it is. */
export const asRow = (row: object): Row => row as Row;
