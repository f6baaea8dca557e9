import { expect } from 'chai';
import { Lists } from '../../src/kernel/api/list.ts';
import type { PluginSource, Principal, Store } from '../../src/kernel/index.ts';
import type { Json, JsonObject } from '../../src/kernel/json.ts';
import type { AnyKind } from '../../src/kernel/kind.ts';
import type { Filter, Measure } from '../../src/kernel/query/ast.ts';
import { QueryGraph } from '../../src/kernel/query/graph.ts';
import { grouped, orderAll, type Plain, partAt, plainOf } from './meaning.ts';
import { Oracle } from './oracle.ts';
import { filterText, leavesOf, RandomQueries } from './random.ts';
import { cloudRegistry } from './registry.ts';
import { kindWord, RARE, Told, WORDS } from './told.ts';
import { Dice, makeWorld, NOW_MS, principals, type QueryWorld } from './world.ts';

/** Of the filtered random queries so many are answered with some rows, and not with all. */
const TELLING_MIN = 0.9;
/** Filters that are drawn until one tells rows apart. */
const TRIES = 12;
const PAGE_ROWS = 5;

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
  /** Also one test for each field of each kind, or for those whose titles are chosen. */
  readonly byField?: boolean | ((title: string) => boolean);
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

    for (const kind of asked)
      for (const [field, shape] of new QueryGraph(registry).place(kind).fields) {
        const title = `find ${kind.plural} by ${field}, in every way`;
        if (typeof byField === 'function' ? byField(title) : byField)
          it(title, async () => {
            const asker = stage.askers[0] as Asker;
            const random = stage.random(asker, new Dice(seed + 1));
            for (let turn = 0; turn < 12; turn += 1) await stage.check(asker, kind, { where: [random.about(kind, field, shape)] });
            for (const leaf of leavesOf(field, shape))
              for (const sign of ['', '-']) await stage.check(asker, kind, { where: [], sort: [sign + leaf.path], pageRows: 3 });
            const groupBy = leavesOf(field, shape).map(({ path }) => path);
            if (groupBy.length > 0)
              await stage.checkGroups(asker, kind, { where: [], groupBy, measures: [{ op: 'max', field: groupBy[0] ?? '' }] });
          });
      }

    it(`answer ${runs} random ones (seed ${seed}) as a naive evaluation does, and most of them tell rows apart`, async () => {
      const told = await askAtRandom(stage, asked, runs, new Dice(seed + 2));
      expect(told.share, told.text).to.be.greaterThan(TELLING_MIN);
      for (const word of [...WORDS, 'groups', 'sort', 'fields', 'between', 'deleted', ...asked.map(kindWord)])
        expect(told.of(word), `${word} in ${told.text}`).to.be.at.least(Math.floor(runs / (RARE.has(word) ? 10_000 : 2000)));
    });
  });
}

async function askAtRandom(stage: Stage, asked: readonly AnyKind[], runs: number, dice: Dice): Promise<Told> {
  const seen = (asker: Asker) => asked.filter((kind) => stage.seen(asker, kind) > 1);
  const randoms = stage.askers.map((asker) => ({ asker, random: stage.random(asker, dice), several: seen(asker) }));
  const told = new Told();
  for (let run = 0; run < runs; run += 1) {
    const { asker, random, several } = dice.one(randoms);
    // Of one row nothing is told apart; it is asked for now and then all the same.
    const kind = dice.one(several.length === 0 || dice.chance(0.05) ? asked : several);
    const deleted = dice.chance(0.1);
    const filters = dice.one([0, 1, 1, 1, 2]);
    const where = stage.telling(asker, kind, { deleted, filters, draw: () => random.filter(kind) });
    const leaf = () => random.leaf(kind).path;
    const about = [kindWord(kind), ...(deleted ? ['deleted'] : [])];
    if (dice.chance(0.2)) {
      const number = random.leaf(kind, ({ type }) => type === 'integer' || type === 'number').path;
      const measures: Measure[] = [
        { op: dice.one(['min', 'max'] as const), field: leaf() },
        { op: 'sum', field: number },
      ];
      const groupBy = dice.chance(0.8) ? Array.from({ length: 1 + dice.below(2) }, leaf) : [];
      told.count(where, await stage.checkGroups(asker, kind, { where, groupBy, measures, deleted }), [...about, 'groups']);
    } else {
      const sort = Array.from({ length: dice.below(3) }, () => dice.one(['', '-']) + leaf());
      const leaves = random.leaves(kind);
      const more = {
        ...(dice.chance(0.2) ? { fields: [dice.one(leaves).path, dice.one(leaves).path] } : {}),
        ...(dice.chance(0.08) ? { between: () => stage.world.change(kind, dice) } : {}),
      };
      const page = { pageRows: 1 + dice.below(6), isBody: dice.chance(0.5), deleted };
      const found = await stage.check(asker, kind, { where, sort, ...page, ...more });
      told.count(where, found, [...about, ...Object.keys(more), ...(sort.length > 0 ? ['sort'] : [])]);
    }
  }
  return told;
}

interface Asked {
  readonly where: readonly Filter[];
  readonly sort?: readonly string[];
  readonly pageRows?: number;
  readonly deleted?: boolean;
  readonly fields?: readonly string[];
  readonly isBody?: boolean;
  /** What happens between two pages. */
  readonly between?: () => Promise<void>;
}

/** How many rows there were, and how many without a filter. */
interface Found {
  readonly found: number;
  readonly all: number;
}

class Stage {
  readonly world: QueryWorld;
  readonly askers: readonly Asker[];
  readonly #lists: Lists;
  readonly #oracles = new Map<Asker, Oracle>();

  constructor(world: QueryWorld) {
    this.world = world;
    this.askers = principals(world);
    const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 };
    this.#lists = new Lists({ registry: world.registry, store: world.store, clock, place: () => '0.0' });
  }

  random(asker: Asker, dice: Dice): RandomQueries {
    const oracle = this.#oracleOf(asker);
    const random = new RandomQueries(this.world, dice, (kind) => oracle.visible(kind));
    random.byTag = !asker.allProjects;
    return random;
  }

  #oracleOf(asker: Asker): Oracle {
    const oracle = this.#oracles.get(asker) ?? new Oracle(this.world, asker);
    this.#oracles.set(asker, oracle);
    return oracle;
  }

  /** How many rows of the kind he sees. */
  seen(asker: Asker, kind: AnyKind): number {
    return this.#oracleOf(asker).visible(kind).length;
  }

  /** So many filters, of which, if such are found, some rows pass and others do not. */
  telling(
    asker: Asker,
    kind: AnyKind,
    { deleted, filters, draw }: { readonly deleted: boolean; readonly filters: number; readonly draw: () => Filter },
  ): readonly Filter[] {
    const oracle = this.#oracleOf(asker);
    const all = oracle.visible(kind, deleted).length;
    const where: Filter[] = [];
    while (where.length < filters) {
      let filter = draw();
      const tells = () => {
        const { length } = oracle.rows(kind, [...where, filter], deleted);
        return length > 0 && length < all;
      };
      for (let tries = 1; tries < TRIES && !tells(); tries += 1) filter = draw();
      where.push(filter);
    }
    return where;
  }

  async check(asker: Asker, kind: AnyKind, asked: Asked): Promise<Found> {
    const { where, sort = [], deleted = false, fields, pageRows = PAGE_ROWS, between } = asked;
    const oracle = this.#oracleOf(asker);
    const terms = [...sort, 'id'].map((term) => term.replace(/^-/, ''));
    const signs = sort.map((term) => (term.startsWith('-') ? -1 : 1));
    const placeOf = (row: JsonObject) => terms.map((path) => oracle.valueOf(kind, row, path));
    const evaluated = () =>
      oracle
        .rows(kind, where, deleted)
        .map((row) => ({ row, place: placeOf(row) }))
        .toSorted((a, b) => orderAll(a.place, b.place, signs));
    const told = `${kind.plural} as ${asker.projectId}: ${JSON.stringify(asked)}`;
    let expected = evaluated();
    const counts = { found: expected.length, all: oracle.visible(kind, deleted).length };
    let last: readonly Plain[] | undefined;
    for (let after: string | undefined, isFirst = true; isFirst || after !== undefined; isFirst = false) {
      const page = await this.#ask(asker, kind, asked, after).catch((error: unknown) => {
        throw new Error(`${told}: ${String(error)}`, { cause: error });
      });
      expect(page.count, told).to.equal(isCounted(asked, after) ? expected.length : undefined);
      const behind = last;
      const rest = behind === undefined ? expected : expected.filter(({ place }) => orderAll(place, behind, signs) > 0);
      const here = rest.slice(0, pageRows);
      if (fields === undefined)
        expect(
          page.items.map(({ id }) => id),
          told,
        ).to.deep.equal(here.map(({ row }) => row.id));
      else expect(page.items, told).to.deep.equal(here.map(({ row }) => partsOf(row, fields)));
      expect(page.next !== undefined, told).to.equal(rest.length > pageRows);
      after = page.next;
      last = here.at(-1)?.place;
      if (between === undefined || after === undefined) continue;
      await between();
      expected = evaluated();
    }
    return counts;
  }

  async checkGroups(
    asker: Asker,
    kind: AnyKind,
    asked: Pick<Asked, 'where' | 'deleted'> & { readonly groupBy: readonly string[]; readonly measures: readonly Measure[] },
  ): Promise<Found> {
    const { where, groupBy, measures, deleted = false } = asked;
    const oracle = this.#oracleOf(asker);
    const paths = [...groupBy, ...measures.map(({ field }) => field)];
    const rows = oracle
      .rows(kind, where, deleted)
      .map((row) => Object.fromEntries(paths.map((path) => [nameOf(path), oracle.valueOf(kind, row, path)])));
    const body = {
      ...whereOf(where),
      groupBy,
      deleted,
      limit: 1000,
      ...Object.fromEntries(measures.map(({ op }) => [op, measures.filter((each) => each.op === op).map(({ field }) => field)])),
    };
    const { groups } = await this.#query(asker, kind, body);
    const expected = grouped(rows, {
      groupBy: groupBy.map((path) => ({ field: nameOf(path) })),
      measures: [{ op: 'count' }, ...measures.map(({ op, field }) => ({ op, field: nameOf(field) }))],
    });
    const flat = groups?.map((group) => [
      ...groupBy.map((path) => plainOf((group.by as JsonObject)[path])),
      group.count,
      ...measures.map(({ op, field }) => plainOf((group[op] as JsonObject)[field])),
    ]);
    expect(flat, `${kind.plural}: ${JSON.stringify(asked)}`).to.deep.equal(expected);
    return { found: rows.length, all: oracle.visible(kind, deleted).length };
  }

  async #ask(asker: Asker, kind: AnyKind, asked: Asked, after: string | undefined): Promise<Answer> {
    const { where, sort = [], pageRows = PAGE_ROWS, deleted = false, fields, isBody = false } = asked;
    const page = after === undefined ? {} : { after };
    if (isBody)
      return this.#query(asker, kind, {
        ...whereOf(where),
        sort,
        limit: pageRows,
        count: isCounted(asked, after),
        deleted,
        ...(fields === undefined ? {} : { fields }),
        ...page,
      });
    const filter = where.map((each) => `(${filterText(each)})`).join(' and ');
    const parameters = new URLSearchParams({
      limit: String(pageRows),
      count: String(isCounted(asked, after)),
      deleted: String(deleted),
      ...page,
    });
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

/** A count is of all pages: that of the first says it, unless rows come and go. */
const isCounted = ({ between }: Asked, after: string | undefined): boolean => after === undefined || between !== undefined;

const parsed = (bytes: Uint8Array): Answer => JSON.parse(Buffer.from(bytes).toString()) as Answer;

const whereOf = (where: readonly Filter[]) => (where.length === 0 ? {} : { where: { and: where } });

/** A path as the name of one field. */
const nameOf = (path: string): string => path.replaceAll('.', '/');

function partsOf(row: JsonObject, paths: readonly string[]): JsonObject {
  const parts: Record<string, Json> = {};
  for (const path of paths) {
    const [first = '', second] = path.split('.');
    const value = partAt(row, path);
    if (value === null) continue;
    if (second === undefined) parts[first] = value;
    else parts[first] = { ...(parts[first] as JsonObject | undefined), [second]: value };
  }
  return parts;
}
