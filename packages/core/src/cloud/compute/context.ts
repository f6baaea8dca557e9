import { CloudError, equals, type Id, type RowOf } from '../../kernel/index.ts';
import type { Call, DiskSpec, MachineSpec, NicSpec } from '../../strategy/index.ts';
import { type Addresses, ensurePort, nic } from '../network/contract.ts';
import type { CloudServices } from '../services.ts';
import { volume } from '../storage/contract.ts';
import type { Hypervisor } from '../topology/contract.ts';
import type { Consoles } from './consoles.ts';
import { instance } from './instance.ts';
import { writeRecord } from './machine-record.ts';
import { noCloudSeed } from './seed.ts';

/** What the module's parts are made with. */
export interface ComputeServices extends CloudServices {
  readonly consoles: Pick<Consoles, 'revoke'>;
  /** One for all who make NICs: two would hand out the same addresses. */
  readonly addresses: Addresses;
}

/** What compute sagas reach. */
export type ComputeContext = Pick<
  ComputeServices,
  'hosts' | 'pools' | 'fabrics' | 'reader' | 'secrets' | 'cloudId' | 'environment' | 'settings' | 'consoles'
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

export const volumesOf = async (ctx: Pick<ComputeContext, 'reader'>, instanceId: string): Promise<readonly VolumeRow[]> =>
  [...(await ctx.reader.list(volume, equals('instanceId', instanceId)))].sort((a, b) => (a.slot ?? 0) - (b.slot ?? 0));

export const nicsOf = async (ctx: Pick<ComputeContext, 'reader'>, instanceId: string): Promise<readonly NicRow[]> =>
  [...(await ctx.reader.list(nic, equals('instanceId', instanceId)))].sort((a, b) => a.slot - b.slot);

export async function diskSpec(ctx: ComputeContext, row: VolumeRow, hostId: string, slot: number, call: Call): Promise<DiskSpec> {
  const attachment = await (await ctx.pools.open(row.poolId)).attachVolume(row.id, await ctx.hosts.endpoint(hostId), call);
  return { volumeId: row.id, attachment, slot, readOnly: false, ...(row.limits === undefined ? {} : { limits: row.limits }) };
}

export async function nicSpec(ctx: ComputeContext, row: NicRow, hostname: string, call: Call): Promise<NicSpec> {
  const plug = await ensurePort(
    ctx,
    { nicId: row.id, networkId: row.networkId, mac: row.mac, address: row.address, slot: row.slot },
    hostname,
    call,
  );
  return { nicId: row.id, mac: row.mac, plug, slot: row.slot, ...(row.limits === undefined ? {} : { limits: row.limits }) };
}

/** What is not a machine's own yet but will be when the saga has ended. */
export interface Arriving {
  /** `owned`: what their `deleteWithInstance` will be, where it is not that yet. */
  readonly volumes?: readonly { readonly volumeId: string; readonly slot: number; readonly owned?: boolean }[];
  readonly nics?: readonly { readonly nicId: string }[];
}

/**
 * The whole machine as its rows say it should be, with everything it needs made ready on the host: disks reachable, ports plugged, seed written. Repeatable,
 * so that every verb that (re)defines a machine also repairs it.
 */
export async function prepareMachine(ctx: ComputeContext, row: InstanceRow, call: Call, arriving: Arriving = {}): Promise<MachineSpec> {
  const attached = (await volumesOf(ctx, row.id))
    .filter((entry) => entry.state === 'attached')
    .map((entry) => ({ row: entry, slot: entry.slot ?? 0 }));
  const coming = await Promise.all(
    (arriving.volumes ?? []).map(async ({ volumeId, slot, owned }) => {
      const row = await ctx.reader.get(volume, volumeId);
      return { row: { ...row, deleteWithInstance: owned ?? row.deleteWithInstance }, slot };
    }),
  );
  const rows = [...attached, ...coming].sort((a, b) => a.slot - b.slot);
  // Not those that an operation further back in the queue has announced: it may never begin.
  const own = (entry: NicRow) => entry.state === 'attached' || arriving.nics?.some(({ nicId }) => nicId === entry.id) === true;
  const nics = (await nicsOf(ctx, row.id)).filter(own);
  const disks = await Promise.all(rows.map((entry) => diskSpec(ctx, entry.row, hostOf(row), entry.slot, call)));
  const plugs = await Promise.all(nics.map((entry) => nicSpec(ctx, entry, row.hostname, call)));
  const root = rows[0]?.row;
  const seed = root === undefined ? undefined : await writeSeed(ctx, row, nics, root.poolId, call);
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
  };
}

/** The seed lives beside the root disk. It is found again by the machine's id. */
async function writeSeed(ctx: ComputeContext, row: InstanceRow, nics: readonly NicRow[], poolId: string, call: Call) {
  const userData = row.userData === undefined ? undefined : await ctx.secrets.open(row.userData);
  const bytes = noCloudSeed({
    instanceId: row.id,
    hostname: row.hostname,
    sshKeys: row.sshKeys,
    nics: nics.map(({ mac }) => ({ mac })),
    ...(userData === undefined ? {} : { userData }),
  });
  return (await ctx.pools.open(poolId)).putSeed(row.id, bytes, call);
}
