#!/usr/bin/env -S node --disable-warning=ExperimentalWarning --max-semi-space-size=4
import { describeFailure, run } from './run.ts';

try {
  await run();
} catch (error) {
  process.stderr.write(`pileus-server: ${describeFailure(error)}\n`);
  process.exitCode = 1;
}
