import { announce, change, describeChain, equals, type Id, isCloudError, type RowOf, timestamp } from '../../../kernel/index.ts';
import type { Call, FabricTroubles } from '../../../strategy/index.ts';
import { instance } from '../../compute/contract.ts';
import type { CloudServices } from '../../services.ts';
import { host } from '../../topology/contract.ts';
import type { Fabric } from '../fabrics.ts';
import { network } from '../network.ts';
import { nic } from '../nic.ts';
import { fabricDegraded, fabricRecovered, hostNetworkDegraded, hostNetworkRecovered } from '../points.ts';
import { fabricName, type Unconnected, unconnectedTo } from './connected.ts';
import { fabric as fabricKind } from './fabric.ts';

type HostRow = RowOf<typeof host>;
type NetworkRow = RowOf<typeof network>;

const MISSES_MAX = 3;
/** Who has just begun to look cannot tell yet who does not follow: what was seen before stays. */
const LOOKS_MIN = 3;
/** Of a host that does not answer nothing is heard: the others are not to wait for it. */
const ASK_TIMEOUT_MS = 10_000;
const REASON_MAX = 1_024;
const NAMED_MAX = 3;

/** What machines that run on a host need of it. */
interface Needs {
  readonly row: HostRow;
  readonly nicIds: string[];
  readonly networks: Map<string, NetworkRow>;
}

/**
 * Tells when hosts, or what they share, do not do what the networks of machines that run need: a switch that has stopped, a bridge that is not told any more, a port
 * that is nowhere. Nothing is done about it: it is the operator's, who is told once when it begins and once when it is over.
 */
export class Troubles {
  readonly #services: CloudServices;
  /** By driver: looks in a row that came to nothing. */
  readonly #misses = new Map<string, number>();
  /** By driver: looks that came to something. */
  readonly #looks = new Map<string, number>();
  /** By driver: NICs that were not plugged in at the last look. A machine that has just ended has none, either: it takes two. */
  readonly #unplugged = new Map<string, ReadonlySet<string>>();

  constructor(services: CloudServices) {
    this.#services = services;
  }

  /** Answers whether the fabric is the one that was left. */
  async look(driver: string, fabric: Fabric, call: Call): Promise<boolean> {
    try {
      if (!(await fabric.continues(call))) return false;
    } catch (error) {
      if (!call.signal.aborted) await this.#missed(driver, error);
      throw error;
    }
    try {
      await this.#ask(driver, fabric, { ...call, timeoutMs: Math.min(ASK_TIMEOUT_MS, call.timeoutMs) });
      this.#misses.delete(driver);
      this.#looks.set(driver, (this.#looks.get(driver) ?? 0) + 1);
    } catch (error) {
      if (!call.signal.aborted) await this.#missed(driver, error);
    }
    return true;
  }

  async #missed(driver: string, error: unknown): Promise<void> {
    const misses = (this.#misses.get(driver) ?? 0) + 1;
    this.#misses.set(driver, misses);
    this.#services.environment.logger.warn({ driver, misses, error: describeChain(error) }, 'look at a network fabric failed');
    if (misses >= MISSES_MAX) await this.#showFabric(driver, isCloudError(error) ? error.publicMessage : 'It could not be looked at.');
  }

  async #ask(driver: string, fabric: Fabric, call: Call): Promise<void> {
    const needs = await this.#needs(driver);
    const hosts = [...needs.values()].map(({ row, nicIds }) => ({ host: fabricName(row), nicIds }));
    const seen = hosts.length === 0 ? { hosts: [] } : await fabric.troubles(hosts, call);
    await this.#showFabric(driver, seen?.reason);
    if (seen === undefined) return;
    const reasons = await this.#reasons(driver, needs, seen);
    const { reader, slices } = this.#services;
    const shown = (await slices.list(reader, host, { field: 'networkTroubles', op: 'not null' })).map(({ id }) => id as string);
    for (const id of new Set([...shown, ...reasons.keys()])) {
      const row = await reader.find(host, id);
      if (row?.status === 'connected' && row.deletedAt === undefined) await this.#showHost(row, driver, reasons.get(id));
    }
  }

  /** Of hosts that answer, with machines that run there; what somebody is at work on is plugged in or not. */
  async #needs(driver: string): Promise<ReadonlyMap<string, Needs>> {
    const { reader, slices, kernel } = this.#services;
    const needs = new Map<string, Needs>();
    for (const on of await reader.list(network, equals('driver', driver)))
      await slices.each(await slices.list(reader, nic, equals('networkId', on.id)), async ({ id, state, instanceId }) => {
        if (state !== 'attached') return;
        const { state: power, hostId = '' } = (await reader.find(instance, instanceId)) ?? {};
        const known = needs.get(hostId) ?? fresh(await reader.find(host, hostId));
        if (power !== 'running' || known === undefined) return;
        needs.set(hostId, known);
        if (!kernel().holds(id) && !kernel().holds(instanceId)) known.nicIds.push(id);
        known.networks.set(on.id, on);
      });
    return needs;
  }

  async #reasons(driver: string, needs: ReadonlyMap<string, Needs>, seen: FabricTroubles): Promise<ReadonlyMap<string, string>> {
    const before = this.#unplugged.get(driver);
    this.#unplugged.set(driver, new Set(seen.hosts.flatMap(({ unplugged }) => unplugged)));
    const told = new Map(seen.hosts.map((each) => [each.host, each]));
    const unconnected = new Map<string, Unconnected | undefined>();
    const reasons = new Map<string, string>();
    for (const [hostId, { row, networks }] of needs) {
      const name = fabricName(row);
      const { reason, unplugged = [] } = told.get(name) ?? {};
      const nowhere = reason === undefined ? unplugged.filter((id) => before?.has(id) === true) : [];
      const all = [...(reason === undefined ? [] : [reason]), ...(nowhere.length === 0 ? [] : [notPlugged(nowhere)])];
      for (const on of networks.values()) {
        if (!unconnected.has(on.id)) unconnected.set(on.id, await unconnectedTo(this.#services, on));
        const why = unconnected.get(on.id)?.(name);
        if (why !== undefined) all.push(why);
      }
      if (all.length > 0) reasons.set(hostId, all.join('; ').slice(0, REASON_MAX));
    }
    return reasons;
  }

  /** As long as nothing else has changed the row: else the next look decides. */
  async #showHost(row: HostRow, driver: string, reason: string | undefined): Promise<void> {
    const { kernel, ids, environment } = this.#services;
    const drivers = kernel().registry.strategyNames('network');
    const known = row.networkTroubles ?? [];
    const own = known.find((each) => each.driver === driver);
    const others = known.filter((each) => each.driver !== driver && drivers.includes(each.driver));
    if (reason === undefined && own !== undefined && !this.#isSure(driver)) return;
    if (own?.reason === reason && known.length === others.length + (own === undefined ? 0 : 1)) return;
    const now = reason === undefined ? others : [...others, { driver, reason, since: own?.since ?? timestamp(environment.clock) }];
    const hostId = row.id as Id<'host'>;
    await kernel().observe([
      change(host, hostId, { networkTroubles: now.length === 0 ? null : now }, { generation: row.generation }),
      ...(own === undefined && reason !== undefined ? [announce(hostNetworkDegraded, ids.mint('notice'), { hostId, driver, reason })] : []),
      ...(own !== undefined && reason === undefined ? [announce(hostNetworkRecovered, ids.mint('notice'), { hostId, driver })] : []),
    ]);
  }

  #isSure(driver: string): boolean {
    return (this.#looks.get(driver) ?? 0) >= LOOKS_MIN;
  }

  /** Of drivers that leave no mark in what they program there is no row. */
  async #showFabric(driver: string, reason: string | undefined): Promise<void> {
    const { kernel, ids, reader } = this.#services;
    const [row] = await reader.list(fabricKind, equals('driver', driver), { limit: 1 });
    if (row === undefined || row.trouble === reason || (reason === undefined && !this.#isSure(driver))) return;
    const at = { fabricId: row.id, driver };
    await kernel().observe([
      change(fabricKind, row.id, { trouble: reason?.slice(0, REASON_MAX) ?? null }, { generation: row.generation }),
      ...(row.trouble === undefined && reason !== undefined ? [announce(fabricDegraded, ids.mint('notice'), { ...at, reason })] : []),
      ...(row.trouble !== undefined && reason === undefined ? [announce(fabricRecovered, ids.mint('notice'), at)] : []),
    ]);
  }
}

const fresh = (row: HostRow | undefined): Needs | undefined =>
  row?.status === 'connected' ? { row, nicIds: [], networks: new Map() } : undefined;

const notPlugged = (nicIds: readonly string[]): string => {
  const named = nicIds.slice(0, NAMED_MAX).join(', ');
  const more = nicIds.length > NAMED_MAX ? ` and ${nicIds.length - NAMED_MAX} more` : '';
  return `has not plugged in what machines that run there have: NIC ${named}${more}`;
};
