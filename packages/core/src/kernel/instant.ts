import { CloudError } from './errors.ts';

/** A time as rows have it, RFC 3339 in UTC with milliseconds: so that texts compare as times do. @throws CloudError `invalid_input` for one that never is */
export function instant(text: string, pointer: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new CloudError('invalid_input', `There is no time ${text}.`, { pointer });
  return new Date(ms).toISOString();
}
