/** A cloud inside this process: the same client, without a server. */
import { createCloud } from '@pileus/core';
import { nodeEnvironment } from '@pileus/core/node';
import { inlineSqlite } from '@pileus/core/sqlite';
import { SimWorld, simulated } from '@pileus/core/testing';
import { connect } from '@pileus/sdk';

const environment = nodeEnvironment();
const world = new SimWorld(environment);
world.addHost('hv1');

await using embedded = await createCloud({
  plugins: [simulated({ world, environment })],
  store: inlineSqlite(),
  dataDir: process.argv[2] ?? './pileus-data',
});
const cloud = connect(embedded);
const zone = await cloud.zones.create({ name: 'home' }).wait();
const cluster = await cloud.clusters.create({ name: 'rack', zoneId: zone.id, allowEmulation: true }).wait();
const host = await cloud.hosts.create({ name: 'hv1', clusterId: cluster.id, uri: 'sim://hv1' }).wait();
console.log(`${host.name} is ${host.status} with ${host.cpus} processors`);
