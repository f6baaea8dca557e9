import { join } from 'node:path';
import { ensureSystem } from '../../tools/system/ensure.ts';
import { TEST_PACKAGES } from '../../tools/system/packages.ts';
import { PrivatePostgres } from '../../tools/system/private-postgres.ts';
import { Client } from './client.ts';
import { Contest, ROUNDS, rowOf, WARM_UP } from './create.ts';
import { HOSTNAMES, makeFixture, overHttp } from './fixture.ts';
import { Floor } from './floor.ts';
import type { Bench } from './harness.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';
import { LIMIT, memberKey, setLimits } from './tenant.ts';

/** As `create.20.tenant`, with the store in a PostgreSQL of our own; the floor writes the same rows through `pg`. Its processor time is on neither side. */
export const postgresCreateBench: Bench = {
  ids: ['postgres.create.20'],
  async run() {
    const system = await ensureSystem({ log: () => {}, also: TEST_PACKAGES });
    if (!system.ok) throw new Error(`postgres.create needs root and PostgreSQL: ${system.reason}`);
    await using dir = await scratch();
    await using postgres = await PrivatePostgres.start();
    const store = postgres.url();
    await using server = await BenchServer.start({ dir: join(dir.path, 'server'), hosts: HOSTNAMES, config: { store } });
    await using floor = await Floor.start(dir.path, store);
    const fixture = await makeFixture(overHttp(server.client));
    await setLimits(server.client, LIMIT);
    const member = new Client(server.url, await memberKey(server.client));
    const contest = new Contest(server, floor, fixture, member);
    await contest.round(20, WARM_UP);
    const pairs = [];
    for (let round = 0; round < ROUNDS; round += 1) pairs.push((await contest.round(20)).create);
    member.close();
    return [rowOf('postgres.create.20', pairs, 'cpu')];
  },
};
