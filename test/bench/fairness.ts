import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from './client.ts';
import { bareWaits } from './fairness-floor.ts';
import { type Bench, median, percentile, type Row } from './harness.ts';
import { TIMED } from './probes.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';

const SAMPLES = fileURLToPath(new URL('./sample-plugin.ts', import.meta.url));
const FLOOD = fileURLToPath(new URL('./flood-child.ts', import.meta.url));
const ROUNDS = 4;
const REQUESTS = 200;
const BEGIN_MS = 500;

const KINDS = ['read', 'create', 'whole'] as const;
/** `whole`: a creation until its operation is over; the others until the answer. */
type Kind = (typeof KINDS)[number];
/** What the flood has in flight. */
const CONNECTIONS: Readonly<Record<Kind, number>> = { read: 64, create: 64, whole: 200 };

/** The same of bare transactions, beside one other writer: what no store that flushes can do better. */
const BARE = 'fairness.bare';

/** Without limits, the quiet tenant a hundred times a second; and with a limit for each key, a little above what he then asks. */
const RULES = [
  { name: '', everyMs: 10, limits: {} },
  { name: '.limited', everyMs: 100, limits: { keyRequestsPerSecond: 15, keyBurst: 30 } },
] as const;
type Rules = (typeof RULES)[number];

const rowsOf = (kind: Kind, { name }: Rules): readonly string[] => [`fairness.${kind}${name}`, `fairness.${kind}${name}.server`];

/** What one tenant waits for an answer while another floods the server, beside what he waits while nobody does, in turns. */
export const fairnessBench: Bench = {
  ids: [BARE, ...RULES.flatMap((rules) => KINDS.flatMap((kind) => rowsOf(kind, rules)))],
  async run(wants) {
    const rows: Row[] = [];
    if (wants(BARE)) {
      const { alone, beside } = await bareWaits(REQUESTS, RULES[0].everyMs);
      process.stderr.write(`bare writes: p50 ${median(alone).toFixed(2)} ms alone, ${median(beside).toFixed(2)} ms beside one other\n`);
      rows.push(waitRow(BARE, beside, alone));
    }
    for (const rules of RULES) {
      const kinds = KINDS.filter((kind) => rowsOf(kind, rules).some(wants));
      if (kinds.length > 0) rows.push(...(await contests(kinds, rules)));
    }
    return rows;
  },
};

async function contests(kinds: readonly Kind[], rules: Rules): Promise<readonly Row[]> {
  await using dir = await scratch();
  await using server = await BenchServer.start({
    dir: join(dir.path, 'server'),
    config: { plugins: [{ module: SAMPLES, options: { timed: true } }], limits: rules.limits },
  });
  const quiet = new Client(server.url, await tenant(server, 'quiet'));
  const loud = await tenant(server, 'loud');
  for (let index = 0; index < 20; index += 1)
    await new Client(server.url, loud).done('POST', '/v1/samples', { name: `sample-${index}`, labels: { text: 'x'.repeat(500) } });
  const rows: Row[] = [];
  for (const kind of kinds) rows.push(...(await contest(kind, rules, server, { quiet, loud })));
  quiet.close();
  return rows;
}

/** How long the requests of the quiet tenant took: as he sees it, and of that in the server, in its queues and in work. */
class Waits {
  readonly tookMs: number[] = [];
  readonly servedMs: number[] = [];

  add({ tookMs, servedMs }: Waits): void {
    this.tookMs.push(...tookMs);
    this.servedMs.push(...servedMs);
  }
}

async function contest(
  kind: Kind,
  rules: Rules,
  server: BenchServer,
  { quiet, loud }: { readonly quiet: Client; readonly loud: string },
): Promise<readonly Row[]> {
  const alone = new Waits();
  const flooded = new Waits();
  let answered = 0;
  await asked(kind, rules, server, { client: quiet, round: 'warm-up' });
  for (let round = 0; round < ROUNDS; round += 1) {
    alone.add(await asked(kind, rules, server, { client: quiet, round: `alone-${round}` }));
    const flood = fork(FLOOD, [server.url, loud, kind, String(CONNECTIONS[kind])], { execArgv: process.execArgv });
    await sleep(BEGIN_MS);
    const before = performance.now();
    flooded.add(await asked(kind, rules, server, { client: quiet, round: `flooded-${round}` }));
    const seconds = (performance.now() - before + BEGIN_MS) / 1000;
    answered += (await stopped(flood)) / seconds / ROUNDS;
  }
  const quietly = (waits: readonly number[]) => `p50 ${median(waits).toFixed(2)} ms, p99 ${percentile(waits, 0.99).toFixed(2)} ms`;
  process.stderr.write(
    `the flood of ${kind}${rules.name} was answered ${answered.toFixed(0)} times a second; quiet alone ${quietly(alone.tookMs)}, in the server ${quietly(alone.servedMs)}\n`,
  );
  const [seen = '', served = ''] = rowsOf(kind, rules);
  return [waitRow(seen, flooded.tookMs, alone.tookMs), waitRow(served, flooded.servedMs, alone.servedMs)];
}

function waitRow(id: string, beside: readonly number[], alone: readonly number[]): Row {
  const [value, floor] = [percentile(beside, 0.99), percentile(alone, 0.99)];
  return { id, value, unit: 'ms p99', p50: median(beside), p99: value, floor, ratio: value / floor };
}

async function asked(
  kind: Kind,
  { everyMs }: Rules,
  server: BenchServer,
  { client, round }: { readonly client: Client; readonly round: string },
): Promise<Waits> {
  const waits = new Waits();
  await server.probe();
  const timed: Readonly<Record<string, string>> = { [TIMED]: '1' };
  for (let index = 0; index < REQUESTS; index += 1) {
    const startedMs = performance.now();
    const body = JSON.stringify({ name: `${round}-${index}`, labels: {} });
    const { status } =
      kind !== 'read'
        ? await client.ask('POST', '/v1/samples', body, kind === 'whole' ? { ...timed, prefer: 'wait=60' } : timed)
        : await client.ask('GET', '/v1/samples?limit=20', undefined, timed);
    if (status >= 400) throw new Error(`${kind}: ${status}`);
    waits.tookMs.push(performance.now() - startedMs);
    await sleep(everyMs);
  }
  waits.servedMs.push(...(await server.probe()).servedMs);
  return waits;
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
