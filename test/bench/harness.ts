import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';

/** One line of the report. What a row does not measure it leaves out. */
export interface Row {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  /** Processor time of one, user and system, all threads of the process that does the work. */
  readonly cpuMs?: number;
  /** Milliseconds. */
  readonly p50?: number;
  readonly p99?: number;
  /** What the least that could do the same takes, in `unit` or, where the row is judged by its processor time, in milliseconds of it. */
  readonly floor?: number;
  /** The row's figure over the floor's: how much our part costs. */
  readonly ratio?: number;
  /** What most of it was. */
  readonly what?: string;
}

/** Rows that are measured together. */
export interface Bench {
  readonly ids: readonly string[];
  /** What its ids begin with; measured only when that is named. */
  readonly onRequest?: string;
  /** Measures those that `wants` answers true for; others may be left out. */
  run(wants: (id: string) => boolean): Promise<readonly Row[]>;
}

export interface BenchArguments {
  readonly json: string | undefined;
  readonly only: string | undefined;
}

/** Runs the benches one after another, prints each row as it comes, and answers all of them. */
export async function runBenches(benches: readonly Bench[], { json, only }: BenchArguments): Promise<readonly Row[]> {
  const wants = (id: string) => only === undefined || id === only || id.startsWith(`${only}.`);
  const isMeant = ({ onRequest }: Bench) => onRequest === undefined || only?.startsWith(onRequest) === true;
  const chosen = benches.filter((bench) => bench.ids.some(wants) && isMeant(bench));
  if (chosen.length === 0) throw new Error(`no row ${only}; there are ${benches.flatMap((bench) => bench.ids).join(', ')}`);
  const rows: Row[] = [];
  process.stdout.write(`${line(['id', 'value', 'unit', 'cpuMs', 'p50', 'p99', 'floor', 'ratio'])}\n`);
  for (const bench of chosen)
    for (const row of await bench.run(wants)) {
      rows.push(row);
      process.stdout.write(`${line(cells(row))}\n`);
    }
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ machine: machine(), rows }, undefined, 2)}\n`);
  return rows;
}

const machine = () => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cpus: availableParallelism(),
  memoryBytes: totalmem(),
  node: process.version,
});

const RESAMPLES = 1000;
const WIDTHS = [18, 12, 14, 9, 9, 9, 9, 7];

const line = (texts: readonly string[]): string =>
  texts.map((text, index) => (index === 0 || index === 2 ? text.padEnd(WIDTHS[index] ?? 0) : text.padStart(WIDTHS[index] ?? 0))).join(' ');

const cells = ({ id, value, unit, cpuMs, p50, p99, floor, ratio, what }: Row): readonly string[] => [
  id,
  short(value),
  unit,
  ...[cpuMs, p50, p99, floor, ratio].map((figure) => (figure === undefined ? '' : short(figure))),
  ...(what === undefined ? [] : [` ${what}`]),
];

const short = (figure: number): string => {
  if (Number.isInteger(figure)) return String(figure);
  return figure.toFixed(Math.abs(figure) >= 100 ? 0 : Math.abs(figure) >= 10 ? 1 : 3);
};

/** The value below which this share of them lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/**
 * Between which values nine of ten ratios lie that rounds drawn anew would have had (bootstrap): of this percentile of all waits of as many rounds of `over`,
 * drawn with repeats, to that of rounds of `under`.
 */
export function resampledRatios(
  over: readonly (readonly number[])[],
  under: readonly (readonly number[])[],
  share: number,
): readonly [number, number] {
  const drawn = (rounds: readonly (readonly number[])[]) =>
    percentile(
      rounds.flatMap(() => rounds[Math.floor(Math.random() * rounds.length)] ?? []),
      share,
    );
  const ratios = Array.from({ length: RESAMPLES }, () => drawn(over) / drawn(under));
  return [percentile(ratios, 0.05), percentile(ratios, 0.95)];
}

/** Does `work` for the indices from `first` on, so many at once. Answers how long each took, in milliseconds. */
export async function inFlight(atOnce: number, first: number, count: number, work: (index: number) => Promise<void>): Promise<number[]> {
  const tookMs: number[] = [];
  let next = first;
  const worker = async () => {
    while (next < first + count) {
      const index = next;
      next += 1;
      const startedMs = performance.now();
      await work(index);
      tookMs.push(performance.now() - startedMs);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
  return tookMs;
}
