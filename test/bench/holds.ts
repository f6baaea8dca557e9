import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type Cloud, createCloud } from '@pileus/core';
import { bytesBody, jsonBody } from '@pileus/core/kernel';
import { nodeEnvironment } from '@pileus/core/node';
import { openSqlite } from '@pileus/core/sqlite';
import { SimWorld, simulated } from '@pileus/core/testing';
import { HOSTNAMES, type Maker, machineInput, makeFixture } from './fixture.ts';
import { type Bench, inFlight, type Row } from './harness.ts';
import { scratch } from './scratch.ts';
import { Turns } from './turns.ts';

const MACHINES = 1000;
const WARM_UP = 300;
const AT_ONCE = 200;
/** Of a stack, as many as there may be. */
const RESOURCES = 200;
const STRAYS = 1000;
const LOOK_MS = 30_000;
const SETTLE_MS = 200;

/** A cloud in this process, asked as `createCloud` is. */
class HeldCloud implements Maker {
  readonly #cloud: Cloud;

  constructor(cloud: Cloud) {
    this.#cloud = cloud;
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are JSON of any shape.
  async ask(method: string, url: string, body?: object, headers = {}): Promise<any> {
    const answer = await this.#cloud.handle({ method, url, headers, ...(body === undefined ? {} : { body: jsonBody(body) }) });
    if (answer.status >= 400) throw new Error(`${method} ${url}: ${answer.status} ${String(answer.body)}`);
    return JSON.parse(String(answer.body));
  }

  async done(method: string, path: string, input?: object): Promise<string> {
    const accepted = await this.ask(method, path, input);
    for (;;) {
      const { state, error } = await this.ask('GET', `/v1/operations/${accepted.operationId}?waitSeconds=50`);
      if (state === 'succeeded') return accepted.resourceId;
      if (error !== undefined) throw new Error(`${method} ${path}: ${state} ${JSON.stringify(error)}`);
    }
  }

  async upload(url: string, content: Uint8Array): Promise<void> {
    const bytes = async function* () {
      yield content;
    };
    await this.#cloud.handle({ method: 'PUT', url, body: bytesBody(bytes()) });
  }
}

const disks = () => {
  const named = (index: number) => [`disk${index}`, { kind: 'volume', properties: { name: `disk-${index}`, sizeBytes: 8192 } }];
  return { name: 'disks', template: { resources: Object.fromEntries(Array.from({ length: RESOURCES }, (_, index) => named(index))) } };
};

/** What the cloud does at length, by the end of the row's id. */
async function scenesOf(cloud: HeldCloud, world: SimWorld): Promise<Readonly<Record<string, () => Promise<unknown>>>> {
  const fixture = await makeFixture(cloud);
  const [zone] = (await cloud.ask('GET', '/v1/zones')).items;
  const create = async (index: number) => {
    // As from clients: not all of the first in one turn.
    for (let before = 0; before < index % AT_ONCE; before += 1) await nextTurn();
    await cloud.done('POST', '/v1/instances', machineInput(fixture, index));
  };
  await inFlight(AT_ONCE, 0, WARM_UP, create);
  const wholeZone = `/v1/zones/${zone.id}`;
  return {
    create: () => inFlight(AT_ONCE, WARM_UP, MACHINES - WARM_UP, create),
    list: () => cloud.ask('GET', '/v1/instances?limit=1000'),
    join: () => cloud.ask('GET', `/v1/volumes?limit=1000&sort=instance.name&filter=${encodeURIComponent("instance.state = 'running'")}`),
    changes: () => cloud.ask('GET', '/v1/changes?limit=1000&after=1.0'),
    verify: () => cloud.ask('GET', '/v1/audit/verify'),
    plan: () => cloud.ask('POST', '/v1/stacks/plan', disks()),
    stack: () => cloud.done('POST', '/v1/stacks', disks()),
    strays: async () => {
      const [pool] = world.pools.values();
      for (let index = 0; index < STRAYS; index += 1) pool?.createVolume(crypto.randomUUID(), 8192, undefined);
      await sleep(LOOK_MS);
    },
    preview: () => cloud.ask('GET', `${wholeZone}/deletion?recursive=true`),
    delete: () => cloud.done('DELETE', '/v1/stacks/disks').then(() => cloud.done('DELETE', `${wholeZone}?recursive=true`)),
  };
}

/**
 * What holds the event loop longest while the cloud does much: with a thousand machines, on drivers that take some milliseconds as real ones do. Those that
 * answer at once answer all in one turn.
 */
export const holdsBench: Bench = {
  ids: [
    'hold.create',
    'hold.list',
    'hold.join',
    'hold.changes',
    'hold.verify',
    'hold.plan',
    'hold.stack',
    'hold.strays',
    'hold.preview',
    'hold.delete',
  ],
  async run() {
    await using dir = await scratch();
    const turns = new Turns();
    const environment = { ...nodeEnvironment(), marks: turns };
    const world = new SimWorld(environment, { latencyMs: [2, 5], poolBytes: 2 ** 50 });
    for (const hostname of HOSTNAMES) world.addHost(hostname, { cpus: 1_000_000, memoryBytes: 2 ** 50 });
    const store = await openSqlite({ path: join(dir.path, 'pileus.db') });
    await using own = await createCloud({ store, dataDir: dir.path, environment, plugins: [simulated({ world, environment })] });
    const rows: Row[] = [];
    for (const [name, play] of Object.entries(await scenesOf(new HeldCloud(own), world))) {
      await sleep(SETTLE_MS);
      turns.longest();
      await play();
      await sleep(SETTLE_MS);
      const { cpuMs, what } = turns.longest();
      rows.push({ id: `hold.${name}`, value: cpuMs, unit: 'ms', what });
    }
    turns.stop();
    return rows;
  },
};
