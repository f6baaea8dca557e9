import { type History, type HistoryOptions, playHistory } from './history.ts';

export interface Shrunk {
  /** Ids of what is left of the plan: without any of them it fails no more, or otherwise. */
  readonly only: readonly number[];
  /** The last history that failed. */
  readonly history: History;
  readonly plays: number;
  /** False when the plays were used up before. */
  readonly isMinimal: boolean;
}

/** What a failure is, whichever ids and numbers are in it. */
export const failureOf = ({ problems }: Pick<History, 'problems'>): string | undefined =>
  problems[0]
    ?.replace(/: [{"].*$/s, '')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
    .replaceAll(/\d+/g, '#');

/**
 * Leaves out of a failing history what it does not need to fail in the same way (delta debugging: ever smaller parts of the plan, until no single one can go).
 * @param options made anew for each play
 * @param playsMax histories that are played for that
 */
export async function shrink(options: () => HistoryOptions, failing: History, playsMax: number): Promise<Shrunk> {
  const failure = failureOf(failing);
  let plays = 0;
  let history = failing;
  let left = failing.events.map(({ id }) => id);
  const fails = async (ids: readonly number[]): Promise<boolean> => {
    if (plays === playsMax) return false;
    plays += 1;
    const played = await playHistory({ ...options(), only: new Set(ids) });
    if (failureOf(played) !== failure) return false;
    history = played;
    return true;
  };
  for (let size = Math.ceil(left.length / 2); ; size = Math.max(1, Math.floor(size / 2))) {
    const before = left.length;
    // The later first: they need the earlier, not the other way round.
    for (let to = left.length; to > 0; to -= size) {
      const without = [...left.slice(0, Math.max(0, to - size)), ...left.slice(to)];
      if (await fails(without)) left = without;
    }
    if (plays === playsMax || (size === 1 && left.length === before)) return { only: left, history, plays, isMinimal: plays < playsMax };
  }
}
