import { randomUUID } from 'node:crypto';
import type { NetworkDriver, RealmHost, Writer } from '@pileus/core/strategy';
import { run } from '../../../../tools/system/command.ts';
import { everyRow, type OpenVswitch, OvsdbClient, openVswitch as openVswitchDatabase } from '../../src/ovsdb/index.ts';
import { openVswitch } from '../../src/plain/index.ts';
import { PrivateServer } from '../ovsdb/private-server.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** Hosts of a test's own, of which there is nothing but the databases of their switches. */
export class PrivateSwitches implements AsyncDisposable {
  readonly servers = new Map<string, PrivateServer>();
  readonly #clients = new Map<string, OvsdbClient<OpenVswitch>>();
  /** What the cloud says of its hosts; for tests to change. */
  hosts: readonly RealmHost[] = [];
  isComplete = true;

  /** Host `hv7` has its tunnels at 192.0.2.7. */
  static async start(names: readonly string[]): Promise<PrivateSwitches> {
    const switches = new PrivateSwitches();
    await Promise.all(
      names.map(async (name) => {
        switches.servers.set(name, await PrivateServer.start({ schema: SCHEMA }));
        await switches.vsctl(name, 'init');
      }),
    );
    await switches.reset(names);
    return switches;
  }

  /** A driver as the cloud opens it. */
  open(writer?: Writer): NetworkDriver {
    const switches = Object.fromEntries([...this.servers].map(([name, { address }]) => [name, address]));
    const [factory] = openVswitch({ switches }).strategies.network ?? [];
    if (factory === undefined) throw new Error('there is no network driver');
    const hosts = async () => ({ hosts: this.hosts, isComplete: this.isComplete });
    return factory.open({ hosts, ...(writer === undefined ? {} : { writer }) });
  }

  server(name: string): PrivateServer {
    const server = this.servers.get(name);
    if (server === undefined) throw new Error(`there is no host ${name}`);
    return server;
  }

  vsctl(name: string, ...words: readonly string[]): Promise<string> {
    return run(['ovs-vsctl', `--db=unix:${this.server(name).socketPath}`, '--no-wait', '--timeout=60', ...words]);
  }

  /** Where the tunnels of a host lead: `type key remote`, sorted. */
  async tunnels(name: string): Promise<readonly string[]> {
    const { Interface } = openVswitchDatabase.tables;
    const [rows] = await (await this.#client(name)).transact([Interface.select(everyRow, ['type', 'options'])]);
    return rows
      .filter(({ type }) => type === 'vxlan' || type === 'geneve')
      .map(({ type, options }) => `${type} ${options.key} ${options.remote_ip}`)
      .sort();
  }

  /** As they were at first, with these alone known to the cloud. */
  async reset(names: readonly string[]): Promise<void> {
    await Promise.all([...this.servers.keys()].map((name) => this.#clear(name)));
    this.isComplete = true;
    this.hosts = names.map((host) => ({ host, uri: `qemu+tls://${host}/system`, clusterId: 'cluster-a', answers: true }));
  }

  /** A bridge with a cable, and nothing else. */
  async #clear(name: string): Promise<void> {
    const { Open_vSwitch, Bridge, Port, Interface } = openVswitchDatabase.tables;
    const [device, port, bridge] = [randomUUID(), randomUUID(), randomUUID()];
    const settings = { 'pileus-tunnel-ip': `192.0.2.${name.replace('hv', '')}`, 'pileus-bridge-mappings': 'physnet1:br-ex' };
    await (await this.#client(name)).transact([
      Interface.insert({ name: 'br-ex', type: 'internal' }, device),
      Port.insert({ name: 'br-ex', interfaces: [device] }, port),
      Bridge.insert({ name: 'br-ex', ports: [port] }, bridge),
      Open_vSwitch.update(everyRow, { bridges: [bridge], external_ids: settings }),
    ]);
  }

  async #client(name: string): Promise<OvsdbClient<OpenVswitch>> {
    let client = this.#clients.get(name);
    client ??= new OvsdbClient({ database: openVswitchDatabase, remotes: [this.server(name).address] });
    this.#clients.set(name, client);
    await client.ready();
    return client;
  }

  async bridges(name: string): Promise<readonly string[]> {
    const { Bridge } = openVswitchDatabase.tables;
    const [rows] = await (await this.#client(name)).transact([Bridge.select(everyRow, ['name'])]);
    return rows.flatMap((row) => (row.name.startsWith('pn') ? [row.name] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
    await Promise.all([...this.servers.values()].map((server) => server[Symbol.asyncDispose]()));
  }
}
