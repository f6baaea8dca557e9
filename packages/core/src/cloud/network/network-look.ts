import { both, type Condition, describeChain, equals, type Id, type RowOf } from '../../kernel/index.ts';
import type { Call, NetworkObservation } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { type Found, HEARTBEATS_PER_LOOK, heartbeatSeconds, host, recordStrays, removalAllowed, stray } from '../topology/contract.ts';
import { FlapWatch } from './balancing/flap-watch.ts';
import type { Fabric } from './fabrics.ts';
import { ABOVE_NETWORKS, BELOW_NETWORKS } from './kept-kinds.ts';
import { compareKept, repairKept, type SharedGround } from './kept-look.ts';
import { network } from './network.ts';
import { realize } from './network-context.ts';
import { nic } from './nic.ts';
import { StorageNetworkLook } from './physical/storage-look.ts';
import { Troubles } from './physical/troubles.ts';
import { mendPort } from './ports.ts';

const LOOK_TIMEOUT_MS = 30_000;

/** Hosts do not beat in step: what they share is due a little before all of them have been looked at again. */
const SHARE_OF_LOOK = 0.9;

/**
 * Compares networks with their rows, each time one of their hosts is looked at; those of drivers without hosts through whichever comes first, at most once in
 * the time of a look, and with them what they keep around networks. One that was stopped or lost behind our back is made again, with its ports; one that is as it should be is left alone by the driver. What
 * was deleted or unwound and arrived after that goes again; what has our mark and is unknown is quarantined.
 */
export class NetworkLook {
  readonly #services: CloudServices;
  /** By driver without hosts. */
  readonly #lookedAtMs = new Map<string, number>();
  readonly #troubles: Troubles;
  readonly #storage: StorageNetworkLook;
  readonly #flaps: FlapWatch;

  constructor(services: CloudServices) {
    this.#services = services;
    this.#troubles = new Troubles(services);
    this.#storage = new StorageNetworkLook(services);
    this.#flaps = new FlapWatch(services);
  }

  stop(): Promise<void> {
    return this.#flaps.stop();
  }

  async lookThrough(hostId: string, signal: AbortSignal): Promise<void> {
    const call: Call = { requestId: `look-${hostId}`, signal, timeoutMs: LOOK_TIMEOUT_MS };
    await this.#storage.look(hostId);
    const drivers = this.#services.kernel().registry.strategyNames('network');
    const ofHosts = drivers.filter((driver) => isHostScoped(this.#services, driver));
    const own = { hostId: hostId as Id<'host'>, place: hostId };
    await lookAtRealm(this.#services, equals('hostId', hostId), { ...own, drivers: ofHosts }, call);
    const everyMs = HEARTBEATS_PER_LOOK * SHARE_OF_LOOK * (await this.#services.settings.at(heartbeatSeconds, host, hostId)) * 1000;
    for (const driver of drivers) {
      if (signal.aborted || ofHosts.includes(driver) || !this.#isDue(driver, everyMs)) continue;
      await this.#lookAtShared({ hostId: own.hostId, driver, call });
    }
  }

  /** In the order in which one thing needs another; what is too much goes before what it uses. */
  async #lookAtShared({ hostId, driver, call }: Omit<SharedGround, 'fabric'>): Promise<void> {
    const services = this.#services;
    const fabric = await services.fabrics.of({ driver });
    // First: where a host does not answer what follows may not come to its end.
    if (!(await this.#troubles.look(driver, fabric, call))) return;
    const ground = { hostId, driver, fabric, call };
    await repairKept(services, ground, BELOW_NETWORKS);
    await compareKept(services, ground, ABOVE_NETWORKS);
    await lookAtRealm(services, equals('driver', driver), { hostId, place: driver, drivers: [driver] }, call);
    await this.#flaps.look(driver, fabric, call);
    await repairKept(services, ground, ABOVE_NETWORKS);
    await compareKept(services, ground, BELOW_NETWORKS);
  }

  #isDue(driver: string, everyMs: number): boolean {
    const nowMs = this.#services.environment.clock.monotonicMs();
    const lastMs = this.#lookedAtMs.get(driver);
    if (lastMs !== undefined && nowMs - lastMs < everyMs) return false;
    this.#lookedAtMs.set(driver, nowMs);
    return true;
  }
}

interface Realm {
  /** The host that it is looked at through. */
  readonly hostId: Id<'host'>;
  /** The host, or the driver of what has none. */
  readonly place: string;
  readonly drivers: readonly string[];
}

async function lookAtRealm(services: CloudServices, where: Condition, { drivers, ...ground }: Realm, call: Call): Promise<void> {
  const { reader, kernel, environment } = services;
  const { hostId } = ground;
  const strays: Found[] = [];
  const ports: Found[] = [];
  let complete = true;
  for (const row of await reader.list(network, where))
    if (row.state === 'available' && !kernel().holds(row.id)) await attempt(services, row.id, call, () => realize(services, row.id, call));
  for (const driver of drivers) {
    try {
      const fabric = await fabricOf(services, driver, hostId);
      for (const seen of await fabric.listNetworks(call))
        if (seen.owner === services.cloudId) {
          const unknown = await compare(services, fabric, seen, { ...ground, call });
          strays.push(...unknown.networks);
          ports.push(...unknown.ports);
        }
    } catch (error) {
      if (call.signal.aborted) return;
      complete = false;
      environment.logger.warn({ hostId, driver, error: describeChain(error) }, 'look at the networks of a host failed');
    }
  }
  if (!complete) return;
  await recordStrays(services, { ...ground, objectKind: 'network' }, strays);
  await recordStrays(services, { ...ground, objectKind: 'port' }, ports);
}

/** An operator wants an unknown network gone: with each driver that may have made it, since absent is done. */
export async function removeStrayNetwork(services: CloudServices, networkId: string, hostId: Id<'host'>, call: Call): Promise<void> {
  for (const driver of services.kernel().registry.strategyNames('network')) {
    const fabric = await fabricOf(services, driver, hostId);
    const seen = await fabric.inspectNetwork(networkId, call);
    if (seen?.owner !== services.cloudId) continue;
    for (const nicId of seen.nicIds) await fabric.deletePort({ nicId, networkId }, call);
    await fabric.deleteNetwork(networkId, call);
  }
}

/** The same for a port on a network that may be known. */
export async function removeStrayPort(services: CloudServices, nicId: string, hostId: Id<'host'>, call: Call): Promise<void> {
  for (const driver of services.kernel().registry.strategyNames('network')) {
    const fabric = await fabricOf(services, driver, hostId);
    for (const seen of await fabric.listNetworks(call))
      if (seen.owner === services.cloudId && seen.nicIds.includes(nicId)) await fabric.deletePort({ nicId, networkId: seen.id }, call);
  }
}

const isHostScoped = ({ fabrics }: Pick<CloudServices, 'fabrics'>, driver: string): boolean => fabrics.factory(driver).scope === 'host';

/** That of the host, or the one of all. */
const fabricOf = (services: Pick<CloudServices, 'fabrics'>, driver: string, hostId: Id<'host'>): Promise<Fabric> =>
  services.fabrics.of(isHostScoped(services, driver) ? { driver, hostId } : { driver });

interface Unknown {
  readonly networks: readonly Found[];
  /** Of known networks; those of an unknown one are told of with it. */
  readonly ports: readonly Found[];
}

/** One real network with our mark: what no row and no tombstone explains is the answer. */
async function compare(
  services: CloudServices,
  fabric: Fabric,
  seen: NetworkObservation,
  { place, hostId, call }: Omit<Realm, 'drivers'> & { readonly call: Call },
): Promise<Unknown> {
  const row = await services.reader.find(network, seen.id);
  const held = services.kernel().holds(seen.id);
  if (row === undefined && held) return { networks: [], ports: [] };
  if (row === undefined) {
    const details = { active: seen.active, nicIds: [...seen.nicIds].sort() };
    return { networks: [{ objectId: seen.id, objectName: seen.name, details }], ports: [] };
  }
  const nics = await services.slices.list(services.reader, nic, equals('networkId', seen.id));
  if (row.state === 'available' && !held) await repairPorts(services, row, nics, { seen, call });
  const live = new Set<string>(nics.map(({ id }) => id));
  const beside = seen.nicIds.filter((id) => !live.has(id));
  if (await removalAllowed(services)) await removeLate(services, fabric, { ...seen, nicIds: beside }, call);
  return { networks: [], ports: await unknownPorts(services, row, beside, place === hostId ? hostId : undefined) };
}

/** That of a machine in quarantine comes with it. */
async function unknownPorts(
  { reader, kernel, slices }: CloudServices,
  { id, name }: RowOf<typeof network>,
  nicIds: readonly string[],
  hostId: string | undefined,
): Promise<readonly Found[]> {
  const free = nicIds.filter((nicId) => !kernel().holds(nicId));
  const rows = await slices.named(reader, nic, free);
  const unknown = free.filter((nicId) => !rows.has(nicId));
  if (unknown.length === 0) return [];
  const machines = await reader.list(
    stray,
    both(equals('objectKind', 'machine'), ...(hostId === undefined ? [] : [equals('hostId', hostId)])),
  );
  const theirs = new Set(machines.flatMap(({ details }) => details.nicIds as readonly string[]));
  return unknown
    .filter((nicId) => !theirs.has(nicId))
    .map((nicId) => ({ objectId: nicId, objectName: nicId, details: { networkId: id, networkName: name } }));
}

/** Guests keep their addresses only while their ports are there; what one may send and receive in a VPC is mended, too. */
async function repairPorts(
  services: CloudServices,
  { vpcId, physicalNetworkId }: RowOf<typeof network>,
  nics: readonly RowOf<typeof nic>[],
  { seen, call }: { readonly seen: NetworkObservation; readonly call: Call },
): Promise<void> {
  const { kernel } = services;
  const present = new Set(seen.nicIds);
  const isStandalone = vpcId === undefined && physicalNetworkId === undefined;
  const isFree = (row: RowOf<typeof nic>) => !kernel().holds(row.id) && !kernel().holds(row.instanceId);
  const wrong = nics.filter((row) => row.state === 'attached' && isFree(row) && !(isStandalone && present.has(row.id)));
  for (const { id } of wrong) await attempt(services, id, call, () => mendPort(services, id, isFree, call));
}

/** What cannot be mended now is tried again at the next look; what belongs to others is not to wait for it. */
async function attempt({ environment }: CloudServices, id: string, { signal }: Call, body: () => Promise<unknown>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!signal.aborted) environment.logger.warn({ id, error: describeChain(error) }, 'a network or a port could not be mended');
  }
}

/**
 * `seen` with the ports alone that no live row explains. Deleted rows are tombstones: their ids are never reused, so nothing else can be meant. It goes also while a
 * deletion of more holds it, for that may wait for just this.
 */
async function removeLate(services: CloudServices, fabric: Fabric, seen: NetworkObservation, call: Call): Promise<void> {
  const { reader, environment, slices } = services;
  const rows = await slices.named(reader, nic, seen.nicIds);
  for (const nicId of seen.nicIds) {
    if (rows.get(nicId)?.deletedAt === undefined) continue;
    environment.logger.info({ nicId, networkId: seen.id }, 'late arrival of a deleted port; removed');
    await fabric.deletePort({ nicId, networkId: seen.id }, call);
  }
  if ((await reader.find(network, seen.id))?.deletedAt === undefined) return;
  environment.logger.info({ networkId: seen.id }, 'late arrival of a deleted network; removed');
  await fabric.deleteNetwork(seen.id, call);
}
