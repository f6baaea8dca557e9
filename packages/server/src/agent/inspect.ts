import { access, constants } from 'node:fs/promises';
import { hostname, release } from 'node:os';
import { join } from 'node:path';
import type { Handler } from './runner.ts';

/** What commands run as programs. */
const PROGRAMS = ['ip', 'ethtool'];

const isThere = async (program: string, path: string): Promise<boolean> => {
  for (const directory of path.split(':'))
    if (
      await access(join(directory, program), constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return true;
  return false;
};

export const inspectHost: Handler<'host.inspect'> = {
  subject: () => 'host',
  async run() {
    const path = process.env.PATH ?? '';
    const programs = await Promise.all(PROGRAMS.map(async (program) => [program, await isThere(program, path)] as const));
    return { hostname: hostname(), kernel: release(), programs: Object.fromEntries(programs) };
  },
};
