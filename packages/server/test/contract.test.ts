import { expect } from 'chai';
import { Contract } from './contract.ts';
import { openServer, type TestServer } from './server.ts';

describe('server: the contract that answers are held to', () => {
  let server: TestServer;
  before(async () => {
    server = await openServer();
  });
  after(() => server.close());

  it('refuses a status, a media type or a field that the document does not have', async () => {
    const contract = await Contract.of(server.url, server.key);
    const check = (status: number, mediaType: string, json: object) => () =>
      contract.check('GET', '/v1/widgets', {
        status,
        headers: new Headers({ 'content-type': mediaType }),
        text: JSON.stringify(json),
        json,
      });
    check(200, 'application/json', { items: [], cursor: '1.0' })();
    expect(check(200, 'application/json', { items: [], cursor: '1.0', more: 1 })).to.throw();
    expect(check(200, 'text/html', {})).to.throw('as text/html');
    expect(check(418, 'application/problem+json', {})).to.throw('answers 418');
    expect(check(412, 'application/problem+json', {})).to.throw('answers 412');
  });
});
