import { CloudError } from '../errors.ts';

export type Token =
  | { readonly type: 'word' | 'sign' | 'string' | 'end'; readonly text: string; readonly at: number }
  | { readonly type: 'number'; readonly text: string; readonly value: number; readonly at: number }
  | { readonly type: 'duration'; readonly text: string; readonly ms: number; readonly at: number };

const KIB = 1024;
/** Units of sizes, as factors. */
const SIZES: Readonly<Record<string, number>> = {
  ...{ B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, PB: 1e15 },
  ...{ KiB: KIB, MiB: KIB ** 2, GiB: KIB ** 3, TiB: KIB ** 4, PiB: KIB ** 5 },
};
/** Units of time, in milliseconds. */
const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

const TOKEN = /\s*(?:([A-Za-z][A-Za-z0-9]*)|([+-]?\d+(?:\.\d+)?)([A-Za-z]*)|'((?:[^']|'')*)'|(!=|<=|>=|[=<>(),.:+-]))/y;

/** @throws CloudError `invalid_input` for what is no token */
export function tokensOf(text: string): readonly Token[] {
  const found: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  for (let at = 0; at < end; at = TOKEN.lastIndex) {
    const match = TOKEN.exec(text);
    if (match === null) throw wrongFilter(`cannot be read from character ${at + 1} on`);
    const [, word, number, unit = '', string, sign] = match;
    if (word !== undefined) found.push({ type: 'word', text: word, at });
    else if (number !== undefined) found.push(numberToken(number, unit, at));
    else if (string !== undefined) found.push({ type: 'string', text: string.replaceAll("''", "'"), at });
    else found.push({ type: 'sign', text: sign ?? '', at });
  }
  found.push({ type: 'end', text: '', at: text.length });
  return found;
}

function numberToken(number: string, unit: string, at: number): Token {
  const text = number + unit;
  const value = Number(number);
  if (Object.hasOwn(DURATIONS, unit)) return { type: 'duration', text, ms: value * (DURATIONS[unit] ?? 1), at };
  if (unit !== '' && !Object.hasOwn(SIZES, unit))
    throw wrongFilter(
      `has the unknown unit '${unit}' at character ${at + 1}; there is ${[...Object.keys(SIZES), ...Object.keys(DURATIONS)].join(', ')}`,
    );
  return { type: 'number', text, value: value * (SIZES[unit] ?? 1), at };
}

/** @param says continues "The filter …" */
export const wrongFilter = (says: string): CloudError =>
  new CloudError('invalid_input', `The filter ${says}.`, { params: { parameter: 'filter' } });

export const unexpected = (token: Token, wanted: string): CloudError =>
  wrongFilter(`has ${token.type === 'end' ? 'its end' : `'${token.text}'`} at character ${token.at + 1} where ${wanted} belongs`);
