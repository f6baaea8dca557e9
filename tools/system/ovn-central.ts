import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run as runHere } from './command.ts';
import { Daemon, type Runner } from './daemon.ts';
import { exists } from './packages.ts';

export interface OvnCentralOptions {
  /** Absolute and short: databases, sockets and logs lie in it. */
  readonly dir: string;
  readonly run: Runner;
  /** Where the databases also listen for TCP, at ports 6641 and 6642. Absent: their sockets alone. */
  readonly address?: string;
}

const SCHEMAS = { nb: '/usr/share/ovn/ovn-nb.ovsschema', sb: '/usr/share/ovn/ovn-sb.ovsschema' } as const;
const DATABASES = { nb: ['OVN_Northbound', 'NB_Global'], sb: ['OVN_Southbound', 'SB_Global'] } as const;
const PORTS = { nb: 6641, sb: 6642 } as const;

/** As Debian starts them: they also listen where `ovn-sbctl set-connection` says, with the keys of `ovn-sbctl set-ssl`. */
const toldRemotes = ([database, table]: readonly [string, string]): readonly string[] => [
  `--remote=db:${database},${table},connections`,
  `--private-key=db:${database},SSL,private_key`,
  `--certificate=db:${database},SSL,certificate`,
  `--ca-cert=db:${database},SSL,ca_cert`,
];

/** OVN's central part: the northbound and the southbound database, and northd between them. Each is a daemon of its own. */
export class OvnCentral {
  readonly northbound: Daemon;
  readonly southbound: Daemon;
  readonly northd: Daemon;
  /** As OVN writes addresses: `unix:PATH`. */
  readonly northboundRemote: string;
  readonly southboundRemote: string;
  readonly #dir: string;

  constructor({ dir, run, address }: OvnCentralOptions) {
    this.#dir = dir;
    this.northboundRemote = `unix:${join(dir, 'nb.sock')}`;
    this.southboundRemote = `unix:${join(dir, 'sb.sock')}`;
    const databaseOf = (name: 'nb' | 'sb') => {
      const remotes = [`punix:${join(dir, `${name}.sock`)}`, ...(address === undefined ? [] : [`ptcp:${PORTS[name]}:${address}`])];
      return daemonOf(run, dir, name, [
        ...(['ovsdb-server', this.#file(name)] as const),
        ...remotes.map((remote) => `--remote=${remote}`),
        ...toldRemotes(DATABASES[name]),
      ]);
    };
    this.northbound = databaseOf('nb');
    this.southbound = databaseOf('sb');
    this.northd = daemonOf(run, dir, 'northd', [
      'ovn-northd',
      `--ovnnb-db=${this.northboundRemote}`,
      `--ovnsb-db=${this.southboundRemote}`,
    ]);
  }

  /** Starts what does not run, on databases as they were; on empty ones the first time. */
  async start(): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    for (const name of ['nb', 'sb'] as const) {
      if (!(await exists(this.#file(name)))) await runHere(['ovsdb-tool', 'create', this.#file(name), SCHEMAS[name]]);
    }
    await Promise.all([this.northbound.start(), this.southbound.start()]);
    await this.northd.start();
  }

  /** The northbound database is lost: it comes back as on its first day. */
  async loseNorthbound(): Promise<void> {
    await this.northbound.kill();
    await rm(this.#file('nb'));
    await this.start();
  }

  /** The southbound database is lost: it comes back as on its first day. */
  async loseSouthbound(): Promise<void> {
    await this.southbound.kill();
    await rm(this.#file('sb'));
    await this.start();
  }

  /** The northbound database as it is now. What this answers has it come back so, as of a machine that was restored. */
  async keptNorthbound(): Promise<() => Promise<void>> {
    const kept = await runHere(['ovsdb-client', '--timeout=60', 'backup', this.northboundRemote, 'OVN_Northbound']);
    return async () => {
      await this.northbound.kill();
      await writeFile(this.#file('nb'), kept);
      await this.start();
    };
  }

  /** SIGKILL to all three. */
  async kill(): Promise<void> {
    await Promise.all([this.northd.kill(), this.northbound.kill(), this.southbound.kill()]);
  }

  /** `ovn-nbctl`: the witness that knows nothing of Pileus' own client. */
  nbctl(...words: readonly string[]): Promise<string> {
    return runHere(['ovn-nbctl', `--db=${this.northboundRemote}`, '--timeout=60', ...words]);
  }

  sbctl(...words: readonly string[]): Promise<string> {
    return runHere(['ovn-sbctl', `--db=${this.southboundRemote}`, '--timeout=60', ...words]);
  }

  /** Returns when every living host has the flows of what the northbound database holds now. */
  async settle(): Promise<void> {
    await this.nbctl('--wait=hv', 'sync');
  }

  #file(name: 'nb' | 'sb'): string {
    return join(this.#dir, `${name}.db`);
  }
}

/** One of OVN's or Open vSwitch's daemons, which all take the same words. */
export function daemonOf(
  run: Runner,
  dir: string,
  name: string,
  argv: readonly [string, ...string[]],
  started?: () => Promise<void>,
): Daemon {
  const pidFile = join(dir, `${name}.pid`);
  // Else they look for each other's sockets in the system's folders.
  const env = ['env', `OVS_RUNDIR=${dir}`, `OVN_RUNDIR=${dir}`] as const;
  // The controller is the one without: its control socket carries its process number.
  const control = name === 'controller' ? [] : [`--unixctl=${join(dir, `${name}.ctl`)}`];
  const place = [`--pidfile=${pidFile}`, `--log-file=${join(dir, `${name}.log`)}`, ...control];
  const options = { run, pidFile, argv: [...env, ...argv, ...place, '--detach', '--no-chdir', '-vconsole:off', '-vsyslog:off'] as const };
  return new Daemon(started === undefined ? options : { ...options, started });
}
