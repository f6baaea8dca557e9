#!/usr/bin/env node
import { join } from 'node:path';
import { cacheDirectory } from './directories.ts';

const NODE_MIN = 24;

// Before anything is loaded that an older one does not have.
if (Number.parseInt(process.versions.node, 10) < NODE_MIN) {
  process.stderr.write(`pileus needs Node ${NODE_MIN} or later; this is ${process.versions.node}.\n`);
  process.exit(1);
}
const { enableCompileCache } = await import('node:module');
// Two thirds of the time of a short command would go into compiling the program again.
enableCompileCache(join(cacheDirectory(process.env), 'compiled'));
const { run } = await import('./run.ts');
process.exitCode = await run(process.argv.slice(2));
