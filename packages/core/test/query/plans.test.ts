import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Principal, Statement, Store } from '@pileus/core/kernel';
import { inlineSqlite, SqliteEngine } from '@pileus/core/sqlite';
import { expect } from 'chai';
import { Lists } from '../../src/kernel/api/list.ts';
import { Reader, Statements } from '../../src/sqlite/reader.ts';
import { catalogOf } from '../../src/sqlite/table.ts';
import { cloudRegistry } from '../../testing/query/registry.ts';
import { type Scratch, scratch } from '../sqlite/scratch.ts';

/** More than a query looks at to find out by which way there are fewest. */
const MACHINES = 1500;
const PROJECT = 'p-1' as Principal['projectId'];
const principal: Principal = { actor: 'test', projectId: PROJECT, accountId: 'a-1' as Principal['accountId'], allows: () => true };

/** Keeps what was asked of the database. */
class Recorder extends Statements {
  readonly asked: { readonly text: string; readonly values: readonly SQLInputValue[] }[] = [];
  override rows<T>(text: string, values: readonly SQLInputValue[]): T[] {
    this.asked.push({ text, values });
    return super.rows<T>(text, values);
  }
}

const common = { projectId: PROJECT, schemaVersion: 1 };
const row = (table: string, id: string, fields: object): Statement => ({
  op: 'insert',
  table,
  row: { id, name: id, state: 'available', ...common, ...fields },
});

/** One in a hundred is of production. */
const tagOf = (resourceId: string, index: number): Statement =>
  row('tag', `t-${resourceId}`, { resourceKind: 'instance', resourceId, key: 'env', value: index % 100 === 7 ? 'prod' : 'test' });

function machine(index: number): Statement[] {
  const id = `i-${String(index).padStart(5, '0')}`;
  const state = index % 2 === 0 ? 'running' : 'stopped';
  return [
    row('instance', id, { state, hostId: `h-${index % 30}`, instanceTypeId: 't-1', memoryBytes: index, vcpus: 1 }),
    tagOf(id, index),
    row('nic', `n-${id}`, { instanceId: id, networkId: 'net', subnetId: `s-${index % 15}`, mac: `m-${index}`, address: `10.0.0.${index}` }),
    row('volume', `v-${id}`, { instanceId: id, poolId: `pool-${index % 3}`, sizeBytes: 512 * index, status: 'present' }),
  ];
}

describe('the plans of queries', () => {
  let place: Scratch;
  let engine: SqliteEngine;
  let db: DatabaseSync;
  let recorder: Recorder;
  let lists: Lists;
  const registry = cloudRegistry();

  before(async () => {
    place = await scratch();
    engine = new SqliteEngine({ path: place.path('store.db'), incarnation: 'x' });
    const store = inlineSqlite(engine);
    await store.prepare(registry.schema());
    const statements = [
      row('cluster', 'c-1', { zoneId: 'z-1', hypervisor: 'kvm' }),
      ...Array.from({ length: 30 }, (_, index) => row('host', `h-${index}`, { clusterId: `c-${index % 6}`, status: 'connected' })),
      ...Array.from({ length: 15 }, (_, index) => row('subnet', `s-${index}`, { networkId: 'net', cidr: `10.0.${index}.0/24` })),
      ...Array.from({ length: MACHINES }, (_, index) => machine(index)).flat(),
    ];
    await store.commit({ node: 'n', epoch: store.epoch, at: '2030-01-01T00:00:00.000Z', statements });
    db = new DatabaseSync(place.path('store.db'), { readOnly: true });
    recorder = new Recorder(db);
    const reader = new Reader(recorder, catalogOf(registry.schema().tables));
    const reads: Pick<Store, 'list' | 'count' | 'aggregate'> = {
      list: async (query) => reader.list(query),
      count: async (query) => reader.count(query),
      aggregate: async (query) => reader.aggregate(query),
    };
    lists = new Lists({
      registry,
      store: { ...store, ...reads } as Store,
      clock: { nowMs: () => 0, monotonicMs: () => 0 },
      place: () => '',
    });
  });

  after(async () => {
    db.close();
    engine.close();
    await place.remove();
  });

  /** Steps of all that the query asks of the database; the last statement is that of the page. */
  async function planOf(
    plural: string,
    query: Record<string, string>,
  ): Promise<{ readonly all: readonly string[]; readonly page: string }> {
    recorder.asked.length = 0;
    const kind = registry.kinds().find((each) => each.plural === plural);
    await lists.page(kind ?? registry.kind(plural), principal, new URLSearchParams(query));
    const all = recorder.asked.map(({ text, values }) => {
      const steps = db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...values) as { readonly detail: string }[];
      // What is found by an index, and then looked through, bears the name of its table.
      return steps
        .map(({ detail }) => detail)
        .join('; ')
        .replaceAll(/CO-ROUTINE (\w+); (SEARCH \1 [^;]*)((?:; LIST SUBQUERY \d+; SCAN json_each[^;]*)*); SCAN \1/g, '$2$3');
    });
    return { all, page: all.at(-1) ?? '' };
  }

  const LISTED: readonly (readonly [plural: string, query: Record<string, string>, plan: RegExp])[] = [
    ['instances', {}, /^SEARCH instance USING INDEX index:instance:projectId,id \(projectId=\?\)$/],
    ['instances', { sort: '-createdAt' }, /^SEARCH instance USING INDEX index:instance:projectId,id \(projectId=\?\)$/],
    ['instances', { sort: 'name' }, /^SEARCH instance USING INDEX unique:instance:projectId,name \(projectId=\?\)/],
    ['instances', { filter: "name = 'i-00007'" }, /unique:instance:projectId,name \(projectId=\? AND name=\?\)/],
    ['instances', { filter: "id = 'i-00007'" }, /^SEARCH instance USING INDEX .*id=\?\)/],
    ['instances', { hostId: 'h-7' }, /SEARCH instance USING INDEX index:instance:hostId \(hostId=\?\)/],
    ['instances', { filter: "state = 'running'" }, /^SEARCH instance USING INDEX index:instance:/],
    ['instances', { filter: "nics.subnet.cidr = '10.0.3.0/24'" }, /^SEARCH instance USING INDEX .*id=\?\)/],
    ['instances', { filter: "state = 'running' and nics.address = '10.0.0.9'" }, /SEARCH instance USING INDEX .*id=\?\)/],
    [
      'instances',
      { filter: "hostId = 'h-7' and has(volumes: sizeBytes > 1KiB)" },
      /SEARCH j1 USING INDEX index:volume:instanceId \(instanceId=\?\)/,
    ],
    ['instances', { filter: "host.cluster.name = 'c-1'" }, /SEARCH instance USING INDEX index:instance:hostId \(hostId=\?\)/],
    [
      'volumes',
      { filter: "instance.host.status = 'connected' and instance.name = 'i-00003'" },
      /index:volume:instanceId \(instanceId=\?\)/,
    ],
    ['nics', { filter: "mac in ('m-1', 'm-2')" }, /SEARCH nic USING INDEX .*mac=\?\)/],
    ['subnets', { filter: "nicsBySubnet.instance.name = 'i-00004'" }, /SEARCH subnet USING INDEX .*id=\?\)/],
    ['instances', { filter: "tags.env = 'prod'" }, /^SEARCH instance USING INDEX .*id=\?\)/],
    ['instances', { filter: "tags.env = 'test' and hostId = 'h-7'" }, /index:instance:hostId|unique:tag:/],
    [
      'volumes',
      { filter: "has(instance.tags: key = 'env' and value = 'prod')" },
      /^SEARCH volume USING INDEX index:volume:instanceId \(instanceId=\?\)/,
    ],
    ['hosts', { filter: "has(instances: name = 'i-00004')" }, /SEARCH host USING INDEX .*id=\?\)/],
  ];
  for (const [plural, query, plan] of LISTED)
    it(`use an index for ${plural} by ${JSON.stringify(query)}, at every step`, async () => {
      const { all, page } = await planOf(plural, query);
      expect(page).to.match(plan);
      expect(all.join('\n')).not.to.match(/SCAN (instance|nic|volume|tag)\b/);
    });

  it('find few of a tag by the tag, and look at no other', async () => {
    const { all } = await planOf('instances', { filter: "tags.env = 'prod'" });
    expect(all.join('\n')).to.match(/SEARCH tag USING (COVERING )?INDEX unique:tag:key,value,projectId,resourceId \(key=\? AND value=\?/);
  });

  const FOLLOWED =
    /^SEARCH tag USING INDEX unique:tag:key,value,projectId,resourceId \(key=\? AND value=\? AND projectId=\?\); SEARCH instance USING INDEX .*id=\?\)$/;
  for (const query of [
    { filter: "tags.env = 'test'" },
    { filter: "tags.env = 'test' and memoryBytes > 7" },
    { filter: "tags.env = 'test'", sort: '-createdAt' },
    { filter: "has(tags: key = 'env' and value = 'test') and has(nics: address != '10.0.0.9')" },
  ])
    it(`take a page of many that bear a tag in the order of the tag's index: ${JSON.stringify(query)}`, async () => {
      const { page } = await planOf('instances', query);
      expect(page.replace(/; CORRELATED .*/, '')).to.match(FOLLOWED);
    });

  it('take up a page of many that bear a tag behind the one before', async () => {
    const kind = registry.kind('instance');
    const ids: string[] = [];
    let after: string | undefined;
    do {
      const query = { filter: "tags.env = 'test'", limit: '400', ...(after === undefined ? {} : { after }) };
      const { items, next } = JSON.parse(Buffer.from(await lists.page(kind, principal, new URLSearchParams(query))).toString());
      ids.push(...items.map(({ id }: { readonly id: string }) => id));
      after = next;
    } while (after !== undefined);
    const tested = Array.from({ length: MACHINES }, (_, index) => index).filter((index) => index % 100 !== 7);
    expect(ids).to.deep.equal(tested.map((index) => `i-${String(index).padStart(5, '0')}`));
  });

  it('sort a page only where no index has its order', async () => {
    for (const query of [{}, { sort: 'name' }, { sort: '-name' }, { sort: '-createdAt' }, { filter: "state = 'running'" }])
      expect((await planOf('instances', query as Record<string, string>)).page, JSON.stringify(query)).not.to.match(/B-TREE FOR ORDER BY/);
    expect((await planOf('instances', { sort: 'memoryBytes' })).page).to.match(/B-TREE FOR ORDER BY/);
  });
});
