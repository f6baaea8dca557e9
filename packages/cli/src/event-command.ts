import { type Command, Option } from 'commander';
import { asJson, onOneLine } from './printable.ts';
import type { Session } from './session.ts';

interface Flags {
  readonly kinds?: string;
  readonly after?: string;
  readonly allProjects?: boolean;
  readonly output: string;
}

export function addEvents(program: Command, session: Session): void {
  program
    .command('events')
    .description('Shows every change as it happens, until Ctrl-C.')
    .option('--kinds <kinds>', 'only these, with commas between, e.g. instance,volume')
    .option('--after <cursor>', 'begin behind this cursor (default: now)')
    .option('--all-projects', 'those of every project, for the operator')
    .addOption(new Option('-o, --output <format>', 'how to show it').choices(['table', 'json']).default('table'))
    .action(async ({ kinds, after, allProjects, output }: Flags) => {
      const { cloud } = await session.server();
      const events = cloud.events({
        signal: session.signal,
        ...(kinds === undefined ? {} : { kinds: kinds.split(',') as never }),
        ...(after === undefined ? {} : { after }),
        ...(allProjects === undefined ? {} : { allProjects }),
      });
      for await (const event of events) {
        const { cursor, type, kind, row } = event;
        const name = kind === 'operation' ? row.action : row.name;
        session.out(
          output === 'json'
            ? asJson(event)
            : `${cursor.padEnd(12)}  ${type.padEnd(7)}  ${kind.padEnd(14)}  ${onOneLine(name).padEnd(24)}  ${row.state}\n`,
        );
      }
    });
}
