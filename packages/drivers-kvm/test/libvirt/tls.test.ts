import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  AbortedError,
  ConnectionLostError,
  LibvirtConnection,
  LibvirtHost,
  TimeoutError,
  type TlsAddress,
} from '@pileus/drivers-kvm/libvirt';
import { assert, expect } from 'chai';
import { until } from '../../../../test/lab/waiting.ts';
import { freePort } from '../../../../tools/system/free-port.ts';
import { createPool, createVolume, rejection } from './fixtures.ts';
import { PrivateHost } from './private-host.ts';

const run = promisify(execFile);

/** A certificate authority that lives as long as the test. */
class Authority {
  readonly directory: string;
  readonly name: string;

  constructor(directory: string, name: string) {
    this.directory = directory;
    this.name = name;
  }

  file(name: string): string {
    return path.join(this.directory, `${this.name}-${name}`);
  }

  async create(): Promise<this> {
    const subject = [
      '-subj',
      `/CN=${this.name}`,
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'keyUsage=critical,keyCertSign',
    ];
    await run('openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      this.file('ca.key'),
      '-out',
      this.file('ca.pem'),
      ...subject,
    ]);
    return this;
  }

  async issue(name: string, alternativeName: string): Promise<{ readonly cert: string; readonly key: string }> {
    const [key, request, cert, extensions] = ['key', 'csr', 'pem', 'ext'].map((suffix) => this.file(`${name}.${suffix}`)) as [
      string,
      string,
      string,
      string,
    ];
    await run('openssl', [
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      request,
      '-subj',
      `/CN=${name}`,
    ]);
    await writeFile(extensions, `subjectAltName=${alternativeName}\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n`);
    await run('openssl', [
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      this.file('ca.pem'),
      '-CAkey',
      this.file('ca.key'),
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      extensions,
      '-out',
      cert,
    ]);
    return { cert, key };
  }
}

/** What is told to whoever waits for a connection, once an attempt has failed. */
async function refusalOf(libvirt: LibvirtConnection): Promise<unknown> {
  await until('an attempt that failed', async () => libvirt.state === 'down' || undefined);
  return rejection(libvirt.ready({ timeoutMs: 1 }));
}

describe('libvirt over mutual TLS', function () {
  this.timeout(300_000);
  let directory: string;
  let host: PrivateHost;
  let address: TlsAddress;
  let stranger: { readonly cert: Buffer; readonly key: Buffer };

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'pileus-pki-'));
    const authority = await new Authority(directory, 'ours').create();
    const foreign = await new Authority(directory, 'foreign').create();
    const server = await authority.issue('hypervisor', 'IP:127.0.0.1');
    const client = await authority.issue('control-plane', 'DNS:control-plane');
    const strange = await foreign.issue('control-plane', 'DNS:control-plane');
    const port = await freePort();
    const ca = authority.file('ca.pem');
    const daemonConfig = [
      'listen_tls = 1',
      'listen_addr = "127.0.0.1"',
      `tls_port = "${port}"`,
      `key_file = "${server.key}"`,
      `cert_file = "${server.cert}"`,
      `ca_file = "${ca}"`,
      'tls_allowed_dn_list = ["CN=control-plane"]',
    ];
    host = await PrivateHost.start({ sharedNetwork: true, daemonConfig: daemonConfig.join('\n') });
    address = {
      kind: 'tls',
      host: '127.0.0.1',
      port,
      ca: await readFile(ca),
      cert: await readFile(client.cert),
      key: await readFile(client.key),
    };
    stranger = { cert: await readFile(strange.cert), key: await readFile(strange.key) };
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  it('works with certificates that both sides accept', async () => {
    await using libvirt = new LibvirtHost({ address });
    await libvirt.ready();
    expect(await libvirt.api.connectIsSecure()).to.equal(true);
    const answers = await Promise.all(Array.from({ length: 500 }, () => libvirt.api.connectGetType()));
    expect(new Set(answers)).to.deep.equal(new Set(['QEMU']));
  });

  it('carries streams', async () => {
    await using libvirt = new LibvirtHost({ address });
    const content = randomBytes(5_000_000);
    const volume = await createVolume(libvirt, await createPool(libvirt), 'volume', content.length);
    expect(await libvirt.uploadVolume({ volume, source: [content] })).to.equal(content.length);
    const back = Buffer.concat(await (await libvirt.downloadVolume({ volume })).toArray());
    expect(createHash('sha256').update(back).digest('hex')).to.equal(createHash('sha256').update(content).digest('hex'));
  });

  for (const [who, credentials] of [
    ['without a certificate', (): Partial<TlsAddress> => ({ cert: '', key: '' })],
    ['with a certificate of a foreign authority', (): Partial<TlsAddress> => stranger],
  ] as const) {
    it(`is refused to a client ${who}`, async () => {
      await using libvirt = new LibvirtConnection({ address: { ...address, ...credentials() } });
      const error = await refusalOf(libvirt);
      assert(error instanceof TimeoutError);
      assert(error.cause instanceof ConnectionLostError);
      expect(error.cause.outcome).to.equal('not_sent');
      const refused = await rejection(libvirt.api.connectGetUri({}, { timeoutMs: 30_000 }));
      expect(refused).to.be.instanceOf(ConnectionLostError);
    });
  }

  it('refuses a server whose certificate names another', async () => {
    await using libvirt = new LibvirtConnection({ address: { ...address, servername: 'elsewhere' } });
    const error = await refusalOf(libvirt);
    assert(error instanceof TimeoutError);
    expect(String(error.cause)).to.match(/elsewhere/);
  });

  it('gives up connecting when told to', async () => {
    // A listener that accepts and never speaks.
    const mute = net.createServer().listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port } = mute.address() as net.AddressInfo;
    const libvirt = new LibvirtConnection({ address: { ...address, port } });
    const abort = new AbortController();
    const ready = rejection(libvirt.ready({ signal: abort.signal }));
    abort.abort();
    expect(await ready).to.be.instanceOf(AbortedError);
    await libvirt.close();
    mute.close();
  });
});
