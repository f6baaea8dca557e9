import { join } from 'node:path';
import { Wire } from '../../../server/test/postgres/wire.ts';
import type { Address } from '../../src/ovsdb/index.ts';
import type { PrivateServer } from './private-server.ts';

/** A way to a server that a test can cut: `open` is whether it lets new connections through, `cut()` ends those that are there. */
export async function wireTo(server: PrivateServer): Promise<{ readonly wire: Wire; readonly address: Address }> {
  const wire = await Wire.to(server.socketPath, join(server.dir, 'wire'));
  // What was made for PostgreSQL listens under the name that its clients look for.
  return { wire, address: { kind: 'unix', path: join(wire.dir, '.s.PGSQL.5432') } };
}
