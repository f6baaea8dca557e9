import { Changes } from './changes.ts';
import type { Claim, Compiled, CompiledRow, ObjectKey, OwnTable, Place } from './compiled.ts';
import { FIRST_COLUMNS, OWN_COLUMNS } from './compiled.ts';
import { DriverError } from './driver-error.ts';
import type { AnyOwnRow, Inventory } from './inventory.ts';
import { marksChange, marksOf, placeParts } from './marks.ts';

/** What leads from what is there to what an object is to be. */
export interface Difference {
  readonly changes: Changes;
  /** What no other difference of the same transaction may be about: objects, and values that many share. */
  readonly touched: readonly string[];
}

/** @throws DriverError not_found what the object refers to is not there; conflict a row of its has another meaning */
export function differenceOf(inventory: Inventory, compiled: Compiled): Difference {
  const changes = new Changes();
  const rows = [...compiled.rows.values()];
  for (const row of rows) {
    for (const place of [...row.places, ...row.claims.map((claim) => claim.place)]) needOurs(inventory, place, compiled);
    ensureRow(inventory, compiled, row, changes);
  }
  removeRows(inventory, compiled.object, compiled.rows, changes);
  const claims = rows.flatMap((row) => row.claims);
  return { changes, touched: [compiled.object, ...settleClaims(inventory, compiled.object, claims, changes)] };
}

/** All that is left of an object goes. */
export function removalOf(inventory: Inventory, object: ObjectKey): Difference {
  const changes = new Changes();
  removeRows(inventory, object, new Map(), changes);
  return { changes, touched: [object, ...settleClaims(inventory, object, [], changes)] };
}

/** What many share is there before it is used, and is ours. */
function needOurs(inventory: Inventory, place: string, compiled: Compiled): void {
  const { table, uuid } = placeParts(place);
  if (!compiled.rows.has(uuid) && inventory.marks(uuid) === undefined)
    throw new DriverError('not_found', `${compiled.object}: there is no ${table} ${uuid} of ours`);
}

function ensureRow(inventory: Inventory, { object, owner }: Compiled, row: CompiledRow, changes: Changes): void {
  const { table, uuid } = row;
  const actual = inventory.row(table, uuid);
  const marks = marksOf(row, object, owner);
  if (actual === undefined) {
    const columns = { ...FIRST_COLUMNS[table], ...row.columns };
    changes.insert(table, uuid, table === 'Load_Balancer_Group' ? columns : { ...columns, external_ids: marks });
    for (const place of row.places) changes.member(place, uuid, true);
    return;
  }
  const known = inventory.marks(uuid);
  if (known?.object !== object) throw new DriverError('conflict', `${object}: ${table} ${uuid} is ${known?.object ?? 'not ours'}`);
  // A copy of another cloud knows its ids, too.
  if (known.owner !== owner) throw new DriverError('conflict', `${object}: ${table} ${uuid} is that of the cloud ${known.owner}`);
  const columns = changedColumns(table, actual, row.columns);
  if (columns !== undefined) changes.update(table, uuid, columns);
  if (table !== 'Load_Balancer_Group') {
    const change = marksChange(actual.external_ids as Readonly<Record<string, string>>, marks);
    if (change !== undefined) changes.mark(table, uuid, change);
  }
  for (const place of row.places) if (!inventory.contains(place, uuid)) changes.member(place, uuid, true);
  leave(
    inventory,
    uuid,
    known.places.filter((place) => !row.places.includes(place)),
    changes,
  );
}

function changedColumns(
  table: OwnTable,
  actual: AnyOwnRow,
  wanted: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | undefined {
  const all = Object.entries(OWN_COLUMNS[table]).map(([column, empty]) => [column, wanted[column] ?? empty] as const);
  const changed = all.filter(([column, value]) => canonical(value) !== canonical(actual[column]));
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}

/** Sets have no order and no repeats, maps no order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return JSON.stringify([...new Set(value as readonly unknown[])].sort());
  if (typeof value === 'object' && value !== null) return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify(value) ?? '';
}

/** Rows of the object that are not among `kept`. */
function removeRows(inventory: Inventory, object: ObjectKey, kept: { has(uuid: string): boolean }, changes: Changes): void {
  for (const [uuid, table] of inventory.rowsOf(object)) {
    if (kept.has(uuid)) continue;
    leave(inventory, uuid, inventory.marks(uuid)?.places ?? [], changes);
    // Those that go with the last that refers to them too: until then they would hold what they refer to.
    changes.delete(table, uuid);
  }
}

function leave(inventory: Inventory, uuid: string, places: readonly Place[], changes: Changes): void {
  for (const place of places) if (inventory.contains(place, uuid)) changes.member(place, uuid, false);
}

/** Gives shared values what all who claim them say, now that this object claims these. Answers the values that it claims or claimed. */
function settleClaims(inventory: Inventory, object: ObjectKey, claims: readonly Claim[], changes: Changes): readonly string[] {
  const rows = inventory.rowsOf(object);
  const before = [...rows.keys()].flatMap((uuid) => inventory.marks(uuid)?.claims ?? []);
  const all = new Map([...before, ...claims].map((claim) => [`${claim.place} ${claim.key}`, claim]));
  for (const claim of all.values()) {
    const mine = claims.filter(({ place, key }) => place === claim.place && key === claim.key);
    const others = inventory.claimed(claim, rows);
    const wanted = mine.length === 0 && others === undefined ? undefined : [...mine.flatMap(({ values }) => values), ...(others ?? [])];
    settle(inventory, claim, wanted, changes);
  }
  return [...all.keys()];
}

function settle(inventory: Inventory, { place, key }: Claim, wanted: readonly string[] | undefined, changes: Changes): void {
  const { table, column, uuid } = placeParts(place);
  const content = inventory.row(table, uuid)?.[column];
  // It may be made, or go, together with the object.
  if (content === undefined && wanted === undefined) return;
  if (table === 'Address_Set') {
    const isThere = Array.isArray(content) && content.includes(key);
    if (isThere !== (wanted !== undefined)) changes.member(place, key, wanted !== undefined);
    return;
  }
  const value = wanted === undefined ? undefined : [...new Set(wanted)].sort().join(' ');
  const actual = (content as Readonly<Record<string, string | undefined>> | undefined)?.[key];
  if (actual !== value) changes.entry(place, key, value);
}
