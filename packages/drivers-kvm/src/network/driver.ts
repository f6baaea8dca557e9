import type { NetworkDriver, NetworkObservation, NetworkSpec, Plug } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { classify, except } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import { type LibvirtApi, LibvirtError, type Network, networkRef } from '../libvirt/index.ts';
import { bridgeName, type NetworkView, networkName, networkXml, nicOfRecord, viewNetwork } from './network-xml.ts';
import { applyChanges, type Leases, type Part, type PortChange, portChanges, portRemoval } from './ports.ts';

/** Libvirt's VIR_NETWORK_XML_INACTIVE: the definition, not the running network. */
const INACTIVE_XML = 1;

/** The libvirt networks of one host. Takes over the link, and lets go of it with `close`. */
export function libvirtNetworks(link: HostLink): NetworkDriver {
  const networks = new Networks(link);
  return {
    ensureNetwork: (spec, call) => networks.ensure(spec, new Deadline(call)),
    deleteNetwork: (id, call) => networks.delete(id, new Deadline(call)),
    inspectNetwork: (id, call) => networks.inspect(id, new Deadline(call)),

    async listNetworks(call) {
      const deadline = new Deadline(call);
      const all = await networks.api.connectListAllNetworks({}, deadline.left);
      const seen = await Promise.all(all.map((network) => networks.inspect(network.uuid, deadline)));
      return seen.filter((network) => network !== undefined);
    },

    async ensurePort(port, call): Promise<Plug> {
      const deadline = new Deadline(call);
      const leases = await networks.leases(port.networkId, deadline);
      await networks.change(port.networkId, ['config', 'live'], (view) => portChanges(view, port, leases), deadline);
      return { type: 'libvirtNetwork', network: networkName(port.networkId) };
    },

    async deletePort({ nicId, networkId }, call) {
      const deadline = new Deadline(call);
      // The record in the definition goes last: what is cut short is still listed, and taken away when asked again.
      const change = () => networks.change(networkId, ['live', 'config'], (view) => portRemoval(view, nicId), deadline);
      await except(['noNetwork'], change, () => {});
    },

    classify,
    close: () => link.close(),
  };
}

class Networks {
  readonly #link: HostLink;
  readonly #turns = new Map<string, Promise<void>>();

  constructor(link: HostLink) {
    this.#link = link;
  }

  get api(): LibvirtApi {
    return this.#link.host.api;
  }

  /** The definition of a network. Undefined only when the host says that there is none. */
  find(id: string, deadline: Deadline): Promise<NetworkView | undefined> {
    return this.#view(networkRef(id), 'config', deadline);
  }

  /** Changes the parts that there are, in this order. Rejects with libvirt's `noNetwork` for an absent one. */
  change(id: string, parts: readonly Part[], next: (view: NetworkView) => readonly PortChange[], deadline: Deadline): Promise<void> {
    return this.#inTurn(id, async () => {
      const network = networkRef(id);
      const active = await this.api.networkIsActive({ network }, deadline.left);
      for (const part of parts) {
        const look = () => this.#read(network, part, deadline);
        if (active || part === 'config') await applyChanges(this.api, part, look, next, deadline);
      }
    });
  }

  async inspect(id: string, deadline: Deadline): Promise<NetworkObservation | undefined> {
    const [view, active] = await Promise.all([this.find(id, deadline), this.#isActive(id, deadline)]);
    if (view === undefined) return undefined;
    const { name, owner } = view;
    const nicIds = new Set(view.dns.flatMap((record) => nicOfRecord(record) ?? []));
    return { id, name, active, ...(owner === undefined ? {} : { owner }), nicIds: owner === undefined ? [] : [...nicIds] };
  }

  leases(id: string, deadline: Deadline): Promise<Leases> {
    return except<Leases>(
      ['operationInvalid', 'noNetwork'],
      () => this.api.networkGetDhcpLeases({ network: networkRef(id) }, deadline.left),
      () => [],
    );
  }

  ensure(spec: NetworkSpec, deadline: Deadline): Promise<void> {
    return this.#inTurn(spec.id, async () => {
      const known = await this.find(spec.id, deadline);
      const bridge = known?.bridge ?? (await this.#freeBridge(spec.id, deadline));
      const xml = networkXml(spec, bridge, known ?? { dns: [], dhcp: [] });
      const wanted = viewNetwork(xml);
      const network = networkRef(spec.id);
      const outdated = await this.#isOutdated(spec.id, wanted, deadline);
      if (known === undefined || !sameDefinition(known, wanted)) await this.api.networkDefineXml({ xml }, deadline.left);
      if (outdated) await unlessOvertaken(() => this.api.networkDestroy({ network }, deadline.left));
      await this.#start(network, deadline);
      await this.api.networkSetAutostart({ network, autostart: true }, deadline.left);
    });
  }

  async delete(id: string, deadline: Deadline): Promise<void> {
    const network = networkRef(id);
    // A start that was given up earlier may still land between our two steps, and would leave a network that runs without a definition.
    for (;;) {
      const view = await this.find(id, deadline);
      if (view === undefined) return;
      const ports = new Set(view.dns.flatMap((record) => nicOfRecord(record) ?? []));
      if (ports.size > 0) throw new DriverError('conflict', `network ${id} has ${ports.size} ports left`);
      await unlessOvertaken(() => this.api.networkDestroy({ network }, deadline.left));
      await unlessOvertaken(() => this.api.networkUndefine({ network }, deadline.left));
    }
  }

  /**
   * One change of a network at a time. A definition is written whole, with the ports that were read before: a port that comes or goes in between would be
   * lost, or would come back.
   */
  async #inTurn(id: string, act: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(id) ?? Promise.resolve();
    const turn = before.then(act);
    const settled = turn.catch(() => undefined);
    this.#turns.set(id, settled);
    await turn.finally(() => {
      if (this.#turns.get(id) === settled) this.#turns.delete(id);
    });
  }

  #view(network: Network, part: Part, deadline: Deadline): Promise<NetworkView | undefined> {
    return except<NetworkView | undefined>(
      ['noNetwork'],
      () => this.#read(network, part, deadline),
      () => undefined,
    );
  }

  async #read(network: Network, part: Part, deadline: Deadline): Promise<NetworkView> {
    const flags = part === 'config' ? INACTIVE_XML : 0;
    return viewNetwork(await this.api.networkGetXmlDesc({ network, flags }, deadline.left));
  }

  #isActive(id: string, deadline: Deadline): Promise<boolean> {
    return except(
      ['noNetwork'],
      () => this.api.networkIsActive({ network: networkRef(id) }, deadline.left),
      () => false,
    );
  }

  async #start(network: Network, deadline: Deadline): Promise<void> {
    const start = () => this.api.networkCreate({ network }, deadline.left);
    await except(['operationInvalid'], start, async (refusal) => {
      if (!(await this.#isActive(network.uuid, deadline))) throw refusal;
    }).catch((error: unknown) => {
      throw explained(error);
    });
  }

  /** A running network takes over a new shape only by a restart, which would cut off the machines in it: then it is refused. */
  async #isOutdated(id: string, wanted: NetworkView, deadline: Deadline): Promise<boolean> {
    if (!(await this.#isActive(id, deadline))) return false;
    const running = await this.#view(networkRef(id), 'live', deadline);
    if (running === undefined || running.shape === wanted.shape) return false;
    if (running.connections > 0)
      throw new DriverError('conflict', `network ${id} must be restarted to change, and ${running.connections} NICs are in it`);
    return true;
  }

  async #freeBridge(id: string, deadline: Deadline): Promise<string> {
    const all = await this.api.connectListAllNetworks({}, deadline.left);
    const views = await Promise.all(all.map((network) => this.#view(network, 'config', deadline)));
    const taken = new Set(views.map((view) => view?.bridge));
    for (let attempt = 0; attempt < 20; attempt += 1) if (!taken.has(bridgeName(id, attempt))) return bridgeName(id, attempt);
    throw new DriverError('exhausted', `no name is free for the bridge of network ${id}`);
  }
}

/** Ports apart: they are changed one by one. */
function sameDefinition(a: NetworkView, b: NetworkView): boolean {
  return a.shape === b.shape && a.name === b.name && a.owner === b.owner && a.libvirtName === b.libvirtName;
}

/** Another caller may do the same at the same moment. Libvirt then finds the network in another state, or its files gone. */
function unlessOvertaken(act: () => Promise<void>): Promise<void> {
  return except(['operationInvalid', 'noNetwork', 'systemError'], act, (refusal) => {
    if (refusal.is('systemError') && !refusal.message.includes('No such file')) throw refusal;
  });
}

/** Libvirt has no code for it: it looks at the routes of the host, which the store knows nothing of. */
const RANGE_TAKEN = /^(internal error: )?Network is already in use by interface /;

/** What a start was refused for, told to whoever chose the range. */
export function explained(error: unknown): unknown {
  if (!(error instanceof LibvirtError && RANGE_TAKEN.test(error.message))) return error;
  const told = 'An interface of the host has an address in its range: take another range.';
  return new DriverError('conflict', 'the range of the network is in use on the host', { told, cause: error });
}
