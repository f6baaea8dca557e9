import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './client.ts';
import { WARM_UP } from './create.ts';
import { type Fixture, HOSTNAMES, machineInput, makeFixture, overHttp } from './fixture.ts';
import { type Bench, inFlight, median, percentile, type Row } from './harness.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';
import { LIMIT, memberKey, setLimits } from './tenant.ts';

const ROUNDS = 5;
const COUNT = 400;
const AT_ONCE = 20;
const SETTLE_MS = 200;

/**
 * Machines made by a member with an API key, on roles, within limits of all quotas of his project and of its account, beside those made by the root key, which
 * is asked for nothing, while there are no limits: what it costs that there are tenants. Both are deleted by the root key, unmeasured.
 */
export const tenantCreateBench: Bench = {
  ids: ['create.20.tenant'],
  async run() {
    await using dir = await scratch();
    await using server = await BenchServer.start({ dir: join(dir.path, 'server'), hosts: HOSTNAMES });
    const fixture = await makeFixture(overHttp(server.client));
    const member = new Client(server.url, await memberKey(server.client));
    const makers = new Makers(server, fixture);
    await makers.round(server.client, WARM_UP / 2);
    await makers.round(member, WARM_UP / 2);
    const own: Round[] = [];
    const roots: Round[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await setLimits(server.client, null);
      roots.push(await makers.round(server.client, COUNT));
      await setLimits(server.client, LIMIT);
      own.push(await makers.round(member, COUNT));
    }
    member.close();
    const cpuMs = median(own.map((round) => round.cpuMs));
    const floor = median(roots.map((round) => round.cpuMs));
    const tookMs = own.flatMap((round) => round.tookMs);
    const row: Row = {
      ...{ id: 'create.20.tenant', value: median(own.map((round) => round.rate)), unit: '1/s', cpuMs },
      ...{ p50: median(tookMs), p99: percentile(tookMs, 0.99), floor, ratio: cpuMs / floor },
    };
    return [row];
  },
};

interface Round {
  readonly tookMs: readonly number[];
  readonly cpuMs: number;
  readonly rate: number;
}

class Makers {
  readonly #server: BenchServer;
  readonly #fixture: Fixture;
  #next = 0;

  constructor(server: BenchServer, fixture: Fixture) {
    this.#server = server;
    this.#fixture = fixture;
  }

  async round(client: Client, count: number): Promise<Round> {
    const first = this.#next;
    this.#next += count;
    const ids: string[] = [];
    const before = await this.#server.probe();
    const startedMs = performance.now();
    const tookMs = await inFlight(AT_ONCE, first, count, async (index) => {
      ids.push(await client.done('POST', '/v1/instances', machineInput(this.#fixture, index), `create-${index}`));
    });
    const seconds = (performance.now() - startedMs) / 1000;
    await sleep(SETTLE_MS);
    const after = await this.#server.probe();
    await inFlight(AT_ONCE, 0, count, async (index) => {
      await this.#server.client.done('DELETE', `/v1/instances/${ids[index]}`);
    });
    return { tookMs, cpuMs: (after.cpuMs - before.cpuMs) / count, rate: count / seconds };
  }
}
