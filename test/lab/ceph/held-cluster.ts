// Starts a cluster in the folder that it is given, prints its processes as JSON, and stays until somebody ends it.
import { CephCluster } from '../../../tools/system/ceph-cluster.ts';

const cluster = await CephCluster.start({ directory: process.argv[2] ?? '', store: 'memstore' });
console.log(JSON.stringify([cluster.monitor.pid, cluster.osd(0).pid]));
setInterval(() => {}, 60_000);
