import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ConsoleTicket, Id } from '@pileus/sdk';
import { expect } from 'chai';
import { plantedIn, tablesOf } from '../../tools/system/planted.ts';
import { allPids } from '../../tools/system/processes.ts';
import { ConsoleClient } from './console-client.ts';
import { LabCloud } from './lab-cloud.ts';

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const fresh = (what: string): string => `${what}-${randomBytes(12).toString('hex')}`;

describe('secrets', function () {
  this.timeout(600_000);
  const password = fresh('password');
  const urlPassword = fresh('user');
  const urlSignature = fresh('signature');
  const redirectSignature = fresh('redirect');
  const wrongKey = `pil_${fresh('wrong')}`;
  const malformed = fresh('malformed');
  let lab: LabCloud;
  let source: Server;
  /** What must be nowhere, by what it is. */
  let planted: Readonly<Record<string, string>>;
  /** Every answer that this test was given as text. */
  const answers: string[] = [];

  before(async () => {
    source = await redirectingSource(redirectSignature);
    const images = { sources: [sourceUrl('/')] };
    lab = await LabCloud.up({ tls: true, config: { log: { level: 'debug' }, images } });
    const userData = `#cloud-config\npassword: ${password}\nchpasswd: { expire: false }\n`;
    const { id } = await lab.cloud.instances.create(lab.instanceRequest('secretive', { userData })).wait();
    const tokens = await useConsoles(id);
    await failImports();
    await failRequests(userData);
    await lab.cloud.instances.stop(id, { force: true }).wait();
    await lab.cloud.instances.start(id).wait();
    await lab.post('/v1/backups', { name: 'copy' });
    const [, keyStart = '', keyEnd = ''] = lab.lab.client?.key.split('\n') ?? [];
    planted = {
      ...{ password, urlPassword, urlSignature, redirectSignature, wrongKey, malformed, ...tokens, keyStart, keyEnd },
      rootKey: lab.server.apiKey,
    };
    for (const [what, secret] of Object.entries(planted)) expect(secret.length, what).to.be.greaterThan(20);
  });

  after(async () => {
    source?.close();
    await lab?.down();
  });

  const sourceUrl = (path: string): string => `http://127.0.0.1:${(source.address() as AddressInfo).port}${path}`;

  /** One token that was used, one that waits, one that another has tried to use. */
  async function useConsoles(id: Id<'instance'>): Promise<Readonly<Record<string, string>>> {
    const tickets = await Promise.all([1, 2, 3].map(() => lab.cloud.instances.openConsole(id, 'serial')));
    const [used, waiting, refused] = tickets as [ConsoleTicket, ConsoleTicket, ConsoleTicket];
    (await ConsoleClient.open(used)).close();
    await ask('GET', `/v1/consoles/${refused.token}`);
    return { usedToken: used.token, waitingToken: waiting.token, refusedToken: refused.token };
  }

  async function failImports(): Promise<void> {
    const userInfo = sourceUrl('/a.img').replace('//', `//someone:${urlPassword}@`);
    for (const url of [userInfo, `${userInfo}?X-Signature=${urlSignature}`, sourceUrl(`/a.img?X-Signature=${urlSignature}`)])
      expect(await ask('POST', '/v1/images', { name: 'refused', sourceUrl: url })).to.match(/"pointer":"\/sourceUrl"/);
    const led = await lab.cloud.images
      .create({ name: 'led', sourceUrl: sourceUrl('/led.img') })
      .wait()
      .then(() => 'succeeded', messageOf);
    expect(led).to.match(/\/signed\.img answers with status 403/);
    answers.push(led);
  }

  /** Requests that are refused go through other code than those that are not. */
  async function failRequests(userData: string): Promise<void> {
    const request = lab.instanceRequest('refused', { userData });
    const { clusterId } = await lab.cloud.hosts.get(lab.hostId);
    const garbage = JSON.stringify({ ...lab.lab.client, key: lab.lab.client?.key.slice(0, -60) });
    for (const [path, body] of [
      ['/v1/instances', { ...request, imageId: randomUUID() }],
      ['/v1/instances', { ...request, userData: [userData] }],
      ['/v1/instances', { ...request, unknown: userData }],
      ['/v1/instances', `{"name": "x", "userData": ${malformed}}`],
      ['/v1/hosts', { clusterId, uri: 'qemu+tls://127.0.0.1/system', tlsCredentials: lab.lab.client?.key }],
    ] as const)
      await ask('POST', path, body);
    const host = await lab.cloud.hosts
      .create({ name: 'refused', clusterId, uri: 'qemu+tls://127.0.0.1/system', tlsCredentials: garbage })
      .wait()
      .then(() => 'succeeded', messageOf);
    expect(host).to.include('key holds no private key in PEM');
    answers.push(host);
    await ask('GET', '/v1/instances', undefined, wrongKey);
  }

  async function ask(method: string, path: string, body?: object | string, key = lab.server.apiKey): Promise<string> {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const content = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const response = await fetch(new URL(path, lab.server.url), { method, headers, ...content });
    const text = await response.text();
    answers.push(text);
    return text;
  }

  const filesBelow = async (dir: string): Promise<readonly string[]> => {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  };

  const secretsIn = (content: Buffer | string) => plantedIn(planted, content);

  it('reach the guest, and nothing else on its host', async () => {
    const found: Record<string, readonly string[]> = {};
    for (const path of await filesBelow(lab.host.rootDir)) {
      const secrets = secretsIn(await readFile(path).catch(() => ''));
      if (secrets.length > 0) found[path.replace(/^.*\//, '')] = secrets;
    }
    expect(Object.keys(found)).to.have.length(1);
    expect(Object.entries(found)[0]).to.satisfy(
      ([name, secrets]: [string, string[]]) => /^seed-/.test(name) && secrets.join() === 'password',
    );
  });

  it('are in no file of the server: database, write-ahead log, backup, image, log', async () => {
    const data = join(lab.serverDir, 'data');
    expect(await readdir(data)).to.include.members(['pileus.db', 'pileus.db-wal', 'backups', 'seal.key', 'images']);
    for (const path of [...(await filesBelow(data)), join(lab.serverDir, 'server.log')])
      expect(secretsIn(await readFile(path)), path).to.deep.equal([]);
  });

  it('are in no row, journal entry, audit entry or notice, however the file is laid out', () => {
    for (const name of ['pileus.db', 'backups/copy.db']) {
      const tables = tablesOf(join(lab.serverDir, 'data', name));
      expect(Object.keys(tables)).to.include.members([
        'instance',
        'host',
        'image',
        'operation',
        'journal',
        'audit',
        'idempotency',
        'sealed',
      ]);
      // The search itself works: what is not secret is found.
      expect(tables.journal?.includes('secretive') || tables.instance?.includes('secretive')).to.equal(true);
      for (const [table, content] of Object.entries(tables)) expect(secretsIn(content), `${name} ${table}`).to.deep.equal([]);
    }
  });

  it('are in nothing that the API shows: rows, operations, changes, events, metrics', async () => {
    for (const kind of ['instances', 'hosts', 'images', 'operations']) await ask('GET', `/v1/${kind}?deleted=true&limit=1000`);
    expect(await ask('GET', '/v1/changes?after=0.0&limit=1000'))
      .to.include('"kind":"instance"')
      .and.to.include('secretive');
    expect(await ask('GET', '/metrics')).to.include('# TYPE');
    answers.push(await eventsUntil(/secretive/));
    for (const answer of answers) expect(secretsIn(answer), answer.slice(0, 300)).to.deep.equal([]);
  });

  it('are in no argument or environment of any process', async () => {
    const arguments_ = await Promise.all((await allPids()).map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
    expect(arguments_.some((line) => line.includes(join(lab.serverDir, 'config.json')))).to.equal(true);
    for (const line of arguments_) expect(secretsIn(line), line.replaceAll('\0', ' ').slice(0, 300)).to.deep.equal([]);
    expect(secretsIn(await readFile(`/proc/${lab.server.pid}/environ`))).to.deep.equal([]);
  });

  /** The stream of events from the first one on, as far as the pattern. */
  async function eventsUntil(pattern: RegExp): Promise<string> {
    const stop = new AbortController();
    const headers = { authorization: `Bearer ${lab.server.apiKey}` };
    const response = await fetch(new URL('/v1/events?after=0.0', lab.server.url), { headers, signal: stop.signal });
    let text = '';
    for await (const part of response.body ?? []) {
      text += new TextDecoder().decode(part);
      if (pattern.test(text)) break;
    }
    stop.abort();
    return text;
  }
});

/** A server of images that leads each request to a signed URL, as object stores do, and then denies it. */
async function redirectingSource(signature: string): Promise<Server> {
  const server = createServer((request, response) => {
    const signed = request.url?.includes('?') === true;
    response.writeHead(signed ? 403 : 302, signed ? {} : { location: `/signed.img?X-Signature=${signature}` });
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
