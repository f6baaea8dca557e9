import { expect } from 'chai';
import { type Answer, ServerProcess } from './server-process.ts';

const KEY = 'hosts.heartbeatSeconds';

describe('server: settings, killed again and again', () => {
  let server: ServerProcess;
  beforeEach(async () => {
    server = await ServerProcess.start({ hosts: { heartbeatSeconds: 7 } });
  });
  afterEach(() => server.close());

  const effective = async (): Promise<Answer> => (await server.ask(`/v1/settings/effective?key=${KEY}`)).json.items[0];

  it('are in use again as they were answered, each with one line of history', async function () {
    this.timeout(300_000);
    expect(await effective()).to.include({ value: 7, level: 'configuration' });
    for (const value of [11, 12, 13]) {
      const { json } = await server.ask('/v1/setting-values/actions/set', {
        method: 'POST',
        headers: { 'idempotency-key': `set-${value}` },
        body: JSON.stringify({ key: KEY, value }),
      });
      // Accepted is enough: it ends after the kill.
      await server.kill();
      await server.begin();
      const { json: ended } = await server.ask(`/v1/operations/${json.operationId}?waitSeconds=20`);
      expect(ended).to.include({ state: 'succeeded' });
      expect(await effective()).to.include({ value, level: 'global' });
    }
    const { json } = await server.ask('/v1/setting-changes?sort=createdAt');
    expect(json.items.map(({ from, to }: Answer) => [from, to])).to.deep.equal([
      [undefined, 11],
      [11, 12],
      [12, 13],
    ]);
  });
});
