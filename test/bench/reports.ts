import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCloud } from '@pileus/core';
import { nodeEnvironment } from '@pileus/core/node';
import { openSqlite } from '@pileus/core/sqlite';
import { SimWorld, simulated } from '@pileus/core/testing';
import type { Bench, Row } from './harness.ts';
import { writeHosts } from './many-hosts.ts';
import { scratch } from './scratch.ts';

const HOSTS = 10_000;
const HEARTBEAT_MS = 10_000;
/** The first full look at all of them, and those that it delays. */
const SETTLE_MS = 4 * HEARTBEAT_MS;
/** A full look at each host falls into it. */
const WINDOW_MS = 6 * HEARTBEAT_MS;
const CHANGED = 100;

/** Processor time over a while, in percent of one core. */
async function load(forMs: number): Promise<number> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  await sleep(forMs);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / 1000 / (performance.now() - startedMs)) * 100;
}

/** What asking so many simulated hosts costs alone, once each heartbeat. */
async function askedAlone(world: SimWorld): Promise<number> {
  const environment = nodeEnvironment();
  const [factory] = simulated({ world, environment }).strategies.hypervisor ?? [];
  if (factory === undefined) throw new Error('no simulated hypervisor');
  const drivers = [...world.hosts.keys()].map((name) => factory.open({ hostId: name, uri: `sim://${name}` }));
  const never = new AbortController().signal;
  let stopped = false;
  const loops = drivers.map(async (driver, index) => {
    await sleep((index / HOSTS) * HEARTBEAT_MS);
    while (!stopped) {
      await driver.inventory({ requestId: 'bench', signal: never, timeoutMs: HEARTBEAT_MS });
      await sleep(HEARTBEAT_MS);
    }
  });
  await sleep(HEARTBEAT_MS);
  const percent = await load(HEARTBEAT_MS);
  stopped = true;
  await Promise.all(loops);
  return percent;
}

/** 10,000 hosts that are asked every ten seconds: what that takes of a core, and what is written when a hundred of them change. */
export const reportBench: Bench = {
  ids: [`hosts.${HOSTS}`, `hosts.${HOSTS}.writes`],
  async run() {
    await using dir = await scratch();
    const environment = nodeEnvironment();
    const world = new SimWorld(environment, { latencyMs: [0, 0], poolBytes: 2 ** 50 });
    const options = {
      plugins: [simulated({ world, environment })],
      dataDir: dir.path,
      presets: { 'hosts.heartbeatSeconds': HEARTBEAT_MS / 1000 },
    };
    const open = () => openSqlite({ path: join(dir.path, 'pileus.db') });
    const empty = await createCloud({ ...options, store: await open() });
    await writeHosts(empty.kernel, HOSTS, (name) => {
      const { hypervisor, hypervisorVersion, ...seen } = world.addHost(name).inventory;
      return { ...seen, hypervisorVersion: `${hypervisor} ${hypervisorVersion}`, virtType: 'simulated' };
    });
    await empty.close();
    const floor = await askedAlone(world);
    const store = await open();
    await using cloud = await createCloud({ ...options, store });
    await sleep(SETTLE_MS);
    const before = (await cloud.kernel.services.store.bounds()).newest;
    const value = await load(WINDOW_MS);
    const still = (await store.bounds()).newest - before;
    for (let number = 0; number < CHANGED; number += 1) {
      const one = world.host(`hv${number}`);
      Object.assign(one, { inventory: { ...one.inventory, cpus: one.inventory.cpus + 1 } });
    }
    await sleep(2 * HEARTBEAT_MS);
    const writes = (await store.bounds()).newest - before - still;
    return [
      { id: `hosts.${HOSTS}`, value, unit: '% of a core', floor, ratio: value / floor },
      { id: `hosts.${HOSTS}.writes`, value: writes + still, unit: 'transactions', floor: CHANGED, ratio: (writes + still) / CHANGED },
    ] satisfies readonly Row[];
  },
};
