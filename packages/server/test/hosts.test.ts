import { kvm } from '@pileus/drivers-kvm';
import { expect } from 'chai';
import { selfSigned } from '../../drivers-kvm/test/self-signed.ts';
import { openServer, type TestServer } from './server.ts';

describe('server: hosts', () => {
  let server: TestServer;
  let clusterId: string;
  const create = async (path: string, body: object) =>
    (await server.ask('POST', path, { body, headers: { prefer: 'wait=60' } })).json as { resourceId: string };
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
    const { cert, key, locked } = await selfSigned();
    const { key: other } = await selfSigned();
    const ask = (credentials: object) =>
      server.ask('POST', '/v1/hosts', {
        body: { clusterId, uri: 'qemu+tls://127.0.0.1:1/system', tlsCredentials: JSON.stringify(credentials) },
      });
    for (const [credentials, why] of [
      [{ ca: 'a', cert, key }, 'ca holds no certificate in PEM'],
      [{ ca: cert, cert: key, key }, 'cert holds no certificate in PEM'],
      [{ ca: cert, cert, key: cert }, 'key holds no private key in PEM'],
      [{ ca: cert, cert, key: locked }, 'or one with a passphrase'],
      [{ ca: cert, cert, key: other }, 'key is not that of the certificate in cert'],
    ] as const) {
      const { status, json, text } = await ask(credentials);
      expect([status, json.code, json.pointer]).to.deep.equal([400, 'invalid_input', '/tlsCredentials']);
      expect(text).to.include(why).and.not.include('BEGIN');
    }
    expect((await ask({ ca: cert, cert, key })).status).to.equal(202);
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
  }).timeout(300_000);
});
