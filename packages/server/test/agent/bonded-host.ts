import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt, type CommandOptions, run } from '../../../../tools/system/command.ts';
import { OvsHost } from '../../../../tools/system/ovs-host.ts';
import { AgentProcess, type AgentProcessOptions } from './agent-process.ts';

const MAIN = fileURLToPath(new URL('../../src/agent/main.ts', import.meta.url));

/**
 * A host in namespaces of its own: `eth1` and `eth2` are members of a bond of Open vSwitch (this kernel has none of its own) below the bridge `br-st`, which is told for the
 * label `stor0` and has the address for storage. Their other ends are in the namespace of the switch that they lead to, and by `eth0` this machine reaches the host.
 */
export class BondedHost implements AsyncDisposable {
  readonly netns: string;
  readonly storageAddress = '10.9.0.1';
  readonly #directory: string;
  readonly #ovs: OvsHost;
  /** Between this machine and the host. */
  readonly #address: string;

  private constructor(netns: string, directory: string) {
    this.netns = netns;
    this.#directory = directory;
    this.#address = `169.254.${(Number.parseInt(netns.slice(-4), 16) >> 8) % 254}.${2 + 2 * (Number.parseInt(netns.slice(-2), 16) % 120)}`;
    this.#ovs = new OvsHost({
      runDir: directory,
      databasePath: join(directory, 'conf.db'),
      run: (argv, options?: CommandOptions) => attempt(['ip', 'netns', 'exec', netns, 'env', `OVS_RUNDIR=${directory}`, ...argv], options),
      settings: { 'ovn-bridge-mappings': 'stor0:br-st' },
    });
  }

  /** `netns` is short, and ends with six hexadecimal digits. */
  static async start(netns: string): Promise<BondedHost> {
    const host = new BondedHost(netns, await mkdtemp(join(tmpdir(), 'plb-')));
    try {
      await host.#build();
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The agent as it is, on this host. */
  async agent(options: Pick<AgentProcessOptions, 'controller'> = {}): Promise<AgentProcess> {
    const config = { ovs: { socket: this.#ovs.socketPath } };
    return AgentProcess.start({ ...options, config, program: MAIN, host: this.#address, within: ['ip', 'netns', 'exec', this.netns] });
  }

  /** The other end of a member's cable is pulled out. */
  async cut(member: string): Promise<void> {
    await run(['ip', '-n', this.#peerNetns, 'link', 'set', member, 'down']);
  }

  async mend(member: string): Promise<void> {
    await run(['ip', '-n', this.#peerNetns, 'link', 'set', member, 'up']);
  }

  async stopDatabase(): Promise<void> {
    await this.#ovs.database.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ovs.kill();
    for (const name of [this.netns, this.#peerNetns]) await attempt(['ip', 'netns', 'delete', name]);
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #peerNetns(): string {
    return `${this.netns}-sw`;
  }

  async #build(): Promise<void> {
    const ip = (...words: readonly string[]) => run(['ip', ...words]);
    const inHost = (...words: readonly string[]) => ip('-n', this.netns, ...words);
    for (const name of [this.netns, this.#peerNetns]) await ip('netns', 'add', name);
    await inHost('link', 'set', 'lo', 'up');
    await ip('link', 'add', this.netns, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.netns);
    const own = this.#address.replace(/\d+$/, (last) => String(Number(last) - 1));
    await ip('address', 'add', `${own}/32`, 'peer', this.#address, 'dev', this.netns);
    await ip('link', 'set', this.netns, 'up');
    await inHost('address', 'add', `${this.#address}/32`, 'peer', own, 'dev', 'eth0');
    await inHost('link', 'set', 'eth0', 'up');
    for (const member of ['eth1', 'eth2']) {
      await ip('-n', this.#peerNetns, 'link', 'add', member, 'type', 'veth', 'peer', 'name', member, 'netns', this.netns);
      await inHost('link', 'set', member, 'up');
      await this.mend(member);
    }
    await this.#ovs.start([{ name: 'br-st', uplinks: [] }]);
    await this.#ovs.vsctl('add-bond', 'br-st', 'bond0', 'eth1', 'eth2', 'bond_mode=balance-slb');
    await inHost('address', 'add', `${this.storageAddress}/24`, 'dev', 'br-st');
    await inHost('link', 'set', 'br-st', 'up');
  }
}
