import { bytesText } from '../byte-text.ts';
import { CloudError } from '../errors.ts';
import type { QuotaCounter } from './counters.ts';

/** A counter that would go over its limit. */
export interface QuotaExcess extends QuotaCounter {
  readonly used: number;
  readonly limit: number | null;
  readonly asked: number;
}

export function quotaExceeded({ scope, id, counter, used, limit, asked }: QuotaExcess): CloudError {
  const text = (amount: number | null) => (amount !== null && /bytes$/i.test(counter) ? bytesText(amount) : String(amount));
  return new CloudError(
    'quota_exceeded',
    `The quota ${counter} of the ${scope} is used up: ${text(used)} of ${text(limit)} in use, ${text(asked)} more asked for.`,
    { params: { counter, used, limit, asked, scope, id } },
  );
}
