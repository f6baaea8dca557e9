import { CloudError, debt, equals, type Id, type Reader } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { clusterOf, network, unconnectedToAny } from '../network/contract.ts';
import type { Placed } from '../placement/contract.ts';
import { host } from '../topology/contract.ts';
import { type ComputeServices, hostOf, type InstanceRow, nicsOf, volumesOf } from './context.ts';
import { seatOf } from './instance-delete.ts';
import { instanceType } from './instance-type.ts';
import { refuseLateRemoval } from './late.ts';
import { MACHINE_REMOVE } from './machine-cleanup.ts';

/** Hosts on which something of the machine may be left, and whose turn to be tidied up has not come. */
async function owedFor(reader: Reader, instanceId: string): Promise<readonly string[]> {
  const owed = await reader.list(debt, equals('state', 'owed'));
  return owed.flatMap(({ task, place, target }) => (task === MACHINE_REMOVE && target.instanceId === instanceId ? [place] : []));
}

interface Wish {
  /** Only there. */
  readonly hostId?: string | undefined;
  /** Only within this cluster. */
  readonly clusterId?: string;
  readonly exceptHosts?: readonly string[];
  readonly attempt: number;
  readonly rehearses: boolean;
}

/** Another host for a machine that keeps its disks and addresses. @throws CloudError no_capacity, conflict */
export async function placeElsewhere(services: ComputeServices, row: InstanceRow, wish: Wish): Promise<Placed> {
  const { reader } = services;
  const { hostId, attempt, rehearses } = wish;
  refuseSeatOfOthers(services, row);
  if (hostId !== undefined) await refuseLateRemoval(services, row, hostId);
  const nics = await nicsOf(services, row.id);
  const networks = await Promise.all(nics.map(({ networkId }) => reader.get(network, networkId)));
  const pins = networks.flatMap((each) => each.hostId ?? []);
  const volumes = await volumesOf(services, row.id);
  const { hostLabels, tolerations } = await reader.get(instanceType, row.instanceTypeId);
  return services.placement.place(
    {
      ...{ vcpus: row.vcpus, memoryBytes: row.memoryBytes, volumes: [], attempt, rehearses },
      reaching: [...new Set(volumes.map(({ poolId }) => poolId))],
      exceptHosts: [
        hostOf(row),
        ...(wish.exceptHosts ?? []),
        ...(await owedFor(reader, row.id)),
        ...services.hosts.late.hostsOf({ method: 'remove', machineId: row.id }),
      ],
      instanceId: row.id,
      instanceTypeId: row.instanceTypeId,
      ...given({
        onlyHosts: hostId === undefined ? (pins.length === 0 ? undefined : pins) : [hostId],
        clusterId: wish.clusterId ?? (await clusterOf(reader, networks)),
        unconnected: await unconnectedToAny(services, networks),
        hostLabels,
        tolerations,
        placementGroupId: row.placementGroupId,
        keeping: seatOf(row),
        projectId: row.projectId,
      }),
    },
    reader,
  );
}

/**
 * A second place in its group is taken with the acceptance, and one of the two given back at its end. What is ahead of it may give back the place of before, as its deletion does, or its making that
 * fails: twice, then.
 * @throws CloudError conflict
 */
function refuseSeatOfOthers({ kernel }: ComputeServices, row: InstanceRow): void {
  if (seatOf(row) === undefined || !kernel().holds(row.id)) return;
  throw new CloudError(
    'conflict',
    `Instance ${row.name} is in a placement group, and something else is under way with it; ask again when that has ended.`,
    { params: { placementGroupId: row.placementGroupId ?? null } },
  );
}

/** What is in the drive of a machine goes with it. @throws CloudError unsupported */
export async function needDrive(
  { hosts, reader }: Pick<ComputeServices, 'hosts' | 'reader'>,
  { name, isoImageId }: Pick<InstanceRow, 'name' | 'isoImageId'>,
  hostId: Id<'host'>,
): Promise<void> {
  if (isoImageId === undefined || (await hosts.hypervisor(hostId)).offers('drive')) return;
  const to = await reader.get(host, hostId);
  throw new CloudError('unsupported', `Machines on host ${to.name} have no drive, and instance ${name} has an ISO in its own.`, {
    params: { capability: 'drive', hostId, isoImageId },
  });
}

/** Room for its old size is reserved there, and that is what its old host gives back. @throws CloudError conflict */
export function refuseResized(row: InstanceRow, size: { readonly vcpus: number; readonly memoryBytes: number }): void {
  if (row.vcpus !== size.vcpus || row.memoryBytes !== size.memoryBytes)
    throw new CloudError('conflict', `Instance ${row.name} was resized meanwhile; ask again.`);
}
