import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from './client.ts';
import { Flood, tenant, told, waitRow } from './fairness-parts.ts';
import type { Row } from './harness.ts';
import { TIMED } from './probes.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';

const SAMPLES = fileURLToPath(new URL('./sample-plugin.ts', import.meta.url));
const TENANTS = 20;
/** Each creates four a second, at times of his own: eighty a second in all. */
const EVERY_MS = 250;
const ROUNDS = 6;
const ROUND_MS = 8000;
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
  const [without, flooded] = [new Waits(), new Waits()];
  let answered = 0;
  await atWork(server, others, 'warm-up');
  for (let round = 0; round < ROUNDS; round += 1) {
    without.add(await atWork(server, others, `without-${round}`));
    const flood = new Flood(server.url, loud, 'create', CONNECTIONS);
    await sleep(BEGIN_MS);
    flooded.add(await atWork(server, others, `beside-${round}`));
    answered += (await flood.stop()) / ((ROUND_MS + BEGIN_MS) / 1000) / ROUNDS;
  }
  for (const client of others) client.close();
  process.stderr.write(
    `${rules.id}: the flood was answered ${answered.toFixed(0)} times a second; the others without it ${told(without.tookMs)}, in the server ${told(without.servedMs)}\n`,
  );
  return [waitRow(rules.id, flooded.tookMs, without.tookMs), waitRow(servedOf(rules), flooded.servedMs, without.servedMs)];
}

class Waits {
  readonly tookMs: number[] = [];
  readonly servedMs: number[] = [];

  add({ tookMs, servedMs }: Waits): void {
    this.tookMs.push(...tookMs);
    this.servedMs.push(...servedMs);
  }
}

/** Asks at the times that were set, however long answers take: who waits for the last one before he asks would not tell of what he waited. */
async function atWork(server: BenchServer, clients: readonly Client[], round: string): Promise<Waits> {
  const waits = new Waits();
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
