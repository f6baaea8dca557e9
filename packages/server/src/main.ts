#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
/**
 * What a start allocates is mostly garbage, for which V8 would make its young generation as large as it may be, and keep it so: 14 MiB. It may grow as soon as
 * there is something to serve.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--semi-space-growth-factor=1');
const { describeFailure, run } = await import('./run.ts');
try {
  await run(() => setFlagsFromString('--semi-space-growth-factor=2'));
} catch (error) {
  process.stderr.write(`pileus-server: ${describeFailure(error)}\n`);
  process.exitCode = 1;
}
