import type { TObject } from 'typebox';
import { Compile } from 'typebox/schema';
import { CloudError } from './errors.ts';
import { NAME_PATTERN } from './kind.ts';

export interface InputCheck {
  /** @throws CloudError `invalid_input` that names the first field at fault by JSON pointer. */
  assert(input: unknown): void;
}

/** Unknown fields are refused: a misspelled optional field would otherwise be silently lost. Compiled when first asked: few of all inputs ever come. */
export function compileInput(schema: TObject): InputCheck {
  let compiled: ReturnType<typeof compile> | undefined;
  return {
    assert(input) {
      compiled ??= compile(schema);
      const check = compiled;
      if (check.Check(input)) return;
      const [, errors] = check.Errors(input);
      const [error] = errors;
      throw new CloudError('invalid_input', describe(error, input, { errors, schema }), { pointer: pointerOf(error) });
    },
  };
}

const compiledByText = new Map<string, ReturnType<typeof Compile>>();

/** Schemas of one text are compiled once, whoever has made them: nothing but what JSON holds of a closed one tells values apart. */
function compile(schema: TObject): ReturnType<typeof Compile> {
  const text = JSON.stringify(schema);
  const known = compiledByText.get(text);
  if (known !== undefined) return known;
  const compiled = Compile(closed(schema) as object);
  compiledByText.set(text, compiled);
  return compiled;
}

interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

/** Every object schema without its own word on additional properties refuses them. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key,
      key === 'x-ref' || key === 'default' || key === 'enum' || key === 'const' || key === 'examples' ? value : closed(value),
    ]),
  );
  return copy.type === 'object' && 'properties' in copy && copy.additionalProperties === undefined
    ? { ...copy, additionalProperties: false }
    : copy;
}

const first = (error: SchemaError, key: string): string | undefined => {
  const list = (error.params as Record<string, unknown>)[key];
  return Array.isArray(list) ? String(list[0]) : undefined;
};

function pointerOf(error: SchemaError | undefined): string {
  if (error === undefined) return '';
  const field = first(error, 'requiredProperties') ?? first(error, 'additionalProperties');
  return field === undefined ? error.instancePath : `${error.instancePath}/${field}`;
}

interface Asked {
  readonly errors: readonly SchemaError[];
  readonly schema: TObject;
}

function describe(error: SchemaError | undefined, input: unknown, { errors, schema }: Asked): string {
  if (error === undefined) return 'The request is malformed.';
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return 'The request body is a JSON object.';
  const field = pointerOf(error);
  if (error.keyword === 'required') return `The field ${field} is missing.`;
  // `boolean`: a field whose schema is false, which is what a closed object says of those it does not know.
  if (error.keyword === 'additionalProperties' || error.keyword === 'boolean') {
    const path = field.split('/').slice(1);
    const [pattern] = at(schema, path.slice(0, -1)).flatMap(({ patternProperties = {} }) => Object.keys(patternProperties));
    if (pattern !== undefined)
      return `The name ${path.at(-1)} in ${field.slice(0, field.lastIndexOf('/'))} must match the pattern ${pattern}.`;
    const known = fieldsAt(schema, path.slice(0, -1));
    return `There is no field ${field}${known.length === 0 ? '' : `; there is ${known.join(', ')}`}.`;
  }
  return `The field ${field} must ${wanted(error, errors)}.`;
}

interface Described {
  readonly properties?: Readonly<Record<string, Described>>;
  readonly items?: Described;
  readonly patternProperties?: Readonly<Record<string, Described>>;
  readonly anyOf?: readonly Described[];
}

/** The fields that an object has at this place of a value. */
const fieldsAt = (schema: Described, path: readonly string[]): readonly string[] => [
  ...new Set(at(schema, path).flatMap(({ properties = {} }) => Object.keys(properties))),
];

/** What is said of a place of a value; of a choice, all of it. */
function at(schema: Described | undefined, path: readonly string[]): readonly Described[] {
  if (schema === undefined) return [];
  if (schema.anyOf !== undefined) return schema.anyOf.flatMap((choice) => at(choice, path));
  const [part, ...rest] = path;
  if (part === undefined) return [schema];
  const { properties = {}, items, patternProperties = {} } = schema;
  return at(properties[part] ?? items ?? Object.values(patternProperties)[0], rest);
}

/** What would do instead: of a choice, any part of it. */
function wanted(error: SchemaError, errors: readonly SchemaError[]): string {
  const here = errors.filter(({ instancePath, keyword }) => instancePath === error.instancePath && keyword !== 'anyOf');
  const constants = here.flatMap(({ keyword, params }) =>
    keyword === 'const' ? [JSON.stringify((params as { readonly allowedValue?: unknown }).allowedValue)] : [],
  );
  if (constants.length === 0) return demand(error);
  const others = here.filter(({ keyword }) => keyword !== 'const').map(demand);
  return [`be ${constants.length > 1 ? 'one of ' : ''}${constants.join(', ')}`, ...new Set(others)].join(', or ');
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
};
const FORMATS: Readonly<Record<string, string>> = {
  uuid: 'a UUID',
  'date-time': 'a time like 2030-01-31T09:00:00Z',
};

/** Continues "The field … must": what a keyword of the schema asks for. */
function demand({ keyword, message, params }: SchemaError): string {
  const { limit, multipleOf, type, format, pattern, allowedValues } = params as {
    readonly [name in 'limit' | 'multipleOf' | 'type' | 'format' | 'pattern' | 'allowedValues']?: unknown;
  };
  switch (keyword) {
    case 'type':
      return `be ${[type]
        .flat()
        .map((name) => TYPES[String(name)] ?? String(name))
        .join(' or ')}`;
    case 'enum':
      return `be one of ${[allowedValues]
        .flat()
        .map((value) => JSON.stringify(value))
        .join(', ')}`;
    case 'minimum':
      return `be at least ${limit}`;
    case 'maximum':
      return `be at most ${limit}`;
    case 'exclusiveMinimum':
      return `be more than ${limit}`;
    case 'exclusiveMaximum':
      return `be less than ${limit}`;
    case 'multipleOf':
      return `be a multiple of ${multipleOf}`;
    case 'minLength':
    case 'minItems':
    case 'minProperties':
      return `have at least ${limit} ${COUNTED[keyword]}${limit === 1 ? '' : 's'}`;
    case 'maxLength':
    case 'maxItems':
    case 'maxProperties':
      return `have at most ${limit} ${COUNTED[keyword]}${limit === 1 ? '' : 's'}`;
    case 'format':
      return `be ${FORMATS[String(format)] ?? `of the format ${format}`}`;
    case 'pattern':
      return PATTERNS[String(pattern)] ?? `match the pattern ${pattern}`;
    case 'uniqueItems':
      return 'have no element twice';
    default:
      return message.replace(/^must /, '');
  }
}

/** What everybody names things by should be told in words. */
const PATTERNS: Readonly<Record<string, string>> = {
  [NAME_PATTERN]: 'consist of lower-case letters, digits and inner hyphens, e.g. web-1',
  // As sha256sum writes it; openssl does it in capitals, with colons.
  '^[0-9a-f]{64}$': 'be a SHA-256: 64 hex digits in lower case, with nothing between them',
  '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$': 'be a name in lower-case letters, digits, dots and inner hyphens, e.g. db.shop.internal',
  '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$': 'be a domain in lower case, e.g. shop.internal',
  '^[a-z0-9.-]+$': 'be a domain in lower case, e.g. shop.internal',
  '^[a-zA-Z0-9][a-zA-Z0-9._-]*$': 'consist of letters, digits, dots, hyphens and underscores, and begin with a letter or a digit',
  '^[0-9a-f]{2}(:[0-9a-f]{2}){5}$': 'be a MAC in lower case, e.g. 00:00:5e:00:01:01',
  '^https://[^/?#]+$': 'be like https://192.0.2.7:7430, with nothing behind the port',
};

const COUNTED = {
  ...{ minLength: 'character', maxLength: 'character' },
  ...{ minItems: 'element', maxItems: 'element' },
  ...{ minProperties: 'field', maxProperties: 'field' },
} as const;
