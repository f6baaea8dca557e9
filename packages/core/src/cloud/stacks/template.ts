import { type Static, Type } from 'typebox';
import { CloudError, type Json, type JsonObject } from '../../kernel/index.ts';

/** Resources of one template. */
export const RESOURCES_MAX = 200;

const NAME = '^[A-Za-z][A-Za-z0-9_-]{0,62}$';
const named = () => Type.String({ pattern: NAME });

const parameterSpec = Type.Object({
  type: Type.Union(
    ['string', 'integer', 'number', 'boolean', 'array', 'object'].map((type) => Type.Literal(type)),
    { description: 'Of the value.' },
  ),
  default: Type.Optional(Type.Unknown({ description: 'Without it a value has to be given.' })),
  description: Type.Optional(Type.String({ maxLength: 1024 })),
  secret: Type.Optional(Type.Boolean({ description: 'Its value is sealed, never shown, and goes into secret properties only.' })),
});

const resourceSpec = Type.Object({
  kind: Type.String({ maxLength: 63, description: 'E.g. `network`.' }),
  properties: Type.Optional(
    Type.Unsafe<JsonObject>({
      type: 'object',
      writeOnly: true,
      description:
        'What its kind is created with. `{ "ref": "net" }` stands for the id of the resource `net` of the template, `{ "ref": "net.name" }` for a field of its row, `{ "param": "size" }` for a parameter.',
    }),
  ),
  dependsOn: Type.Optional(
    Type.Array(named(), { maxItems: RESOURCES_MAX, uniqueItems: true, description: 'Made before it, beside what it refers to.' }),
  ),
  replace: Type.Optional(
    Type.Boolean({ description: 'Made anew where it cannot be changed into what is asked for. Default: that is refused.' }),
  ),
  keep: Type.Optional(Type.Boolean({ description: 'It stays when it leaves the template, and when the stack is deleted.' })),
});

export const templateInput = Type.Object(
  {
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    parameters: Type.Optional(Type.Record(named(), parameterSpec, { maxProperties: 100, additionalProperties: false })),
    resources: Type.Record(named(), resourceSpec, { maxProperties: RESOURCES_MAX, additionalProperties: false }),
    outputs: Type.Optional(
      Type.Record(named(), Type.Unknown(), {
        maxProperties: 100,
        additionalProperties: false,
        description: 'What the stack shows, e.g. `{ "network": { "ref": "net" } }`.',
      }),
    ),
  },
  { description: 'What there is to be.' },
);
export type Template = Static<typeof templateInput>;
export type ResourceSpec = Template['resources'][string];

export const parametersInput = Type.Unsafe<JsonObject>({
  type: 'object',
  maxProperties: 100,
  writeOnly: true,
  description: 'Values of the parameters that the template declares, by name.',
});

/** The place of a value, as a JSON pointer. */
export const below = (pointer: string, key: string | number): string =>
  `${pointer}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
export const placeOf = (name: string): string => below('/template/resources', name);

export const invalid = (pointer: string, message: string, params?: JsonObject): CloudError =>
  new CloudError('invalid_input', message, { pointer, ...(params === undefined ? {} : { params }) });

/** A field of a resource of the template; its id when none is named. */
export interface Reference {
  readonly name: string;
  readonly field: readonly string[];
}

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

const only = (value: unknown, key: 'ref' | 'param'): string | undefined => {
  if (!isObject(value)) return undefined;
  const text = value[key];
  return typeof text === 'string' && Object.keys(value).length === 1 ? text : undefined;
};

/** What `{ "ref": … }` stands for; undefined for any other value. */
export function referenceOf(value: unknown): Reference | undefined {
  const text = only(value, 'ref');
  if (text === undefined) return undefined;
  const [name = '', ...field] = text.split('.');
  return { name, field: field.length === 0 ? ['id'] : field };
}

/** What lies at a path of fields in a value; undefined where there is nothing. */
export const within = (value: Json | undefined, path: readonly string[]): Json | undefined =>
  path.reduce<Json | undefined>(
    (from, key) => (typeof from === 'object' && from !== null && Object.hasOwn(from, key) ? (from as JsonObject)[key] : undefined),
    value,
  );

/** A copy with every value replaced that `replace` has another for; pointers are those of the places. */
export function mapped(value: Json, pointer: string, replace: (value: Json, pointer: string) => Json | undefined): Json {
  const other = replace(value, pointer);
  if (other !== undefined) return other;
  if (Array.isArray(value)) return (value as readonly Json[]).map((item, index) => mapped(item, below(pointer, index), replace));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, mapped(part, below(pointer, key), replace)]));
}

/** Every reference in a value, with its place. */
export function referencesIn(value: Json, pointer: string): readonly { readonly to: Reference; readonly pointer: string }[] {
  const found: { readonly to: Reference; readonly pointer: string }[] = [];
  mapped(value, pointer, (part, at) => {
    const to = referenceOf(part);
    if (to !== undefined) found.push({ to, pointer: at });
    return to === undefined ? undefined : part;
  });
  return found;
}

const FITS: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  integer: Number.isSafeInteger,
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  array: Array.isArray,
  object: isObject,
};

/** The value of each parameter that the template declares. @throws CloudError invalid_input naming the parameter */
export function parameterValues({ parameters = {} }: Template, given: JsonObject): JsonObject {
  for (const name of Object.keys(given))
    if (!Object.hasOwn(parameters, name)) throw invalid(below('/parameters', name), `The template declares no parameter ${name}.`);
  return Object.fromEntries(
    Object.entries(parameters).map(([name, spec]) => {
      const isGiven = Object.hasOwn(given, name);
      const pointer = isGiven ? below('/parameters', name) : `${below('/template/parameters', name)}/default`;
      if (spec.secret === true && spec.default !== undefined)
        throw invalid(pointer, `The parameter ${name} is secret, and has no default: that would be shown.`);
      const value = (isGiven ? given[name] : spec.default) as Json | undefined;
      if (value === undefined) throw invalid(below('/parameters', name), `The parameter ${name} has no default; give a value.`);
      if (FITS[spec.type]?.(value) !== true) throw invalid(pointer, `The parameter ${name} is of type ${spec.type}.`);
      return [name, value];
    }),
  );
}

/** A resource with its parameters filled in. References to others stay. */
export interface Declared {
  readonly name: string;
  readonly spec: ResourceSpec;
  readonly properties: JsonObject;
  /** Names of what it needs. */
  readonly after: readonly string[];
  /** Places of properties that parameters have filled, and whether these are secret. */
  readonly filled: ReadonlyMap<string, boolean>;
}

/**
 * The resources of a template, each behind all that it needs.
 * @throws CloudError invalid_input naming the place: an undeclared parameter, a reference to nothing, a circle
 */
export function declaredIn(template: Template, values: JsonObject): readonly Declared[] {
  const all = new Map(Object.entries(template.resources).map(([name, spec]) => [name, declared(template, name, spec, values)]));
  const ordered: Declared[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (name: string, way: readonly string[]) => {
    const resource = all.get(name);
    if (resource === undefined || state.get(name) === 'done') return;
    if (state.get(name) === 'open') {
      const circle = [...way.slice(way.indexOf(name)), name].join(' → ');
      throw invalid(placeOf(name), `Resources need each other in a circle: ${circle}.`);
    }
    state.set(name, 'open');
    for (const other of resource.after) visit(other, [...way, name]);
    state.set(name, 'done');
    ordered.push(resource);
  };
  for (const name of all.keys()) visit(name, []);
  for (const { to, pointer } of referencesIn((template.outputs ?? {}) as Json, '/template/outputs'))
    assertThere(template, to.name, pointer);
  return ordered;
}

function declared(template: Template, name: string, spec: ResourceSpec, values: JsonObject): Declared {
  const at = `${placeOf(name)}/properties`;
  const filled = new Map<string, boolean>();
  const properties = mapped(spec.properties ?? {}, at, (value, pointer) => {
    const parameter = only(value, 'param');
    if (parameter === undefined) return undefined;
    if (!Object.hasOwn(values, parameter)) throw invalid(pointer, `The template declares no parameter ${parameter}.`, { parameter });
    filled.set(pointer, template.parameters?.[parameter]?.secret === true);
    return values[parameter];
  }) as JsonObject;
  const references = referencesIn(properties, at);
  for (const { to, pointer } of references) assertThere(template, to.name, pointer);
  for (const [index, other] of (spec.dependsOn ?? []).entries()) assertThere(template, other, `${placeOf(name)}/dependsOn/${index}`);
  const after = [...new Set([...references.map(({ to }) => to.name), ...(spec.dependsOn ?? [])])];
  return { name, spec, properties, after, filled };
}

function assertThere(template: Template, name: string, pointer: string): void {
  if (!Object.hasOwn(template.resources, name)) throw invalid(pointer, `The template has no resource ${name}.`, { resource: name });
}

/** What can go side by side, stage by stage: each behind all that it needs. */
export function stagesOf<T extends { readonly name: string; readonly after: readonly string[] }>(
  ordered: readonly T[],
): readonly (readonly T[])[] {
  const depths = new Map<string, number>();
  const stages: T[][] = [];
  for (const entry of ordered) {
    const depth = Math.max(-1, ...entry.after.map((name) => depths.get(name) ?? -1)) + 1;
    depths.set(entry.name, depth);
    const stage = stages[depth] ?? [];
    stages[depth] = [...stage, entry];
  }
  return stages;
}
