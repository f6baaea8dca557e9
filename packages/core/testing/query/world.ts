import type { Principal, Registry, Store } from '../../src/kernel/index.ts';
import type { Json, JsonObject } from '../../src/kernel/json.ts';
import type { AnyKind } from '../../src/kernel/kind.ts';
import { fieldsOf, type Shape } from '../../src/kernel/query/graph.ts';

/** Chance with a seed, so that a failure is found again. */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  below(count: number): number {
    return Math.floor(this.next() * count);
  }
  chance(part: number): boolean {
    return this.next() < part;
  }
  one<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

const ROWS_A_KIND = 18;
/** Rows of a kind that changes may leave; those that are deleted go then. */
const ROWS_MAX = 24;
/** Ids between two of the rows that are there first. */
const BETWEEN = 4;
const TEXTS = ['a', 'ab', 'B', 'ä', '', "it's", '100%', 'x_y', 'a*', '\\', '𝄞', '\uffff', '"; DROP TABLE instance; --'];
const ADDRESSES = ['10.0.0.9', '10.0.0.10', '10.0.0.0/24', '10.0.0.0/8', '9.0.0.0/8', 'fd00::9', 'fd00::10'];
const NUMBERS = [0, 1, 2, -1, 1.5, 1024];
const INTEGERS = [0, 1, 2, -1, 100, 2 ** 40, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER];
const TIMES = ['2030-01-01T00:00:00.000Z', '2030-01-02T12:30:00.000Z', '2031-07-01T00:00:00.250Z', '2031-07-01T00:00:00.251Z'];

/** The time at which everything is asked. */
export const NOW_MS = Date.UTC(2030, 0, 2);

export const idOf = (index: number): string => `01900000-0000-7000-8000-${index.toString(16).padStart(12, '0')}`;

/** What has a later id was made later. */
const madeAt = (index: number): string => new Date(Date.UTC(2030, 0, 1) + index * 500).toISOString();

/** Values that fields of such a shape are given, and compared with. */
export function valuesFor(shape: Shape, ids: readonly string[]): readonly (string | number | boolean)[] {
  switch (shape.type) {
    case 'string':
      return shape.values ?? [...TEXTS, ...ADDRESSES, ...ids];
    case 'integer':
      return INTEGERS;
    case 'number':
      return NUMBERS;
    case 'boolean':
      return [true, false];
    case 'time':
      return TIMES;
    default:
      return ['a', 1, true];
  }
}

/** The rows of a small cloud in which whatever can be is set to something, and refs lead somewhere, sometimes to another tenant's or a deleted row. */
export interface QueryWorld {
  readonly registry: Registry;
  readonly store: Store;
  readonly projects: readonly string[];
  /** As stored, deleted ones too. */
  readonly rows: ReadonlyMap<string, readonly JsonObject[]>;
  readonly ids: readonly string[];
  /** Makes, changes or deletes a row of the kind, anywhere among those that are there. */
  change(kind: AnyKind, dice: Dice): Promise<void>;
}

export async function makeWorld(registry: Registry, store: Store, dice: Dice): Promise<QueryWorld> {
  await store.prepare(registry.schema());
  const kinds = registry.kinds();
  const firstOf = (kind: AnyKind) => kinds.findIndex(({ name }) => name === kind.name) * 100;
  const idsOf = new Map(
    kinds.map((kind) => [kind.name as string, Array.from({ length: ROWS_A_KIND }, (_, row) => idOf(firstOf(kind) + row * BETWEEN))]),
  );
  const rows = new Map<string, readonly JsonObject[]>();
  const projects = (idsOf.get('project') ?? []).slice(0, 3);
  const read = async (kind: AnyKind) => {
    const texts = await store.list({ table: kind.name, deleted: true });
    rows.set(
      kind.name,
      texts.map((text) => JSON.parse(text) as JsonObject),
    );
  };
  const insert = (kind: AnyKind, place: number) => {
    const row = { ...rowFor(kind, dice, idsOf), id: idOf(firstOf(kind) + place), name: `n${place}` };
    // A unique value that another row has already: this one is left out.
    return write(store, madeAt(place), { op: 'insert', table: kind.name, row });
  };
  for (const kind of kinds) {
    for (const [row, id] of (idsOf.get(kind.name) ?? []).entries())
      if ((await insert(kind, row * BETWEEN)) && dice.chance(0.15)) await write(store, LATER, deletion(kind, id));
    await read(kind);
  }
  const change = async (kind: AnyKind, chance: Dice) => {
    const there = rows.get(kind.name) ?? [];
    const live = there.filter(({ deletedAt }) => deletedAt === undefined);
    const id = String(chance.one(live)?.id);
    const gone = there.filter(({ deletedAt }) => deletedAt !== undefined);
    if (there.length > ROWS_MAX) for (const row of gone) await write(store, LATER, { op: 'remove', table: kind.name, key: String(row.id) });
    else if (live.length < ROWS_A_KIND / 2 || chance.chance(0.5)) await insert(kind, chance.below(ROWS_A_KIND * BETWEEN));
    else if (there.length === ROWS_MAX || chance.chance(0.5)) await write(store, LATER, deletion(kind, id));
    else await write(store, LATER, { op: 'update', table: kind.name, key: id, set: rowFor(kind, chance, idsOf) });
    await read(kind);
  };
  return { registry, store, projects, rows, ids: [...idsOf.values()].flat().filter((_, place) => place % 9 === 0), change };
}

const LATER = '2030-01-01T12:00:00.000Z';

const deletion = (kind: AnyKind, key: string) => ({ op: 'update', table: kind.name, key, set: { deletedAt: true } }) as const;

async function write(store: Store, at: string, statement: Parameters<Store['commit']>[0]['statements'][number]): Promise<boolean> {
  return (await store.commit({ node: 'test', epoch: store.epoch, at, statements: [statement] })).ok;
}

function rowFor(kind: AnyKind, dice: Dice, idsOf: ReadonlyMap<string, readonly string[]>): JsonObject {
  const row: Record<string, Json> = { state: dice.one(Object.keys(kind.states)), schemaVersion: 1 };
  const owners = { projectId: (idsOf.get('project') ?? []).slice(0, 3), accountId: (idsOf.get('account') ?? []).slice(0, 2) };
  if (kind.name === 'share') Object.assign(row, shareFor(dice, idsOf));
  if (kind.attached !== undefined) row.resourceId = dice.one(dice.one([...idsOf.values()]));
  for (const [field, shape] of fieldsOf(kind)) {
    if (field in row || MAINTAINED.has(field)) continue;
    const edge = kind.refs.find((ref) => ref.field === field);
    const targets = edge === undefined ? (owners as Readonly<Record<string, readonly string[]>>)[field] : idsOf.get(edge.kind);
    const isOwner = field in owners && edge === undefined;
    if (targets !== undefined) {
      if (isOwner || dice.chance(0.8)) row[field] = dice.one(targets);
    } else if (dice.chance(0.75)) row[field] = valueFor(shape, dice);
  }
  return row;
}

/** One that lets somebody see something. */
function shareFor(dice: Dice, idsOf: ReadonlyMap<string, readonly string[]>): JsonObject {
  const resourceKind = dice.one(['image', 'network']);
  const audiences = [...(idsOf.get('project') ?? []).slice(0, 3), ...(idsOf.get('account') ?? []).slice(0, 2), 'all'];
  return { resourceKind, resourceId: dice.one(idsOf.get(resourceKind) ?? []), audience: dice.one(audiences) };
}

const MAINTAINED: ReadonlySet<string> = new Set(['id', 'name', 'generation', 'revision', 'createdAt', 'updatedAt', 'deletedAt']);

function valueFor(shape: Shape, dice: Dice): Json {
  const several = <T>(make: () => T): T[] => Array.from({ length: dice.below(4) }, make);
  switch (shape.type) {
    case 'object':
      return Object.fromEntries([...shape.fields].flatMap(([name, part]) => (dice.chance(0.7) ? [[name, valueFor(part, dice)]] : [])));
    case 'list':
      return several(() => valueFor(shape.items, dice));
    case 'map':
      return Object.fromEntries(several(() => [dice.one(KEYS), valueFor(shape.values, dice)]));
    case 'any':
      return { a: dice.one(['a', 1, true]), deep: { a: dice.one(['a', 2]), list: several(() => dice.one(['a', 1])) } };
    default:
      return dice.one(valuesFor(shape, []));
  }
}

export const KEYS = ['a', 'path', 'a b', 'x.y', "o'k"];

/** Whoever asks: a tenant, one whose role ends at some rows, an operator. */
export function principals({ projects, rows }: QueryWorld): readonly (Principal & { readonly allProjects: boolean })[] {
  const of = (projectId: string | undefined, more: Partial<Principal> = {}, allProjects = false) => ({
    actor: 'test',
    projectId: projectId as Principal['projectId'],
    accountId: String(rows.get('account')?.[0]?.id) as Principal['accountId'],
    allows: (permission: string) => allProjects || permission !== 'project.any',
    allProjects,
    ...more,
  });
  const [first, second] = projects;
  const connected = { field: 'status', op: '=', value: 'present' } as const;
  return [of(first), of(second, { limits: (permission) => (permission === 'volume.read' ? connected : undefined) }), of(first, {}, true)];
}
