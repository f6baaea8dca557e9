import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../tools/system/command.ts';

export interface ClientCredentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export const CLIENT_NAME = 'pileus';
const VALID_DAYS = '30';
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const;

/** Makes the lab's authority and the control plane's client certificate in `dir`. */
export async function createAuthority(dir: string): Promise<ClientCredentials> {
  await mkdir(dir, { recursive: true });
  await run([
    ...(['openssl', 'req', '-x509', ...NEW_KEY, '-keyout', join(dir, 'ca.key'), '-out', join(dir, 'ca.pem')] as const),
    ...[
      '-subj',
      '/CN=Pileus lab',
      '-days',
      VALID_DAYS,
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'keyUsage=critical,keyCertSign',
    ],
  ]);
  const client = await issue(dir, CLIENT_NAME, `DNS:${CLIENT_NAME}`);
  return { ca: await readFile(join(dir, 'ca.pem'), 'utf8'), ...client };
}

/** Gives a host its certificate, under the names that libvirtd, its own outgoing connections and QEMU look for. */
export async function installHostCertificate(
  dir: string,
  host: { readonly name: string; readonly address: string; readonly rootDir: string },
): Promise<void> {
  const { cert, key } = await issue(dir, host.name, `DNS:${host.name},IP:${host.address}`);
  const ca = await readFile(join(dir, 'ca.pem'), 'utf8');
  const pki = join(host.rootDir, 'etc/pki');
  await mkdir(pki, { recursive: true });
  const files: Record<string, string> = { 'ca-cert.pem': ca, 'cacert.pem': ca };
  for (const role of ['server', 'client']) {
    Object.assign(files, { [`${role}-cert.pem`]: cert, [`${role}cert.pem`]: cert, [`${role}-key.pem`]: key, [`${role}key.pem`]: key });
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(pki, name), content, { mode: 0o600 });
}

async function issue(dir: string, name: string, subjectAltName: string): Promise<{ readonly cert: string; readonly key: string }> {
  const path = (ending: string) => join(dir, `${name}.${ending}`);
  await run(['openssl', 'req', ...NEW_KEY, '-keyout', path('key'), '-out', path('csr'), '-subj', `/CN=${name}`]);
  await writeFile(path('ext'), `subjectAltName=${subjectAltName}\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n`);
  await run([
    ...([
      'openssl',
      'x509',
      '-req',
      '-in',
      path('csr'),
      '-CA',
      join(dir, 'ca.pem'),
      '-CAkey',
      join(dir, 'ca.key'),
      // At random: a file that counts would be shared by hosts that are made side by side.
      '-set_serial',
      `0x${randomBytes(8).toString('hex')}`,
    ] as const),
    ...['-out', path('pem'), '-days', VALID_DAYS, '-extfile', path('ext')],
  ]);
  return { cert: await readFile(path('pem'), 'utf8'), key: await readFile(path('key'), 'utf8') };
}
