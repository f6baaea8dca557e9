import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from './client.ts';
import { type Bench, median, percentile, type Row } from './harness.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';

const SAMPLES = fileURLToPath(new URL('./sample-plugin.ts', import.meta.url));
const FLOOD = fileURLToPath(new URL('./flood-child.ts', import.meta.url));
const ROUNDS = 4;
const REQUESTS = 200;
/** The quiet tenant asks so often. */
const EVERY_MS = 10;
const CONNECTIONS = 64;
const BEGIN_MS = 500;

const KINDS = ['read', 'create'] as const;
type Kind = (typeof KINDS)[number];

/** What one tenant waits for an answer while another floods the server, beside what he waits while nobody does, in turns. */
export const fairnessBench: Bench = {
  ids: KINDS.map((kind) => `fairness.${kind}`),
  async run(wants) {
    await using dir = await scratch();
    await using server = await BenchServer.start({ dir: join(dir.path, 'server'), config: { plugins: [{ module: SAMPLES }] } });
    const quiet = new Client(server.url, await tenant(server, 'quiet'));
    const loud = await tenant(server, 'loud');
    for (let index = 0; index < 20; index += 1)
      await new Client(server.url, loud).done('POST', '/v1/samples', { name: `sample-${index}`, labels: { text: 'x'.repeat(500) } });
    const rows: Row[] = [];
    for (const kind of KINDS) if (wants(`fairness.${kind}`)) rows.push(await contest(kind, server, quiet, loud));
    quiet.close();
    return rows;
  },
};

async function contest(kind: Kind, { url }: BenchServer, quiet: Client, loud: string): Promise<Row> {
  const alone: number[] = [];
  const flooded: number[] = [];
  let answered = 0;
  await asked(kind, quiet, 'warm-up');
  for (let round = 0; round < ROUNDS; round += 1) {
    alone.push(...(await asked(kind, quiet, `alone-${round}`)));
    const flood = fork(FLOOD, [url, loud, kind, String(CONNECTIONS)], { execArgv: process.execArgv });
    await sleep(BEGIN_MS);
    const before = performance.now();
    flooded.push(...(await asked(kind, quiet, `flooded-${round}`)));
    const seconds = (performance.now() - before + BEGIN_MS) / 1000;
    answered += (await stopped(flood)) / seconds / ROUNDS;
  }
  process.stderr.write(
    `the flood of ${kind}s was answered ${answered.toFixed(0)} times a second; quiet p50 alone ${median(alone).toFixed(2)} ms\n`,
  );
  const [value, floor] = [percentile(flooded, 0.99), percentile(alone, 0.99)];
  return { id: `fairness.${kind}`, value, unit: 'ms p99', p50: median(flooded), p99: value, floor, ratio: value / floor };
}

/** How long each request of the quiet tenant took, in milliseconds. */
async function asked(kind: Kind, client: Client, round: string): Promise<number[]> {
  const tookMs: number[] = [];
  for (let index = 0; index < REQUESTS; index += 1) {
    const startedMs = performance.now();
    const body = JSON.stringify({ name: `${round}-${index}`, labels: {} });
    const { status } = kind === 'create' ? await client.ask('POST', '/v1/samples', body) : await client.ask('GET', '/v1/samples?limit=20');
    if (status >= 400) throw new Error(`${kind}: ${status}`);
    tookMs.push(performance.now() - startedMs);
    await sleep(EVERY_MS);
  }
  return tookMs;
}

async function stopped(flood: ChildProcess): Promise<number> {
  const told = once(flood, 'message');
  const ended = once(flood, 'exit');
  flood.kill('SIGTERM');
  const [{ answered }] = (await told) as [{ answered: number }];
  await ended;
  return answered;
}

/** An account with a project, and a session of its administrator. */
async function tenant({ client }: BenchServer, name: string): Promise<string> {
  const accountId = await client.done('POST', '/v1/accounts', { name });
  const { items } = JSON.parse((await client.ask('GET', `/v1/projects?allProjects=true&accountId=${accountId}`)).text);
  const inProject = { 'x-pileus-project': items[0].id as string };
  const done = async (path: string, body: object) => {
    const answer = await client.ask('POST', path, JSON.stringify(body), { prefer: 'wait=60', ...inProject });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text) as { readonly resourceId: string; readonly token: string };
  };
  const password = `the password of ${name}`;
  const { resourceId: userId } = await done('/v1/users', { name: 'admin' });
  await done(`/v1/users/${userId}/password`, { password });
  await done('/v1/role-bindings', { userId, role: 'accountAdmin', level: 'account' });
  return (await done('/v1/sessions', { account: name, user: 'admin', password })).token;
}
