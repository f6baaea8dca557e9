import type { Static } from 'typebox';
import {
  type Acceptance,
  type AcceptRequest,
  CloudError,
  change,
  create,
  expectState,
  type Id,
  type RowOf,
  type Statement,
  transition,
} from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { type Addresses, type NicPlace, nic, nicPlace, nicRow, type PortParams } from '../network/contract.ts';
import { hostCapacity, type Placed, type PlacementRequest } from '../placement/contract.ts';
import type { CloudServices } from '../services.ts';
import { image, pool, volume, volumeRows } from '../storage/contract.ts';
import { host } from '../topology/contract.ts';
import { instance } from './instance.ts';
import type { InstanceInput, volumeInput } from './instance-input.ts';
import { instanceType } from './instance-type.ts';

/** A disk that is made with the machine. */
export interface NewVolume {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly slot: number;
  readonly imageId?: Id<'image'>;
}
/** All that the creation of one machine needs to know, decided when it was accepted. */
export interface CreateParams {
  readonly instanceId: Id<'instance'>;
  readonly hostId: Id<'host'>;
  readonly hostname: string;
  readonly size: { readonly vcpus: number; readonly memoryBytes: number };
  readonly volumes: readonly NewVolume[];
  readonly existing: readonly { readonly volumeId: Id<'volume'>; readonly slot: number }[];
  readonly nics: readonly PortParams[];
  readonly start: boolean;
  /** Restricts a second placement as it did the first. */
  readonly onlyHosts?: readonly string[];
  readonly classes: readonly (string | null)[];
}

/** Row changes that end everything a creation had made rows for. */
export function takeBack(params: CreateParams, whole: boolean): readonly Statement[] {
  return [
    ...hostCapacity(params.hostId, params.size, -1),
    ...params.volumes.flatMap(({ volumeId, poolId, sizeBytes }) => volumeRows.takeBack({ id: volumeId, poolId, sizeBytes })),
    ...(whole
      ? [
          transition(instance, params.instanceId, { from: 'creating', to: 'deleted' }),
          ...params.nics.map((entry) => transition(nic, entry.nicId, { from: 'creating', to: 'deleted' })),
        ]
      : []),
  ];
}

/** Decides everything about a new machine: its place, disks, addresses. @throws CloudError with the field at fault */
export async function acceptCreate(
  services: CloudServices,
  addresses: Addresses,
  request: AcceptRequest<typeof instance, InstanceInput>,
): Promise<Acceptance<CreateParams>> {
  const { id, input, projectId, reader, mint, attempt } = request;
  const type = await findType(services, input.instanceType);
  const source = await findImage(request);
  const places = await Promise.all((input.nics ?? []).map((entry, index) => nicPlace(reader, entry, `/nics/${index}`, projectId)));
  const existing = await existingVolumes(request);
  const wanted = wantedVolumes(input, source.id, source.virtualSizeBytes ?? 0, mint);
  const onlyHosts = await allowedHosts(services, input, places, existing.poolIds);
  const size = { vcpus: type.vcpus, memoryBytes: type.memoryBytes };
  const disks = wanted.map((entry) => given({ id: entry.id, sizeBytes: entry.sizeBytes, storageClass: entry.storageClass }));
  const placed = await services.placement.place({ ...size, volumes: disks, ...given({ onlyHosts }), attempt } as PlacementRequest, reader);
  const hostId = placed.hostId as Id<'host'>;
  const ports = await newPorts(services, addresses, request, places);
  const sealed = input.userData === undefined ? undefined : await request.seal(input.userData);
  const row = instanceRow(request, { type, source, hostId, userData: sealed?.reference });
  const volumes = volumesAt(wanted, placed);
  return {
    params: {
      instanceId: id,
      hostId,
      hostname: row.hostname,
      size,
      volumes,
      existing: existing.volumes.map((volumeId, index) => ({ volumeId, slot: volumes.length + index })),
      nics: ports.map((port) => port.params),
      start: input.start !== false,
      classes: wanted.map((entry) => entry.storageClass ?? null),
      ...(onlyHosts === undefined ? {} : { onlyHosts }),
    },
    statements: [
      create(instance, row),
      ...hostCapacity(hostId, size, 1),
      expectState(host, hostId, ['enabled']),
      expectState(instanceType, type.id, ['available']),
      ...wanted.flatMap((entry, index) => volumeRows.reserve(volumeRow(entry, volumes[index] as NewVolume, projectId))),
      ...ports.flatMap((port) => port.statements),
      ...(sealed === undefined ? [] : [sealed.statement]),
    ],
    keys: [...wanted.map((entry) => entry.id), ...existing.volumes, ...ports.map((port) => port.params.nicId)],
    notes: { placement: placed.reasons },
  };
}

type Request = AcceptRequest<typeof instance, InstanceInput>;

function instanceRow(
  { id, input, projectId }: Request,
  decided: {
    readonly type: RowOf<typeof instanceType>;
    readonly source: RowOf<typeof image>;
    readonly hostId: Id<'host'>;
    readonly userData: string | undefined;
  },
) {
  const { type, source, hostId, userData } = decided;
  const name = nameOr(input.name, instance, id);
  const desiredPower: 'running' | 'stopped' = input.start === false ? 'stopped' : 'running';
  return {
    id,
    projectId,
    name,
    instanceTypeId: type.id,
    hostId,
    imageId: source.id,
    vcpus: type.vcpus,
    memoryBytes: type.memoryBytes,
    vcpusMax: type.vcpusMax,
    memoryBytesMax: type.memoryBytesMax,
    guestOs: source.guestOs,
    firmware: source.firmware,
    diskBus: source.diskBus,
    hostname: input.hostname ?? name,
    sshKeys: input.sshKeys ?? [],
    desiredPower,
    ...given({ description: input.description, cpuShares: type.cpuShares, userData }),
  };
}

const newPorts = (
  services: CloudServices,
  addresses: Addresses,
  { id, input, projectId, reader, mint }: Request,
  places: readonly NicPlace[],
) =>
  Promise.all(
    places.map((place, slot) => {
      const owner = given({ id: mint('nic'), instanceId: id, projectId, slot, limits: input.nics?.[slot]?.limits });
      return nicRow(place, owner, { addresses, reader, random: services.environment.random });
    }),
  );

async function findImage({ input, projectId, reader }: Request): Promise<RowOf<typeof image>> {
  const row = await reader.get(image, input.imageId, '/imageId');
  if (row.projectId !== projectId) throw new CloudError('not_found', `No image ${input.imageId}.`, { pointer: '/imageId' });
  if (row.state === 'available' && row.virtualSizeBytes !== undefined) return row;
  throw new CloudError('conflict', `Image ${row.name} is ${row.state}; it needs its content first.`, { pointer: '/imageId' });
}

type Wanted = Static<typeof volumeInput> & { readonly id: Id<'volume'>; readonly imageId?: Id<'image'>; readonly owned: boolean };

function wantedVolumes(
  input: InstanceInput,
  imageId: Id<'image'>,
  imageBytes: number,
  mint: (kind: 'volume') => Id<'volume'>,
): readonly Wanted[] {
  const sizeBytes = input.rootVolume?.sizeBytes ?? imageBytes;
  if (sizeBytes < imageBytes)
    throw new CloudError('invalid_input', `The image needs a root disk of at least ${imageBytes} bytes.`, {
      pointer: '/rootVolume/sizeBytes',
    });
  const root: Wanted = { ...input.rootVolume, id: mint('volume'), sizeBytes, imageId, owned: input.rootVolume?.deleteWithInstance ?? true };
  return [root, ...(input.volumes ?? []).map((entry) => ({ ...entry, id: mint('volume'), owned: entry.deleteWithInstance ?? false }))];
}

const volumesAt = (wanted: readonly Wanted[], placed: Placed): readonly NewVolume[] =>
  wanted.map(
    (entry, slot) =>
      given({
        volumeId: entry.id,
        poolId: placed.poolIds[slot] as Id<'pool'>,
        sizeBytes: entry.sizeBytes,
        slot,
        imageId: entry.imageId,
      }) as NewVolume,
  );

const volumeRow = (entry: Wanted, at: NewVolume, projectId: Id<'project'>) =>
  given({
    id: entry.id,
    projectId,
    name: nameOr(entry.name, volume, entry.id),
    poolId: at.poolId,
    sizeBytes: entry.sizeBytes,
    deleteWithInstance: entry.owned,
    imageId: entry.imageId,
    limits: entry.limits,
  }) as never;

async function findType(services: CloudServices, nameOrId: string): Promise<RowOf<typeof instanceType>> {
  const byName = await services.reader.list(instanceType, { field: 'name', op: '=', value: nameOrId });
  const newest = [...byName].sort((a, b) => b.version - a.version)[0] ?? (await services.reader.find(instanceType, nameOrId));
  if (newest === undefined || newest.state !== 'available')
    throw new CloudError('not_found', `No instance type ${nameOrId}.`, { pointer: '/instanceType' });
  return newest;
}

async function existingVolumes({ input, projectId, reader }: AcceptRequest<typeof instance, InstanceInput>) {
  const volumes: Id<'volume'>[] = [];
  const poolIds: string[] = [];
  for (const [index, id] of (input.attachVolumeIds ?? []).entries()) {
    const pointer = `/attachVolumeIds/${index}`;
    const row = await reader.get(volume, id, pointer);
    if (row.projectId !== projectId) throw new CloudError('not_found', `No volume ${id}.`, { pointer });
    if (row.state !== 'available') throw new CloudError('conflict', `Volume ${row.name} is ${row.state}.`, { pointer });
    volumes.push(row.id);
    poolIds.push(row.poolId);
  }
  return { volumes, poolIds };
}

/** Hosts that everything bound to a host agrees on; undefined when nothing is bound. */
async function allowedHosts(
  services: CloudServices,
  input: InstanceInput,
  places: readonly NicPlace[],
  poolIds: readonly string[],
): Promise<readonly string[] | undefined> {
  const pools = await Promise.all(poolIds.map((id) => services.reader.get(pool, id)));
  const pins = [input.hostId, ...places.map((place) => place.network.hostId), ...pools.map((row) => row.hostId)].filter(
    (pin) => pin !== undefined,
  );
  if (pins.length === 0) return undefined;
  const [first] = pins;
  if (pins.some((pin) => pin !== first))
    throw new CloudError('conflict', 'Its networks, disks and host lie on different hosts.', { params: { hosts: [...new Set(pins)] } });
  return first === undefined ? undefined : [first];
}

const PLACEMENTS_MAX = 3;

/** When the host was lost on the way: the same machine elsewhere, with new disks. What may be left on the old host is owed or has a tombstone. */
export async function placeAgain(
  services: CloudServices,
  params: CreateParams,
  code: string,
  attempt: number,
): Promise<Acceptance<CreateParams> | undefined> {
  const lost = (code === 'unavailable' || code === 'timeout') && !(await services.hosts.reachable(params.hostId));
  if (!lost || attempt + 1 >= PLACEMENTS_MAX || params.existing.length > 0 || params.onlyHosts !== undefined) return undefined;
  const request: PlacementRequest = {
    ...params.size,
    volumes: params.volumes.map((entry, index) =>
      given({ id: entry.volumeId, sizeBytes: entry.sizeBytes, storageClass: params.classes[index] ?? undefined }),
    ),
    exceptHosts: [params.hostId],
    attempt: 0,
  };
  const placed = await services.placement.place(request, services.reader).catch(() => undefined);
  if (placed === undefined) return undefined;
  const hostId = placed.hostId as Id<'host'>;
  const rows = await Promise.all(params.volumes.map((entry) => services.reader.get(volume, entry.volumeId)));
  const volumes = params.volumes.map(
    (entry, index): NewVolume => ({ ...entry, volumeId: services.ids.mint('volume'), poolId: placed.poolIds[index] as Id<'pool'> }),
  );
  const reserve = volumes.flatMap((entry, index) => {
    const { name, projectId, deleteWithInstance, limits, description } = rows[index] as RowOf<typeof volume>;
    return volumeRows.reserve(
      given({
        id: entry.volumeId,
        projectId,
        name,
        poolId: entry.poolId,
        sizeBytes: entry.sizeBytes,
        deleteWithInstance,
        imageId: entry.imageId,
        limits,
        description,
      }) as never,
    );
  });
  return {
    params: { ...params, hostId, volumes },
    statements: [
      ...takeBack(params, false),
      ...hostCapacity(hostId, params.size, 1),
      expectState(host, hostId, ['enabled']),
      change(instance, params.instanceId, { hostId }),
      ...reserve,
    ],
    notes: { placement: placed.reasons, lostHost: params.hostId },
  };
}
