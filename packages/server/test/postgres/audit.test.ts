import { expect } from 'chai';
import { eventually, made, openServer, type TestServer } from '../server.ts';
import { TestCluster } from './cluster.ts';

describe('the audit on PostgreSQL', function () {
  this.timeout(300_000);
  let cluster: TestCluster;
  let schema: string;
  let server: TestServer;
  before(async () => {
    cluster = await TestCluster.start();
  });
  after(() => cluster.stop());
  beforeEach(async () => {
    const { password, port } = cluster.server;
    schema = new URLSearchParams(cluster.unused().split('?')[1]).get('schema') ?? '';
    server = await openServer({
      config: { store: `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/german?schema=${schema}` },
    });
  });
  afterEach(() => server.close());

  const verdict = async () => (await server.ask('GET', '/v1/audit/verify')).json;
  const entries = async () =>
    (await server.ask('GET', '/v1/audit?limit=1000')).json.items as { id: string; number: number; action: string }[];
  // What was read when the database went away is given up after a minute, on either side.
  const sealed = (links: number) =>
    eventually(async () => (await verdict()).links >= links && (await verdict()).unsealed === 0, 200_000).catch(async (error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(await verdict())} of ${links}`);
    });
  const faults = async () => (await verdict()).faults.map(({ number, fault }: { number: number; fault: string }) => `${number} ${fault}`);

  it('is one chain, whatever is asked for, and names what is tampered with in the database', async () => {
    for (const [index, note] of ['naïve', '\u0000', '\ud83d\ude00 \ud83d', '"\\\n', 'z'.repeat(3000)].entries())
      await made(server, `w${index}`, { note });
    await server.ask('PATCH', '/v1/widgets/w0', { body: { note: 'other', sizeBytes: 20 }, headers: { prefer: 'wait=60' } });
    await server.ask('POST', '/v1/widgets/w0/polish', { body: { times: 2 } });
    await sealed(7);
    server = await server.restart();
    expect(await verdict()).to.deep.include({ whole: true, links: 7, unsealed: 0, faults: [] });
    const [, , third, fourth] = (await entries()).sort((a, b) => a.number - b.number);
    await cluster.sql(`UPDATE ${schema}.audit SET _row = replace(_row, 'widget.create', 'widget.delete') WHERE id = '${third?.id}'`);
    expect(await faults()).to.deep.equal(['3 changed']);
    await cluster.sql(`DELETE FROM ${schema}.audit WHERE id = '${fourth?.id}'`);
    expect(await faults()).to.deep.equal(['3 changed', '4 missing']);
  });

  it('has each call once, and in one chain, when the database goes away and comes back', async () => {
    const accepted: string[] = [];
    const creators = Array.from({ length: 4 }, async (_, creator) => {
      for (let number = 0; number < 8; number += 1)
        for (let done = false; !done; ) {
          const name = `w-${creator}-${number}`;
          const options = { body: { name, sizeBytes: 1 }, headers: { 'idempotency-key': name } };
          const answer = await server.ask('POST', '/v1/widgets', options);
          done = answer.status === 202;
          if (done) accepted.push(answer.json.operationId);
        }
    });
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      await cluster.server.down(signal);
      await cluster.server.up();
    }
    await Promise.all(creators);
    await sealed(accepted.length);
    expect(await verdict()).to.deep.include({ whole: true, links: accepted.length, unsealed: 0, faults: [] });
    expect((await entries()).map(({ id }) => id)).to.have.members(accepted);
  });
});
