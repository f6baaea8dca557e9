import { expect } from 'chai';
import { listQuery } from '../src/list.ts';
import { type Cloud, connect } from './fixture/generated/cloud.ts';
import { type Fixture, startFixture } from './fixture/server.ts';

describe('sdk: lists', () => {
  let fixture: Fixture;
  let cloud: Cloud;
  before(async () => {
    fixture = await startFixture();
    cloud = connect({ url: fixture.url, apiKey: fixture.apiKey });
    for (let index = 0; index < 25; index += 1)
      await cloud.instances
        .create({ name: `web-${index}`, vcpus: 1 + (index % 4), memoryBytes: 1, guestOs: index % 5 === 0 ? 'windows' : 'linux' })
        .wait();
  });
  after(() => fixture.close());
  const names = async (list: { toArray(): Promise<{ readonly name: string }[]> }) => (await list.toArray()).map(({ name }) => name);

  it('loops over all rows, asking page by page', async () => {
    fixture.seen.length = 0;
    const seen: string[] = [];
    for await (const row of cloud.instances.list({ pageSize: 10 })) seen.push(row.name);
    expect(seen).to.deep.equal(Array.from({ length: 25 }, (_, index) => `web-${index}`));
    expect(fixture.seen).to.have.length(3);
  });

  it('asks for no more than the loop takes', async () => {
    fixture.seen.length = 0;
    for await (const row of cloud.instances.list({ pageSize: 5 })) if (row.name === 'web-6') break;
    expect(fixture.seen).to.have.length(2);
    expect(await cloud.instances.list({ limit: 7, pageSize: 5 }).toArray()).to.have.length(7);
  });

  it('answers single pages with the cursor of the next', async () => {
    const list = cloud.instances.list({ pageSize: 20 });
    const first = await list.page();
    const second = await list.page(first.next);
    expect(second.items.map(({ name }) => name)).to.deep.equal(['web-20', 'web-21', 'web-22', 'web-23', 'web-24']);
    expect(second.next).to.equal(undefined);
    expect((await list.first())?.name).to.equal('web-0');
  });

  it('filters by typed conditions, all at once', async () => {
    expect(await names(cloud.instances.list({ where: { guestOs: 'windows', vcpus: { gt: 2 } } }))).to.deep.equal(['web-10', 'web-15']);
    expect(await names(cloud.instances.list({ where: { name: { in: ['web-3', 'web-4'] } } }))).to.deep.equal(['web-3', 'web-4']);
    expect(
      await names(cloud.instances.list({ where: { name: { like: 'web-1_' } }, filter: "vcpus = 1 or guestOs = 'windows'" })),
    ).to.deep.equal(['web-10', 'web-12', 'web-15', 'web-16']);
    expect(await names(cloud.instances.list({ where: { deletedAt: null, state: { not: 'running' } } }))).to.deep.equal([]);
    expect(await names(cloud.instances.list({ where: { name: { in: ["it's"] } } }))).to.deep.equal([]);
  });

  it('sorts both ways', async () => {
    const byName = await names(cloud.instances.list({ sort: '-name', limit: 2 }));
    expect(byName).to.deep.equal(['web-9', 'web-8']);
  });

  it('lists operations like everything else', async () => {
    const created = await cloud.operations.list({ where: { action: 'instance.create', state: 'succeeded' } }).toArray();
    expect(created).to.have.length(25);
    expect((await cloud.operations.wait(created[0]?.id ?? '')).resourceKind).to.equal('instance');
  });

  it('writes quotes and operators as the server reads them', () => {
    const query = listQuery({
      where: { a: 'x', b: { not: "it's", gte: 1 }, c: null, d: { in: ['p', 'q'] } },
      filter: 'e = 1 or f = 2',
      deleted: true,
    });
    expect(query.get('a')).to.equal('x');
    expect(query.get('filter')).to.equal("b != 'it''s' and b >= 1 and c is null and d in ('p', 'q') and (e = 1 or f = 2)");
    expect(query.get('deleted')).to.equal('true');
  });
});
