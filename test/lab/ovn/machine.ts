import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { attempt, type CommandResult, run } from '../../../tools/system/command.ts';
import { enterEnclosure } from '../../../tools/system/enclosure.ts';
import { CACHE_DIR } from '../../../tools/system/ensure.ts';
import { withoutChecksumOffload } from '../../../tools/system/ovs-host.ts';
import { unpackedDir } from '../../../tools/system/packages.ts';
import { ipBatch } from '../fabric.ts';
import type { LabHost } from '../host.ts';
import { Probe } from './probe.ts';

export const BUSYBOX = join(unpackedDir(CACHE_DIR, 'busybox-static'), 'bin/busybox');
const ON_LEASE_6 = fileURLToPath(new URL('lease6.sh', import.meta.url));
const ADVERTISED = fileURLToPath(new URL('advertised.py', import.meta.url));
const ON_LEASE = fileURLToPath(new URL('lease.sh', import.meta.url));

const DHCP_CLIENT = [
  ...([BUSYBOX, 'udhcpc', '-i', 'eth0', '-f', '-t', '8', '-T', '1'] as const),
  ...['mtu', 'staticroutes', 'domain', 'dns'].flatMap((name) => ['-O', name]),
  ...['-s', ON_LEASE],
] as const;

export interface MachineWires {
  /** Short and unique on its host. */
  readonly name: string;
  /** What its probe calls itself. Default: `name`. */
  readonly label?: string;
  readonly mac: string;
  /** A port of a logical switch, by what a driver calls its `interfaceId`; or one of a plain bridge, e.g. `br-ex`. */
  readonly plug: { readonly interfaceId: string; readonly bridge?: string } | { readonly bridge: string; readonly vlan?: number };
}

/** What a DHCP server told, by the names of udhcpc: `ip`, `router`, `dns`, `mtu`, `domain`, `staticroutes` …; `event` is `bound` for a new one and `renew` for one that goes on. */
export type Lease = Readonly<Record<string, string>>;

/** A lease that a machine keeps, as long as it is not disposed of. */
export interface KeptLease extends AsyncDisposable {
  /** Has its client ask its server to let it go on, as it would by itself at half of its time. Answers each lease that was told since the beginning. */
  renewed(): Promise<readonly Lease[]>;
}

/** What a router advertises. */
export interface Advertised {
  /** Whether addresses are told by DHCPv6. */
  readonly managed: boolean;
  readonly prefixes: readonly { readonly prefix: string; readonly autonomous: boolean }[];
  readonly mtu?: number;
  readonly dns: readonly string[];
  readonly search: readonly string[];
}

const RENEWAL_MS = 60_000;
const ADVERTISED_SECONDS = 45;
const leaseOf = (lines: readonly string[]): Lease =>
  Object.fromEntries(lines.flatMap((line) => [...line.matchAll(/^(\w+)=(.*)$/g)].map(([, name, value]) => [name, value])));

/** A machine without a hypervisor: a network namespace with one card, plugged into its host's switch as a guest's would be. It ends with its host. */
export class LabMachine {
  readonly name: string;
  /** Called after the host that it was first plugged in at. */
  readonly netns: string;
  /** On the host: a port of its switch. */
  readonly device: string;
  readonly #wires: MachineWires;
  #host: LabHost;
  #probe: Probe | undefined;

  private constructor(host: LabHost, wires: MachineWires) {
    this.name = wires.name;
    this.#host = host;
    this.#wires = wires;
    this.netns = `${host.netns}-${wires.name}`;
    this.device = `p-${wires.name}`.slice(0, 15);
  }

  static async plug(host: LabHost, wires: MachineWires): Promise<LabMachine> {
    const machine = new LabMachine(host, wires);
    try {
      await machine.#plug();
      return machine;
    } catch (error) {
      // A switch that hangs has not plugged it in, but its database has it, for later.
      await host.switch.vsctl('--no-wait', '--if-exists', 'del-port', machine.device).catch(() => undefined);
      await machine.#remove();
      throw error;
    }
  }

  /** Where it is plugged in. */
  get host(): LabHost {
    return this.#host;
  }

  /**
   * Goes to another host with all that runs in it, addresses and connections too, as a guest does that is migrated: plugged in there, and without a carrier until `goOn`.
   */
  async leaveFor(host: LabHost): Promise<void> {
    await this.host.switch.vsctl('--if-exists', 'del-port', this.device);
    await run(['ip', '-n', this.host.netns, 'link', 'set', this.device, 'netns', host.netns]);
    this.#host = host;
    await this.#addPort();
  }

  /** Has its carrier, and tells everybody on its network where it is now, as QEMU does for a guest. */
  async goOn(): Promise<void> {
    await ipBatch(this.host.netns, [`link set ${this.device} up`]);
    const { stdout } = await this.exec(['ip', '-oneline', '-4', 'addr', 'show', 'dev', 'eth0', 'scope', 'global']);
    const address = /inet ([0-9.]+)/.exec(stdout)?.[1];
    if (address !== undefined) await this.exec([BUSYBOX, 'arping', '-U', '-c', '1', '-w', '1', '-I', 'eth0', address]);
  }

  /** What talks and serves in it. */
  async probe(): Promise<Probe> {
    if (this.#probe === undefined) {
      const init = await this.host.pid();
      if (init === undefined) throw new Error(`${this.host.name} is off`);
      this.#probe = await Probe.start(this.#wires.label ?? this.name, enterEnclosure(init, this.netns));
    }
    return this.#probe;
  }

  async exec(argv: readonly [string, ...string[]], timeoutMs = 60_000): Promise<CommandResult> {
    return attempt(['ip', 'netns', 'exec', this.netns, ...argv], { timeoutMs });
  }

  /** Takes an address by DHCP, as machines do when they start; undefined when nobody answers. */
  async dhcp(): Promise<Lease | undefined> {
    const client = await this.exec([...DHCP_CLIENT, '-q', '-n']);
    return client.exitCode === 0 ? leaseOf(client.stdout.split('\n')) : undefined;
  }

  /** Takes an address by DHCP and keeps its client. */
  async keepsLease(): Promise<KeptLease> {
    const client = spawn('ip', ['netns', 'exec', this.netns, ...DHCP_CLIENT], { stdio: ['ignore', 'pipe', 'ignore'] });
    const leases: Lease[] = [];
    let lines: string[] = [];
    if (client.stdout !== null)
      createInterface({ input: client.stdout }).on('line', (line) => {
        lines.push(line);
        if (!line.startsWith('hostname=')) return;
        leases.push(leaseOf(lines));
        lines = [];
      });
    const told = async (count: number) => {
      for (const deadline = performance.now() + RENEWAL_MS; leases.length < count; await sleep(20))
        if (performance.now() > deadline) throw new Error(`${this.name} is told of no lease`);
      return leases;
    };
    const end = () => endOf(client);
    await told(1).catch(async (error) => {
      await end();
      throw error;
    });
    return {
      renewed: () => {
        const before = leases.length;
        client.kill('SIGUSR1');
        return told(before + 1);
      },
      [Symbol.asyncDispose]: end,
    };
  }

  /** Takes an address by DHCPv6; undefined when nobody answers. */
  async dhcp6(): Promise<{ readonly address: string; readonly dns: string } | undefined> {
    const files = ['-lf', '/dev/null', '--no-pid', '-cf', '/dev/null', '-sf', ON_LEASE_6];
    const { stdout } = await this.exec(['timeout', '30', 'dhclient', '-6', '-d', '-1', ...files, 'eth0']);
    const [, address, dns = ''] = /PILEUS-LEASE (\S+) ?(\S*)/.exec(stdout) ?? [];
    return address === undefined ? undefined : { address, dns };
  }

  /** What its router tells who asks; undefined when none answers. */
  async advertised(): Promise<Advertised | undefined> {
    const { exitCode, stdout, stderr } = await this.exec(['python3', ADVERTISED, 'eth0', String(ADVERTISED_SECONDS)]);
    if (exitCode !== 0 && stderr !== '') throw new Error(stderr);
    return exitCode === 0 ? (JSON.parse(stdout) as Advertised) : undefined;
  }

  /** Takes an address without asking: one that is its own, or not. */
  async take(cidr: string, gateway?: string, neighbour?: { readonly address: string; readonly mac: string }): Promise<void> {
    await ipBatch(this.netns, [
      `addr replace ${cidr} dev eth0${cidr.includes(':') ? ' nodad' : ''}`,
      ...(gateway === undefined ? [] : [`route replace default via ${gateway}`]),
      ...(neighbour === undefined ? [] : [`neigh replace ${neighbour.address} lladdr ${neighbour.mac} dev eth0`]),
    ]);
  }

  /** Whether one of some pings is answered. The first to a host may be lost while its address is found; fewer are for what must not be answered. */
  async pings(address: string, tries = 60): Promise<boolean> {
    for (let n = 0; n < tries; n++) {
      const { exitCode } = await this.exec([BUSYBOX, address.includes(':') ? 'ping6' : 'ping', '-c', '1', '-W', '1', address]);
      if (exitCode === 0) return true;
    }
    return false;
  }

  /** Sends pings, so many milliseconds apart, until one is answered. @throws Error where none is in time */
  async answered(address: string, everyMs: number, timeoutMs: number): Promise<void> {
    const words = [
      'ip',
      'netns',
      'exec',
      this.netns,
      BUSYBOX,
      'ping',
      '-i',
      String(everyMs / 1000),
      '-w',
      String(timeoutMs / 1000),
      address,
    ];
    const child = spawn(words[0] as string, words.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] });
    const answer = Promise.withResolvers<void>();
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => / bytes from /.test(line) && answer.resolve());
    child.on('exit', () => answer.reject(new Error(`${this.name} is not answered by ${address}`)));
    try {
      await answer.promise;
    } finally {
      await endOf(child);
    }
  }

  async unplug(): Promise<void> {
    this.#probe?.end();
    this.#probe = undefined;
    await this.host.switch.vsctl('--if-exists', 'del-port', this.device);
    await this.#remove();
  }

  async #remove(): Promise<void> {
    await attempt(['ip', '-n', this.host.netns, 'link', 'del', this.device]);
    await attempt(['ip', 'netns', 'del', this.netns]);
  }

  async #plug(): Promise<void> {
    const { mac } = this.#wires;
    await run(['ip', 'netns', 'add', this.netns]);
    await ipBatch(this.host.netns, [
      `link add ${this.device} type veth peer name eth0 address ${mac} netns ${this.netns}`,
      `link set ${this.device} up`,
    ]);
    await withoutChecksumOffload(this.netns, 'eth0');
    await this.#addPort();
    await ipBatch(this.netns, ['link set lo up', 'link set eth0 up']);
  }

  async #addPort(): Promise<void> {
    const { mac, plug } = this.#wires;
    const interfaceWords =
      'interfaceId' in plug
        ? ['--', 'set', 'interface', this.device, `external-ids:iface-id=${plug.interfaceId}`, `external-ids:attached-mac=${mac}`]
        : [];
    const vlan = 'vlan' in plug && plug.vlan !== undefined ? [`tag=${plug.vlan}`] : [];
    const bridge = plug.bridge ?? 'br-int';
    const port = ['--may-exist', 'add-port', bridge, this.device, ...vlan, '--', 'set', 'port', this.device, 'other_config:transient=true'];
    await this.host.switch.vsctl(...port, ...interfaceWords);
  }
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
