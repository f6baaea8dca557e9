import { exact } from './format.ts';
import { onOneLine } from './printable.ts';

/** What the server answers of a template. */
export interface StackPlan {
  readonly stackId?: string;
  readonly revisionNumber: number;
  readonly nothingToDo: boolean;
  readonly hash?: string;
  readonly changes: readonly StackChange[];
  readonly quota: readonly {
    readonly scope: string;
    readonly counter: string;
    readonly used: number;
    readonly limit: number | null;
    readonly by: number;
  }[];
  readonly blockers: readonly { readonly detail: string; readonly code: string; readonly pointer?: string }[];
}
interface StackChange {
  readonly name: string;
  readonly action: 'create' | 'update' | 'replace' | 'delete' | 'release' | 'none';
  readonly resourceKind: string;
  readonly fields?: Readonly<Record<string, FieldChange>>;
  readonly drift?: Readonly<Record<string, FieldChange>>;
}
interface FieldChange {
  readonly from?: unknown;
  readonly to?: unknown;
}

const SIGNS = { create: '+', update: '~', replace: '±', delete: '-', release: ' ', none: ' ' } as const;
const COLOURS = { '+': 32, '~': 33, '±': 35, '-': 31, ' ': 0 } as const;
const DONE = { create: 'to make', update: 'to change', replace: 'to make anew', delete: 'to delete', release: 'to let go' } as const;

/** Something that is there goes. */
export const destroys = ({ changes }: StackPlan): boolean => changes.some(({ action }) => action === 'delete' || action === 'replace');

/** The plan as a person reads it: a line for each resource that changes, its fields below. */
export function describePlan(name: string, plan: StackPlan, isColoured: boolean): string {
  const { changes, stackId, revisionNumber, quota, blockers, nothingToDo } = plan;
  const told = changes.filter(({ action, drift }) => action !== 'none' || drift !== undefined);
  const title = stackId === undefined ? `Stack ${name}, new` : `Stack ${name}, revision ${revisionNumber}`;
  return [
    title,
    ...told.flatMap((change) => describeChange(change, isColoured)),
    ...quota.map((effect) => `  quota: ${describeQuota(effect)}`),
    ...blockers.map(({ detail, code }) => paint(onOneLine(`  in its way: ${detail} (${code})`), '-', isColoured)),
    nothingToDo ? 'Nothing to do: all is as the template says.' : `${counts(changes)}.`,
    '',
  ].join('\n');
}

function describeChange({ name, action, resourceKind, fields = {}, drift = {} }: StackChange, isColoured: boolean): readonly string[] {
  const sign = SIGNS[action];
  const what = action === 'release' ? ' (it stays, and is no longer of the stack)' : '';
  const byHand = Object.entries(drift).map(
    ([field, { from, to }]) => `      ${field} was changed by hand: ${value(field, from)} → ${value(field, to)}`,
  );
  const lines = Object.entries(fields).map(([field, { from, to }]) =>
    action === 'create' ? `      ${field}: ${value(field, to)}` : `      ${field}: ${value(field, from)} → ${value(field, to)}`,
  );
  return [paint(`  ${sign} ${name}  ${resourceKind}${what}`, sign, isColoured), ...lines, ...byHand];
}

function value(field: string, given: unknown): string {
  if (given === undefined) return 'none';
  if (typeof given === 'number') return exact(field, given);
  const ref = typeof given === 'object' && given !== null && 'ref' in given ? given.ref : undefined;
  return typeof ref === 'string' ? `(known when ${ref} is there)` : onOneLine(JSON.stringify(given));
}

const describeQuota = ({ scope, counter, by, used, limit }: StackPlan['quota'][number]): string =>
  `${counter} of the ${scope}: ${by > 0 ? '+' : '-'}${exact(counter, Math.abs(by))}, ${exact(counter, used)} of ${limit === null ? 'no limit' : exact(counter, limit)} in use`;

function counts(changes: readonly StackChange[]): string {
  const parts = Object.entries(DONE).flatMap(([action, words]) => {
    const total = changes.filter((change) => change.action === action).length;
    return total === 0 ? [] : [`${total} ${words}`];
  });
  return parts.length === 0 ? 'No resource changes' : parts.join(', ');
}

const paint = (text: string, sign: keyof typeof COLOURS, isColoured: boolean): string =>
  isColoured && COLOURS[sign] !== 0 ? `\u001b[${COLOURS[sign]}m${text}\u001b[0m` : text;
