import { kvm } from '@pileus/drivers-kvm';
import { expect } from 'chai';
import { openServer, type TestServer } from './server.ts';

const TLS = { tlsCredentials: JSON.stringify({ ca: 'a', cert: 'b', key: 'c' }) };

describe('server: hosts', () => {
  let server: TestServer;
  let clusterId: string;
  const create = async (path: string, body: object) =>
    (await server.ask('POST', path, { body, headers: { prefer: 'wait=10' } })).json as { resourceId: string };
  before(async () => {
    server = await openServer({ cloud: true, plugins: [kvm()] });
    const { resourceId: zoneId } = await create('/v1/zones', { name: 'here' });
    clusterId = (await create('/v1/clusters', { name: 'one', zoneId, hypervisor: 'kvm' })).resourceId;
  });
  after(() => server.close());

  for (const [uri, pointer, why] of [
    ['banana', '/uri', 'not a URI like qemu:///system'],
    ['http://x/system', '/uri', 'only qemu, qemu+unix and qemu+tls can be reached'],
    ['qemu+ssh://h/system', '/uri', 'only qemu, qemu+unix and qemu+tls can be reached'],
    ['qemu+tls://h/system', '/tlsCredentials', 'needs a certificate authority, a certificate and a key'],
  ] as const)
    it(`refuses a host at ${uri} with what the driver says`, async () => {
      const answer = await server.ask('POST', '/v1/hosts', { body: { clusterId, uri } });
      expect([answer.status, answer.json.code, answer.json.pointer]).to.deep.equal([400, 'invalid_input', pointer]);
      expect(answer.text).to.include(why);
      expect((await server.ask('GET', '/v1/hosts')).json.items).to.deep.equal([]);
    });

  it('takes credentials with the address that needs them', async () => {
    expect((await server.ask('POST', '/v1/hosts', { body: { clusterId, uri: 'qemu+tls://127.0.0.1:1/system', ...TLS } })).status).to.equal(
      202,
    );
  });

  it('tells why a host cannot be reached', async () => {
    const uri = 'qemu+unix:///system?socket=/none/libvirt-sock';
    const { json } = await server.ask('POST', '/v1/hosts', { body: { name: 'gone', clusterId, uri } });
    for (;;) {
      const { json: row } = await server.ask('GET', `/v1/operations/${json.operationId}`);
      const said = row.error?.message ?? row.attention?.message;
      if (said !== undefined) {
        expect(said).to.include('host gone cannot be reached').and.include('connect ENOENT /none/libvirt-sock');
        return;
      }
      await new Promise((wake) => setTimeout(wake, 200));
    }
  }).timeout(60_000);
});
