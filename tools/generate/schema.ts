/** What the documents read in a JSON schema. */
export interface Described {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly format?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Described[];
  readonly items?: Described;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly patternProperties?: Readonly<Record<string, Described>>;
  readonly required?: readonly string[];
  /** Of the setting that it is a value of. */
  readonly 'x-default'?: unknown;
}

/** A schema without the symbols of the library that it was written with. */
export const described = (schema: object): Described => JSON.parse(JSON.stringify(schema)) as Described;

const FORMATS: Readonly<Record<string, string>> = { uuid: 'id', 'date-time': 'time' };

/** A type in words, with its bounds. */
export function typeOf(schema: Described): string {
  const { type, anyOf, const: literal, enum: literals, items, format, properties, patternProperties } = schema;
  if (anyOf !== undefined) return anyOf.map(typeOf).join(', ');
  if (literals !== undefined) return literals.map((each) => `\`${each}\``).join(', ');
  if (literal !== undefined) return `\`${literal}\``;
  if (items !== undefined) return `list of ${typeOf(items)}`;
  if (patternProperties !== undefined) return `map of ${Object.values(patternProperties).map(typeOf).join(', ')}`;
  if (properties !== undefined && Object.keys(properties).length > 0) return `{ ${membersOf(schema).join('; ')} }`;
  if (type === undefined) return 'anything';
  return [FORMATS[format ?? ''] ?? type, ...boundsOf(schema)].join(' ');
}

/** The fields of an object, each with its type and unit; optional ones with a question mark. */
export const membersOf = ({ properties = {}, required = [] }: Described): readonly string[] =>
  Object.entries(properties).map(([name, field]) => `\`${name}\`${required.includes(name) ? '' : '?'} ${typeOf(field)}${unitOf(name)}`);

function boundsOf({ minimum, maximum, maxLength }: Described): readonly string[] {
  const bounds = [
    minimum === undefined ? '' : `from ${minimum}`,
    maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? '' : `to ${maximum}`,
    maxLength === undefined ? '' : `to ${maxLength} characters`,
  ];
  return bounds.filter((bound) => bound !== '');
}

const UNITS = [
  [/bytesPerSecond(Max)?$/i, 'bytes/s'],
  [/PerSecond(Max)?$/, '1/s'],
  [/bytes(Max)?$/i, 'bytes'],
  [/Ms(Max)?$/, 'ms'],
  [/seconds(Max)?$/i, 's'],
  [/hours$/i, 'h'],
  [/days$/i, 'days'],
] as const;

/** The unit that a name ends with, behind a comma, or nothing. */
export function unitOf(name: string): string {
  const unit = UNITS.find(([ending]) => ending.test(name));
  return unit === undefined ? '' : `, ${unit[1]}`;
}

/** Text for a cell of a table. */
export const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** As the pages link to each other's headings. */
export const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-');
