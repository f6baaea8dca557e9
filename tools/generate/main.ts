/**
 * Runs every generator.
 *
 *   npm run generate              writes
 *   npm run generate -- --check   exits 1 when a committed file differs from what its source says
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const GENERATORS = ['libvirt-protocol.ts', 'ovsdb-schemas.ts', 'openapi.ts', 'errors.ts', 'config.ts', 'reference.ts'];

for (const script of GENERATORS) {
  const args = [...process.execArgv, join(import.meta.dirname, script), ...process.argv.slice(2)];
  const [code] = await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit');
  if (code !== 0) process.exitCode = 1;
}
