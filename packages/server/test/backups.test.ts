import { access } from 'node:fs/promises';
import { expect } from 'chai';
import { openServer, type TestServer } from './server.ts';

describe('server: backups', () => {
  let server: TestServer;
  before(async () => {
    server = await openServer();
  });
  after(() => server.close());

  it('copies the store into its own directory, and keeps who asked for it', async () => {
    const taken = await server.ask('POST', '/v1/backups', { body: { name: 'nightly' } });
    expect(taken.status).to.equal(200);
    await access(taken.json.path);
    const again = await server.ask('POST', '/v1/backups', { body: { name: 'nightly' } });
    expect([again.status, again.json.code]).to.deep.equal([409, 'name_taken']);
    const audit = (await server.plane.kernel.services.store.list({ table: 'audit' })).map((text) => JSON.parse(text));
    expect(audit).to.have.length(1);
    expect(audit[0]).to.include({ action: 'store.backup', actor: 'key:root', at: taken.json.takenAt, name: 'nightly' });
  });
});
