import { isVisible, lacks, type Principal, renewed } from '../access.ts';
import type { Kernel } from '../kernel.ts';
import { isFinished, type Operation, operation } from '../operation.ts';
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
  waiting: () => AbortSignal,
): Promise<Found> {
  onlyParameters(parameters, ['waitSeconds']);
  const waitSeconds = wholeNumber(parameters, 'waitSeconds', { minimum: 0, maximum: WAIT_SECONDS_MAX }) ?? 0;
  const found = await lookUp(kernel.reader, operation, id, principal);
  if (waitSeconds === 0 || isFinished(found.row as Operation)) return found;
  await kernel.operations.wait(found.row.id, waitSeconds * 1000, waiting());
  return lookUp(kernel.reader, operation, found.row.id, await renewed(principal));
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
