import type { Store } from '@pileus/core/kernel';
import { expect } from 'chai';
import { FULL } from '../../../../tools/test/slice.ts';
import { Lists } from '../../../core/src/kernel/api/list.ts';
import { LARGE, LISTED_MACHINES, type ListedName, layOutListed, listedEntries, lister } from '../../../core/testing/query/listed.ts';
import { cloudRegistry } from '../../../core/testing/query/registry.ts';
import { openPostgres } from '../../src/postgres/index.ts';
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
  volumesOfHosts: /^volume_instanceId_\w+ \(\("instanceId" = ANY/,
  nicsByMac: /^nic_mac_\w+ \(mac = ANY/,
  subnetsOfInstance: /^subnet_pkey \(id = ANY/,
  // What bears a tag is found by the index of tags, and then looked up for each row in order.
  ofFewTagged: /^instance_projectId_id_\w+ \("projectId" = /,
  ofManyTaggedOnHost: /^instance_hostId_\w+ \("hostId" = /,
  volumesOfTagged: /^volume_projectId_id_\w+ \("projectId" = /,
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
  async function statementsOf(plural: string, query: Readonly<Record<string, string>>): Promise<readonly Sql[]> {
    asked.length = 0;
    const kind = registry.kinds().find((each) => each.plural === plural);
    if (kind === undefined) throw new Error(`there are no ${plural}`);
    await lists.page(kind, lister, new URLSearchParams(query));
    return asked.splice(0);
  }

  /** As prepared statements are planned: for given values, and, from some execution on, for any. */
  async function planOf({ text, values }: Sql, mode: string): Promise<Step> {
    await session.rows(`SET plan_cache_mode = ${mode}`);
    await session.rows(`PREPARE asked AS ${text}`);
    const literals = await Promise.all(values.map(literal));
    const [[plan] = []] = await session.rows(
      `EXPLAIN (FORMAT JSON) EXECUTE asked${literals.length === 0 ? '' : ` (${literals.join(', ')})`}`,
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
});

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
