import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'ldapts';
import { freePort } from '../../../../tools/system/free-port.ts';

const run = promisify(execFile);

export const SUFFIX = 'dc=example,dc=org';
const ADMIN = `cn=admin,${SUFFIX}`;
const ADMIN_PASSWORD = 'of the tests';
const START_MS = 120_000;

/** An OpenLDAP of one's own on a free loopback port, with TLS for who asks for it. Only `cn=reader` reads it. Ends with this process at the latest. */
export class Slapd implements AsyncDisposable {
  readonly dir: string;
  readonly url: string;
  /** The same over TLS from the first byte on. */
  readonly secureUrl: string;
  readonly #child: ChildProcess;

  private constructor(dir: string, [url, secureUrl]: readonly [string, string], child: ChildProcess) {
    this.dir = dir;
    this.url = url;
    this.secureUrl = secureUrl;
    this.#child = child;
  }

  static async start(): Promise<Slapd> {
    const dir = await mkdtemp(join(tmpdir(), 'pileus-slapd-'));
    await mkdir(join(dir, 'db'));
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', join(dir, 'key.pem')];
    await run('openssl', ['req', '-x509', ...key, '-out', join(dir, 'cert.pem'), '-days', '2', ...subject]);
    await writeFile(join(dir, 'slapd.conf'), configuration(dir));
    const urls = [`ldap://127.0.0.1:${await freePort()}`, `ldaps://127.0.0.1:${await freePort()}`] as const;
    const argv = ['--pdeathsig', 'KILL', '/usr/sbin/slapd', '-f', join(dir, 'slapd.conf'), '-h', urls.join(' '), '-d', '0'];
    const child = spawn('setpriv', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
    const server = new Slapd(dir, urls, child);
    await server.#untilUp();
    await server.#fill();
    return server;
  }

  get caFile(): string {
    return join(this.dir, 'cert.pem');
  }

  /** Asks it as its administrator. */
  async admin(change: (client: Client) => Promise<void>): Promise<void> {
    const client = new Client({ url: this.url });
    try {
      await client.bind(ADMIN, ADMIN_PASSWORD);
      await change(client);
    } finally {
      await client.unbind();
    }
  }

  async #untilUp(): Promise<void> {
    let said = '';
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    for (const endMs = performance.now() + START_MS; ; ) {
      try {
        return await this.admin(async () => undefined);
      } catch (cause) {
        if (this.#child.exitCode !== null || performance.now() > endMs) throw new Error(`slapd does not start: ${said}`, { cause });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  #fill(): Promise<void> {
    return this.admin(async (client) => {
      await client.add(SUFFIX, { objectClass: ['dcObject', 'organization'], dc: 'example', o: 'Example' });
      for (const ou of ['people', 'groups']) await client.add(`ou=${ou},${SUFFIX}`, { objectClass: 'organizationalUnit', ou });
      await client.add(`cn=reader,${SUFFIX}`, {
        objectClass: ['organizationalRole', 'simpleSecurityObject'],
        cn: 'reader',
        userPassword: 'reading',
      });
      await client.add(person('ann'), entry('ann', 'ann@example.org'));
      await client.add(person('bob'), entry('bob', 'bob@example.org'));
      await client.add(`cn=admins,ou=groups,${SUFFIX}`, { objectClass: 'groupOfNames', cn: 'admins', member: person('ann') });
      await client.add(`cn=staff,ou=groups,${SUFFIX}`, {
        objectClass: 'groupOfNames',
        cn: 'staff',
        member: [person('ann'), person('bob')],
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    await rm(this.dir, { recursive: true, force: true });
  }
}

export const person = (uid: string): string => `uid=${uid},ou=people,${SUFFIX}`;

const entry = (uid: string, mail: string) => ({
  ...{ objectClass: 'inetOrgPerson', uid, mail },
  ...{ cn: uid, sn: uid, userPassword: `${uid}s password` },
});

const configuration = (dir: string): string => `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile ${dir}/cert.pem
TLSCertificateKeyFile ${dir}/key.pem
database mdb
suffix "${SUFFIX}"
rootdn "${ADMIN}"
rootpw "${ADMIN_PASSWORD}"
directory ${dir}/db
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,${SUFFIX}" read by * none
`;
