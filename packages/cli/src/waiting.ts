import type { OperationWaiting } from '@pileus/sdk';
import type { Format, Row } from './format.ts';

/** What an operation waits for before it begins, for people. */
export function describeWaiting({ for: what, ahead = 0, heldBy = [], atWorkMax }: OperationWaiting): string {
  if (what === 'turn') return `waits for its turn: ${ahead} go before it, ${atWorkMax} are at work at once`;
  if (what === 'recovery') return 'waits until the recovery is confirmed: pileus recovery confirm';
  if (what !== 'operations') return `waits for ${what}`;
  const [first, ...others] = heldBy.map(({ operationId, action, resourceId, state }) =>
    operationId === undefined
      ? 'an operation that this key may not see'
      : `${action} of ${resourceId} (operation ${operationId}, ${state})`,
  );
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  return `waits behind ${first}${more}${ahead > heldBy.length ? `; ${ahead} go before it` : ''}`;
}

/** A table has a sentence in place of what nobody reads as JSON. */
export const withSentence = (operation: Row, format: Format): Row =>
  operation.waiting === undefined || format !== 'table'
    ? operation
    : { ...operation, waiting: describeWaiting(operation.waiting as OperationWaiting) };

const SHORT: Readonly<Record<string, string>> = { operations: 'others', turn: 'its turn', recovery: 'the recovery' };

/** In a list the state tells beside it what a row waits for. */
export function withWait(row: Row): Row {
  const { state, waiting, waitsFor } = row;
  const what = (waiting as OperationWaiting | undefined)?.for ?? waitsFor;
  return typeof state === 'string' && typeof what === 'string' ? { ...row, state: `${state}, waits for ${SHORT[what] ?? what}` } : row;
}
