import type { TObject, TSchema } from 'typebox';
import { type FieldType, parseScalar, scalarType } from './fields.ts';
import { onlyParameters } from './list.ts';

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
  return values;
}
