import { isIP } from 'node:net';
import type { Cloud } from '@pileus/sdk';
import { type Command, Option } from 'commander';
import { outputOption } from './accept.ts';
import { EXIT, UsageError } from './exit.ts';
import { type Format, formatRow } from './format.ts';
import { idOf, type Server } from './server.ts';
import type { Session } from './session.ts';
import { table } from './table.ts';

interface Flags {
  readonly protocol?: Protocol;
  readonly port?: number;
  readonly icmpType?: number;
  readonly vpc?: string;
  readonly output: Format;
}
const PROTOCOLS = ['tcp', 'udp', 'icmp'] as const;
type Protocol = (typeof PROTOCOLS)[number];
type Answer = Awaited<ReturnType<Cloud['reachability']['explain']>>;

const SIGNS = { passes: 'ok', stops: 'STOPS', unknown: '?' } as const;

export function addReach(program: Command, session: Session): void {
  program
    .command('reach')
    .description('Shows whether one machine can reach another, what is on the way, and what stops it.')
    .argument('<from>', 'a machine or a NIC, by name or id, or an address')
    .argument('<to>', 'the same')
    .addOption(new Option('--protocol <protocol>', 'default: tcp with a port, else icmp (ping)').choices(PROTOCOLS))
    .option('--port <port>', 'of tcp and udp', Number)
    .option('--icmp-type <type>', 'default: that of a ping', Number)
    .option('--vpc <name>', 'where the addresses are, by name or id; default: where the machine is')
    .addOption(outputOption())
    .addHelpText('after', '\nIt ends with 1 when something stops it.')
    .action(async (from: string, to: string, { protocol, port, icmpType, vpc, output }: Flags) => {
      const server = await session.server();
      session.context = { ...session.context, flagOf };
      const answer = await server.cloud.reachability.explain(
        {
          ...(await end(server, 'from', from)),
          ...(await end(server, 'to', to)),
          ...(vpc === undefined ? {} : { vpcId: (await idOf(server, 'vpc', vpc)) as never }),
          ...(port === undefined ? {} : { port }),
          ...(icmpType === undefined ? {} : { icmpType }),
          protocol: protocol ?? (port === undefined ? 'icmp' : 'tcp'),
        },
        { signal: session.signal },
      );
      session.out(output === 'table' ? shown(answer, session.width) : formatRow(answer, output));
      if (answer.verdict === 'blocked') throw new UsageError(answer.message, undefined, EXIT.error);
    });
}

/** The ends are arguments, and asked for by id: what is wrong with those names itself. */
const flagOf = (pointer: string): string | undefined =>
  ({ '/port': '--port', '/protocol': '--protocol', '/icmpType': '--icmp-type', '/vpcId': '--vpc' })[pointer];

async function nicCalled(server: Server, named: string): Promise<string> {
  try {
    return await idOf(server, 'nic', named);
  } catch (error) {
    if (!(error instanceof UsageError) || error.exitCode !== EXIT.notFound) throw error;
    throw new UsageError(
      `There is no machine and no NIC ${named}, nor is that an address.`,
      'See what there is: pileus instances list',
      error.exitCode,
    );
  }
}

/** An address, a machine (its first NIC), or a NIC. */
async function end(server: Server, which: 'from' | 'to', named: string): Promise<Record<string, never>> {
  if (isIP(named) !== 0) return { [`${which}Address`]: named } as never;
  const { cloud } = server;
  const machine = await cloud.instances.get(named).safe();
  if (!machine.ok && machine.error.code !== 'not_found') throw machine.error;
  if (!machine.ok) return { [`${which}NicId`]: await nicCalled(server, named) } as never;
  const nics = await cloud.nics.list({ where: { instanceId: machine.data.id } }).toArray();
  const [first] = nics.toSorted((a, b) => a.slot - b.slot);
  if (first === undefined) throw new UsageError(`Machine ${named} has no NIC.`);
  return { [`${which}NicId`]: first.id } as never;
}

function shown({ verdict, from, to, hops }: Answer, width: number | undefined): string {
  const steps = hops.map(({ at, outcome, message }) => [SIGNS[outcome], at, message]);
  return `${from.address} to ${to.address}: ${verdict}\n\n${table(['', 'AT', 'WHAT'], steps, width)}`;
}
