/** For so long it counts that a backend has gone out. */
export const FLAP_WINDOW_MS = 600_000;
/** Nobody is held for longer. Who was not for that long begins anew. */
export const HOLD_MS_MAX = 3_600_000;

/** A backend, as far as its coming and going is concerned. Times are milliseconds since the epoch. */
export interface Damped {
  readonly id: string;
  readonly weight: number;
  /** Undefined where nobody knows. */
  readonly isWell?: boolean | undefined;
  /** When it went out of late. */
  readonly outsMs: readonly number[];
  /** Until then it gets nothing. */
  readonly heldUntilMs?: number | undefined;
  /** How often it has been held, one time not long after the other. */
  readonly holds: number;
  /** When the last time was over. */
  readonly freedMs?: number | undefined;
}

export interface DampingPolicy {
  /** So often one may go out within the window. */
  readonly flapsMax: number;
  readonly holdMs: number;
}

/**
 * The backends of one listener as they are to be, by what they are and who of them has just gone out. Who goes out too often is held, as long as another is known to answer;
 * when his time is over, or none of the others answers any more, he is tried again.
 */
export function damped(
  all: readonly Damped[],
  wentOut: ReadonlySet<string>,
  nowMs: number,
  { flapsMax, holdMs }: DampingPolicy,
): readonly Damped[] {
  const now = all.map((each) => {
    if (each.heldUntilMs === undefined) return wentOut.has(each.id) ? noted(each, nowMs, flapsMax) : each;
    return flapsMax === 0 || each.heldUntilMs <= nowMs ? freed(each, nowMs) : each;
  });
  const isLost = now.filter(isServing).every(({ isWell }) => isWell === false);
  const tried = isLost ? now.map((each) => (isHeld(each) ? freed(each, nowMs) : each)) : now;
  if (flapsMax === 0) return tried;
  let answering = tried.filter(answers).length;
  return tried.map((each) => {
    const others = answers(each) ? answering - 1 : answering;
    if (!flaps(each, nowMs, flapsMax) || others === 0) return each;
    answering = others;
    return held(each, nowMs, holdMs);
  });
}

const isHeld = ({ heldUntilMs }: Damped): boolean => heldUntilMs !== undefined;
const isServing = (each: Damped): boolean => each.weight > 0 && !isHeld(each);
const answers = (each: Damped): boolean => isServing(each) && each.isWell === true;

const noted = (each: Damped, nowMs: number, flapsMax: number): Damped => ({
  ...each,
  outsMs: [...recent(each.outsMs, nowMs), nowMs].slice(-(flapsMax + 1)),
});

const recent = (outsMs: readonly number[], nowMs: number): readonly number[] => outsMs.filter((atMs) => atMs > nowMs - FLAP_WINDOW_MS);

const flaps = (each: Damped, nowMs: number, flapsMax: number): boolean => isServing(each) && recent(each.outsMs, nowMs).length > flapsMax;

const freed = (each: Damped, nowMs: number): Damped => ({ ...each, outsMs: [], heldUntilMs: undefined, freedMs: nowMs });

function held(each: Damped, nowMs: number, holdMs: number): Damped {
  const isAnew = each.freedMs === undefined || each.freedMs + HOLD_MS_MAX <= nowMs;
  const holds = (isAnew ? 0 : each.holds) + 1;
  return { ...each, outsMs: [], heldUntilMs: nowMs + Math.min(holdMs * 2 ** (holds - 1), HOLD_MS_MAX), holds };
}
