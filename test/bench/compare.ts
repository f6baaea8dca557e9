import { readFile } from 'node:fs/promises';
import type { Row } from './harness.ts';

/** How a row stands beside the same of an earlier run. */
export interface Compared {
  readonly id: string;
  readonly before: number;
  readonly now: number;
  /** Above 1: it costs more of its floor than it did. */
  readonly times: number;
  readonly isWorse: boolean;
}

export interface Comparison {
  readonly rows: readonly Compared[];
  /** With a floor, in one of the runs alone. */
  readonly alone: readonly { readonly id: string; readonly when: 'now' | 'before' }[];
}

/** What runs may differ by without a change, where nothing else is at work. */
export const BOUND = 1.25;

/**
 * Compares what rows cost beside the floor of their own run, so that runs on other machines, or on a busier one, compare. Rows without a floor depend on the
 * machine alone and are not judged. `bound`: how many times its earlier ratio a row may have.
 */
export function compared(now: readonly Row[], earlier: readonly Row[], bound = BOUND): Comparison {
  const [was, is] = [ratiosOf(earlier), ratiosOf(now)];
  return {
    rows: [...is].flatMap(([id, ratio]) => {
      const before = was.get(id);
      if (before === undefined) return [];
      const times = ratio / before;
      // What is no number is no better either.
      return [{ id, before, now: ratio, times, isWorse: !(times <= bound) }];
    }),
    alone: [
      ...[...is.keys()].filter((id) => !was.has(id)).map((id) => ({ id, when: 'now' }) as const),
      ...[...was.keys()].filter((id) => !is.has(id)).map((id) => ({ id, when: 'before' }) as const),
    ],
  };
}

/** The rows that `--json` wrote. */
export async function rowsOf(file: string): Promise<readonly Row[]> {
  const { rows } = JSON.parse(await readFile(file, 'utf8')) as { readonly rows?: readonly Row[] };
  if (!Array.isArray(rows)) throw new Error(`${file} has no rows: is it of \`npm run bench -- --json\`?`);
  return rows;
}

const ratiosOf = (rows: readonly Row[]): ReadonlyMap<string, number> =>
  new Map(rows.flatMap(({ id, ratio }) => (ratio === undefined ? [] : [[id, ratio]])));

/** A gate that has compared nothing is not passed. */
export const passes = ({ rows }: Comparison): boolean => rows.length > 0 && rows.every(({ isWorse }) => !isWorse);

/** What is told of it, a line a row. */
export function comparisonText({ rows, alone }: Comparison, bound = BOUND): string {
  const figure = (value: number) => value.toFixed(2).padStart(8);
  const lines = rows.map(
    ({ id, before, now, times, isWorse }) => `${id.padEnd(24)}${figure(before)}${figure(now)}${figure(times)}${isWorse ? '  worse' : ''}`,
  );
  const worse = rows.filter(({ isWorse }) => isWorse).map(({ id }) => id);
  const verdict =
    worse.length > 0
      ? `worse than ${bound} times before: ${worse.join(', ')}`
      : rows.length === 0
        ? 'nothing to compare: no row with a floor is in both'
        : `none is worse than ${bound} times before`;
  return [
    `${'ratio to the floor'.padEnd(24)}${'before'.padStart(8)}${'now'.padStart(8)}${'times'.padStart(8)}`,
    ...lines,
    ...alone.map(({ id, when }) => `${id.padEnd(24)} measured ${when} alone`),
    verdict,
    '',
  ].join('\n');
}
