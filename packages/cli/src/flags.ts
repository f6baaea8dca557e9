import type { Schema } from '@pileus/sdk/document';
import { type Command, Option } from 'commander';
import { parse as parseYaml } from 'yaml';
import { UsageError } from './exit.ts';
import { anyField, choicesOf, type FindId, flagNames, isPassword, parseValue, readText, solid, takesSize, typeOf } from './values.ts';

/** One field of an input, as flags. */
interface Flag {
  readonly field: string;
  readonly schema: Schema;
  /** Shortest first. */
  readonly names: readonly string[];
  readonly type: ReturnType<typeof typeOf>;
}

/** The flags of an input: declared on a command, read back as the input. */
export class InputFlags {
  readonly #flags: readonly Flag[];
  readonly #required: readonly string[];
  readonly #clearable: readonly string[];

  /**
   * @param positional fields that are given as arguments, not as flags
   * @param taken names of flags that the command has for itself
   */
  constructor(schema: Schema, positional: readonly string[] = [], taken: readonly string[] = []) {
    const fields = Object.entries(schema.properties ?? {}).filter(([field]) => !positional.includes(field));
    const used = new Set(fields.map(([field, fieldSchema]) => flagNames(field, fieldSchema).at(-1) ?? ''));
    for (const name of taken) used.add(name);
    this.#flags = fields.map(([field, fieldSchema]) => {
      const [full = field, ...short] = flagNames(field, fieldSchema).toReversed();
      // A short name gives way to the full name of another field and to a flag of the command; of two equal short names the first field's stays.
      const names = [...short.filter((name) => !used.has(name)), taken.includes(full) ? `field-${full}` : full];
      for (const name of names) used.add(name);
      return { field, schema: fieldSchema, names, type: typeOf(fieldSchema) };
    });
    this.#required = (schema.required ?? []).filter((field) => !positional.includes(field));
    this.#clearable = fields.filter(([, { anyOf }]) => anyOf?.some(({ type }) => type === 'null') === true).map(([field]) => field);
  }

  /** Adds the flags to a command. */
  declare(command: Command): void {
    for (const flag of this.#flags) {
      command.addOption(this.#option(flag));
      if (flag.type === 'boolean') command.addOption(new Option(`--no-${flag.names[0]}`).hideHelp());
    }
    if (this.#flags.length > 0)
      command.option('-f, --file <file>', 'take the input from a YAML or JSON file (- for standard input); flags go before it');
    if (this.#clearable.length > 0)
      command.addOption(
        new Option('--unset <field...>', 'clear fields').choices(this.#clearable.map((field) => this.flagOfField(field).slice(2))),
      );
  }

  /** The input that the flags make. @throws UsageError for what is missing or malformed */
  async read(
    options: Readonly<Record<string, unknown>>,
    given: Readonly<Record<string, unknown>>,
    findId: FindId,
  ): Promise<Record<string, unknown>> {
    const fromFile = typeof options.file === 'string' ? await readInput(options.file) : {};
    const input: Record<string, unknown> = { ...fromFile, ...given };
    for (const flag of this.#flags) {
      const value = options[attribute(flag.names)];
      if (value !== undefined) input[flag.field] = await this.#valueOf(flag, value, findId);
    }
    for (const name of (options.unset as readonly string[] | undefined) ?? []) {
      const field = this.#flags.find(({ names }) => names[0] === name)?.field;
      if (field !== undefined) input[field] = null;
    }
    await nameToId(input, findId);
    const missing = this.#required.filter((field) => input[field] === undefined);
    if (missing.length > 0) throw new UsageError(`Missing: ${missing.map((field) => this.flagOfField(field)).join(', ')}`);
    return input;
  }

  /** The flag that a JSON pointer of the server means, with the rest of the pointer: by that one of its names which stands among the words typed. */
  flagOf(pointer: string, words: readonly string[] = []): string | undefined {
    const [, field = '', ...rest] = pointer.split('/');
    const flag = this.#flags.find((one) => one.field === field);
    if (flag === undefined) return undefined;
    const typed = flag.names.map((name) => `--${name}`).find((name) => words.some((word) => word === name || word.startsWith(`${name}=`)));
    return [typed ?? this.flagOfField(field), ...(rest.length === 0 ? [] : [`(${rest.join('/')})`])].join(' ');
  }

  flagOfField(field: string): string {
    return `--${this.#flags.find((flag) => flag.field === field)?.names[0] ?? field}`;
  }

  #option(flag: Flag): Option {
    const names = flag.names.map((name) => `--${name}`).join(', ');
    const required = this.#required.includes(flag.field) ? ' (required)' : '';
    if (flag.type === 'boolean') return new Option(names, `${flag.schema.description ?? ''}${required}`.trim());
    const option = new Option(
      `${names} <${placeholder(flag)}>`,
      `${flag.schema.description ?? ''}${required}${repeats(flag)}${hides(flag)}`.trim(),
    );
    const choices = choicesOf(itemsOf(flag));
    if (flag.type === 'array' || flag.type === 'object')
      option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
    else if (choices !== undefined) option.choices(choices);
    return option;
  }

  async #valueOf({ schema, field, names, type }: Flag, value: unknown, findId: FindId): Promise<unknown> {
    const flag = `--${names[0]}`;
    if (type === 'boolean') return value;
    // As in JSON, but for texts: "null" may be one.
    if (type !== 'string' && this.#clearable.includes(field) && [value].flat().every((text) => text === 'null')) return null;
    if (type !== 'array' && type !== 'object') return await parseValue(String(value), schema, field, flag, findId);
    const parts = await Promise.all((value as readonly string[]).map((text) => parseValue(text, schema, field, flag, findId)));
    return type === 'array' ? parts.flat() : merged(parts);
  }
}

/** A resource of whichever kind may be given by its name, too: its kind stands beside it. */
async function nameToId(input: Record<string, unknown>, findId: FindId): Promise<void> {
  const { resourceKind: kind, resourceId, resourceIds } = input;
  if (typeof kind !== 'string') return;
  if (typeof resourceId === 'string') input.resourceId = await findId(kind, resourceId);
  if (Array.isArray(resourceIds)) input.resourceIds = await Promise.all(resourceIds.map((id) => findId(kind, String(id))));
}

/** The attribute under which commander keeps an option with these long names: that of the last. */
const attribute = (names: readonly string[]): string =>
  (names.at(-1) ?? '').replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** One object of those that a flag was given, a later one going before. What is none of its own is left to the server to refuse. */
const merged = (parts: readonly unknown[]): unknown =>
  parts.length === 1 ? parts[0] : Object.assign({}, ...parts.filter((part) => typeof part === 'object'));

const itemsOf = ({ schema }: Flag): Schema => {
  const { items } = solid(schema);
  return typeof items === 'object' ? items : schema;
};

const repeats = ({ type, schema }: Flag): string =>
  type === 'array' || (type === 'object' && anyField(solid(schema)) !== undefined) ? ' (may be repeated)' : '';

const hides = (flag: Flag): string => (isPassword(solid(flag.schema)) ? ' (- for standard input, @FILE for a file)' : '');

function placeholder(flag: Flag): string {
  const schema = solid(itemsOf(flag));
  const choices = choicesOf(schema);
  if (choices !== undefined && choices.length <= 6) return choices.join('|');
  if (schema['x-ref'] !== undefined) return schema['x-ref'].kind.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const type = typeOf(schema);
  if (type === 'number') return takesSize(flag.field) ? 'size' : 'number';
  if (type !== 'object') return 'text';
  const known = Object.entries(schema.properties ?? {}).map(([field, fieldSchema]) => `${flagNames(field, fieldSchema)[0]}=…`);
  return known.length > 0 ? known.join(',') : anyField(schema) === undefined ? 'json' : 'name=value,…';
}

async function readInput(file: string): Promise<Record<string, unknown>> {
  const text = await readText(file, '--file');
  let value: unknown;
  try {
    value = parseYaml(text);
  } catch (error) {
    throw new UsageError(`--file: ${file} is neither YAML nor JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`--file: ${file} must hold fields with values.`);
  return value as Record<string, unknown>;
}
