import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeEnvironment } from '@pileus/core/node';
import { expect } from 'chai';
import { selfSigned } from '../../drivers-kvm/test/self-signed.ts';
import { readTls } from '../src/http/tls.ts';
import { ConfigError, compose, parseConfig } from '../src/index.ts';
import { describeFailure } from '../src/run.ts';

describe('server: TLS', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pileus-tls-'));
    const [own, other] = await Promise.all([selfSigned(), selfSigned()]);
    const files = {
      'cert.pem': own.cert,
      'key.pem': own.key,
      'locked.pem': own.locked,
      'other-key.pem': other.key,
      'text.pem': 'not what it says',
      'half-chain.pem': `${own.cert}${other.cert.slice(0, -100)}\n-----END CERTIFICATE-----\n`,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  });
  after(() => rm(directory, { recursive: true }));

  it('is served with the certificate and key of the configuration', async () => {
    const tls = { certFile: 'cert.pem', keyFile: 'key.pem' };
    const { cert: ca } = await readTls(tls, directory);
    const config = parseConfig({ dataDir: '.', listen: { port: 0, tls } });
    const plane = await compose({ config, directory, environment: nodeEnvironment(), plugins: [] });
    const status = await new Promise((resolve, reject) => {
      get(`${plane.address}/health/live`, { ca }, (response) => resolve(response.resume().statusCode)).on('error', reject);
    });
    expect(status).to.equal(200);
    await plane.close();
  });

  for (const [what, certFile, keyFile, key, why] of [
    ['a certificate file that is not there', 'none.pem', 'key.pem', 'certFile', 'none.pem'],
    ['a certificate file with anything else', 'text.pem', 'key.pem', 'certFile', 'text.pem holds no certificate in PEM'],
    ['the two files the wrong way round', 'key.pem', 'cert.pem', 'certFile', 'key.pem holds no certificate in PEM'],
    ['a key file with anything else', 'cert.pem', 'text.pem', 'keyFile', 'text.pem holds no private key in PEM'],
    ['a key with a passphrase', 'cert.pem', 'locked.pem', 'keyFile', 'locked.pem has a passphrase; give it without'],
    ['the key of another certificate', 'cert.pem', 'other-key.pem', 'keyFile', 'other-key.pem is not that of the certificate in '],
    ['a chain that is broken behind the first', 'half-chain.pem', 'key.pem', 'certFile', 'half-chain.pem cannot be used'],
  ] as const)
    it(`is refused with ${what}, by key and file, in one line`, async () => {
      const error: unknown = await readTls({ certFile, keyFile }, directory).catch((cause) => cause);
      expect(error).to.be.instanceOf(ConfigError);
      const said = describeFailure(error);
      expect(said).to.match(new RegExp(`^The configuration is wrong: listen\\.tls\\.${key}: `));
      expect(said).to.include(why).and.include(directory).and.not.include('\n');
    });
});
