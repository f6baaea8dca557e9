import type { Store } from '@pileus/core/kernel';
import { expect } from 'chai';
import { FULL } from '../../../../tools/test/slice.ts';
import { Lists } from '../../../core/src/kernel/api/list.ts';
import {
  LARGE,
  LISTED_MACHINES,
  type ListedName,
  layOutListed,
  layOutTagged,
  listedEntries,
  lister,
} from '../../../core/testing/query/listed.ts';
import { cloudRegistry } from '../../../core/testing/query/registry.ts';
import { openPostgres } from '../../src/postgres/index.ts';
import { FEW_ROWS } from '../../src/postgres/looks.ts';
import type { Sql } from '../../src/postgres/message.ts';
import { type Connect, Session } from '../../src/postgres/session.ts';
import { targetOf } from '../../src/postgres/target.ts';
import { TestCluster } from './cluster.ts';

/** A step of a plan, as PostgreSQL tells it. */
interface Step {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly Step[];
  readonly 'Actual Loops'?: number;
  /** In the mean of all loops. */
  readonly 'Actual Rows'?: number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
}

/** By what the rows of a page are found once there are statistics: the index, and what of it is given. */
const PAGES: Readonly<Record<ListedName, RegExp>> = {
  all: /^instance_projectId_id_\w+ \("projectId" = /,
  newest: /^instance_projectId_id_\w+ \("projectId" = /,
  byName: /^instance_projectId_name_\w+ \("projectId" = /,
  oneName: /^instance_projectId_name_\w+ \(\("projectId" = .* AND \(name = /,
  oneId: /^instance_\w+ \(.*\bid = /,
  ofHost: /^instance_hostId_\w+ \("hostId" = [^A]/,
  ofState: /^instance_projectId_id_\w+ \("projectId" = /,
  ofSubnet: /^instance_pkey \(id = ANY/,
  runningOfAddress: /^instance_pkey \(id = ANY/,
  ofHostWithVolume: /^instance_hostId_\w+ \("hostId" = /,
  // A sixth of all: to walk through the project's in order is less than to fetch and sort them.
  ofCluster: /^instance_(projectId_id_\w+ \("projectId" = |hostId_\w+ \("hostId" = ANY)/,
  volumesOfHosts: /^volume_instanceId_\w+ \("instanceId" = ANY/,
  nicsByMac: /^nic_mac_\w+ \(mac = ANY/,
  subnetsOfInstance: /^subnet_pkey \(id = ANY/,
  // What few bear is found by the index of tags; of what many bear it is looked up for each row.
  ofFewTagged: /^instance_pkey \(id = ANY/,
  ofManyTaggedOnHost: /^instance_hostId_\w+ \("hostId" = /,
  volumesOfTagged: /^volume_instanceId_\w+ \("instanceId" = ANY/,
  hostsOfInstance: /^host_pkey \(id = ANY/,
};

/** Of other tables, by what their rows are found. */
const OTHERS: Readonly<Partial<Record<ListedName, readonly RegExp[]>>> = {
  // Of the subnets that a CIDR leads to nobody knows the number: ten are taken for granted, and those of a small project may be fewer.
  ofSubnet: [/^nic_(subnetId_\w+ \("subnetId" = ANY|projectId_id_\w+ \("projectId" = )/],
  runningOfAddress: [/^nic_\w*address\w* \(.*address = /],
  ofHostWithVolume: [/^volume_instanceId_\w+ \("instanceId" = /],
  volumesOfHosts: [/^instance_projectId_name_\w+ \(/],
  subnetsOfInstance: [/^nic_instanceId_\w+ \("instanceId" = ANY/, /^instance_projectId_name_\w+ \(/],
  ofFewTagged: [/^tag_key_value_projectId_resourceId_\w+ \(\(key = .* AND \(value = /],
  ofManyTaggedOnHost: [/^tag_key_value_projectId_resourceId_\w+ \(\(key = .* AND \(value = /],
  volumesOfTagged: [/^tag_key_value_projectId_resourceId_\w+ \(\(key = .* AND \(value = /],
  hostsOfInstance: [/^instance_projectId_name_\w+ \(/],
};

/** One in a hundred is of production, all others are for tests; the last third is new. */
const TAGGED: readonly (readonly [plural: string, filter: string])[] = [
  ['instances', "tags.env = 'prod'"],
  ['instances', "tags.env = 'test'"],
  ['instances', "tags.age = 'new'"],
  ['instances', "tags.age = 'new' and tags.env = 'prod'"],
  ['instances', "tags.env = 'test' and hostId = 'h-7'"],
  ['instances', "not tags.env = 'prod'"],
  ['volumes', "has(instance.tags: key = 'env' and value = 'prod')"],
];
const TAGGED_PAGE = 20;

/** Of these it may be that only the last rows of all hold: to ask for each one takes longer than to read once what bears the tag. */
const UNDECIDED: readonly (readonly [plural: string, query: Readonly<Record<string, string>>])[] = [
  ['volumes', { filter: "has(instance.tags: key = 'age' and value = 'old')" }],
  ['volumes', { filter: "has(instance.tags: key = 'age' and value = 'new')" }],
  ['instances', { filter: "tags.age = 'new'", sort: 'name' }],
  ['instances', { filter: "tags.env = 'test' and tags.age = 'new'" }],
  ['instances', { filter: "tags.env = 'test' or state = 'crashed'" }],
];

/** Pages that come in the order of an index, however many rows there are. */
const IN_ORDER: readonly ListedName[] = ['all', 'newest', 'byName'];

describe('the plans of queries on PostgreSQL', function () {
  this.timeout(300_000);
  const registry = cloudRegistry();
  const asked: Sql[] = [];
  let cluster: TestCluster;
  let store: Store;
  let session: Session;
  let lists: Lists;

  before(async () => {
    cluster = await TestCluster.start({ inMemory: true });
    const url = cluster.unused();
    const recording: Connect = async (config, environment) => {
      const opened = await Session.open(config, environment);
      const run = opened.run.bind(opened);
      opened.run = (statements, limitMs) => {
        asked.push(...statements);
        return run(statements, limitMs);
      };
      return opened;
    };
    store = await openPostgres({ url }, cluster.environment, recording);
    await layOutListed(store, FULL ? 8 * LISTED_MACHINES : LISTED_MACHINES);
    // Of the settings that reads have.
    session = await Session.open(targetOf({ url }).config, cluster.environment);
    lists = new Lists({ registry, store, clock: { nowMs: () => 0, monotonicMs: () => 0 }, place: () => '' });
  });
  after(async () => {
    await session.close();
    await store.close();
    await cluster.stop();
  });

  /** What a list asks of the database. */
  async function statementsOf(plural: string, query: Readonly<Record<string, string>>, asker = lister): Promise<readonly Sql[]> {
    asked.length = 0;
    const kind = registry.kinds().find((each) => each.plural === plural);
    if (kind === undefined) throw new Error(`there are no ${plural}`);
    await lists.page(kind, asker, new URLSearchParams(query));
    return asked.splice(0);
  }

  /** As prepared statements are planned: for given values, and, from some execution on, for any. */
  async function planOf({ text, values }: Sql, mode: string, how = ''): Promise<Step> {
    await session.rows(`SET plan_cache_mode = ${mode}`);
    await session.rows(`PREPARE asked AS ${text}`);
    const literals = await Promise.all(values.map(literal));
    const [[plan] = []] = await session.rows(
      `EXPLAIN (${how}FORMAT JSON) EXECUTE asked${literals.length === 0 ? '' : ` (${literals.join(', ')})`}`,
    );
    await session.rows('DEALLOCATE asked');
    return JSON.parse(String(plan))[0].Plan;
  }

  /** Arrays travel in binary form: what they hold is at their twelfth byte. */
  async function literal(value: Sql['values'][number]): Promise<string> {
    const quoted = (text: unknown) => `'${String(text).replaceAll("'", "''")}'`;
    if (value === null) return 'NULL';
    if (!Buffer.isBuffer(value)) return quoted(value);
    const type = value.readUInt32BE(8) === 25 ? 'text' : 'float8';
    const [[text] = []] = await session.rows(`SELECT $1::${type}[]::text`, value);
    return quoted(text);
  }

  for (const [when, isAnalyzed] of [
    ['before anything is known of their tables', false],
    ['with statistics', true],
  ] as const)
    describe(when, () => {
      before(async () => {
        const schema = new URLSearchParams(cluster.last.split('?')[1]).get('schema');
        for (const { name } of isAnalyzed ? registry.schema().tables : []) await cluster.sql(`ANALYZE ${schema}."${name}"`);
      });

      for (const [name, { plural, query }] of listedEntries)
        it(`use an index for ${plural} by ${JSON.stringify(query)}, at every step`, async () => {
          const statements = await statementsOf(plural, query);
          for (const mode of ['force_custom_plan', 'force_generic_plan']) {
            const plans: Step[] = [];
            for (const statement of statements) plans.push(await planOf(statement, mode));
            const told = `${mode}: ${JSON.stringify(plans)}`;
            const scans = plans.flatMap(stepsOf).filter((step) => step['Relation Name'] !== undefined);
            // Without a condition an index is a way to look at everything, too.
            const whole = scans.filter((step) => LARGE.includes(step['Relation Name'] ?? '') && !hasCondition(step));
            expect(whole, told).to.deep.equal([]);
            if (!isAnalyzed) continue;
            const page = stepsOf(plans.at(-1) as Step);
            const kind = registry.kinds().find((each) => each.plural === plural)?.name;
            expect(wayOf(page.find((step) => step['Relation Name'] === kind)), told).to.match(PAGES[name]);
            for (const other of OTHERS[name] ?? [])
              expect(
                scans.map(wayOf).find((way) => other.test(way)),
                `${other} in ${told}`,
              ).not.to.equal(undefined);
            if (IN_ORDER.includes(name))
              expect(
                page.map((step) => step['Node Type']),
                told,
              ).not.to.include('Sort');
          }
        });
    });

  describe('of tags that few or nearly all machines bear', () => {
    const machines = 4 * FEW_ROWS;
    let member: typeof lister;
    before(async () => {
      member = await layOutTagged(store, machines);
      const schema = new URLSearchParams(cluster.last.split('?')[1]).get('schema');
      for (const name of LARGE) await cluster.sql(`ANALYZE ${schema}."${name}"`);
    });

    for (const [plural, filter] of TAGGED)
      it(`read a few rows for each one on a page of ${plural} with ${filter}, and not the project's`, async () => {
        const all = await statementsOf(plural, { filter, limit: String(TAGGED_PAGE) }, member);
        // Where no index leads, the kernel first counts what would be looked at, up to a bound of its own.
        const statements = all.filter(({ values }) => Number(values.at(-1)) <= FEW_ROWS + 1);
        for (const mode of ['force_custom_plan', 'force_generic_plan']) {
          const plans: Step[] = [];
          for (const statement of statements) plans.push(await planOf(statement, mode, 'ANALYZE, '));
          const read = plans.map(rowsRead);
          const told = `${mode}: ${read} of ${JSON.stringify(plans)}`;
          expect(read.at(-1), told).to.be.within(TAGGED_PAGE, 6 * TAGGED_PAGE);
          for (const counted of read.slice(0, -1)) expect(counted, told).to.be.at.most(FEW_ROWS + 1);
          expect(
            read.reduce((sum, rows) => sum + rows, 0),
            told,
          ).to.be.below(machines);
        }
      });

    for (const [plural, query] of UNDECIDED)
      it(`leave it to PostgreSQL how to tell ${plural} by ${JSON.stringify(query)}, and read nothing for each one`, async () => {
        const statements = await statementsOf(plural, { ...query, limit: String(TAGGED_PAGE) }, member);
        for (const mode of ['force_custom_plan', 'force_generic_plan']) {
          const plan = await planOf(statements.at(-1) as Sql, mode, 'ANALYZE, ');
          const scans = stepsOf(plan).filter((step) => step['Relation Name'] !== undefined);
          expect(scans.map((step) => step['Relation Name'])).to.include.members([plural.slice(0, -1), 'tag']);
          for (const step of scans) expect(step['Actual Loops'], `${mode}: ${JSON.stringify(plan)}`).to.equal(1);
        }
      });

    for (const [filter, bears] of [
      ["tags.age = 'new'", (index: number) => index * 3 >= machines * 2],
      ["tags.age = 'new' and tags.env = 'prod'", (index: number) => index * 3 >= machines * 2 && index % 100 === 7],
      ["tags.env = 'test' and state = 'stopped'", (index: number) => index % 100 !== 7 && index % 2 === 1],
    ] as const)
      it(`page through all with ${filter}`, async () => {
        const names: string[] = [];
        let after: { readonly after?: string } | undefined = {};
        while (after !== undefined) {
          const query = new URLSearchParams({ filter, fields: 'name', limit: '300', ...after });
          const answer = JSON.parse(Buffer.from(await lists.page(registry.kind('instance'), member, query)).toString());
          names.push(...answer.items.map(({ name }: { readonly name: string }) => name));
          after = answer.next === undefined ? undefined : { after: answer.next };
        }
        const all = Array.from({ length: machines }, (_, index) => index).filter(bears);
        expect(names).to.deep.equal(all.map((index) => `t-${String(index).padStart(5, '0')}`));
      });
  });
});

/** How many rows all steps of a plan looked at, whether they took them or not. */
const rowsRead = (plan: Step): number =>
  stepsOf(plan)
    .filter((step) => step['Relation Name'] !== undefined)
    .map(
      (step) =>
        ((step['Actual Rows'] ?? 0) + (step['Rows Removed by Filter'] ?? 0) + (step['Rows Removed by Index Recheck'] ?? 0)) *
        (step['Actual Loops'] ?? 0),
    )
    .reduce((sum, rows) => sum + rows, 0);

/** The index of a step that reads rows, and its condition; a bitmap has them below it. */
function wayOf(step: Step | undefined): string {
  const by = step === undefined ? undefined : stepsOf(step).find((each) => each['Index Name'] !== undefined);
  return `${by?.['Index Name']} ${by?.['Index Cond']}`;
}

const hasCondition = (step: Step): boolean =>
  step['Node Type'] === 'Bitmap Heap Scan' ? (step.Plans ?? []).some(hasConditions) : step['Index Cond'] !== undefined;

/** Of all parts that a bitmap is made of. */
const hasConditions = (step: Step): boolean =>
  step['Index Cond'] !== undefined || ((step.Plans ?? []).length > 0 && (step.Plans ?? []).every(hasConditions));

const stepsOf = (step: Step): readonly Step[] => [step, ...(step.Plans ?? []).flatMap(stepsOf)];
