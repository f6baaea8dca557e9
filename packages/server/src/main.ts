#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
/**
 * What a start allocates is mostly garbage, for which V8 would make its young generation as large as it may be and leave its old one full of holes, and keep
 * both so: 14 MiB each. They may grow as soon as there is something to serve; what only the start needed, its compiled code as well, goes before (60 ms).
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { refuseOldNode } from './node-version.ts';

refuseOldNode('pileus-server');
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--heap-growing-percent=20');
const { describeFailure, run } = await import('./run.ts');
try {
  await run(() => {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as (options: object) => void)({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    setFlagsFromString('--semi-space-growth-factor=2');
    setFlagsFromString('--heap-growing-percent=0');
  });
} catch (error) {
  process.stderr.write(`pileus-server: ${describeFailure(error)}\n`);
  process.exitCode = 1;
}
