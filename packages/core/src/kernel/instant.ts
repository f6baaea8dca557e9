import { CloudError } from './errors.ts';

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))?$/i;

/** A time as rows have it, RFC 3339 in UTC with milliseconds: so that texts compare as times do. @throws CloudError `invalid_input` for one that never is */
export function instant(text: string, pointer: string): string {
  const found = instantOf(text);
  if (found === undefined) throw new CloudError('invalid_input', `There is no time ${text}.`, { pointer });
  return found;
}

/** The same, or undefined. A day alone begins in UTC; one that its month does not have is none. */
export function instantOf(text: string): string | undefined {
  const [, year, month, day] = RFC_3339.exec(text) ?? [];
  if (year === undefined || Number(day) > new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()) return undefined;
  return instantAt(Date.parse(text));
}

/** The same of milliseconds since 1970; undefined outside of the years 0 to 9999, whose texts alone compare as times do. */
export function instantAt(ms: number): string | undefined {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return undefined;
  const text = date.toISOString();
  return /^\d/.test(text) ? text : undefined;
}
