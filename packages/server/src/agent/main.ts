#!/usr/bin/env node
import { describeFailure } from '../failure.ts';
import { run, USAGE } from './run.ts';

try {
  await run();
} catch (error) {
  process.stderr.write(`pileus-agent: ${describeFailure(error, USAGE)}\n`);
  // What is under way cannot be recorded any more: the next life begins from what was.
  process.exit(1);
}
