import { CloudError } from '../errors.ts';
import type { Filter, Operand } from './ast.ts';
import { parseFilter } from './parser.ts';

type Given = Readonly<Record<string, unknown>>;

const COMPARISONS: ReadonlySet<unknown> = new Set(['=', '!=', '<', '<=', '>', '>=']);
const DEPTH_MAX = 64;

/** Reads a filter from JSON; a text is read as a filter text. @throws CloudError `invalid_input` with the pointer to what is wrong */
export function filterOf(given: unknown, pointer: string, depth = 0): Filter {
  if (typeof given === 'string') return parseFilter(given);
  if (typeof given !== 'object' || given === null || Array.isArray(given) || depth > DEPTH_MAX)
    throw wrongAt(pointer, 'a condition: an object with field, has, and, or, not; or a filter text');
  const { and, or, not, has, where, field } = given as Given;
  const parts = (list: unknown, name: string): readonly Filter[] => {
    if (!Array.isArray(list)) throw wrongAt(`${pointer}/${name}`, 'a list of conditions');
    return list.map((part, index) => filterOf(part, `${pointer}/${name}/${index}`, depth + 1));
  };
  if (and !== undefined) return only(given, ['and'], pointer, { and: parts(and, 'and') });
  if (or !== undefined) return only(given, ['or'], pointer, { or: parts(or, 'or') });
  if (not !== undefined) return only(given, ['not'], pointer, { not: filterOf(not, `${pointer}/not`, depth + 1) });
  if (has !== undefined) {
    const inner = where === undefined ? {} : { where: filterOf(where, `${pointer}/where`, depth + 1) };
    return only(given, ['has', 'where'], pointer, { has: textOf(has, `${pointer}/has`), ...inner });
  }
  return only(given, ['field', 'op', 'value'], pointer, comparison(textOf(field, `${pointer}/field`), given as Given, pointer));
}

function comparison(field: string, { op, value }: Given, pointer: string): Filter {
  if (op === 'null' || op === 'not null') return { field, op };
  if (op === 'like' || op === 'not like') return { field, op, value: textOf(value, `${pointer}/value`) };
  if (op === 'in' || op === 'not in') {
    if (!Array.isArray(value) || value.length > 1000) throw wrongAt(`${pointer}/value`, 'a list of at most 1000 values');
    return { field, op, value: value.map((each, index) => operandOf(each, `${pointer}/value/${index}`)) };
  }
  if (!COMPARISONS.has(op)) throw wrongAt(`${pointer}/op`, '=, !=, <, <=, >, >=, in, not in, like, not like, null or not null');
  return { field, op: op as '=', value: operandOf(value, `${pointer}/value`) };
}

function operandOf(given: unknown, pointer: string): Operand {
  if (typeof given === 'string' || typeof given === 'number' || typeof given === 'boolean') return given;
  const { nowPlusMs, durationMs } = (given ?? {}) as Given;
  if (typeof nowPlusMs === 'number') return only(given as object, ['nowPlusMs'], pointer, { nowPlusMs });
  if (typeof durationMs === 'number') return only(given as object, ['durationMs'], pointer, { durationMs });
  throw wrongAt(pointer, 'a text, a number, true, false, { "nowPlusMs": … } or { "durationMs": … }');
}

export function textOf(given: unknown, pointer: string): string {
  if (typeof given === 'string') return given;
  throw wrongAt(pointer, 'a text');
}

/** What is misspelled would otherwise be silently lost. */
export function only<T>(given: object, known: readonly string[], pointer: string, value: T): T {
  for (const name of Object.keys(given))
    if (!known.includes(name))
      throw new CloudError('invalid_input', `There is no field ${pointer}/${name}; there is ${known.join(', ')}.`, {
        pointer: `${pointer}/${name}`,
      });
  return value;
}

export const wrongAt = (pointer: string, wanted: string): CloudError =>
  new CloudError('invalid_input', `${pointer === '' ? 'The body' : pointer} must be ${wanted}.`, { pointer });
