import { both, describeChain, equals, type Id, type KernelServices, type RowOf } from '../../kernel/index.ts';
import type { Call, NetworkObservation } from '../../strategy/index.ts';
import { instance } from '../compute/contract.ts';
import type { CloudServices } from '../services.ts';
import { type Found, recordStrays, removalAllowed, stray } from '../topology/contract.ts';
import type { Fabric } from './fabrics.ts';
import { network } from './network.ts';
import { realize } from './network-context.ts';
import { nic } from './nic.ts';
import { ensurePort } from './ports.ts';

const LOOK_TIMEOUT_MS = 30_000;

/**
 * Compares the networks of a host with their rows. One that was stopped or lost behind our back is made again, with its ports; one that is as it should be is
 * left alone by the driver. What was deleted or unwound and arrived after that goes again; what has our mark and is unknown is quarantined.
 */
export async function lookAtNetworks(services: CloudServices, hostId: string, signal: AbortSignal): Promise<void> {
  const { reader, kernel, fabrics, environment } = services;
  const call: Call = { requestId: `look-${hostId}`, signal, timeoutMs: LOOK_TIMEOUT_MS };
  for (const row of await reader.list(network, equals('hostId', hostId)))
    if (row.state === 'available' && !kernel().holds(row.id)) await realize(services, row.id, call);
  const strays: Found[] = [];
  const ports: Found[] = [];
  let complete = true;
  for (const driver of hostScoped(services)) {
    try {
      const fabric = await fabrics.of({ driver, hostId: hostId as Id<'host'> });
      for (const seen of await fabric.listNetworks(call))
        if (seen.owner === services.cloudId) {
          const unknown = await compare(services, fabric, seen, call);
          strays.push(...unknown.networks);
          ports.push(...unknown.ports);
        }
    } catch (error) {
      if (signal.aborted) return;
      complete = false;
      environment.logger.warn({ hostId, driver, error: describeChain(error) }, 'look at the networks of a host failed');
    }
  }
  if (!complete) return;
  const ground = { hostId: hostId as Id<'host'>, place: hostId };
  await recordStrays(services, { ...ground, objectKind: 'network' }, strays);
  await recordStrays(services, { ...ground, objectKind: 'port' }, ports);
}

/** An operator wants an unknown network gone: with each driver that may have made it, since absent is done. */
export async function removeStrayNetwork(services: CloudServices, networkId: string, hostId: Id<'host'>, call: Call): Promise<void> {
  for (const driver of hostScoped(services)) {
    const fabric = await services.fabrics.of({ driver, hostId });
    const seen = await fabric.inspectNetwork(networkId, call);
    if (seen?.owner !== services.cloudId) continue;
    for (const nicId of seen.nicIds) await fabric.deletePort({ nicId, networkId }, call);
    await fabric.deleteNetwork(networkId, call);
  }
}

/** The same for a port on a network that may be known. */
export async function removeStrayPort(services: CloudServices, nicId: string, hostId: Id<'host'>, call: Call): Promise<void> {
  for (const driver of hostScoped(services)) {
    const fabric = await services.fabrics.of({ driver, hostId });
    for (const seen of await fabric.listNetworks(call))
      if (seen.owner === services.cloudId && seen.nicIds.includes(nicId)) await fabric.deletePort({ nicId, networkId: seen.id }, call);
  }
}

const hostScoped = ({ kernel, fabrics }: KernelServices & Pick<CloudServices, 'fabrics'>): readonly string[] =>
  kernel()
    .registry.strategyNames('network')
    .filter((driver) => fabrics.factory(driver).scope === 'host');

interface Unknown {
  readonly networks: readonly Found[];
  /** Of known networks; those of an unknown one are told of with it. */
  readonly ports: readonly Found[];
}

/** One real network with our mark: what no row and no tombstone explains is the answer. */
async function compare(services: CloudServices, fabric: Fabric, seen: NetworkObservation, call: Call): Promise<Unknown> {
  const row = await services.reader.find(network, seen.id);
  const held = services.kernel().holds(seen.id);
  if (row === undefined && held) return { networks: [], ports: [] };
  if (row === undefined) {
    const details = { active: seen.active, nicIds: [...seen.nicIds].sort() };
    return { networks: [{ objectId: seen.id, objectName: seen.name, details }], ports: [] };
  }
  const nics = await services.reader.list(nic, equals('networkId', seen.id));
  if (row.state === 'available' && !held) await repairPorts(services, nics, seen, call);
  const live = new Set<string>(nics.map(({ id }) => id));
  const beside = seen.nicIds.filter((id) => !live.has(id));
  if (await removalAllowed(services)) await removeLate(services, fabric, { ...seen, nicIds: beside }, call);
  return { networks: [], ports: await unknownPorts(services, row, beside) };
}

/** That of a machine in quarantine comes with it. */
async function unknownPorts(
  { reader, kernel }: CloudServices,
  { id, name, hostId }: RowOf<typeof network>,
  nicIds: readonly string[],
): Promise<readonly Found[]> {
  const unknown: string[] = [];
  for (const nicId of nicIds) if (!kernel().holds(nicId) && (await reader.find(nic, nicId)) === undefined) unknown.push(nicId);
  if (unknown.length === 0) return [];
  const machines = await reader.list(stray, both(equals('hostId', hostId ?? ''), equals('objectKind', 'machine')));
  const theirs = new Set(machines.flatMap(({ details }) => details.nicIds as readonly string[]));
  return unknown
    .filter((nicId) => !theirs.has(nicId))
    .map((nicId) => ({ objectId: nicId, objectName: nicId, details: { networkId: id, networkName: name } }));
}

/** Guests keep their addresses only while their ports are there. */
async function repairPorts(
  services: CloudServices,
  nics: readonly RowOf<typeof nic>[],
  seen: NetworkObservation,
  call: Call,
): Promise<void> {
  const { reader, kernel } = services;
  const present = new Set(seen.nicIds);
  const missing = nics.filter(
    (row) => row.state === 'attached' && !present.has(row.id) && !kernel().holds(row.id) && !kernel().holds(row.instanceId),
  );
  for (const row of missing) {
    const { hostname } = await reader.get(instance, row.instanceId);
    await ensurePort(services, { ...row, nicId: row.id }, hostname, call);
  }
}

/** `seen` with the ports alone that no live row explains. Deleted rows are tombstones: their ids are never reused, so nothing else can be meant. */
async function removeLate(services: CloudServices, fabric: Fabric, seen: NetworkObservation, call: Call): Promise<void> {
  const { reader, kernel, environment } = services;
  for (const nicId of seen.nicIds) {
    if (kernel().holds(nicId) || (await reader.find(nic, nicId))?.deletedAt === undefined) continue;
    environment.logger.info({ nicId, networkId: seen.id }, 'late arrival of a deleted port; removed');
    await fabric.deletePort({ nicId, networkId: seen.id }, call);
  }
  // Late ports go from a network that is held, too: its deletion may be waiting for that.
  if (kernel().holds(seen.id) || (await reader.find(network, seen.id))?.deletedAt === undefined) return;
  environment.logger.info({ networkId: seen.id }, 'late arrival of a deleted network; removed');
  await fabric.deleteNetwork(seen.id, call);
}
