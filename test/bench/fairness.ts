import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from './client.ts';
import { bareWaits } from './fairness-floor.ts';
import { MANY, manyTenants } from './fairness-many.ts';
import { Flood, tenant, told, waitRow } from './fairness-parts.ts';
import { type Bench, median, type Row } from './harness.ts';
import { TIMED } from './probes.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';

const SAMPLES = fileURLToPath(new URL('./sample-plugin.ts', import.meta.url));
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
  ids: [BARE, ...MANY, ...RULES.flatMap((rules) => KINDS.flatMap((kind) => rowsOf(kind, rules)))],
  async run(wants) {
    const rows: Row[] = [];
    if (wants(BARE)) {
      const { alone, beside } = await bareWaits(REQUESTS, RULES[0].everyMs);
      process.stderr.write(`bare writes: p50 ${median(alone).toFixed(2)} ms alone, ${median(beside).toFixed(2)} ms beside one other\n`);
      rows.push(waitRow(BARE, beside, alone));
    }
    rows.push(...(await manyTenants(wants)));
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
    const flood = new Flood(server.url, loud, kind, CONNECTIONS[kind]);
    await sleep(BEGIN_MS);
    const before = performance.now();
    flooded.add(await asked(kind, rules, server, { client: quiet, round: `flooded-${round}` }));
    const seconds = (performance.now() - before + BEGIN_MS) / 1000;
    answered += (await flood.stop()) / seconds / ROUNDS;
  }
  process.stderr.write(
    `the flood of ${kind}${rules.name} was answered ${answered.toFixed(0)} times a second; quiet alone ${told(alone.tookMs)}, in the server ${told(alone.servedMs)}\n`,
  );
  const [seen = '', served = ''] = rowsOf(kind, rules);
  return [waitRow(seen, flooded.tookMs, alone.tookMs), waitRow(served, flooded.servedMs, alone.servedMs)];
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
