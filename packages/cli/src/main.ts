#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { cacheDirectory } from './directories.ts';

// Two thirds of the time of a short command would go into compiling the program again.
enableCompileCache(join(cacheDirectory(process.env), 'compiled'));
const { run } = await import('./run.ts');
process.exitCode = await run(process.argv.slice(2));
