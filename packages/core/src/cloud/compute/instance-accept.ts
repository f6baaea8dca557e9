import {
  type Acceptance,
  type AcceptRequest,
  CloudError,
  change,
  expectState,
  forgetSealed,
  type Id,
  operation,
  type RowOf,
  type Statement,
  transition,
  usable,
} from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { type NicPlace, network, nicMoves, nicPlace, nicRow, type PortParams, refuseLost, unconnectedToAny } from '../network/contract.ts';
import { type GroupSeat, hostCapacity, leaveGroup, type Placed, type PlacementRequest, placementNote } from '../placement/contract.ts';
import { type Iso, image, type NewKey, newKey, refuseUnencrypted, volume, volumeRows } from '../storage/contract.ts';
import { host } from '../topology/contract.ts';
import type { ComputeServices } from './context.ts';
import { byClasses, diskField, disksAtFault, protections, refuseUnprotected } from './disk-protection.ts';
import { instance } from './instance.ts';
import { type Bounds, boundTo } from './instance-bounds.ts';
import type { InstanceInput } from './instance-input.ts';
import { deprecated, findImage, findIso, refuseDriveless, type Wanted, wantedVolumes } from './instance-source.ts';
import { instanceType, newestType } from './instance-type.ts';
import type { NewAttachment } from './shared-disks.ts';
import { DISKS_MAX } from './slots.ts';
import { wholeKeys } from './ssh-key.ts';

/** A disk that is made with the machine. Until the machine is ready the disk is the machine's own, so that a forced deletion takes it along. */
export interface NewVolume {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly slot: number;
  readonly imageId?: Id<'image'>;
  /** Reference to its key, which is sealed. */
  readonly encryptionKey?: string;
  /** Whether it stays the machine's own. */
  readonly owned: boolean;
}
/** All that the creation of one machine needs to know, decided when it was accepted. */
export interface CreateParams {
  readonly instanceId: Id<'instance'>;
  readonly hostId: Id<'host'>;
  readonly hostname: string;
  readonly size: { readonly vcpus: number; readonly memoryBytes: number };
  readonly volumes: readonly NewVolume[];
  readonly existing: readonly { readonly volumeId: Id<'volume'>; readonly slot: number; readonly shared?: NewAttachment }[];
  readonly nics: readonly PortParams[];
  readonly start: boolean;
  /** Restricts a second placement as it did the first. */
  readonly onlyHosts?: readonly string[];
  readonly clusterId?: string;
  readonly classes: readonly (string | null)[];
  readonly hostLabels?: Readonly<Record<string, string>>;
  readonly seat?: GroupSeat;
  /** Reference to what is sealed. */
  readonly userData?: string;
  readonly isoImageId?: Id<'image'>;
  /** Whoever asked may be told of hosts by name. */
  readonly namesHosts?: true;
}

/** Row changes that end everything a creation had made rows for. */
export function takeBack(params: CreateParams, whole: boolean): readonly Statement[] {
  return [
    ...hostCapacity(params.hostId, params.size, -1),
    ...leaveGroup(params.seat),
    // Placed again, the disks have other ids and the same keys.
    ...params.volumes.flatMap(({ volumeId, poolId, sizeBytes, encryptionKey }) =>
      volumeRows.takeBack({ id: volumeId, poolId, sizeBytes, ...(whole ? given({ encryptionKey }) : {}) }),
    ),
    ...(whole
      ? [
          transition(instance, params.instanceId, { from: 'creating', to: 'deleted' }),
          ...params.nics.flatMap((entry) => nicMoves(entry, transition, { from: 'creating', to: 'deleted' })),
          ...(params.userData === undefined ? [] : [forgetSealed(params.userData)]),
        ]
      : []),
  ];
}

export type CreateRequest = AcceptRequest<typeof instance, InstanceInput>;

/** All about a new machine but its place. */
export interface CreatePlan {
  readonly type: RowOf<typeof instanceType>;
  /** What its root disk is cloned from; an empty one is cloned from nothing. */
  readonly source: RowOf<typeof image> | undefined;
  readonly iso: Iso | undefined;
  readonly places: readonly NicPlace[];
  readonly sshKeys: string[];
  readonly existing: {
    readonly volumes: readonly Id<'volume'>[];
    readonly sharedIds: readonly string[];
    readonly poolIds: readonly string[];
  };
  readonly wanted: readonly Wanted[];
  readonly bound: Bounds;
}

/** @throws CloudError with the field at fault */
export async function planCreate(services: ComputeServices, request: CreateRequest): Promise<CreatePlan> {
  const { input, principal, reader, mint } = request;
  const type = await findType(services, input.instanceType);
  const source = await findImage(services, request);
  const iso = await findIso(services, request);
  const places = await Promise.all((input.nics ?? []).map((entry, index) => nicPlace(reader, entry, `/nics/${index}`, principal)));
  await refuseLost(
    services,
    places.map((place) => place.network),
  );
  refuseTooMany(input);
  const sshKeys = wholeKeys(input.sshKeys ?? []);
  refuseTwice(places);
  const existing = await existingVolumes(services, request);
  const wanted = wantedVolumes(input, source, mint);
  await refuseUnprotected(reader, wanted);
  return { type, source, iso, places, sshKeys, existing, wanted, bound: await boundTo(services, request, type, places, existing.poolIds) };
}

/** @throws CloudError no_capacity, unsupported */
export async function placeCreate(services: ComputeServices, request: CreateRequest, { type, wanted, bound }: CreatePlan): Promise<Placed> {
  const { id, projectId, reader, attempt, rehearses } = request;
  const size = { vcpus: type.vcpus, memoryBytes: type.memoryBytes };
  const volumes = wanted.map(({ id: volumeId, sizeBytes, storageClass, encrypted }) =>
    given({ id: volumeId, sizeBytes, storageClass, encrypted }),
  );
  const asking = { instanceId: id, instanceTypeId: type.id, projectId };
  try {
    return await services.placement.place({ ...size, ...asking, ...bound, volumes, attempt, rehearses }, reader);
  } catch (error) {
    throw await disksAtFault(reader, wanted, error);
  }
}

interface Decided {
  readonly plan: CreatePlan;
  readonly placed: Placed;
  readonly userData: string | undefined;
  readonly namesHosts: true | undefined;
}

/** What makes the machine at its place; `written` is what becomes of its row, `userData` a reference to what is sealed. */
export async function makeThere(
  services: ComputeServices,
  request: CreateRequest,
  { plan, placed, userData, namesHosts }: Decided,
  written: (row: ReturnType<typeof instanceRow> & { readonly hostId: Id<'host'>; readonly placementDomain?: string }) => Statement,
): Promise<Acceptance<CreateParams>> {
  const { id, input, projectId } = request;
  const { type, wanted, existing, bound } = plan;
  const hostId = placed.hostId as Id<'host'>;
  if (plan.iso !== undefined) await refuseDriveless(services, hostId, placed.poolIds[0]);
  const ports = await newPorts(services, request, plan.places);
  const row = { ...instanceRow(request, plan, userData), hostId, ...given({ placementDomain: placed.seat?.domain }) };
  const protectedBy = await protections(request.reader, wanted, placed);
  const keys = await Promise.all(protectedBy.map(({ isEncrypted }) => newKey(services, request.seal, isEncrypted)));
  const volumes = volumesAt(wanted, placed, keys);
  for (const { encryptionKey, poolId, slot } of volumes)
    if (encryptionKey !== undefined) await refuseUnencrypted(services, poolId, diskField(slot, 'encrypted'));
  return {
    params: {
      instanceId: id,
      hostId,
      hostname: row.hostname,
      size: { vcpus: type.vcpus, memoryBytes: type.memoryBytes },
      volumes,
      existing: existing.volumes.map((volumeId, index) => {
        const shared = existing.sharedIds.includes(volumeId) ? { attachmentId: request.mint('attachment'), projectId } : undefined;
        return { volumeId, slot: volumes.length + index, ...given({ shared }) };
      }),
      nics: ports.map((port) => port.params),
      start: input.start !== false,
      classes: wanted.map((entry) => entry.storageClass ?? null),
      ...given({ onlyHosts: bound.onlyHosts, clusterId: bound.clusterId, hostLabels: bound.hostLabels, seat: placed.seat, userData }),
      ...given({ isoImageId: plan.iso?.id, namesHosts }),
    },
    statements: [
      written(row),
      ...placed.reserve,
      expectState(host, hostId, ['enabled']),
      expectState(instanceType, type.id, ['available']),
      ...wanted.flatMap((entry, index) => volumeRows.insert(volumeRow(entry, volumes[index] as NewVolume, { projectId, instanceId: id }))),
      ...ports.flatMap((port) => port.statements),
      ...protectedBy.flatMap(({ guards }) => guards),
      ...keys.flatMap(({ statements }) => statements),
      ...(plan.iso === undefined ? [] : [expectState(image, plan.iso.id, ['available'])]),
    ],
    keys: [...wanted.map((entry) => entry.id), ...existing.volumes, ...ports.map((port) => port.params.nicId)],
    notes: {
      placement: placementNote(placed, namesHosts === true),
      ...given({ deprecatedImage: deprecated(plan), encryptedByClass: byClasses(protectedBy) }),
    },
  };
}

/** The row of a machine without its place. */
export function instanceRow(
  { id, input, projectId }: CreateRequest,
  { type, source, iso, sshKeys }: CreatePlan,
  userData: string | undefined,
) {
  const name = nameOr(input.name, instance, id);
  const { guestOs, firmware, diskBus } = (source ?? iso) as RowOf<typeof image>;
  const desiredPower: 'running' | 'stopped' = input.start === false ? 'stopped' : 'running';
  return {
    id,
    projectId,
    name,
    instanceTypeId: type.id,
    vcpus: type.vcpus,
    memoryBytes: type.memoryBytes,
    vcpusMax: type.vcpusMax,
    memoryBytesMax: type.memoryBytesMax,
    ...{ guestOs, firmware, diskBus },
    hostname: input.hostname ?? name,
    sshKeys,
    desiredPower,
    ...given({ description: input.description, cpuShares: type.cpuShares, userData, imageId: source?.id, isoImageId: iso?.id }),
    ...given({ placementGroupId: input.placementGroupId as Id<'placementGroup'> | undefined }),
  };
}

const newPorts = (services: ComputeServices, { id, input, projectId, reader, mint }: CreateRequest, places: readonly NicPlace[]) =>
  Promise.all(
    places.map((place, slot) => {
      const owner = given({ id: mint('nic'), instanceId: id, projectId, slot, limits: input.nics?.[slot]?.limits });
      return nicRow(place, owner, { ...services, reader, mint });
    }),
  );

const volumesAt = (wanted: readonly Wanted[], placed: Placed, keys: readonly NewKey[]): readonly NewVolume[] =>
  wanted.map(
    (entry, slot) =>
      given({
        volumeId: entry.id,
        poolId: placed.poolIds[slot] as Id<'pool'>,
        sizeBytes: entry.sizeBytes,
        slot,
        imageId: entry.imageId,
        encryptionKey: keys[slot]?.row.encryptionKey,
        owned: entry.owned,
      }) as NewVolume,
  );

const volumeRow = (entry: Wanted, at: NewVolume, owner: { readonly projectId: Id<'project'>; readonly instanceId: Id<'instance'> }) =>
  given({
    id: entry.id,
    ...owner,
    slot: at.slot,
    name: nameOr(entry.name, volume, entry.id),
    poolId: at.poolId,
    sizeBytes: entry.sizeBytes,
    deleteWithInstance: true,
    imageId: entry.imageId,
    limits: entry.limits,
    encrypted: at.encryptionKey === undefined ? undefined : true,
    encryptionKey: at.encryptionKey,
  }) as never;

async function findType(services: ComputeServices, nameOrId: string): Promise<RowOf<typeof instanceType>> {
  const newest = await newestType(services.reader, nameOrId);
  if (newest === undefined) throw new CloudError('not_found', `No instance type ${nameOrId}.`, { pointer: '/instanceType' });
  return newest;
}

async function existingVolumes(services: ComputeServices, { input, principal, reader }: CreateRequest) {
  const volumes: Id<'volume'>[] = [];
  const sharedIds: string[] = [];
  const poolIds = new Set<string>();
  for (const [index, id] of (input.attachVolumeIds ?? []).entries()) {
    const pointer = `/attachVolumeIds/${index}`;
    const row = await usable(reader, volume, id, principal, pointer);
    // With an operation ahead it may be free by then.
    if (row.state !== 'available' && !services.kernel().holds(row.id))
      throw new CloudError('conflict', `Volume ${row.name} is ${row.state}.`, { pointer });
    volumes.push(row.id);
    if (row.shareable === true) sharedIds.push(row.id);
    poolIds.add(row.poolId);
  }
  return { volumes, sharedIds, poolIds: [...poolIds] };
}

/** @throws CloudError invalid_input */
function refuseTooMany(input: InstanceInput): void {
  if (1 + (input.volumes?.length ?? 0) + (input.attachVolumeIds?.length ?? 0) > DISKS_MAX)
    throw new CloudError('invalid_input', `A machine takes at most ${DISKS_MAX} disks, its root disk among them.`, {
      pointer: '/attachVolumeIds',
    });
}

/** @throws CloudError invalid_input when one address is asked for twice */
function refuseTwice(places: readonly NicPlace[]): void {
  const wishes = places.flatMap(({ subnet, asked, ipv6 }) => [{ subnet, asked }, ...(ipv6 === undefined ? [] : [ipv6])]);
  const keys = wishes.map(({ subnet, asked }) => asked && `${subnet.id} ${asked.address}`);
  const twice = wishes.find(({ asked }, index) => asked !== undefined && keys.indexOf(keys[index]) < index);
  if (twice?.asked !== undefined)
    throw new CloudError('invalid_input', 'Another NIC asks for the same address.', { pointer: twice.asked.pointer });
}

const PLACEMENTS_MAX = 3;

const networksOf = ({ reader }: Pick<ComputeServices, 'reader'>, nics: CreateParams['nics']) =>
  Promise.all(nics.map(({ networkId }) => reader.get(network, networkId)));

/** Who waits to delete the machine is served at once by a creation that fails; the plan of the deletion knows nothing of disks elsewhere. */
async function deletionWaits({ kernel, reader }: ComputeServices, instanceId: string): Promise<boolean> {
  const waiting = await Promise.all(
    kernel()
      .operations.queue(instanceId)
      .map((id) => reader.find(operation, id)),
  );
  return waiting.some((row) => row?.action === `${instance.name}.delete` && row.cancelRequested !== true);
}

/** When the host was lost on the way: the same machine elsewhere, with new disks. What may be left on the old host is owed or has a tombstone. */
export async function placeAgain(
  services: ComputeServices,
  params: CreateParams,
  code: string,
  attempt: number,
): Promise<Acceptance<CreateParams> | undefined> {
  const lost = (code === 'unavailable' || code === 'timeout') && !(await services.hosts.reachable(params.hostId));
  if (!lost || attempt + 1 >= PLACEMENTS_MAX || params.existing.length > 0 || params.onlyHosts !== undefined) return undefined;
  if (await deletionWaits(services, params.instanceId)) return undefined;
  const { formerHostIds = [], instanceTypeId, projectId } = await services.reader.get(instance, params.instanceId);
  const { tolerations } = await services.reader.get(instanceType, instanceTypeId);
  // Never back to one that was given up: its removal there may still be owed, or under way.
  const givenUp = [...formerHostIds, params.hostId];
  const request: PlacementRequest = {
    ...params.size,
    volumes: params.volumes.map((entry, index) =>
      given({
        ...{ id: entry.volumeId, sizeBytes: entry.sizeBytes, storageClass: params.classes[index] ?? undefined },
        // As the first ones: their keys are theirs.
        encrypted: entry.encryptionKey !== undefined,
      }),
    ),
    exceptHosts: givenUp,
    instanceId: params.instanceId,
    ...given({ unconnected: await unconnectedToAny(services, await networksOf(services, params.nics)) }),
    ...given({ clusterId: params.clusterId, hostLabels: params.hostLabels, placementGroupId: params.seat?.groupId, leaving: params.seat }),
    instanceTypeId,
    ...given({ projectId, tolerations }),
    attempt: 0,
  };
  const placed = await services.placement.place(request, services.reader).catch(() => undefined);
  const protectedBy = placed && (await protections(services.reader, request.volumes, placed).catch(() => undefined));
  if (placed === undefined || protectedBy === undefined) return undefined;
  const hostId = placed.hostId as Id<'host'>;
  const rows = await Promise.all(params.volumes.map((entry) => services.reader.get(volume, entry.volumeId)));
  const volumes = params.volumes.map(
    (entry, index): NewVolume => ({ ...entry, volumeId: services.ids.mint('volume'), poolId: placed.poolIds[index] as Id<'pool'> }),
  );
  const inserts = volumes.flatMap((entry, index) => {
    const { name, projectId, limits, description } = rows[index] as RowOf<typeof volume>;
    return volumeRows.insert(
      given({
        id: entry.volumeId,
        projectId,
        name,
        poolId: entry.poolId,
        sizeBytes: entry.sizeBytes,
        instanceId: params.instanceId,
        slot: entry.slot,
        deleteWithInstance: true,
        imageId: entry.imageId,
        limits,
        description,
        encrypted: entry.encryptionKey === undefined ? undefined : true,
        encryptionKey: entry.encryptionKey,
      }) as never,
    );
  });
  return {
    params: { ...params, hostId, volumes, ...given({ seat: placed.seat }) },
    statements: [
      ...takeBack(params, false),
      ...placed.reserve,
      expectState(host, hostId, ['enabled']),
      change(instance, params.instanceId, { hostId, formerHostIds: givenUp, ...given({ placementDomain: placed.seat?.domain }) }),
      ...inserts,
      ...protectedBy.flatMap(({ guards }) => guards),
    ],
    keys: volumes.map((entry) => entry.volumeId),
    notes: { placement: placementNote(placed, params.namesHosts === true), lostHost: params.hostId },
  };
}
