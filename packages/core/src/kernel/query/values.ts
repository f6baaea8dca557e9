import { instantAt, instantOf } from '../instant.ts';
import type { Operand } from './ast.ts';
import type { Shape } from './graph.ts';
import { wrongFilter } from './tokens.ts';

export type Scalar = string | number | boolean;

interface Compared {
  /** As the caller wrote it. */
  readonly path: string;
  readonly field: string;
  readonly nowMs: number;
}

/** Milliseconds of the unit that the field's name ends with. */
const UNITS: readonly (readonly [ending: string, ms: number])[] = [
  ['Ms', 1],
  ['Seconds', 1000],
  ['Minutes', 60_000],
  ['Hours', 3_600_000],
  ['Days', 86_400_000],
];

const WANTED = {
  string: "a text ('…')",
  integer: 'a whole number, or a size (10GiB)',
  number: 'a number',
  boolean: 'true or false',
  time: "a time ('2030-01-31T12:00:00Z', now-1h)",
  any: 'a text, a number, true or false',
} as const;

/** The value as the field holds it. @throws CloudError `invalid_input` when it is of another type */
export function operandValue(given: Operand, type: Exclude<Shape['type'], 'object' | 'list' | 'map'>, compared: Compared): Scalar {
  const value = plainValue(given, type, compared);
  if (value === undefined) throw wrongFilter(`compares ${compared.path}, which takes ${WANTED[type]}, with ${JSON.stringify(given)}`);
  return value;
}

function plainValue(given: Operand, type: keyof typeof WANTED, { field, nowMs }: Compared): Scalar | undefined {
  if (type === 'time') return timeOf(given, nowMs);
  if (typeof given === 'object') {
    const unit = UNITS.find(([ending]) => field.endsWith(ending));
    if (!('durationMs' in given) || unit === undefined || (type !== 'integer' && type !== 'number')) return undefined;
    return given.durationMs / unit[1];
  }
  if (type === 'any') return given;
  // A fraction of a byte is compared as it is: no whole number equals it.
  if (type === 'integer' || type === 'number')
    return typeof given === 'number' && Math.abs(given) <= Number.MAX_SAFE_INTEGER ? given : undefined;
  return typeof given === type ? given : undefined;
}

/** As times are stored, so that their texts compare as the times do. */
function timeOf(given: Operand, nowMs: number): string | undefined {
  if (typeof given === 'object' && 'nowPlusMs' in given) return instantAt(nowMs + given.nowPlusMs);
  return typeof given === 'string' ? instantOf(given) : undefined;
}
