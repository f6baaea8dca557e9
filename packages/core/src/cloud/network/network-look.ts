import { describeChain, equals, type Id } from '../../kernel/index.ts';
import type { Call, NetworkObservation } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { removalAllowed } from '../topology/contract.ts';
import type { Fabric } from './fabrics.ts';
import { network } from './network.ts';
import { realize } from './network-context.ts';
import { nic } from './nic.ts';

const LOOK_TIMEOUT_MS = 30_000;

/**
 * Compares the networks of a host with their rows. One that was stopped or lost behind our back is made again; one that is as it should be is left alone by
 * the driver. What was deleted or unwound and arrived after that goes again.
 */
export async function lookAtNetworks(services: CloudServices, hostId: string, signal: AbortSignal): Promise<void> {
  const { reader, kernel, fabrics, environment } = services;
  const call: Call = { requestId: `look-${hostId}`, signal, timeoutMs: LOOK_TIMEOUT_MS };
  for (const row of await reader.list(network, equals('hostId', hostId)))
    if (row.state === 'available' && !kernel().holds(row.id)) await realize(services, row.id, call);
  if (!(await removalAllowed(services))) return;
  for (const driver of kernel().registry.strategyNames('network')) {
    if (fabrics.factory(driver).scope !== 'host') continue;
    try {
      const fabric = await fabrics.of({ driver, hostId: hostId as Id<'host'> });
      for (const seen of await fabric.listNetworks(call))
        if (seen.owner === services.cloudId) await removeLate(services, fabric, seen, call);
    } catch (error) {
      if (signal.aborted) return;
      environment.logger.warn({ hostId, driver, error: describeChain(error) }, 'look at the networks of a host failed');
    }
  }
}

/** Deleted rows are tombstones: their ids are never reused, so nothing else can be meant. */
async function removeLate(services: CloudServices, fabric: Fabric, seen: NetworkObservation, call: Call): Promise<void> {
  const { reader, kernel, environment } = services;
  for (const nicId of seen.nicIds) {
    if (kernel().holds(nicId) || (await reader.find(nic, nicId))?.deletedAt === undefined) continue;
    environment.logger.info({ nicId, networkId: seen.id }, 'late arrival of a deleted port; removed');
    await fabric.deletePort({ nicId, networkId: seen.id }, call);
  }
  if (kernel().holds(seen.id) || (await reader.find(network, seen.id))?.deletedAt === undefined) return;
  environment.logger.info({ networkId: seen.id }, 'late arrival of a deleted network; removed');
  await fabric.deleteNetwork(seen.id, call);
}
