import { canonical, type Json } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';
import type { Mirror, Row, Touched } from './mirror.ts';

interface Value {
  readonly level: string;
  readonly value: unknown;
}
/** What holds, and where that is set. */
export interface Effective extends Value {
  readonly resourceId?: string;
}

const ABOVE: Readonly<Record<string, readonly [field: string, kind: string]>> = {
  instance: ['hostId', 'host'],
  host: ['clusterId', 'cluster'],
  cluster: ['zoneId', 'zone'],
};

/** What settings are by their history alone: all changes that were ever recorded, played one after the other. */
export class SettingsModel {
  readonly #sim: SimCloud;
  readonly #mirror: Mirror;
  readonly #say: (problem: string) => void;
  /** By the key, then the place. */
  readonly #values = new Map<string, Map<string, Value>>();
  /** Grows with each change of any. */
  revision = 0;

  constructor(sim: SimCloud, mirror: Mirror, say: (problem: string) => void) {
    this.#sim = sim;
    this.#mirror = mirror;
    this.#say = say;
  }

  committed(touched: readonly Touched[]): void {
    const changed = new Map<string, Row>();
    const told = new Set(
      touched.flatMap(({ table, revision, after }) =>
        table === 'settingChange' && after !== undefined ? [momentOf(revision, after)] : [],
      ),
    );
    for (const { table, revision, before, after } of touched) {
      const row = after ?? before;
      if (row === undefined) continue;
      // A machine that goes elsewhere inherits from there.
      if (table in ABOVE || table === 'zone') this.revision += before !== undefined && before.hostId === after?.hostId ? 0 : 1;
      if (table === 'settingChange' && before === undefined) this.#change(row);
      if (table === 'settingValue' || table === 'settingChange') changed.set(`${row.key} ${row.place}`, row);
      // With what it was for; what is set of it goes too, without a word in the history. One that was reset is told of there.
      if (table === 'settingValue' && after === undefined && row.resourceId !== undefined && !told.has(momentOf(revision, row)))
        this.#gone(row);
    }
    for (const row of changed.values()) this.#compare(row);
  }

  #change({ id, key, place, level, from, to, operationId }: Row): void {
    const places = this.#of(String(key));
    const before = places.get(String(place))?.value;
    if (canonical(before as Json) !== canonical(from as Json))
      this.#say(`setting change ${id} tells that ${key} of ${place} was ${JSON.stringify(from)}, after ${JSON.stringify(before)}`);
    if (to === undefined) places.delete(String(place));
    else places.set(String(place), { level: String(level), value: to });
    this.revision += 1;
    const operation = this.#mirror.row('operation', operationId);
    if (operation?.action !== 'settingChange.rollback') return;
    const about = this.#mirror.row('settingChange', operation.resourceId);
    if (canonical(about?.from as Json) !== canonical(to as Json))
      this.#say(
        `setting change ${id} takes back ${about?.id}, and makes ${JSON.stringify(to)} of ${key}, which was ${JSON.stringify(about?.from)}`,
      );
  }

  #gone({ key, place, resourceKind }: Row): void {
    if (this.#mirror.row(String(resourceKind), place) !== undefined) return;
    this.#of(String(key)).delete(String(place));
    this.revision += 1;
  }

  /** The rows that hold values against what the history says of them. */
  #compare({ key, place }: Row): void {
    const expected = this.#of(String(key)).get(String(place));
    const rows = [...this.#mirror.rows('settingValue').values()].filter((row) => row.key === key && row.place === place);
    const [row] = rows;
    if (rows.length > 1 || canonical(row?.value as Json) !== canonical(expected?.value as Json))
      this.#say(
        `setting ${key} of ${place} is ${JSON.stringify(rows.map(({ value }) => value))}, by its history ${JSON.stringify(expected?.value)}`,
      );
  }

  /** What holds for a resource, or with none for the whole cloud; undefined where nothing is set. */
  effective(key: string, at?: { readonly kind: string; readonly id: string }): Effective | undefined {
    const places = this.#of(key);
    for (let kind = at?.kind, id: unknown = at?.id; kind !== undefined; ) {
      const own = places.get(String(id));
      if (own !== undefined) return { ...own, resourceId: String(id) };
      const [field, above] = ABOVE[kind] ?? [];
      id = field === undefined ? undefined : this.#mirror.row(kind, id)?.[field];
      kind = above;
    }
    return places.get('global');
  }

  /** Asks the cloud what holds for a resource, or with none for all of it, and compares. */
  async look(at: { readonly kind: string; readonly id: string } | undefined): Promise<void> {
    const { revision } = this;
    if (at !== undefined && this.#mirror.row(at.kind, at.id) === undefined) return;
    const query = at === undefined ? {} : { resourceKind: at.kind, resource: at.id };
    const answer = (await this.#sim.call('GET', '/settings/effective', { query })) as {
      readonly items: readonly (Effective & { readonly key: string })[];
    };
    // What was changed meanwhile holds from some instant on.
    if (revision !== this.revision) return;
    for (const { key, value, level, resourceId } of answer.items) {
      const expected = this.effective(key, at);
      const isRight =
        expected === undefined
          ? level === 'default' || level === 'configuration'
          : level === expected.level &&
            resourceId === expected.resourceId &&
            canonical(value as Json) === canonical(expected.value as Json);
      if (!isRight)
        this.#say(
          `setting ${key} of ${at?.id ?? 'all'} is ${JSON.stringify({ value, level, resourceId })}, by its history ${JSON.stringify(expected)}`,
        );
    }
  }

  #of(key: string): Map<string, Value> {
    const places = this.#values.get(key) ?? new Map<string, Value>();
    this.#values.set(key, places);
    return places;
  }
}

/** The place of a setting, in one transaction. */
const momentOf = (revision: number, { key, place }: Row): string => `${revision} ${key} ${place}`;
