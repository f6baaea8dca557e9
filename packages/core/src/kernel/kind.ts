import { type Static, type TObject, type TSchema, Type } from 'typebox';
import type { Id } from './id.ts';

/** What happens to a row when the row it points to is deleted: refuse that, go with it (it is owned), or let go. */
export type OnDelete = 'restrict' | 'cascade' | 'detach';

/** A field that points to another kind; with `ownedIf`, a row whose boolean field of that name is true is owned whatever `onDelete` says; with `recursive`, it is taken along where a deletion is asked for with that, in place of blocking it. All such fields together are the graph that queries, deletion, quota and access follow. */
export const ref = <K extends string>(
  kind: K,
  onDelete: OnDelete,
  options: { readonly description?: string; readonly ownedIf?: string; readonly recursive?: true } = {},
) => {
  const { ownedIf, recursive, ...rest } = options;
  return Type.Unsafe<Id<K>>({
    type: 'string',
    format: 'uuid',
    'x-ref': { kind, onDelete, ...(ownedIf === undefined ? {} : { ownedIf }), ...(recursive === undefined ? {} : { recursive }) },
    ...rest,
  });
};

/** Bytes of one resource: a whole number up to 2^53-1; more is refused by name. */
export const bytes = (options: { readonly minimum?: number; readonly multipleOf?: number; readonly description?: string } = {}) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, ...options });

/** How a row came into the trash: the field `trash` of kinds that take part in it. */
export const trashed = () =>
  Type.Optional(
    Type.Object(
      {
        at: Type.String({ format: 'date-time', description: 'When it was deleted.' }),
        rootId: Type.String({ format: 'uuid', description: 'What was deleted; all that went with it is recovered or expunged with it.' }),
        from: Type.String({ description: 'The state it was in.' }),
      },
      { description: 'Present while it lies in the trash.' },
    ),
  );
export interface Trashed {
  readonly at: string;
  readonly rootId: string;
  readonly from: string;
}

/**
 * A value that is sealed before it is stored and never shown. In a request it is the text itself; in a row, a journal, an event it is a reference. The format
 * tells clients that it is a line of text, whose end in a file is none of it.
 */
export const secret = (options: { readonly maxLength?: number; readonly description?: string; readonly format?: 'password' } = {}) =>
  Type.String({ maxLength: 65_536, ...options, writeOnly: true, 'x-secret': true });

/** What names of resources look like. */
export const NAME_PATTERN = '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$';

/** A name that is unique among the live rows of its kind in a project (or in the cloud). */
export const resourceName = () =>
  Type.String({
    minLength: 1,
    maxLength: 63,
    pattern: NAME_PATTERN,
    description: 'Lower-case letters, digits and inner hyphens; unique among live ones.',
  });

export type Scope = 'project' | 'account' | 'cloud';

export interface KindSpec<N extends string, T extends TObject, S extends string> {
  readonly name: N;
  /** Path segment and collection name, e.g. `instances`. */
  readonly plural: string;
  readonly description: string;
  /** `project` rows belong to a project and `account` rows to a tenant's account; `cloud` rows to the operator. */
  readonly scope: Scope;
  /** The kind's own fields; the fields every row has are added. */
  readonly schema: T;
  /** Tenants' roles may grant the reading of these rows of the operator's. */
  readonly tenantsRead?: true;
  /** Rows can be shared with other projects, to see and use. With the name of a ref: they are when what that points to is. */
  readonly shareable?: true | string;
  /** State machine: for each state, where it may go. `deleted` is final and implied for any state that lists it. */
  readonly states: { readonly [K in S]: readonly (NoInfer<S> | 'deleted')[] };
  readonly initial: NoInfer<S>;
  /**
   * Each row is about a resource of any kind, which its fields `resourceKind` and `resourceId` name: it goes when that goes, there are at most so many of it
   * about one, and queries reach it from there by `plural`. `changed`: the notice that tells of each change of such a row. `levelsOnly`: of kinds that are
   * levels of settings alone; one that names none is about the whole cloud.
   */
  readonly attached?: { readonly max: number; readonly changed?: string; readonly levelsOnly?: true };
  /** A boolean field: rows where it is true are there for the operator alone. */
  readonly operatorsIf?: string;
  /** Fields that make a name unique together with it, e.g. a version; a name alone then means the newest. */
  readonly namedWith?: readonly string[];
  /** Business keys beside `name`, unique among live rows. Each entry is one key. */
  readonly unique?: readonly (readonly string[])[];
  /** Fields that lists may filter and sort by; ref fields are always. */
  readonly indexed?: readonly string[];
  /** Quota counters that one row uses: 1 each, or the number in a field. */
  readonly quota?: { readonly [counter: string]: 1 | string };
  /** For fields with `onDelete: detach`: the move a row makes when it is let go, and what is cleared with the field. Without one only the field is cleared. */
  readonly detached?: {
    readonly [field: string]: { readonly from: readonly NoInfer<S>[]; readonly to: NoInfer<S>; readonly clears?: readonly string[] };
  };
  /** Bumped when the shape of stored rows changes. */
  readonly schemaVersion?: number;
}

export interface RefEdge {
  readonly field: string;
  readonly kind: string;
  readonly onDelete: OnDelete;
  readonly ownedIf?: string;
  readonly recursive?: true;
}

export interface Kind<N extends string = string, T extends TObject = TObject, S extends string = string> extends KindSpec<N, T, S> {
  readonly refs: readonly RefEdge[];
  readonly secretFields: readonly string[];
  readonly schemaVersion: number;
  readonly rowSchema: TObject;
}

/** Why a resource is in its state, with the time it was found. */
export interface StateReason {
  readonly code: string;
  readonly message: string;
  readonly at: string;
}

/** The fields that every row has. */
export interface RowBase<N extends string = string, S extends string = string> {
  readonly id: Id<N>;
  /** On rows of scope `project`. */
  readonly projectId?: Id<'project'>;
  /** On rows of scope `account`. */
  readonly accountId?: Id<'account'>;
  readonly name: string;
  readonly state: S | 'deleted';
  readonly stateReason?: StateReason;
  /** Grows by one with each write; the ETag. */
  readonly generation: number;
  /** The generation at which the real thing was last seen to agree. */
  readonly observedGeneration?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt?: string;
  /** Position of the last change in the change feed. */
  readonly revision: number;
  readonly schemaVersion: number;
}

// biome-ignore lint/suspicious/noExplicitAny: the only way to name "a kind of whatever parameters" in a constraint.
export type AnyKind = Kind<any, any, any>;
export type RowOf<K> = K extends Kind<infer N, infer T, infer S> ? RowBase<N, S> & Readonly<Static<T>> : never;
export type StateOf<K> = K extends Kind<string, TObject, infer S> ? S | 'deleted' : never;
export type NameOf<K> = K extends Kind<infer N, TObject, string> ? N : never;

const extension = (schema: TSchema, key: string): unknown => (schema as unknown as Record<string, unknown>)[key];

/**
 * Declares a kind once; table, API, query, events, cascade, quota, SDK types and docs follow from it.
 * @throws Error when the declaration contradicts itself (unknown state or field named): a mistake of the programmer, found at start.
 */
export function defineKind<const N extends string, T extends TObject, const S extends string>(spec: KindSpec<N, T, S>): Kind<N, T, S> {
  const fields = Object.entries(spec.schema.properties);
  const refs = fields.flatMap(([field, schema]): RefEdge[] => {
    const edge = extension(schema, 'x-ref') as Omit<RefEdge, 'field'> | undefined;
    return edge === undefined ? [] : [{ field, ...edge }];
  });
  // With its account goes what belongs to it.
  if (spec.scope === 'account') refs.push({ field: 'accountId', kind: 'account', onDelete: 'cascade' });
  const secretFields = fields.filter(([, schema]) => extension(schema, 'x-secret') === true).map(([field]) => field);
  const kind = { ...spec, refs, secretFields, schemaVersion: spec.schemaVersion ?? 1, rowSchema: rowSchema(spec, secretFields) };
  checkKind(kind);
  return kind;
}

function checkKind(kind: AnyKind): void {
  const states = new Set([...Object.keys(kind.states), 'deleted']);
  for (const [from, to] of Object.entries(kind.states as Record<string, readonly string[]>))
    for (const next of to) if (!states.has(next)) throw new Error(`kind ${kind.name}: state ${from} leads to unknown state ${next}`);
  if (!states.has(kind.initial)) throw new Error(`kind ${kind.name}: unknown initial state ${kind.initial}`);
  const own = new Set(Object.keys(kind.schema.properties));
  for (const field of [...SYSTEM_FIELDS, ...ownerField(kind)])
    if (own.has(field)) throw new Error(`kind ${kind.name}: field ${field} is one that every row has`);
  const known = new Set([...own, ...SYSTEM_FIELDS, ...ownerField(kind)]);
  for (const field of [...(kind.indexed ?? []), ...(kind.namedWith ?? []), ...(kind.unique ?? []).flat()])
    if (!known.has(field)) throw new Error(`kind ${kind.name}: unknown field ${field} in indexed or unique`);
  for (const [counter, field] of Object.entries(kind.quota ?? {}))
    if (field !== 1 && !own.has(field)) throw new Error(`kind ${kind.name}: unknown field ${field} in the quota ${counter}`);
  for (const edge of kind.refs)
    if (edge.ownedIf !== undefined && !own.has(edge.ownedIf))
      throw new Error(`kind ${kind.name}: ${edge.field} is owned by the unknown field ${edge.ownedIf}`);
  if (typeof kind.shareable === 'string' && !own.has(kind.shareable))
    throw new Error(`kind ${kind.name}: shared with the unknown field ${kind.shareable}`);
  for (const field of kind.attached === undefined ? [] : ['resourceKind', 'resourceId'])
    if (!own.has(field)) throw new Error(`kind ${kind.name}: is attached to resources and lacks the field ${field}`);
  if (kind.operatorsIf !== undefined && !own.has(kind.operatorsIf))
    throw new Error(`kind ${kind.name}: kept for operators by the unknown field ${kind.operatorsIf}`);
  checkDetached(kind);
}

function checkDetached(kind: AnyKind): void {
  for (const [field, move] of Object.entries((kind.detached ?? {}) as Record<string, { from: readonly string[]; to: string }>)) {
    const edge = kind.refs.find((ref) => ref.field === field);
    if (edge?.onDelete !== 'detach') throw new Error(`kind ${kind.name}: ${field} is detached, but not declared with onDelete detach`);
    for (const from of move.from)
      if (!kind.states[from]?.includes(move.to))
        throw new Error(`kind ${kind.name}: detaching ${field} needs the move from ${from} to ${move.to}`);
  }
}

/** The field that says to whom a row belongs. */
export const ownerField = ({ scope }: Pick<AnyKind, 'scope'>): readonly ('projectId' | 'accountId')[] =>
  scope === 'cloud' ? [] : scope === 'project' ? ['projectId'] : ['accountId'];

export const SYSTEM_FIELDS = [
  'id',
  'projectId',
  'name',
  'state',
  'stateReason',
  'generation',
  'observedGeneration',
  'createdAt',
  'updatedAt',
  'deletedAt',
  'revision',
  'schemaVersion',
] as const;

function rowSchema(spec: KindSpec<string, TObject, string>, secretFields: readonly string[]): TObject {
  const stamp = () => Type.String({ format: 'date-time' });
  const own = Object.fromEntries(
    Object.entries(spec.schema.properties).map(([field, schema]) => [
      field,
      secretFields.includes(field) ? Type.Optional(Type.String({ description: 'Reference to a sealed value.', 'x-sealed': true })) : schema,
    ]),
  );
  return Type.Object({
    id: Type.String({ format: 'uuid' }),
    ...Object.fromEntries(ownerField(spec).map((field) => [field, Type.String({ format: 'uuid' })])),
    name: resourceName(),
    state: Type.Unsafe<string>({ type: 'string', enum: [...Object.keys(spec.states), 'deleted'] }),
    stateReason: Type.Optional(Type.Object({ code: Type.String(), message: Type.String(), at: stamp() })),
    generation: Type.Integer({ minimum: 1 }),
    observedGeneration: Type.Optional(Type.Integer({ minimum: 1 })),
    createdAt: stamp(),
    updatedAt: stamp(),
    deletedAt: Type.Optional(stamp()),
    revision: Type.Integer({ minimum: 1 }),
    schemaVersion: Type.Integer({ minimum: 1 }),
    ...own,
  });
}
