/** Measures what Pileus costs: `npm run bench [-- --json FILE] [-- --only ID] [-- --compare FILE [--bound N]]`. What the rows mean: docs/internals/performance.md. */
import { parseArgs } from 'node:util';
import { BOUND, compared, comparisonText, passes, rowsOf } from './compare.ts';
import { createBench } from './create.ts';
import { crowdBench } from './crowd.ts';
import { fairnessBench } from './fairness.ts';
import { firstPacketBench } from './first-packet.ts';
import { type Bench, runBenches } from './harness.ts';
import { holdsBench } from './holds.ts';
import { networkPortsBench } from './network-ports.ts';
import { ovnBench } from './ovn.ts';
import { ovsdbBench } from './ovsdb.ts';
import { millionPagesBench, pagesBench } from './pages.ts';
import { placementBench } from './placement.ts';
import { postgresCreateBench } from './postgres-create.ts';
import { millionBench, queryBench } from './query.ts';
import { radosBench } from './rados.ts';
import { rbdStallBench } from './rbd-stall.ts';
import { rbdVolumesBench } from './rbd-volumes.ts';
import { readBench } from './read.ts';
import { realCreateBench } from './real-create.ts';
import { reportBench } from './reports.ts';
import { restBench } from './rest.ts';
import { lagBench, memoryBench, millionMemoryBench, queueBench } from './scale.ts';
import { simulationBench } from './simulation.ts';
import { tenantCreateBench } from './tenant-create.ts';

const BENCHES: readonly Bench[] = [
  readBench,
  queryBench,
  millionBench,
  pagesBench,
  millionPagesBench,
  restBench,
  createBench,
  tenantCreateBench,
  postgresCreateBench,
  realCreateBench,
  memoryBench,
  millionMemoryBench,
  lagBench,
  holdsBench,
  queueBench,
  placementBench,
  reportBench,
  fairnessBench,
  ovsdbBench,
  ovnBench,
  networkPortsBench,
  firstPacketBench,
  radosBench,
  rbdVolumesBench,
  rbdStallBench,
  crowdBench(10_000),
  simulationBench,
];

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    only: { type: 'string' },
    compare: { type: 'string' },
    bound: { type: 'string', default: String(BOUND) },
  },
});
const bound = Number(values.bound);
if (!(bound >= 1)) throw new Error(`--bound ${values.bound} is no number from 1 on`);
// Read first: a name that is mistyped is found before an hour of measuring.
const earlier = values.compare === undefined ? undefined : await rowsOf(values.compare);
const rows = await runBenches(BENCHES, { json: values.json, only: values.only });
if (earlier !== undefined) {
  const comparison = compared(rows, earlier, bound);
  process.stdout.write(`\n${comparisonText(comparison, bound)}`);
  if (!passes(comparison)) process.exitCode = 1;
}
