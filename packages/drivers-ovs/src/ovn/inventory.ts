import type { CallOptions, OvnNorthbound, OvsdbClient, Replica, ReplicaTable } from '../ovsdb/index.ts';
import type { Claim, ObjectKey, OwnTable } from './compiled.ts';
import { OWN_COLUMNS, type SORTS } from './compiled.ts';
import { type Marks, placeParts, readMarks } from './marks.ts';

/** A row of any of the tables. */
export interface AnyOwnRow {
  readonly _uuid: string;
  readonly [column: string]: unknown;
}

const SELECTION = {
  ...(Object.fromEntries(Object.keys(OWN_COLUMNS).map((table) => [table, true])) as { readonly [N in OwnTable]: true }),
  NAT: { indexes: [['logical_port']] },
} as const;
/** Columns that marks are read from. */
const MARKING: ReadonlySet<string> = new Set(['external_ids', 'name']);
type Tables = { readonly [N in OwnTable]: OvnNorthbound[N] };

const claimKey = ({ place, key }: Pick<Claim, 'place' | 'key'>): string => `${place} ${key}`;

/** What is in the northbound database, as far as we were told: a replica, and which of its rows belong to which object. */
export class Inventory implements AsyncDisposable {
  readonly #replica: Replica<Tables>;
  readonly #marks = new Map<string, Marks>();
  readonly #objects = new Map<ObjectKey, Map<string, OwnTable>>();
  /** Who claims a value, by the uuid of the row that says so. */
  readonly #claims = new Map<string, Map<string, readonly string[]>>();

  constructor(client: OvsdbClient<OvnNorthbound>) {
    this.#replica = client.replicate(SELECTION) as unknown as Replica<Tables>;
    this.#replica.subscribe((event) => {
      if (event.kind !== 'changes') return;
      for (const change of event.changes) {
        // Sets that many share change all the time: what the row says of itself stays.
        if (change.kind === 'modify' && !change.columns.some((column) => MARKING.has(column))) continue;
        this.#note(change.table, change.uuid, change.row);
      }
    });
  }

  ready(options: CallOptions): Promise<void> {
    return this.#replica.ready(options);
  }

  get tables(): Replica<Tables>['tables'] {
    return this.#replica.tables;
  }

  row(table: string, uuid: string): AnyOwnRow | undefined {
    const tables = this.#replica.tables as Readonly<Record<string, ReplicaTable<{ readonly _uuid: string }> | undefined>>;
    return tables[table]?.get(uuid) as AnyOwnRow | undefined;
  }

  /** Undefined for what is not ours. */
  marks(uuid: string): Marks | undefined {
    return this.#marks.get(uuid);
  }

  /** The rows of an object, by uuid, with their tables. */
  rowsOf(object: ObjectKey): ReadonlyMap<string, OwnTable> {
    return this.#objects.get(object) ?? new Map();
  }

  /** Ids of all objects of a sort, with their owners. */
  objects(sort: (typeof SORTS)[number]): readonly { readonly id: string; readonly owner: string }[] {
    const found: { id: string; owner: string }[] = [];
    for (const [object, rows] of this.#objects) {
      if (!object.startsWith(`${sort}/`)) continue;
      const [first] = rows.keys();
      const owner = first === undefined ? undefined : this.#marks.get(first)?.owner;
      if (owner !== undefined) found.push({ id: object.slice(sort.length + 1), owner });
    }
    return found;
  }

  /** What rows claim for a value, except some. Undefined when none does. */
  claimed(claim: Pick<Claim, 'place' | 'key'>, except: { has(uuid: string): boolean }): readonly string[] | undefined {
    const claims = [...(this.#claims.get(claimKey(claim)) ?? [])].filter(([uuid]) => !except.has(uuid));
    return claims.length === 0 ? undefined : claims.flatMap(([, values]) => values);
  }

  /** Whether a set of references has a row. */
  contains(place: string, uuid: string): boolean {
    const { table, column, uuid: container } = placeParts(place);
    const members = this.row(table, container)?.[column];
    return Array.isArray(members) && includes(members as readonly string[], uuid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#replica.close();
  }

  #note(table: OwnTable, uuid: string, row: object | undefined): void {
    this.#forget(uuid);
    const marks = row === undefined ? undefined : readMarks(row);
    if (marks === undefined) return;
    this.#marks.set(uuid, marks);
    const rows = this.#objects.get(marks.object) ?? new Map<string, OwnTable>();
    this.#objects.set(marks.object, rows.set(uuid, table));
    for (const claim of marks.claims) {
      const claims = this.#claims.get(claimKey(claim)) ?? new Map<string, readonly string[]>();
      this.#claims.set(claimKey(claim), claims.set(uuid, claim.values));
    }
  }

  #forget(uuid: string): void {
    const marks = this.#marks.get(uuid);
    if (marks === undefined) return;
    this.#marks.delete(uuid);
    const rows = this.#objects.get(marks.object);
    rows?.delete(uuid);
    if (rows?.size === 0) this.#objects.delete(marks.object);
    for (const claim of marks.claims) {
      const claims = this.#claims.get(claimKey(claim));
      claims?.delete(uuid);
      if (claims?.size === 0) this.#claims.delete(claimKey(claim));
    }
  }
}

/** Sets are sorted: those of ten thousand members too are looked into often. */
function includes(members: readonly string[], wanted: string): boolean {
  let [from, to] = [0, members.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const member = members[middle] ?? '';
    if (member === wanted) return true;
    if (member < wanted) from = middle + 1;
    else to = middle;
  }
  return false;
}
