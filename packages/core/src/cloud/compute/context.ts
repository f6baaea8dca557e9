import { CloudError, equals, type Id, isCloudError, type RowOf } from '../../kernel/index.ts';
import type { Call, DiskSpec, MachineSpec, NicLimits, NicSpec, Plug } from '../../strategy/index.ts';
import { ensurePort, hostLimits, nic, portOf } from '../network/contract.ts';
import type { CloudServices } from '../services.ts';
import { ClassLimits, disksOf, isoSpec, type MachineDisk, machinesOf, reachVolume, volume } from '../storage/contract.ts';
import type { Hypervisor } from '../topology/contract.ts';
import type { Consoles } from './consoles.ts';
import { instance } from './instance.ts';
import { writeRecord } from './machine-record.ts';
import { writeSeed } from './seeds.ts';

/** What the module's parts are made with. */
export interface ComputeServices extends CloudServices {
  readonly consoles: Pick<Consoles, 'revoke'>;
}

/** What compute sagas reach. */
export type ComputeContext = Pick<
  ComputeServices,
  'hosts' | 'pools' | 'fabrics' | 'reader' | 'secrets' | 'cloudId' | 'ids' | 'environment' | 'settings' | 'consoles' | 'rest'
>;

export type InstanceRow = RowOf<typeof instance>;
export type VolumeRow = RowOf<typeof volume>;
export type NicRow = RowOf<typeof nic>;

/** @throws CloudError conflict while the machine waits for its place */
export function hostOf({ name, hostId }: Pick<InstanceRow, 'name' | 'hostId'>): Id<'host'> {
  if (hostId === undefined) throw new CloudError('conflict', `Instance ${name} has no host yet; it waits for room.`);
  return hostId;
}

/** The hypervisor where the machine is now. Operations that wait ask when they begin: a creation ahead of them may be placed again. */
export const hypervisorOf = async (ctx: Pick<ComputeContext, 'hosts' | 'reader'>, instanceId: string): Promise<Hypervisor> =>
  ctx.hosts.hypervisor(hostOf(await ctx.reader.get(instance, instanceId)));

/** What an undo does to a machine: nothing where its host answers that it does not have it. Its start makes it anew, as its rows say. */
export async function unlessGone(
  ctx: Pick<ComputeContext, 'hosts' | 'reader'>,
  instanceId: Id<'instance'>,
  call: Call,
  body: () => Promise<void>,
): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!isCloudError(error) || error.code !== 'not_found') throw error;
    if ((await (await hypervisorOf(ctx, instanceId)).inspect(instanceId, call)) !== undefined) throw error;
  }
}

export const volumesOf = async (ctx: Pick<ComputeContext, 'reader'>, instanceId: string): Promise<readonly MachineDisk[]> =>
  [...(await disksOf(ctx.reader, [instanceId]))].sort((a, b) => (a.slot ?? 0) - (b.slot ?? 0));

export const nicsOf = async (ctx: Pick<ComputeContext, 'reader'>, instanceId: string): Promise<readonly NicRow[]> =>
  [...(await ctx.reader.list(nic, equals('instanceId', instanceId)))].sort((a, b) => a.slot - b.slot);

export async function diskSpec(ctx: ComputeContext, row: VolumeRow, hostId: string, slot: number, call: Call): Promise<DiskSpec> {
  const attachment = await reachVolume(ctx, row, row.poolId, hostId, call);
  const limits = await new ClassLimits(ctx.reader).of(row);
  const shareable = row.shareable === true ? { shareable: true as const } : {};
  return { volumeId: row.id, attachment, slot, readOnly: false, ...shareable, ...(limits === undefined ? {} : { limits }) };
}

/** Ends what `diskSpec` made ready on the host for the machine, unless another one there has the disk, too. Repeatable. */
export async function releaseDisk(
  ctx: Pick<ComputeContext, 'hosts' | 'pools' | 'reader'>,
  row: VolumeRow,
  { instanceId, hostId }: { readonly instanceId: string; readonly hostId: string },
  call: Call,
): Promise<void> {
  if (row.shareable === true && (await hasOther(ctx, row, instanceId, hostId))) return;
  const pool = await ctx.pools.open(row.poolId);
  await pool.releaseVolume(row.id, await ctx.hosts.endpoint(hostId), call);
  if (row.encrypted) await (await ctx.hosts.hypervisor(hostId)).deleteSecret(pool.keyRefOf(row.id), call);
}

/** Not those that are being deleted with it: one of them would leave it to the other. */
const hasOther = async ({ reader }: Pick<ComputeContext, 'reader'>, row: VolumeRow, instanceId: string, hostId: string): Promise<boolean> =>
  (await machinesOf(reader, row)).some((other) => other.id !== instanceId && other.hostId === hostId && other.state !== 'deleting');

/** The NIC as its machine gets it, with its port made ready for the machine's host. */
export async function nicSpec(ctx: ComputeContext, row: NicRow, { hostname, hostId }: InstanceRow, call: Call): Promise<NicSpec> {
  const plug = await ensurePort(ctx, portOf(row), { hostname, hostId }, call);
  const { limits, isSure } = await hostLimits(ctx, row, hostId);
  if (isSure) refuseBoundless(plug, limits);
  return { nicId: row.id, mac: row.mac, plug, slot: row.slot, ...(limits === undefined ? {} : { limits }) };
}

/** A switch in user space takes a bound from its host for what a NIC sends, and heeds it not. @throws CloudError unsupported */
function refuseBoundless(plug: Plug, { outboundBytesPerSecond = 0 }: NicLimits = {}): void {
  if (plug.type === 'ovsPort' && plug.offloads === false && outboundBytesPerSecond > 0)
    throw new CloudError('unsupported', 'The switch of the host runs in user space, where it cannot limit what a NIC sends.', {
      params: { outboundBytesPerSecond },
    });
}

/** What is not a machine's own yet but will be when the saga has ended. */
export interface Arriving {
  /** `owned`: what their `deleteWithInstance` will be, where it is not that yet. */
  readonly volumes?: readonly { readonly volumeId: string; readonly slot: number; readonly owned?: boolean }[];
  readonly nics?: readonly { readonly nicId: Id<'nic'> }[];
}

/**
 * The whole machine as its rows say it should be, with everything it needs made ready on the host: disks reachable, ports plugged, seed written. Repeatable,
 * so that every verb that (re)defines a machine also repairs it.
 */
export async function prepareMachine(ctx: ComputeContext, row: InstanceRow, call: Call, arriving: Arriving = {}): Promise<MachineSpec> {
  // One that is being made has nothing yet but what arrives.
  const isNew = row.state === 'creating';
  const attached = isNew
    ? []
    : (await volumesOf(ctx, row.id)).filter((entry) => entry.state === 'attached').map((entry) => ({ row: entry, slot: entry.slot ?? 0 }));
  const coming = await Promise.all(
    (arriving.volumes ?? []).map(async ({ volumeId, slot, owned }) => {
      const row = await ctx.reader.get(volume, volumeId);
      return { row: { ...row, deleteWithInstance: owned ?? row.deleteWithInstance }, slot };
    }),
  );
  const rows = [...attached, ...coming].sort((a, b) => a.slot - b.slot);
  const nics = isNew ? await arrivingNics(ctx, arriving) : await ownNics(ctx, row.id, arriving);
  const disks = await Promise.all(rows.map((entry) => diskSpec(ctx, entry.row, hostOf(row), entry.slot, call)));
  const plugs = await Promise.all(nics.map((entry) => nicSpec(ctx, entry, row, call)));
  const root = rows[0]?.row;
  const seed = root === undefined ? undefined : await writeSeed(ctx, row, hostOf(row), nics, root.poolId, call);
  const iso =
    root === undefined || row.isoImageId === undefined
      ? undefined
      : await isoSpec(ctx, { imageId: row.isoImageId, poolId: root.poolId, hostId: hostOf(row) }, call);
  return {
    id: row.id,
    name: row.name,
    owner: ctx.cloudId,
    vcpus: row.vcpus,
    vcpusMax: row.vcpusMax,
    memoryBytes: row.memoryBytes,
    memoryBytesMax: row.memoryBytesMax,
    guestOs: row.guestOs,
    firmware: row.firmware,
    diskBus: row.diskBus,
    disks,
    nics: plugs,
    record: writeRecord(row, rows, nics),
    ...(row.cpuShares === undefined ? {} : { cpuShares: row.cpuShares }),
    ...(seed === undefined ? {} : { seed }),
    ...(iso === undefined ? {} : { iso }),
  };
}

const arrivingNics = async (ctx: Pick<ComputeContext, 'reader'>, { nics = [] }: Arriving): Promise<readonly NicRow[]> =>
  [...(await Promise.all(nics.map(({ nicId }) => ctx.reader.get(nic, nicId))))].sort((a, b) => a.slot - b.slot);

/** Not those that an operation further back in the queue has announced: it may never begin. */
const ownNics = async (ctx: Pick<ComputeContext, 'reader'>, instanceId: string, { nics = [] }: Arriving): Promise<readonly NicRow[]> =>
  (await nicsOf(ctx, instanceId)).filter((entry) => entry.state === 'attached' || nics.some(({ nicId }) => nicId === entry.id));
