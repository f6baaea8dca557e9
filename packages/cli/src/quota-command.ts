import type { Command } from 'commander';
import { outputOption } from './accept.ts';
import { exact, type Format, formatRows } from './format.ts';
import type { Session } from './session.ts';

interface Flags {
  readonly project?: string;
  readonly account?: string;
  readonly all?: boolean;
  readonly output: Format;
}

const COLUMNS = ['scope', 'name', 'counter', 'used', 'limit'];

export function addQuota(program: Command, session: Session): void {
  program
    .command('quota')
    .description('Shows what the project and its account use of each quota, and the limits.')
    .option('--project <name>', 'of this project alone, by name or id')
    .option('--account <name>', 'of this account alone, by name or id')
    .option('--all', 'also what is neither used nor limited')
    .addOption(outputOption())
    .action(async ({ project, account, all, output }: Flags) => {
      const { cloud } = await session.server();
      const { items } = await cloud.quota.get(
        { ...(project === undefined ? {} : { project }), ...(account === undefined ? {} : { account }) },
        { signal: session.signal },
      );
      const told = items.filter(({ used, limit }) => all === true || used > 0 || limit !== null);
      if (output === 'json' || output === 'yaml') return session.out(formatRows(told, output, COLUMNS));
      if (output === 'name') return session.out(told.map(({ counter }) => `${counter}\n`).join(''));
      if (told.length === 0) return session.note('Nothing is used, and nothing is limited.');
      const shown = told.map(({ used, limit, ...item }) => ({
        ...item,
        used: exact(item.counter, used),
        limit: limit === null ? 'none' : exact(item.counter, limit),
      }));
      session.out(formatRows(shown, output, COLUMNS, session.width));
    });
}
