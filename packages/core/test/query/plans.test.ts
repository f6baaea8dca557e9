import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Store } from '@pileus/core/kernel';
import { inlineSqlite, SqliteEngine } from '@pileus/core/sqlite';
import { expect } from 'chai';
import { Lists } from '../../src/kernel/api/list.ts';
import { Reader, Statements } from '../../src/sqlite/reader.ts';
import { catalogOf } from '../../src/sqlite/table.ts';
import { LARGE, LISTED_MACHINES, type ListedName, layOutListed, listedEntries, lister } from '../../testing/query/listed.ts';
import { cloudRegistry } from '../../testing/query/registry.ts';
import { type Scratch, scratch } from '../sqlite/scratch.ts';

/** Keeps what was asked of the database. */
class Recorder extends Statements {
  readonly asked: { readonly text: string; readonly values: readonly SQLInputValue[] }[] = [];
  override rows<T>(text: string, values: readonly SQLInputValue[]): T[] {
    this.asked.push({ text, values });
    return super.rows<T>(text, values);
  }
}

const PLANS: Readonly<Record<ListedName, RegExp>> = {
  all: /^SEARCH instance USING INDEX index:instance:projectId,id \(projectId=\?\)$/,
  newest: /^SEARCH instance USING INDEX index:instance:projectId,id \(projectId=\?\)$/,
  byName: /^SEARCH instance USING INDEX unique:instance:projectId,name \(projectId=\?\)/,
  oneName: /unique:instance:projectId,name \(projectId=\? AND name=\?\)/,
  oneId: /^SEARCH instance USING INDEX .*id=\?\)/,
  ofHost: /SEARCH instance USING INDEX index:instance:hostId \(hostId=\?\)/,
  ofState: /^SEARCH instance USING INDEX index:instance:/,
  ofSubnet: /^SEARCH instance USING INDEX .*id=\?\)/,
  runningOfAddress: /SEARCH instance USING INDEX .*id=\?\)/,
  ofHostWithVolume: /SEARCH j1 USING INDEX index:volume:instanceId \(instanceId=\?\)/,
  ofCluster: /SEARCH instance USING INDEX index:instance:hostId \(hostId=\?\)/,
  volumesOfHosts: /index:volume:instanceId \(instanceId=\?\)/,
  nicsByMac: /SEARCH nic USING INDEX .*mac=\?\)/,
  subnetsOfInstance: /SEARCH subnet USING INDEX .*id=\?\)/,
  ofFewTagged: /^SEARCH instance USING INDEX .*id=\?\)/,
  ofManyTaggedOnHost: /index:instance:hostId|unique:tag:/,
  volumesOfTagged: /^SEARCH volume USING INDEX index:volume:instanceId \(instanceId=\?\)/,
  hostsOfInstance: /SEARCH host USING INDEX .*id=\?\)/,
};

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
    await layOutListed(store);
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
    query: Readonly<Record<string, string>>,
  ): Promise<{ readonly all: readonly string[]; readonly page: string }> {
    recorder.asked.length = 0;
    const kind = registry.kinds().find((each) => each.plural === plural);
    await lists.page(kind ?? registry.kind(plural), lister, new URLSearchParams(query));
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

  for (const [name, { plural, query }] of listedEntries)
    it(`use an index for ${plural} by ${JSON.stringify(query)}, at every step`, async () => {
      const { all, page } = await planOf(plural, query);
      expect(page).to.match(PLANS[name]);
      expect(all.join('\n')).not.to.match(new RegExp(`SCAN (${LARGE.join('|')})\\b`));
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
      const { items, next } = JSON.parse(Buffer.from(await lists.page(kind, lister, new URLSearchParams(query))).toString());
      ids.push(...items.map(({ id }: { readonly id: string }) => id));
      after = next;
    } while (after !== undefined);
    const tested = Array.from({ length: LISTED_MACHINES }, (_, index) => index).filter((index) => index % 100 !== 7);
    expect(ids).to.deep.equal(tested.map((index) => `i-${String(index).padStart(5, '0')}`));
  });

  it('sort a page only where no index has its order', async () => {
    for (const query of [{}, { sort: 'name' }, { sort: '-name' }, { sort: '-createdAt' }, { filter: "state = 'running'" }])
      expect((await planOf('instances', query as Record<string, string>)).page, JSON.stringify(query)).not.to.match(/B-TREE FOR ORDER BY/);
    expect((await planOf('instances', { sort: 'memoryBytes' })).page).to.match(/B-TREE FOR ORDER BY/);
  });
});
