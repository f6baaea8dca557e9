// Connects as it is told by its standard input, says which process it has for that, and stays until it is ended.
import { text } from 'node:stream/consumers';
import { type ClusterOptions, RadosCluster } from '../../src/rados/index.ts';

const cluster = RadosCluster.open(JSON.parse(await text(process.stdin)) as ClusterOptions);
await cluster.info();
console.log(cluster.processIds[0]);
setInterval(() => {}, 60_000);
