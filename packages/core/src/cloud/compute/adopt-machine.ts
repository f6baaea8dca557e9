import { type AnyKind, both, CloudError, type create, equals, type Id, type Reader, type RowOf } from '../../kernel/index.ts';
import { project } from '../identity/contract.ts';
import { given } from '../naming.ts';
import { network, nic, subnet } from '../network/contract.ts';
import { image, pool, volume } from '../storage/contract.ts';
import { stray } from '../topology/contract.ts';
import { instance } from './instance.ts';
import { instanceType } from './instance-type.ts';
import { type MachineRecord, readRecord } from './machine-record.ts';
import type { StrayMachine } from './observe.ts';

type StrayRow = RowOf<typeof stray>;
/** A row to be made, but for what is known only when it is made. */
type Planned<K extends AnyKind, F extends string = never> = Omit<Parameters<typeof create<K>>[1], 'state' | F>;

export interface AdoptedVolume {
  /** Absent where the store has the row already, free. */
  readonly row?: Planned<typeof volume>;
  readonly volumeId: Id<'volume'>;
  /** On the machine that is adopted with it. */
  readonly slot?: number;
  /** Other machines may have it, too: an attachment says that this one has. */
  readonly isShared?: true;
}

/** Everything that the adoption of one machine makes, decided when it was accepted. */
export interface MachinePlan {
  readonly row: Planned<typeof instance, 'desiredPower'>;
  /** What the host showed then. */
  readonly seen: Pick<StrayMachine, 'vcpus' | 'memoryBytes' | 'diskIds' | 'nicIds'>;
  readonly volumes: readonly AdoptedVolume[];
  readonly nics: readonly Planned<typeof nic>[];
  /** The records that end with it: of its disks. */
  readonly strayIds: readonly Id<'stray'>[];
}

export interface AdoptInput {
  readonly name?: string;
  readonly instanceType?: string;
  readonly withoutNics?: readonly string[];
}

/** What one adoption is planned with. */
interface Planning {
  readonly reader: Reader;
  readonly found: StrayRow;
  readonly shown: StrayMachine;
  readonly record: MachineRecord;
  readonly projectId: Id<'project'>;
}

/**
 * The rows of a machine by its record, as far as the host still shows what the record says: disks that were plugged since come from what the pools found, NICs
 * that were unplugged since are left out. @throws CloudError that names what stands in the way
 */
export async function planMachine(reader: Reader, found: StrayRow, input: AdoptInput, fallback: Id<'project'>): Promise<MachinePlan> {
  const shown = found.details as unknown as StrayMachine;
  await refuseKnown(reader, found, shown);
  const record = readRecord(shown.record);
  if (record === undefined)
    throw new CloudError('unsupported', `Machine ${found.objectName} carries no record that this release can read: it cannot be adopted.`);
  const projectId = await owner(reader, record.instance.projectId, fallback);
  const planning: Planning = { reader, found, shown, record, projectId };
  const instanceTypeId = await typeOf(planning, input.instanceType);
  const id = found.objectId as Id<'instance'>;
  const name = await freeName(reader, instance, projectId, input.name ?? record.instance.name, id);
  const disks = await Promise.all(
    slotsOf(shown.diskIds, record.volumes).map((slot, index) => planDisk(planning, String(shown.diskIds[index]), slot)),
  );
  const plugged = shown.nicIds.filter((nicId) => input.withoutNics?.includes(nicId) !== true);
  const { vcpus, memoryBytes, diskIds, nicIds, isoId } = shown;
  const iso = isoId === undefined ? undefined : await reader.find(image, isoId);
  return {
    row: {
      ...record.instance,
      ...{ id, projectId, name, instanceTypeId, hostId: found.hostId, vcpus, memoryBytes },
      ...given({ isoImageId: iso?.state === 'available' ? iso.id : undefined }),
      vcpusMax: Math.max(record.instance.vcpusMax, vcpus),
      memoryBytesMax: Math.max(record.instance.memoryBytesMax, memoryBytes),
    },
    seen: { vcpus, memoryBytes, diskIds, nicIds },
    volumes: disks.map((disk) => disk.volume),
    nics: await Promise.all(plugged.map((nicId) => planNic(planning, nicId))),
    strayIds: disks.flatMap((disk) => disk.strayId ?? []),
  };
}

/** The row of a volume that a pool has and the store does not. */
export async function planVolume(
  reader: Reader,
  found: StrayRow,
  kept: { readonly name: string; readonly projectId: Id<'project'> } & Partial<MachineRecord['volumes'][number]>,
): Promise<Planned<typeof volume>> {
  const id = found.objectId as Id<'volume'>;
  const at = await reader.get(pool, found.place);
  const source = kept.imageId === undefined ? undefined : await reader.find(image, kept.imageId);
  return {
    id,
    projectId: kept.projectId,
    name: await freeName(reader, volume, kept.projectId, kept.name, id),
    poolId: at.id,
    sizeBytes: Number(found.details.sizeBytes),
    deleteWithInstance: kept.deleteWithInstance ?? false,
    status: 'present',
    ...given({
      description: kept.description,
      limits: kept.limits,
      shareable: kept.shareable,
      imageId: source?.deletedAt === undefined ? source?.id : undefined,
    }),
  };
}

/** The project it was in, where there still is one. */
export async function owner(reader: Reader, id: Id<'project'>, fallback: Id<'project'>): Promise<Id<'project'>> {
  const row = await reader.find(project, id);
  return row === undefined || row.deletedAt !== undefined ? fallback : row.id;
}

/**
 * Slots of disks in the order in which the host shows them, which is by slot. One that is not known takes the lowest that is left above the disk before it.
 */
export function slotsOf(diskIds: readonly string[], known: readonly { readonly id: string; readonly slot?: number }[]): readonly number[] {
  let last = -1;
  return diskIds.map((id) => {
    last = Math.max(known.find((entry) => entry.id === id)?.slot ?? 0, last + 1);
    return last;
  });
}

async function refuseKnown(reader: Reader, found: StrayRow, shown: StrayMachine): Promise<void> {
  const row = await reader.find(instance, found.objectId);
  if (row === undefined) return;
  if (row.deletedAt !== undefined)
    throw new CloudError('conflict', `Instance ${row.name} was deleted here; its machine is removed when the recovery is confirmed.`);
  throw new CloudError('conflict', `Instance ${row.name} is known, on another host.`, {
    params: { instanceId: row.id, hostId: shown.rowHostId ?? row.hostId ?? null },
  });
}

/** The size is the machine's own, as after a resize; the type says only what it was made from. */
async function typeOf({ reader, record }: Planning, asked: string | undefined): Promise<Id<'instanceType'>> {
  const pointer = '/instanceType';
  if (asked !== undefined) {
    const named = await reader.list(instanceType, equals('name', asked));
    const newest = [...named].sort((a, b) => b.version - a.version)[0];
    return (newest ?? (await reader.get(instanceType, asked, pointer))).id;
  }
  const row = await reader.find(instanceType, record.instance.instanceTypeId);
  if (row !== undefined && row.deletedAt === undefined) return row.id;
  throw new CloudError('invalid_input', 'The instance type it was made from is unknown; name one.', {
    pointer,
    params: { instanceTypeId: record.instance.instanceTypeId },
  });
}

async function planDisk(planning: Planning, id: string, slot: number): Promise<{ volume: AdoptedVolume; strayId?: Id<'stray'> }> {
  const { reader, record } = planning;
  const row = await reader.find(volume, id);
  if (row?.state === 'available') return { volume: { volumeId: row.id, slot, ...sharedMark(row) } };
  if (row !== undefined)
    throw new CloudError('conflict', `Its disk ${row.name} is ${row.state}${row.instanceId === undefined ? '' : ' elsewhere'}.`, {
      params: given({ volumeId: row.id, state: row.state, instanceId: row.instanceId }),
    });
  const [inPool] = await reader.list(stray, both(equals('objectKind', 'volume'), equals('objectId', id)));
  if (inPool === undefined || inPool.state !== 'quarantined')
    throw new CloudError('conflict', `Its disk ${id} was not found in any pool yet.`, { params: { volumeId: id } });
  const kept = record.volumes.find((entry) => entry.id === id);
  const name = kept?.name ?? `${record.instance.name.slice(0, 48).replace(/-+$/, '')}-disk-${slot}`;
  const projectId = await owner(reader, kept?.projectId ?? planning.projectId, planning.projectId);
  const planned = await planVolume(reader, inPool, { ...kept, name, projectId });
  return { volume: { row: planned, volumeId: id as Id<'volume'>, slot, ...sharedMark(planned) }, strayId: inPool.id };
}

const sharedMark = ({ shareable }: { readonly shareable?: boolean }) =>
  given({ isShared: shareable === true ? (true as const) : undefined });

async function planNic({ reader, found, record, projectId: fallback }: Planning, id: string): Promise<Planned<typeof nic>> {
  const kept = record.nics.find((entry) => entry.id === id);
  const refused = (why: string, params = {}) =>
    new CloudError('conflict', `NIC ${id} ${why}. Name it in withoutNics to adopt the machine without it.`, {
      pointer: '/withoutNics',
      params: { nicId: id, ...params },
    });
  if (kept === undefined) throw refused('was plugged in after the record was written, so that nothing is known of it');
  const { networkId, subnetId, mac, address } = kept;
  const [on, within] = await Promise.all([reader.find(network, networkId), reader.find(subnet, subnetId)]);
  if (on?.state !== 'available' || within?.state !== 'available') throw refused('is on a network that is unknown', { networkId, subnetId });
  const [same] = await reader.list(nic, both(equals('subnetId', subnetId), equals('address', address)));
  if (same !== undefined) throw refused(`has the address ${address}, which ${same.name} has now`, { address, takenBy: same.id });
  const [twin] = await reader.list(nic, both(equals('networkId', networkId), equals('mac', mac)));
  if (twin !== undefined) throw refused(`has the MAC ${mac}, which ${twin.name} has now`, { mac, takenBy: twin.id });
  const projectId = await owner(reader, kept.projectId, fallback);
  const name = await freeName(reader, nic, projectId, kept.name, id);
  return { ...kept, projectId, name, instanceId: found.objectId as Id<'instance'> };
}

/** The name, or where another has it by now the name with the end of the id. */
async function freeName(reader: Reader, kind: AnyKind, projectId: string, name: string, id: string): Promise<string> {
  const [other] = await reader.list(kind, both(equals('projectId', projectId), equals('name', name)), { limit: 1 });
  return other === undefined ? name : `${name.slice(0, 54)}-${id.slice(-8)}`;
}
