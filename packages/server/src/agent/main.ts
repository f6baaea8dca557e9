#!/usr/bin/env node
import { refuseOldNode } from '../node-version.ts';

refuseOldNode('pileus-agent');
const { describeFailure } = await import('../failure.ts');
const { run, USAGE } = await import('./run.ts');
try {
  await run();
} catch (error) {
  process.stderr.write(`pileus-agent: ${describeFailure(error, USAGE)}\n`);
  // What is under way cannot be recorded any more: the next life begins from what was.
  process.exit(1);
}
