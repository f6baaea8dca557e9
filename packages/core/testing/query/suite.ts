import { expect } from 'chai';
import { Lists } from '../../src/kernel/api/list.ts';
import type { PluginSource, Principal, Store } from '../../src/kernel/index.ts';
import type { Json, JsonObject } from '../../src/kernel/json.ts';
import type { AnyKind } from '../../src/kernel/kind.ts';
import type { Filter, Measure } from '../../src/kernel/query/ast.ts';
import { compareValues, valueAt } from '../../src/kernel/query/matches.ts';
import { tally } from '../../src/kernel/query/tally.ts';
import { Oracle } from './oracle.ts';
import { filterText, leavesOf, RandomQueries } from './random.ts';
import { cloudRegistry } from './registry.ts';
import { Dice, makeWorld, principals, type QueryWorld } from './world.ts';

type Asker = Principal & { readonly allProjects: boolean };

interface Answer {
  readonly items: readonly JsonObject[];
  readonly next?: string;
  readonly count?: number;
  readonly groups?: readonly JsonObject[];
}

export interface QuerySuite {
  /** A store that nobody has used yet; the suite closes it. */
  readonly open: () => Promise<Store>;
  /** Random queries that are asked. */
  readonly runs: number;
  readonly seed: number;
  /** Also one test for each field of each kind. */
  readonly byField?: boolean;
  /** Beside those of the cloud. */
  readonly plugins?: readonly PluginSource[];
  /** Names of the kinds that are asked about. Default: all. Queries lead to the others from there. */
  readonly kinds?: readonly string[];
}

/** Queries over every kind of the cloud, compared with what their words mean. Any store can be asked. */
export function describeQueries(name: string, { open, runs, seed, byField = false, plugins = [], kinds }: QuerySuite): void {
  describe(`queries: ${name}`, function () {
    this.timeout(600_000);
    const registry = cloudRegistry(plugins);
    const asked = registry.kinds().filter(({ name: kind }) => kinds?.includes(kind) ?? true);
    let stage: Stage;
    before(async () => {
      stage = new Stage(await makeWorld(registry, await open(), new Dice(seed)));
    });
    after(() => stage.world.store.close());

    if (byField)
      for (const kind of asked)
        for (const [field, shape] of new RandomQueriesOf(registry).fields(kind))
          it(`find ${kind.plural} by ${field}, in every way`, async () => {
            const random = new RandomQueries(stage.world, new Dice(seed + 1));
            const asker = stage.askers[0] as Asker;
            for (let turn = 0; turn < 12; turn += 1) await stage.check(asker, kind, { where: [random.about(field, shape)] });
            for (const leaf of leavesOf(field, shape))
              for (const sign of ['', '-']) await stage.check(asker, kind, { where: [], sort: [sign + leaf.path], pageRows: 3 });
            const groupBy = leavesOf(field, shape).map(({ path }) => path);
            if (groupBy.length > 0)
              await stage.checkGroups(asker, kind, { where: [], groupBy, measures: [{ op: 'max', field: groupBy[0] ?? '' }] });
          });

    it(`answer ${runs} random ones (seed ${seed}) as a naive evaluation does`, async () => {
      const dice = new Dice(seed + 2);
      const random = new RandomQueries(stage.world, dice);
      for (let run = 0; run < runs; run += 1) {
        const kind = dice.one(asked);
        const leaves = random.leaves(kind);
        const asker = dice.one(stage.askers);
        const where = Array.from({ length: dice.below(3) }, () => random.filter(kind));
        const leaf = () => random.leaf(kind);
        if (dice.chance(0.2)) {
          const measures: Measure[] = [
            { op: dice.one(['min', 'max'] as const), field: leaf().path },
            { op: 'sum', field: random.leaf(kind, ({ type }) => type === 'integer').path },
          ];
          await stage.checkGroups(asker, kind, { where, groupBy: dice.chance(0.8) ? [leaf().path] : [], measures });
        } else {
          const sort = Array.from({ length: dice.below(3) }, () => dice.one(['', '-']) + leaf().path);
          const fields = dice.chance(0.2) ? { fields: [dice.one(leaves).path, dice.one(leaves).path] } : {};
          await stage.check(asker, kind, {
            where,
            sort,
            pageRows: 1 + dice.below(6),
            deleted: dice.chance(0.1),
            ...fields,
            isBody: dice.chance(0.5),
          });
        }
      }
    });
  });
}

/** Kinds are known before there is a world to ask about. */
class RandomQueriesOf extends RandomQueries {
  constructor(registry: QueryWorld['registry']) {
    super({ registry } as QueryWorld, new Dice(0));
  }
  fields(kind: AnyKind) {
    return [...this.graph.place(kind).fields];
  }
}

interface Asked {
  readonly where: readonly Filter[];
  readonly sort?: readonly string[];
  readonly pageRows?: number;
  readonly deleted?: boolean;
  readonly fields?: readonly string[];
  readonly isBody?: boolean;
}

class Stage {
  readonly world: QueryWorld;
  readonly askers: readonly Asker[];
  readonly #lists: Lists;

  constructor(world: QueryWorld) {
    this.world = world;
    this.askers = principals(world);
    const clock = { nowMs: () => Date.UTC(2030, 0, 2), monotonicMs: () => 0 };
    this.#lists = new Lists({ registry: world.registry, store: world.store, clock, place: () => '0.0' });
  }

  async check(asker: Asker, kind: AnyKind, asked: Asked): Promise<void> {
    const { where, sort = [], deleted = false, fields } = asked;
    const oracle = new Oracle(this.world, asker);
    const expected = inOrder(oracle.rows(kind, where, deleted), sort, (row, path) => oracle.valueOf(kind, row, path));
    const told = `${kind.plural} as ${asker.projectId}: ${JSON.stringify(asked)}`;
    const items: JsonObject[] = [];
    let after: string | undefined;
    do {
      const page = await this.#ask(asker, kind, asked, after).catch((error: unknown) => {
        throw new Error(`${told}: ${String(error)}`, { cause: error });
      });
      expect(page.count, told).to.equal(expected.length);
      items.push(...page.items);
      after = page.next;
    } while (after !== undefined);
    if (fields !== undefined) expect(items, told).to.deep.equal(expected.map((row) => partsOf(row, fields)));
    else
      expect(
        items.map(({ id }) => id),
        told,
      ).to.deep.equal(expected.map(({ id }) => id));
  }

  async checkGroups(
    asker: Asker,
    kind: AnyKind,
    asked: { readonly where: readonly Filter[]; readonly groupBy: readonly string[]; readonly measures: readonly Measure[] },
  ): Promise<void> {
    const { where, groupBy, measures } = asked;
    const oracle = new Oracle(this.world, asker);
    const paths = [...groupBy, ...measures.map(({ field }) => field)];
    const rows = oracle
      .rows(kind, where, false)
      .map((row) => Object.fromEntries(paths.map((path) => [nameOf(path), oracle.valueOf(kind, row, path)])));
    const body = {
      ...whereOf(where),
      groupBy,
      limit: 1000,
      ...Object.fromEntries(measures.map(({ op }) => [op, measures.filter((each) => each.op === op).map(({ field }) => field)])),
    };
    const { groups } = await this.#query(asker, kind, body);
    const expected = tally(rows, {
      groupBy: groupBy.map((path) => ({ field: nameOf(path) })),
      measures: [{ op: 'count' }, ...measures.map(({ op, field }) => ({ op, field: nameOf(field) }))],
    });
    const flat = groups?.map((group) => [
      ...groupBy.map((path) => plain((group.by as JsonObject)[path])),
      group.count,
      ...measures.map(({ op, field }) => plain((group[op] as JsonObject)[field])),
    ]);
    expect(flat, `${kind.plural}: ${JSON.stringify(asked)}`).to.deep.equal(expected);
  }

  async #ask(asker: Asker, kind: AnyKind, asked: Asked, after: string | undefined): Promise<Answer> {
    const { where, sort = [], pageRows = 5, deleted = false, fields, isBody = false } = asked;
    const page = after === undefined ? {} : { after };
    if (isBody)
      return this.#query(asker, kind, {
        ...whereOf(where),
        sort,
        limit: pageRows,
        count: true,
        deleted,
        ...(fields === undefined ? {} : { fields }),
        ...page,
      });
    const filter = where.map((each) => `(${filterText(each)})`).join(' and ');
    const parameters = new URLSearchParams({ limit: String(pageRows), count: 'true', deleted: String(deleted), ...page });
    if (filter !== '') parameters.set('filter', filter);
    if (sort.length > 0) parameters.set('sort', sort.join());
    if (fields !== undefined) parameters.set('fields', fields.join());
    if (asker.allProjects) parameters.set('allProjects', 'true');
    return parsed(await this.#lists.page(kind, asker, parameters));
  }

  async #query(asker: Asker, kind: AnyKind, body: object): Promise<Answer> {
    const parameters = new URLSearchParams(asker.allProjects ? { allProjects: 'true' } : {});
    return parsed(await this.#lists.query(kind, asker, parameters, body));
  }
}

const parsed = (bytes: Uint8Array): Answer => JSON.parse(Buffer.from(bytes).toString()) as Answer;

const whereOf = (where: readonly Filter[]) => (where.length === 0 ? {} : { where: { and: where } });

/** Groups tell booleans as such, where stores have 0 and 1. */
const plain = (value: Json | undefined): Json => (typeof value === 'boolean' ? Number(value) : (value ?? null));

/** A path as the name of one field. */
const nameOf = (path: string): string => path.replaceAll('.', '/');

function inOrder(rows: readonly JsonObject[], sort: readonly string[], valueAlong: (row: JsonObject, path: string) => Json): JsonObject[] {
  const terms = [...sort, 'id'].map((term) => ({
    path: term.replace(/^-/, '').replace(/^createdAt$/, 'id'),
    sign: term.startsWith('-') ? -1 : 1,
  }));
  return rows.toSorted((a, b) => {
    for (const { path, sign } of terms) {
      const [left, right] = [plain(valueAlong(a, path)), plain(valueAlong(b, path))] as (string | number | null)[];
      if (left === right || left === undefined || right === undefined) continue;
      const order = left === null ? -1 : right === null ? 1 : compareValues(left, right);
      return sign * order;
    }
    return 0;
  });
}

function partsOf(row: JsonObject, paths: readonly string[]): JsonObject {
  const parts: Record<string, Json> = {};
  for (const path of paths) {
    const [first = '', second] = path.split('.');
    const value = valueAt(row, path);
    if (value === null) continue;
    if (second === undefined) parts[first] = value;
    else parts[first] = { ...(parts[first] as JsonObject | undefined), [second]: value };
  }
  return parts;
}
