import type { TSchema } from 'typebox';
import {
  type Action,
  type AnyKind,
  CloudError,
  compileInput,
  FORWARD_ONLY,
  type InputCheck,
  inWords,
  isCloudError,
  isUuid,
  type Json,
  type JsonObject,
  lookUp,
  type Principal,
  type Reader,
  type Registry,
  readPermission,
  usable,
} from '../../kernel/index.ts';
import { below, invalid, mapped, placeOf, referenceOf } from './template.ts';

/** What a stack does with resources of a kind, as the registry has it. */
export interface Stackable {
  readonly kind: AnyKind;
  readonly create: Action;
  readonly remove: Action;
  /** What changes them, in this order: a field is changed by the first that takes it. */
  readonly changes: readonly Action[];
}

/** By convention these verbs set fields of the row by the names that the creation takes them by. */
const CHANGING = ['update', 'resize'] as const;

/** What a stack is made of itself. */
const OWN = new Set(['stack', 'stackRevision', 'stackResource']);

/** What a project has can be part of a stack where it is made and deleted by actions of its own. @throws CloudError invalid_input */
export function stackable(registry: Registry, name: string, pointer: string): Stackable {
  const kind = registry.findKind(name);
  if (kind === undefined || registry.findDormant(name) !== undefined) throw invalid(pointer, `There is no kind ${name}.`, { kind: name });
  const [create, remove] = [registry.findAction(`${name}.create`), registry.findAction(`${name}.delete`)];
  const fits = kind.scope === 'project' && kind.attached === undefined && !OWN.has(name);
  if (!fits || create?.target !== 'collection' || remove === undefined)
    throw invalid(pointer, `No ${name} can be part of a stack: it is nothing of a project that is made and deleted by itself.`, {
      kind: name,
    });
  const changes = CHANGING.flatMap((verb) => registry.findAction(`${name}.${verb}`) ?? []);
  return { kind, create, remove, changes };
}

/** For good: what lies in the trash would keep what it stands on from going. */
export const removalInput = ({ input }: Action): JsonObject => ('permanent' in input.properties ? { permanent: true } : {});

/** It may have done what nothing takes back. */
export const isFinal = ({ saga }: Action): boolean => saga.steps.some((step) => 'undo' in step && step.undo === FORWARD_ONLY);

export const takes = ({ input }: Action, field: string): boolean => Object.hasOwn(input.properties as object, field);

/** An optional field can be cleared with null. */
export function clears({ input }: Action, field: string): boolean {
  const schema = (input.properties as Record<string, TSchema & { readonly anyOf?: readonly { readonly type?: string }[] }>)[field];
  return schema?.anyOf?.some(({ type }) => type === 'null') === true;
}

type Parts = TSchema & {
  readonly writeOnly?: boolean;
  readonly format?: string;
  readonly items?: TSchema;
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly anyOf?: readonly TSchema[];
};

/** The schema of what lies at a place below; undefined where any value may. */
export function schemaAt(schema: TSchema | undefined, path: readonly string[]): Parts | undefined {
  const [key, ...rest] = path;
  if (schema === undefined || key === undefined) return schema as Parts | undefined;
  const { items, properties, anyOf = [] } = schema as Parts;
  const inside = /^\d+$/.test(key) && items !== undefined ? items : properties?.[key];
  const found = inside ?? anyOf.map((each) => schemaAt(each, [key])).find((each) => each !== undefined);
  return schemaAt(found, rest);
}

export const pathOf = (pointer: string): readonly string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));

export const isSecretPlace = ({ create }: Stackable, pointer: string): boolean =>
  pathOf(pointer).some((_, index, path) => schemaAt(create.input, path.slice(0, index + 1))?.writeOnly === true);

/** The kind that a field of ids points to, by its name: `subnetId`, `attachVolumeIds`. */
function pointsTo(registry: Registry, field: string): AnyKind | undefined {
  const stem = /^(.+?)Ids?$/.exec(field)?.[1];
  if (stem === undefined) return undefined;
  const candidates = registry.kinds().filter(({ name }) => stem === name || stem.endsWith(`${name[0]?.toUpperCase()}${name.slice(1)}`));
  return candidates.sort((a, b) => b.name.length - a.name.length)[0];
}

export interface Looking {
  readonly registry: Registry;
  readonly reader: Reader;
  readonly principal: Principal;
}

/**
 * The properties with the ids of what they name: what is there already may be given by its id or its name.
 * @throws CloudError not_found with the place of what the caller does not see
 */
export async function withIds(
  { registry, reader, principal }: Looking,
  { create }: Stackable,
  properties: JsonObject,
  at: string,
): Promise<JsonObject> {
  const asked = new Map<string, { readonly kind: AnyKind; readonly named: string }>();
  mapped(properties, '', (value, pointer) => {
    if (typeof value !== 'string') return undefined;
    const path = pathOf(pointer);
    const field = path.findLast((key) => !/^\d+$/.test(key)) ?? '';
    const kind = schemaAt(create.input, path)?.format === 'uuid' ? pointsTo(registry, field) : undefined;
    // Of what one may not read one learns nothing: the resource's own creation says what becomes of such an id.
    if (kind !== undefined && principal.allows(readPermission(kind))) asked.set(pointer, { kind, named: value });
    return undefined;
  });
  const ids = new Map<string, string>();
  for (const [pointer, { kind, named }] of asked) {
    try {
      const id = isUuid(named) ? named : (await lookUp(reader, kind, named, principal)).row.id;
      ids.set(pointer, (await usable(reader, kind, id, principal)).id);
    } catch (error) {
      if (!isCloudError(error) || error.code !== 'not_found') throw error;
      throw new CloudError('not_found', `No ${inWords(kind.name)} ${named}.`, { pointer: `${at}${pointer}` });
    }
  }
  return mapped(properties, '', (_, pointer) => ids.get(pointer)) as JsonObject;
}

const checks = new WeakMap<Action, InputCheck>();

/** @throws CloudError invalid_input with the place in the template. What is known only later is checked when it is. */
export function assertProperties({ kind, create }: Stackable, name: string, properties: JsonObject): void {
  const at = `${placeOf(name)}/properties`;
  for (const field of Object.keys(properties))
    if (!takes(create, field)) {
      const known = Object.keys(create.input.properties).filter((each) => takes(create, each));
      throw invalid(below(at, field), `No ${kind.name} is made with a property ${field}; there is ${known.join(', ')}.`);
    }
  if (holdsReference(properties)) return;
  let check = checks.get(create);
  if (check === undefined) {
    check = compileInput(create.input);
    checks.set(create, check);
  }
  try {
    check.assert(properties);
  } catch (error) {
    if (!isCloudError(error)) throw error;
    throw invalid(`${at}${error.pointer ?? ''}`, `Resource ${name}: ${error.publicMessage}`, error.params);
  }
}

export function holdsReference(value: Json): boolean {
  let holds = false;
  mapped(value, '', (part) => {
    holds ||= referenceOf(part) !== undefined;
    return undefined;
  });
  return holds;
}
