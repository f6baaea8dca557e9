import { type Action, stateProblem } from './action.ts';
import { inWords } from './article.ts';
import { CloudError, type ErrorRecord, toErrorRecord } from './errors.ts';
import type { Live } from './live-operation.ts';
import type { Reader } from './reader.ts';

export const SATISFIED = Symbol('satisfied');

/** State is checked again at the head: what went before in the queues may have changed it. */
export async function checkedAtHead(reader: Reader, live: Live, action: Action): Promise<ErrorRecord | typeof SATISFIED | undefined> {
  if (live.cancelRequested) return toErrorRecord(new CloudError('cancelled', 'Cancelled before it began.'));
  if (action.target === 'collection') return undefined;
  const row = await reader.find(action.kind, live.resourceId);
  if (row === undefined) return { code: 'not_found', message: `No ${inWords(action.kind.name)} ${live.resourceId}.` };
  if (action.satisfied?.(row) === true) return SATISFIED;
  const problem = stateProblem(action, row, live.forced);
  return problem === undefined ? undefined : toErrorRecord(problem);
}
