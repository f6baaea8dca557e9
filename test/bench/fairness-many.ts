import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from './client.ts';
import { Flood, tenant, told, waitRow } from './fairness-parts.ts';
import { type Row, resampledRatios } from './harness.ts';
import { TIMED } from './probes.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';

const SAMPLES = fileURLToPath(new URL('./sample-plugin.ts', import.meta.url));
const TENANTS = 20;
/** Each creates four a second, at times of his own: eighty a second in all. */
const EVERY_MS = 250;
/** Many and short: commits wait for a disk that has better and worse minutes, which then meet both sides alike. */
const ROUNDS = 30;
const ROUND_MS = 4000;
const BEGIN_MS = 1000;
const CONNECTIONS = 64;

const RULES = [
  { id: 'fairness.many', limits: {} },
  { id: 'fairness.many.limited', limits: { keyRequestsPerSecond: 15, keyBurst: 30 } },
] as const;
type Rules = (typeof RULES)[number];
const servedOf = ({ id }: Rules): string => `${id}.server`;

export const MANY: readonly string[] = RULES.flatMap((rules) => [rules.id, servedOf(rules)]);

/** What tenants in ordinary work wait for the answers to their creations while one more floods the server, beside what they wait while he does not, in turns. */
export async function manyTenants(wants: (id: string) => boolean): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const rules of RULES) if (wants(rules.id) || wants(servedOf(rules))) rows.push(...(await beside(rules)));
  return rows;
}

async function beside(rules: Rules): Promise<readonly Row[]> {
  await using dir = await scratch();
  await using server = await BenchServer.start({
    dir: join(dir.path, 'server'),
    config: { plugins: [{ module: SAMPLES, options: { timed: true } }], limits: rules.limits },
  });
  const others: Client[] = [];
  for (let index = 0; index < TENANTS; index += 1) {
    others.push(new Client(server.url, await tenant(server, `tenant-${index}`)));
    // The root key has a limit, too.
    await sleep(500);
  }
  const loud = await tenant(server, 'loud');
  const [without, flooded]: [Waits[], Waits[]] = [[], []];
  let answered = 0;
  const quiet = async (round: number) => {
    without.push(await atWork(server, others, `without-${round}`));
  };
  const beside = async (round: number) => {
    const flood = new Flood(server.url, loud, 'create', CONNECTIONS);
    await sleep(BEGIN_MS);
    flooded.push(await atWork(server, others, `beside-${round}`));
    answered += (await flood.stop()) / ((ROUND_MS + BEGIN_MS) / 1000) / ROUNDS;
    await sleep(BEGIN_MS);
  };
  await atWork(server, others, 'warm-up');
  for (let round = 0; round < ROUNDS; round += 1) for (const half of round % 2 === 0 ? [quiet, beside] : [beside, quiet]) await half(round);
  for (const client of others) client.close();
  process.stderr.write(`${rules.id}: the flood was answered ${answered.toFixed(0)} times a second\n`);
  return [row(rules.id, flooded, without, ({ tookMs }) => tookMs), row(servedOf(rules), flooded, without, ({ servedMs }) => servedMs)];
}

interface Waits {
  readonly tookMs: number[];
  readonly servedMs: number[];
}

/** The row, and how sure its ratio is; beside it the same of quiet rounds over quiet rounds, which is 1 but for what the machine does. */
function row(id: string, flooded: readonly Waits[], without: readonly Waits[], of: (waits: Waits) => readonly number[]): Row {
  const [beside, alone] = [flooded.map(of), without.map(of)];
  const interval = (over: readonly (readonly number[])[], under: readonly (readonly number[])[]) =>
    resampledRatios(over, under, 0.99)
      .map((ratio) => ratio.toFixed(2))
      .join(' to ');
  const halves = [0, 1].map((half) => alone.filter((_, round) => round % 2 === half));
  process.stderr.write(
    `${id}: others without it ${told(alone.flat())}; ratio ${interval(beside, alone)} in nine of ten resamples of the rounds, of quiet ones over quiet ones ${interval(halves[0] ?? [], halves[1] ?? [])}\n`,
  );
  return waitRow(id, beside.flat(), alone.flat());
}

/** Asks at the times that were set, however long answers take: who waits for the last one before he asks would not tell of what he waited. */
async function atWork(server: BenchServer, clients: readonly Client[], round: string): Promise<Waits> {
  const waits: Waits = { tookMs: [], servedMs: [] };
  await server.probe();
  const beganMs = performance.now();
  await Promise.all(
    clients.map(async (client, index) => {
      const asked: Promise<void>[] = [];
      for (let turn = 0; turn * EVERY_MS < ROUND_MS; turn += 1) {
        // Spread by the golden ratio, so that no two ask in step.
        const atMs = (turn + ((index * 0.618 + turn * 0.383) % 1)) * EVERY_MS;
        await sleep(Math.max(0, beganMs + atMs - performance.now()));
        asked.push(create(client, `${round}-${index}-${turn}`, waits));
      }
      await Promise.all(asked);
    }),
  );
  waits.servedMs.push(...(await server.probe()).servedMs);
  return waits;
}

async function create(client: Client, name: string, waits: Waits): Promise<void> {
  const startedMs = performance.now();
  const { status, text } = await client.ask('POST', '/v1/samples', JSON.stringify({ name, labels: {} }), { [TIMED]: '1' });
  if (status >= 400) throw new Error(`${status} ${text}`);
  waits.tookMs.push(performance.now() - startedMs);
}
