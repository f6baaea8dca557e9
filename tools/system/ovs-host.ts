import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { attempt, run as runHere } from './command.ts';
import type { Daemon, Runner } from './daemon.ts';
import { daemonOf } from './ovn-central.ts';
import { switchRows } from './ovn-rows.ts';
import { exists } from './packages.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** Where the commands of Open vSwitch and libvirt look for its sockets. */
const SYSTEM_RUN_DIR = '/run/openvswitch';

/** As Debian starts it: it also listens where `ovs-vsctl set-manager` says, with the keys of `ovs-vsctl set-ssl`. */
const TOLD_REMOTES = [
  '--remote=db:Open_vSwitch,Open_vSwitch,manager_options',
  '--private-key=db:Open_vSwitch,SSL,private_key',
  '--certificate=db:Open_vSwitch,SSL,certificate',
  '--bootstrap-ca-cert=db:Open_vSwitch,SSL,ca_cert',
];

/** Has those find the sockets in `runDir`, in the mount namespace that `run` runs programs in. */
export async function presentAsSystem(runDir: string, run: Runner): Promise<void> {
  await mkdir(runDir, { recursive: true });
  const words = [
    ['mkdir', '-p', SYSTEM_RUN_DIR],
    ['mount', '--bind', runDir, SYSTEM_RUN_DIR],
  ] as const;
  for (const argv of words) {
    const { exitCode, stderr } = await run(argv);
    if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr.trim()}`);
  }
}

/** A switch in user space passes on frames whose checksums the kernel left to a card that is none: each end of its cables computes them. */
export async function withoutChecksumOffload(netns: string, device: string): Promise<void> {
  await runHere(['ip', 'netns', 'exec', netns, 'ethtool', '-K', device, 'tx', 'off']);
}

export interface OvsHostOptions {
  /** Absolute and short: sockets, process numbers and logs lie in it. */
  readonly runDir: string;
  /** The file that outlives a start of the host. */
  readonly databasePath: string;
  readonly run: Runner;
  /** `external-ids` of the switch, e.g. `system-id`, `ovn-remote`. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A bridge whose frames a process passes on: kernels without the openvswitch module have no other. */
export interface UserspaceBridge {
  readonly name: string;
  /** Devices of the host that become its ports. */
  readonly uplinks: readonly string[];
}

/** Open vSwitch and OVN's controller on one host: three daemons. */
export class OvsHost {
  readonly database: Daemon;
  readonly vswitchd: Daemon;
  readonly controller: Daemon;
  /** Where the database listens. */
  readonly socketPath: string;
  readonly #options: OvsHostOptions;

  constructor(options: OvsHostOptions) {
    const { runDir, databasePath, run } = options;
    this.#options = options;
    this.socketPath = join(runDir, 'db.sock');
    const remote = `unix:${this.socketPath}`;
    this.database = daemonOf(run, runDir, 'db', ['ovsdb-server', databasePath, `--remote=punix:${this.socketPath}`, ...TOLD_REMOTES]);
    this.vswitchd = daemonOf(run, runDir, 'vswitchd', ['ovs-vswitchd', remote], () => this.#keepFromDying());
    this.controller = daemonOf(run, runDir, 'controller', ['ovn-controller', remote]);
  }

  /** Starts the switch with these bridges, and with the ports that are not lost with the machines that they were for. The controller comes by itself. */
  async start(bridges: readonly UserspaceBridge[]): Promise<void> {
    const { runDir, databasePath, settings } = this.#options;
    await mkdir(runDir, { recursive: true });
    await mkdir(dirname(databasePath), { recursive: true });
    if (!(await exists(databasePath))) await runHere(['ovsdb-tool', 'create', databasePath, SCHEMA]);
    await this.database.start();
    const ids = Object.entries(settings).map(([key, value]) => `external-ids:${key}=${value}`);
    await this.vsctl('--no-wait', 'init', '--', 'set', 'open_vswitch', '.', ...ids);
    await this.#dropTransientPorts();
    await this.vswitchd.start();
    if (bridges.length > 0) await this.vsctl(...bridges.flatMap(bridgeWords));
  }

  /** SIGKILL to all three. */
  async kill(): Promise<void> {
    await Promise.all([this.controller.kill(), this.vswitchd.kill(), this.database.kill()]);
  }

  /** `ovs-vsctl`, which waits until the switch has done it. */
  vsctl(...words: readonly string[]): Promise<string> {
    return runHere(['ovs-vsctl', `--db=unix:${this.socketPath}`, '--timeout=60', ...words]);
  }

  /** Its controller ends in good order, which takes the host out of OVN: not as one that pauses. */
  async leaveOvn(): Promise<void> {
    const pid = await this.controller.pid();
    if (pid === undefined) return;
    await runHere(['ovn-appctl', '-t', join(this.#options.runDir, `ovn-controller.${pid}.ctl`), 'exit']);
    await this.controller.ended();
  }

  /** Names of the ports of all of its bridges. */
  async ports(): Promise<readonly string[]> {
    return (await this.vsctl('--bare', '--columns=name', 'list', 'port')).split('\n').filter(Boolean);
  }

  /** What there is of the switch, one line each: bridges, ports, and rows that limit and mirror what passes. */
  rows(): Promise<readonly string[]> {
    return switchRows(`unix:${this.socketPath}`);
  }

  /** Returns when no packet is passed on by flows that are no more: what hosts remember of decisions they took goes a moment after the decisions change. */
  async forgotten(): Promise<void> {
    await this.appctl('revalidator/wait');
  }

  /** `ovs-appctl` to the switch. */
  appctl(...words: readonly string[]): Promise<string> {
    return runHere(['ovs-appctl', '-t', join(this.#options.runDir, 'vswitchd.ctl'), ...words]);
  }

  /**
   * Has the controller unplug what no network needs any more. In the first ten seconds of its life it leaves that, as it may not have heard of all networks yet, and
   * then thinks of it again only when something else changes.
   */
  async unplugNeedless(): Promise<void> {
    const pid = await this.controller.pid();
    // One that does not run keeps nobody from looking at what there is.
    if (pid !== undefined)
      await attempt(['ovn-appctl', '-t', join(this.#options.runDir, `ovn-controller.${pid}.ctl`), 'debug/ignore-startup-delay']);
  }

  /**
   * A switch in user space (Open vSwitch 3.1) ends itself when a connection that it has just forgotten goes on (conntrack.c, `conn_update_state`): anybody's
   * machine that takes the port of one it closed ten seconds ago will do. It happens to connections that are kept with a translation to themselves, as OVN does
   * where the switch says that it can. So it has to say that it cannot, after each start, since it writes what it can by itself then.
   */
  async #keepFromDying(): Promise<void> {
    const isNew = (await this.vsctl('--no-wait', 'get', 'open_vswitch', '.', 'datapaths')).trim() === '{}';
    const row = isNew
      ? [
          '--id=@row',
          'create',
          'datapath',
          'capabilities:ct_zero_snat=false',
          '--',
          'set',
          'open_vswitch',
          '.',
          'datapaths:netdev=@row',
          '--',
        ]
      : [];
    // What it does is done after what it writes at its start.
    await this.vsctl(...row, 'set', 'open_vswitch', '.', `external-ids:started=${randomUUID()}`);
    const id = (await this.vsctl('--no-wait', 'get', 'open_vswitch', '.', 'datapaths:netdev')).trim();
    await this.vsctl('--no-wait', 'set', 'datapath', id, 'capabilities:ct_zero_snat=false');
  }

  /** As Debian's own start does: the machines of before are gone, their ports go with them. */
  async #dropTransientPorts(): Promise<void> {
    const names = await this.vsctl('--no-wait', '--bare', '--columns=name', 'find', 'port', 'other_config:transient=true');
    for (const name of names.split('\n').filter(Boolean)) await this.vsctl('--no-wait', '--if-exists', 'del-port', name);
  }
}

function bridgeWords({ name, uplinks }: UserspaceBridge): readonly string[] {
  const made = ['--', '--may-exist', 'add-br', name, '--', 'set', 'bridge', name, 'datapath_type=netdev', 'fail_mode=standalone'];
  return [...made, ...uplinks.flatMap((uplink) => ['--', '--may-exist', 'add-port', name, uplink])];
}
