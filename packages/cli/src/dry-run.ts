import type { DryRun } from '@pileus/sdk';
import { EXIT, UsageError } from './exit.ts';
import { exact, type Format, formatRow, formatRows, type Row } from './format.ts';
import { printable } from './printable.ts';
import type { Session } from './session.ts';

export interface Rehearsed {
  /** What the resource is called on the command line. */
  readonly label: string;
  readonly told: Promise<DryRun>;
}

/** Shows what changes would do. @throws UsageError with the exit code of a refusal when something stands in the way of one */
export async function tellDryRuns(session: Session, rehearsed: readonly Rehearsed[], format: Format): Promise<void> {
  const runs = await Promise.all(rehearsed.map(async ({ label, told }) => ({ label, run: await told })));
  const rows = runs.map(({ run }) => run as unknown as Row);
  const [only] = rows;
  if (format === 'table') session.out(printable(runs.map(({ label, run }) => described(label, run)).join('\n')));
  else if (format === 'name') session.out(runs.map(({ run }) => `${run.accepted ? 'accepted' : 'refused'}\n`).join(''));
  else session.out(rows.length === 1 && only !== undefined ? formatRow(only, format) : formatRows(rows, format, []));
  if (runs.some(({ run }) => !run.accepted))
    throw new UsageError('It would be refused.', 'Nothing was changed: this was a dry run.', EXIT.conflict);
}

function described(label: string, { action, accepted, blockers, quota, steps, notes }: DryRun): string {
  const amount = (counter: string, value: number) => exact(counter, value);
  return [
    `${`${action} ${label}`.trimEnd()} would be ${accepted ? 'accepted' : 'refused'}`,
    ...blockers.map(({ detail, code }) => `  in its way  ${detail} (${code})`),
    ...quota.map(
      ({ scope, counter, used, limit, by }) =>
        `  quota       ${counter} of the ${scope}: ${by > 0 ? '+' : '-'}${amount(counter, Math.abs(by))}, ${amount(counter, used)} of ${limit === null ? 'no limit' : amount(counter, limit)} in use`,
    ),
    ...(steps.length === 0 ? [] : [`  steps       ${steps.join(', ')}`]),
    ...Object.entries(notes ?? {}).map(
      ([about, note]) => `  ${about.padEnd(10)}  ${typeof note === 'object' ? JSON.stringify(note) : note}`,
    ),
    '',
  ].join('\n');
}
