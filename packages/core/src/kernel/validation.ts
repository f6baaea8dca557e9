import type { TObject, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { CloudError } from './errors.ts';

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
      const errors = check.Errors(input);
      const [error] = errors;
      throw new CloudError('invalid_input', describe(error, input, errors), { pointer: pointerOf(error) });
    },
  };
}

const compile = (schema: TObject) => Compile(closed(schema) as TSchema);

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
      key === 'x-ref' || key === 'default' || key === 'enum' || key === 'const' ? value : closed(value),
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

/** The values of which one would do, when it is a matter of that. */
function allowedValues({ instancePath }: SchemaError, errors: readonly SchemaError[]): string | undefined {
  const here = errors.filter((error) => error.instancePath === instancePath && error.keyword !== 'anyOf');
  if (here.some(({ keyword }) => keyword !== 'const')) return undefined;
  return here.map(({ params }) => JSON.stringify((params as { readonly allowedValue?: unknown }).allowedValue)).join(', ');
}

function describe(error: SchemaError | undefined, input: unknown, errors: readonly SchemaError[]): string {
  if (error === undefined) return 'The request is malformed.';
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return 'The request body is a JSON object.';
  const field = pointerOf(error);
  if (error.keyword === 'required') return `The field ${field} is missing.`;
  // `boolean`: a field whose schema is false, which is what a closed object says of those it does not know.
  if (error.keyword === 'additionalProperties' || error.keyword === 'boolean') return `There is no field ${field}.`;
  const allowed = allowedValues(error, errors);
  return allowed === undefined ? `The field ${field} ${error.message}.` : `The field ${field} must be one of ${allowed}.`;
}
