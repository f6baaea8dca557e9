import type { TObject, TSchema } from 'typebox';
import { CloudError, isCloudError } from '../errors.ts';
import { compileInput, type InputCheck } from '../validation.ts';
import { type FieldType, parseScalar, scalarType } from './fields.ts';
import { onlyParameters } from './list-query.ts';

/** Reads query parameters as the object that a schema of scalar fields, or lists of them, describes. @throws CloudError `invalid_input` */
export function parseQuery(schema: TObject | undefined, parameters: URLSearchParams): Record<string, unknown> {
  const properties = (schema?.properties ?? {}) as Record<string, TSchema>;
  onlyParameters(parameters, Object.keys(properties));
  const values: Record<string, unknown> = {};
  for (const name of new Set(parameters.keys())) {
    const { items } = properties[name] as { items?: unknown };
    const type: FieldType = scalarType(items ?? properties[name]) ?? 'string';
    const parsed = parameters.getAll(name).map((text) => parseScalar(text, type, name));
    values[name] = items === undefined ? parsed.at(-1) : parsed;
  }
  if (schema !== undefined) assertFits(schema, values);
  return values;
}

const checks = new WeakMap<TObject, InputCheck>();

/** @throws CloudError `invalid_input` that names the parameter */
function assertFits(schema: TObject, values: Record<string, unknown>): void {
  const check = checks.get(schema) ?? compileInput(schema);
  checks.set(schema, check);
  try {
    check.assert(values);
  } catch (error) {
    if (!isCloudError(error)) throw error;
    const parameter = error.pointer?.split('/')[1] ?? '';
    throw new CloudError('invalid_input', error.publicMessage.replace('The field /', 'The parameter '), { params: { parameter } });
  }
}
