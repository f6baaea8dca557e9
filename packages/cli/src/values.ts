import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import type { Schema } from '@pileus/sdk/document';
import { parse as parseYaml } from 'yaml';
import { UsageError } from './exit.ts';

/** Finds the id of a resource that is given by name. */
export type FindId = (kind: string, named: string) => Promise<string>;

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  kb: 1000,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  gb: 1000 ** 3,
  t: 1024 ** 4,
  tib: 1024 ** 4,
  tb: 1000 ** 4,
  p: 1024 ** 5,
  pib: 1024 ** 5,
  pb: 1000 ** 5,
  e: 1024 ** 6,
  eib: 1024 ** 6,
  eb: 1000 ** 6,
};

/** `10GiB`, `1.5G` (binary), `500MB` (decimal), `4096`. @throws UsageError that names the bound where that is passed */
export function parseBytes(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = UNITS[match?.[2]?.toLowerCase() ?? ''];
  const bytes = Math.round(Number(match?.[1]) * (factor ?? Number.NaN));
  if (Number.isNaN(bytes))
    throw new UsageError(`${flag}: ${JSON.stringify(text)} is not a size.`, 'Write it like 4096, 512MiB, 10GiB or 20GB.');
  if (!Number.isSafeInteger(bytes))
    throw new UsageError(
      `${flag}: ${JSON.stringify(text)} is too much.`,
      `A size is less than 8PiB: ${Number.MAX_SAFE_INTEGER} bytes at most.`,
    );
  return bytes;
}

/** Is the field of a size in bytes? By the rule of names: units come last, but for the bounds of something. */
export const isBytes = (field: string): boolean => /Bytes(Max|Min)?$/.test(field);

/** A size, or so many bytes in a second. */
export const takesSize = (field: string): boolean => isBytes(field) || /[bB]ytesPerSecond/.test(field);

const typesOf = (schema: Schema): readonly string[] =>
  schema.anyOf !== undefined
    ? schema.anyOf.flatMap(typesOf)
    : schema.const !== undefined || schema.enum !== undefined
      ? (schema.enum ?? [schema.const]).map((one) => (typeof one === 'number' ? 'number' : 'string'))
      : typeof schema.type === 'string'
        ? [schema.type]
        : (schema.type ?? []);

/** The type that values of a schema have on the command line. */
export function typeOf(schema: Schema): 'string' | 'number' | 'boolean' | 'array' | 'object' {
  const types = typesOf(schema).filter((type) => type !== 'null');
  if (types.includes('array')) return 'array';
  if (types.includes('object')) return 'object';
  if (types.includes('integer') || types.includes('number')) return 'number';
  if (types.includes('boolean') && !types.includes('string')) return 'boolean';
  return 'string';
}

/** The schema without `null` as a choice. */
export function solid(schema: Schema): Schema {
  const choices = schema.anyOf?.filter((choice) => choice.type !== 'null');
  if (choices === undefined) return schema;
  const [only] = choices;
  const { anyOf: _, ...rest } = schema;
  return choices.length === 1 && only !== undefined ? { ...rest, ...only } : { ...rest, anyOf: choices };
}

/** The texts that are allowed, if they are few. */
export function choicesOf(schema: Schema): readonly string[] | undefined {
  if (schema.enum !== undefined) return schema.enum.map(String);
  const choices = solid(schema).anyOf;
  const isOne = ({ const: only }: Schema): boolean => typeof only === 'string' || typeof only === 'number';
  return choices?.every(isOne) === true ? choices.map((choice) => String(choice.const)) : undefined;
}

/**
 * The value of a text for a field. `@file` and `@-` (standard input) stand for the content, but for what the field's schema has as an example (`@daily`), and
 * `-` does for that of a password. @throws UsageError naming the flag
 */
export async function parseValue(given: string, schema: Schema, field: string, flag: string, findId: FindId): Promise<unknown> {
  const plain = solid(schema);
  const text = isPassword(plain)
    ? await passwordOf(given, flag)
    : plain.examples?.includes(given) === true
      ? given
      : await contentOf(given, flag);
  switch (typeOf(plain)) {
    case 'array': {
      const items = typeof plain.items === 'object' ? plain.items : {};
      return text.trimStart().startsWith('[') ? json(text, flag) : [await parseValue(text, items, field.replace(/s$/, ''), flag, findId)];
    }
    case 'object':
      return /^\s*[{[]/.test(text)
        ? json(text, flag)
        : given.startsWith('@')
          ? parseYaml(text)
          : await parsePairs(text, plain, flag, findId);
    case 'number':
      return takesSize(field) ? parseBytes(text, flag) : parseNumber(text, flag);
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw new UsageError(`${flag}: ${JSON.stringify(text)} is neither true nor false.`);
      return text === 'true';
    case 'string':
      if (isAnything(plain)) return jsonOrText(text);
      return plain['x-ref'] === undefined ? text : await findId(plain['x-ref'].kind, text);
  }
}

/** A field that takes any JSON. */
const isAnything = ({ allOf, oneOf, ...schema }: Schema): boolean =>
  typesOf(schema).length === 0 && schema['x-ref'] === undefined && allOf === undefined && oneOf === undefined;

/** `5`, `true`, `[1, 2]` and `"5"` as JSON, anything else as the text that it is. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function parseNumber(text: string, flag: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new UsageError(`${flag}: ${JSON.stringify(text)} is not a number.`);
  return value;
}

function json(text: string, flag: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `${flag}: this is not JSON: ${error instanceof Error ? error.message : String(error)}`,
      'Quote it for the shell: \'{"a": 1}\'',
    );
  }
}

/** `size=10GiB,storage-class=fast` for an object whose fields are known. @throws UsageError */
async function parsePairs(text: string, schema: Schema, flag: string, findId: FindId): Promise<Record<string, unknown>> {
  const fields = Object.entries(schema.properties ?? {});
  const any = anyField(schema);
  const pairs = await Promise.all(
    text.split(',').map(async (pair): Promise<[string, unknown]> => {
      const cut = pair.indexOf('=');
      const name = pair.slice(0, Math.max(0, cut)).trim();
      const own = fields.find(([key, schema]) => flagNames(key, schema).includes(name) || key === name);
      const field = own ?? (any === undefined || name === '' ? undefined : ([name, any] as const));
      if (field === undefined) {
        const known = fields.map(([key, schema]) => flagNames(key, schema)[0]).join(', ');
        throw new UsageError(
          cut < 0
            ? `${flag}: ${JSON.stringify(pair)} is not of the form field=value.`
            : `${flag}: there is no field ${JSON.stringify(name)}.`,
          any !== undefined
            ? 'It takes JSON, or name=value pairs with commas between.'
            : known === ''
              ? 'It takes JSON.'
              : `It takes JSON, or field=value pairs with commas between: ${known}`,
        );
      }
      return [field[0], await parseValue(pair.slice(cut + 1), field[1], field[0], `${flag} ${name}`, findId)];
    }),
  );
  return Object.fromEntries(pairs);
}

/** What the fields of an object are that may have any names. */
export const anyField = ({ additionalProperties, patternProperties = {} }: Schema): Schema | undefined =>
  typeof additionalProperties === 'object' ? additionalProperties : Object.values(patternProperties)[0];

/** `@@` is an `@` that begins a text. */
const contentOf = async (given: string, flag: string): Promise<string> =>
  given.startsWith('@@') ? given.slice(1) : given.startsWith('@') ? await readText(given.slice(1), flag) : given;

/** A line that nobody should see, e.g. in the history of a shell. */
export const isPassword = ({ format }: Schema): boolean => format === 'password';

/** A password that is given by standard input (`-`) or a file (`@file`): the end of its line is none of it. @throws UsageError naming the flag */
export async function passwordOf(given: string, flag: string): Promise<string> {
  const file = given === '-' ? given : given.startsWith('@') ? given.slice(1) : undefined;
  return file === undefined ? given : (await readText(file, flag)).replace(/\r?\n$/, '');
}

/** `-` is standard input. @throws UsageError naming the flag and the file */
export async function readText(file: string, flag: string): Promise<string> {
  if (file === '-') return await standardInput.read(flag);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${flag}: cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** All of it goes to the first who asks: another would silently get nothing. */
class StandardInput {
  #readBy: string | undefined;

  /** @throws UsageError */
  async read(flag: string): Promise<string> {
    if (this.#readBy !== undefined)
      throw new UsageError(`${flag}: standard input is for ${this.#readBy} already.`, 'Give the other by a file: @FILE');
    this.#readBy = flag;
    return await readAll(process.stdin);
  }
}
const standardInput = new StandardInput();

/** What a field is called on the command line, shortest first: `sizeBytes` -> `size`, `size-bytes`; `imageId` -> `image`, `image-id`; a list is given one by one. */
export function flagNames(field: string, schema: Schema): readonly string[] {
  const full = field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const short = full.replace(/-(id|ids)$|-bytes(?=(-max|-min)?$)/, '');
  const single = short === full && typeOf(schema) === 'array' ? full.replace(/(?<=ss)es$|s$/, '') : short;
  return [...new Set([single, full])];
}
