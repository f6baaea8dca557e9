import { componentOf, type Schema } from '../document/index.ts';

/** Rows are read: their fields are readonly and there or not. Inputs are written: `undefined` is as good as leaving a field out. */
export type Use = 'row' | 'input';

/** The TypeScript type of a schema, as source text. */
export function typeOf(schema: Schema, use: Use, indent = ''): string {
  const component = componentOf(schema);
  if (component !== undefined) return component;
  if (schema['x-ref'] !== undefined) return `Id<${quote(schema['x-ref'].kind)}>`;
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum !== undefined) return union(schema.enum.map(literal));
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return union(choices.map((choice) => typeOf(choice, use, indent)));
  if (schema.allOf !== undefined) return schema.allOf.map((part) => parenthesized(typeOf(part, use, indent))).join(' & ');
  if (Array.isArray(schema.type)) return union(schema.type.map((type: string) => typeOf({ ...schema, type }, use, indent)));
  return plainType(schema, use, indent);
}

function plainType(schema: Schema, use: Use, indent: string): string {
  switch (schema.type) {
    case 'string':
      return 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'null';
    case 'array':
      return `readonly ${parenthesized(typeof schema.items === 'object' ? typeOf(schema.items, use, indent) : 'unknown')}[]`;
    case 'object':
      return objectType(schema, use, indent);
    default:
      return schema.properties === undefined ? 'unknown' : objectType(schema, use, indent);
  }
}

function objectType(schema: Schema, use: Use, indent: string): string {
  if (Object.keys(schema.properties ?? {}).length > 0) return `{\n${fields(schema, use, `${indent}  `)}${indent}}`;
  const values = schema.additionalProperties ?? Object.values(schema.patternProperties ?? {})[0];
  return `{ readonly [key: string]: ${typeof values === 'object' ? typeOf(values, use, indent) : 'unknown'} }`;
}

/** The members of an object type, one a line. `types` replaces the type of single fields. */
export function fields(schema: Schema, use: Use, indent: string, types: Readonly<Record<string, string>> = {}): string {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {})
    .map(([name, field]) => {
      const type = types[name] ?? typeOf(field, use, indent);
      const optional = required.has(name) ? '' : '?';
      const missing = optional === '?' && use === 'input' ? ' | undefined' : '';
      return `${comment(hint(field), indent)}${indent}readonly ${key(name)}${optional}: ${type}${missing};\n`;
    })
    .join('');
}

/** What the type does not say. */
function hint(schema: Schema): string {
  const parts = [schema.description ?? ''];
  if (schema['x-secret'] === true) parts.push('Secret: sealed before it is stored, never shown again.');
  if (schema.default !== undefined) parts.push(`Default: ${literal(schema.default)}.`);
  return parts.filter((part) => part !== '').join(' ');
}

export const comment = (text: string, indent: string): string =>
  text === '' ? '' : `${indent}/** ${text.replaceAll('*/', '*\\/').replaceAll(/\s+/g, ' ')} */\n`;

export const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
export const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name));

const literal = (value: unknown): string => (typeof value === 'string' ? quote(value) : JSON.stringify(value));
const union = (parts: readonly string[]): string => (parts.length === 0 ? 'never' : [...new Set(parts)].join(' | '));
const parenthesized = (type: string): string => (/[|&]/.test(type) && !type.startsWith('{') ? `(${type})` : type);
