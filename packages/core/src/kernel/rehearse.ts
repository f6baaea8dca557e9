import { type CloudError, ERROR_CODES, isCloudError, type Problem, toErrorRecord, toProblem } from './errors.ts';
import type { JsonObject } from './json.ts';
import { type QuotaEffect, quotaExceeded } from './quota/index.ts';

/** What a request would do, found out without doing it. */
export interface Rehearsal {
  readonly dryRun: true;
  /** False when something stands in its way. */
  readonly accepted: boolean;
  readonly action: string;
  readonly resourceKind: string;
  /** Of what is there; what would be made has no id before it is. */
  readonly resourceId?: string;
  /** What it would use of quotas, or give back, at acceptance. Empty where something stands in its way before that is known. */
  readonly quota: readonly QuotaEffect[];
  /** Of its saga, in order; none when it is satisfied already, or is no action. */
  readonly steps: readonly string[];
  /** Why it would be decided so, e.g. the placement of an instance. */
  readonly notes?: JsonObject;
  /** All that stands in its way, as far as it was looked at. */
  readonly blockers: readonly Problem[];
}

/** What was found out of a request until its commit would come. */
export interface Decided {
  readonly notes?: JsonObject | undefined;
  readonly satisfied: boolean;
  readonly quota: readonly QuotaEffect[];
}

/** What stands in the way of a request that is as it should be. Anything else is wrong with the request, and is answered as without `dryRun`. */
const isBlocker = (error: unknown): error is CloudError => isCloudError(error) && ERROR_CODES[error.code].http === 409;

const isOver = ({ by, used, limit }: QuotaEffect): boolean => by > 0 && limit !== null && used + by > limit;

/**
 * Tells of an acceptance that is played up to its commit: `play` rejects with what refuses it, and says through `decided` what it was about to write.
 * @throws what `play` rejects with, where that is no blocker
 */
export async function rehearsal(
  { steps, resourceId, ...of }: Pick<Rehearsal, 'action' | 'resourceKind' | 'steps'> & { readonly resourceId: string | undefined },
  play: (decided: (last: Decided) => void) => Promise<unknown>,
): Promise<Rehearsal> {
  let last: Decided | undefined;
  const refusal = await play((decided) => {
    last = decided;
  }).then(
    () => undefined,
    (error: unknown) => {
      if (isBlocker(error)) return error;
      throw error;
    },
  );
  const { notes, satisfied = false, quota = [] } = (last as Decided | undefined) ?? {};
  const over = quota.filter(isOver).map(({ by, ...effect }) => quotaExceeded({ ...effect, asked: by }));
  // The store stops at the first counter that is over its limit; a caller wants to know of all.
  const others = refusal === undefined || (refusal.code === 'quota_exceeded' && over.length > 0) ? [] : [refusal];
  const blockers = [...others, ...over].map((error) => toProblem(toErrorRecord(error)));
  return {
    dryRun: true,
    accepted: blockers.length === 0,
    ...of,
    ...(resourceId === undefined ? {} : { resourceId }),
    quota,
    steps: satisfied ? [] : steps,
    ...(notes === undefined ? {} : { notes }),
    blockers,
  };
}
