import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NetworkDriver, Writer } from '@pileus/core/strategy';
import { createAuthority } from '../../../../test/lab/certificates.ts';
import { attempt, run } from '../../../../tools/system/command.ts';
import { type OvnOptions, ovn } from '../../src/ovn/index.ts';
import { PrivateServer } from '../ovsdb/private-server.ts';

const SOUTHBOUND_SCHEMA = '/usr/share/ovn/ovn-sb.ovsschema';

export interface CentralOptions {
  /** Whether ovn-northd runs, which makes of the northbound database the southbound one. Default true. */
  readonly northd?: boolean;
  /** Whether drivers reach the databases by mutual TLS. Default false: by their sockets. */
  readonly tls?: boolean;
}

/** OVN's databases, and what goes between them, of a test's own. */
export class PrivateCentral implements AsyncDisposable {
  readonly northbound: PrivateServer;
  readonly southbound: PrivateServer;
  #northd: ChildProcess | undefined;
  #reached: OvnOptions;

  private constructor(northbound: PrivateServer, southbound: PrivateServer) {
    this.northbound = northbound;
    this.southbound = southbound;
    this.#reached = { northbound: [northbound.address], southbound: [southbound.address] };
  }

  static async start({ northd = true, tls = false }: CentralOptions = {}): Promise<PrivateCentral> {
    const northbound = await PrivateServer.start();
    const southbound = await PrivateServer.start({ schema: SOUTHBOUND_SCHEMA });
    const central = new PrivateCentral(northbound, southbound);
    if (tls) await central.#secure();
    if (northd) central.startNorthd();
    return central;
  }

  get options(): OvnOptions {
    return this.#reached;
  }

  /** Where the authority of both databases and the client's certificate are: `ca.pem`, `pileus.pem`, `pileus.key`. */
  get credentialsDir(): string {
    return join(this.northbound.dir, 'authority');
  }

  async #secure(): Promise<void> {
    const place = { kind: 'tls', host: '127.0.0.1', ...(await createAuthority(this.credentialsDir)) } as const;
    const port = {
      northbound: await this.northbound.secure(this.credentialsDir),
      southbound: await this.southbound.secure(this.credentialsDir),
    };
    this.#reached = { northbound: [{ ...place, port: port.northbound }], southbound: [{ ...place, port: port.southbound }] };
  }

  /** A driver as the cloud opens it. */
  open(writer?: Writer): NetworkDriver {
    const [factory] = ovn(this.options).strategies.network ?? [];
    if (factory === undefined) throw new Error('there is no network driver');
    return factory.open(writer === undefined ? {} : { writer });
  }

  nbctl(...words: readonly string[]): Promise<string> {
    return run(['ovn-nbctl', `--db=unix:${this.northbound.socketPath}`, '--timeout=60', ...words]);
  }

  sbctl(...words: readonly string[]): Promise<string> {
    return run(['ovn-sbctl', `--db=unix:${this.southbound.socketPath}`, '--timeout=60', ...words]);
  }

  /** Resolves when the southbound database has all that the northbound one had. */
  async settled(): Promise<void> {
    await this.nbctl('--wait=sb', 'sync');
  }

  /** What ovn-northd did not like. */
  async complaints(): Promise<readonly string[]> {
    const log = await readFile(this.#log, 'utf8');
    return log
      .split('\n')
      .filter((line) => /\|(WARN|ERR|EMER)\|/.test(line) && !/\|(reconnect|jsonrpc|timeval|poll_loop|fatal_signal|ovn_util)\|/.test(line));
  }

  /** Tells where a packet would go. @throws Error when a host would not understand some flow */
  async trace(datapath: string, microflow: string): Promise<string> {
    const argv = ['ovn-trace', `--db=unix:${this.southbound.socketPath}`, ...new Array<string>(4).fill('--ct=new'), datapath, microflow];
    const { exitCode, stdout, stderr } = await attempt(argv as [string, ...string[]]);
    if (exitCode !== 0 || stderr !== '') throw new Error(`ovn-trace: ${stderr}`);
    return stdout;
  }

  /** A host as ovn-controller makes it known; `chassis-7` has the tunnel address 192.0.2.7. */
  async addChassis(name: string, { hostname = name, datapath = 'system', mappings = 'physnet1:br-ex' } = {}): Promise<void> {
    await this.sbctl(
      'chassis-add',
      name,
      'geneve',
      `192.0.2.${name.split('-').at(-1)}`,
      '--',
      'set',
      'chassis',
      name,
      `hostname=${hostname}`,
      `other_config:datapath-type=${datapath}`,
      `other_config:ovn-bridge-mappings="${mappings}"`,
    );
    const uuid = (await this.sbctl('--bare', '--columns=_uuid', 'find', 'Chassis', `name=${name}`)).trim();
    await this.sbctl('create', 'Chassis_Private', `name=${name}`, `chassis=${uuid}`);
  }

  startNorthd(): void {
    const dir = this.northbound.dir;
    const databases = [`--ovnnb-db=unix:${this.northbound.socketPath}`, `--ovnsb-db=unix:${this.southbound.socketPath}`];
    const args = [
      ...databases,
      `--unixctl=${join(dir, 'northd.ctl')}`,
      `--log-file=${this.#log}`,
      '-vconsole:off',
      '-vsyslog:off',
      '--no-chdir',
    ];
    this.#northd = spawn('ovn-northd', args, { stdio: 'ignore', env: { ...process.env, OVN_RUNDIR: dir } });
  }

  async stopNorthd(): Promise<void> {
    const child = this.#northd;
    this.#northd = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopNorthd();
    await this.northbound[Symbol.asyncDispose]();
    await this.southbound[Symbol.asyncDispose]();
  }

  get #log(): string {
    return join(this.northbound.dir, 'northd.log');
  }
}
