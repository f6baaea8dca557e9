import { hash } from 'node:crypto';
import { isVisible, lacks, type Principal, renewed } from '../access.ts';
import type { Kernel } from '../kernel.ts';
import { isFinished, type Operation, operation } from '../operation.ts';
import type { Operations } from '../operations.ts';
import { waitingAs } from '../standing.ts';
import type { WaitEnds } from '../waiters.ts';
import { onlyParameters, wholeNumber } from './list-query.ts';
import { type Found, lookUp } from './lookup.ts';
import type { Attempt } from './repeats.ts';
import type { Steering } from './routes.ts';

export const WAIT_SECONDS_MAX = 60;

/** The operation as it is, or with `waitSeconds` as it is when it has ended or the time is over. @throws CloudError */
export async function getOperation(
  kernel: Kernel,
  id: string,
  principal: Principal,
  parameters: URLSearchParams,
  waiting: () => WaitEnds,
): Promise<Found> {
  onlyParameters(parameters, ['waitSeconds']);
  const waitSeconds = wholeNumber(parameters, 'waitSeconds', { minimum: 0, maximum: WAIT_SECONDS_MAX }) ?? 0;
  const found = await lookUp(kernel.reader, operation, id, principal);
  if (waitSeconds === 0 || isFinished(found.row as Operation)) return withWaiting(kernel, found, principal);
  await kernel.operations.wait(found.row.id, waitSeconds * 1000, waiting());
  const asker = await renewed(principal);
  return withWaiting(kernel, await lookUp(kernel.reader, operation, found.row.id, asker), asker);
}

/** Beside the row, of one that has not begun, what it waits for. */
async function withWaiting(kernel: Kernel, found: Found, principal: Principal): Promise<Found> {
  const standing = isFinished(found.row as Operation) ? undefined : kernel.operations.standing(found.row.id);
  const waiting = standing === undefined ? undefined : await waitingAs(standing, principal, kernel.reader);
  if (waiting === undefined) return found;
  const text = JSON.stringify(waiting);
  return { row: found.row, text: `${found.text.slice(0, -1)},"waiting":${text}}`, tag: `.${hash('sha256', text, 'base64url')}` };
}

/** The same in a list, without who holds what it needs: each of them would be looked up for each that waits. */
export function besideInList(operations: Operations, text: string): string {
  // Nearly all have ended, and need not be parsed.
  if (text.includes('"endedAt":')) return text;
  const row = JSON.parse(text) as Operation;
  const standing = isFinished(row) ? undefined : operations.standing(row.id);
  if (standing === undefined) return text;
  const { held, ...waiting } = { held: undefined, ...standing };
  return `${text.slice(0, -1)},"waiting":${JSON.stringify(waiting)}}`;
}

/** Steers an operation and answers its row. What is cancelled already, or asked to be, stays so. @throws CloudError */
export async function steer(
  kernel: Kernel,
  id: string,
  verb: Steering,
  principal: Principal,
  { again, entry }: Pick<Attempt, 'again' | 'entry'>,
): Promise<string> {
  const { row, text } = await lookUp(kernel.reader, operation, id, principal);
  const { state, cancelRequested } = row as Operation;
  const permission = `operation.${verb}`;
  if (!(await isVisible(operation, row, principal, permission, kernel.reader))) throw lacks(permission, principal);
  const isAsked = verb === 'cancel' ? state === 'cancelled' || cancelRequested === true : again && state !== 'needs_attention';
  if (isAsked) return text;
  if (verb === 'cancel') await kernel.operations.cancel(row.id, principal.actor, entry);
  else await kernel.operations.steer(row.id, verb, principal.actor, entry);
  return (await lookUp(kernel.reader, operation, row.id, principal)).text;
}
