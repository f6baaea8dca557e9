import { CloudError, type RowOf } from '../../kernel/index.ts';
import type { HostInventory } from '../../strategy/index.ts';
import type { cluster } from './cluster.ts';
import type { host } from './host.ts';

type HostRow = RowOf<typeof host>;

/** What is kept of an inventory on the host's row. */
export const inventoryFields = (seen: HostInventory) => ({
  hostname: seen.hostname,
  hostUuid: seen.hostUuid,
  cpus: seen.cpus,
  memoryBytes: seen.memoryBytes,
  cpuModel: seen.cpuModel,
  architecture: seen.architecture,
  hypervisorVersion: `${seen.hypervisor} ${seen.hypervisorVersion}`,
  virtType: seen.virtType,
});

/** The fields in which the host differs from its row. */
export function inventoryChanges(row: HostRow, seen: HostInventory): Partial<ReturnType<typeof inventoryFields>> {
  const known = row as unknown as Record<string, unknown>;
  return Object.fromEntries(Object.entries(inventoryFields(seen)).filter(([field, value]) => known[field] !== value));
}

/** @throws CloudError unsupported when the cluster does not take such a host */
export function refuseUnfit(seen: HostInventory, of: RowOf<typeof cluster>): void {
  if (seen.virtType === 'tcg' && !of.allowEmulation)
    throw new CloudError('unsupported', `No guest runs under KVM on ${seen.hostname}, and cluster ${of.name} does not allow emulation.`, {
      params: { virtType: seen.virtType, field: 'allowEmulation' },
    });
}

/** The backend's own id tells hosts apart, whatever address they are reached at. @throws CloudError conflict */
export function refuseOther(row: Pick<HostRow, 'name' | 'hostUuid'>, seen: HostInventory): void {
  if (row.hostUuid !== undefined && row.hostUuid !== seen.hostUuid)
    throw new CloudError('conflict', `Another host than ${row.name} answers at its address.`, {
      params: { expected: row.hostUuid, found: seen.hostUuid },
    });
}
