import { type Static, Type } from 'typebox';
import {
  type Acceptance,
  type AcceptRequest,
  bindSaga,
  bytes,
  CloudError,
  change,
  create,
  defineAction,
  expectState,
  gate,
  type Id,
  type RowOf,
  resourceName,
  revert,
  type Statement,
  saga,
  secret,
  transition,
} from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { Addresses } from '../network/addresses.ts';
import { nic, nicLimits } from '../network/nic.ts';
import { deletePort, ensurePort, isNicClash, type NicPlace, nicPlace, nicRow, type PortParams } from '../network/ports.ts';
import { hostCapacity, type Placed, type PlacementRequest } from '../placement/placement.ts';
import type { CloudServices } from '../services.ts';
import { image } from '../storage/image.ts';
import { pool } from '../storage/pool.ts';
import { removeOrOwe } from '../storage/removal.ts';
import { diskLimits, volume } from '../storage/volume.ts';
import { createVolume } from '../storage/volume-create.ts';
import { volumeRows } from '../storage/volume-rows.ts';
import { host } from '../topology/host.ts';
import { type ComputeContext, type InstanceRow, prepareMachine } from './context.ts';
import { instance } from './instance.ts';
import { instanceType } from './instance-type.ts';
import { machineCleanup } from './machine-cleanup.ts';

/** May refuse a new machine, e.g. by a policy on its type or image. */
export const instanceCreating = gate<{ readonly row: InstanceRow | undefined; readonly input: InstanceInput }>('instance.creating');

const volumeInput = Type.Object({
  name: Type.Optional(resourceName()),
  sizeBytes: bytes({ minimum: 1 }),
  storageClass: Type.Optional(Type.String({ maxLength: 63 })),
  limits: Type.Optional(diskLimits),
  deleteWithInstance: Type.Optional(Type.Boolean({ description: 'Default: true for the root disk, false for others.' })),
});

export const instanceInput = Type.Object({
  name: Type.Optional(resourceName()),
  description: Type.Optional(Type.String({ maxLength: 1024 })),
  instanceType: Type.String({ maxLength: 63, description: 'Name (the newest version) or id.' }),
  imageId: Type.String({ format: 'uuid', description: 'The image its root disk is cloned from.' }),
  rootVolume: Type.Optional(Type.Partial(volumeInput, { description: 'Default: as large as the image.' })),
  volumes: Type.Optional(Type.Array(volumeInput, { maxItems: 16, description: 'More new disks.' })),
  attachVolumeIds: Type.Optional(
    Type.Array(Type.String({ format: 'uuid' }), { maxItems: 16, uniqueItems: true, description: 'Disks that are there already.' }),
  ),
  nics: Type.Optional(
    Type.Array(
      Type.Object({
        networkId: Type.Optional(Type.String({ format: 'uuid' })),
        subnetId: Type.Optional(Type.String({ format: 'uuid' })),
        address: Type.Optional(Type.String({ maxLength: 45, description: 'Default: one that is free.' })),
        limits: Type.Optional(nicLimits),
      }),
      { maxItems: 8 },
    ),
  ),
  hostname: Type.Optional(instance.schema.properties.hostname),
  sshKeys: Type.Optional(Type.Array(Type.String({ maxLength: 8192 }), { maxItems: 64 })),
  userData: Type.Optional(secret({ description: 'cloud-init user data.' })),
  hostId: Type.Optional(Type.String({ format: 'uuid', description: 'Only there.' })),
  start: Type.Optional(Type.Boolean({ description: 'Default: true.' })),
});
export type InstanceInput = Static<typeof instanceInput>;

interface NewVolume {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly slot: number;
  readonly imageId?: Id<'image'>;
}
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
  readonly classes: readonly (string | undefined)[];
}

const BOOT_TIMEOUT_MS = 120_000;

export const instanceCreate = saga<ComputeContext, CreateParams>('instance.create', 1)
  .subs('volumes', {
    limit: 4,
    run: ({ ctx, params }) => [
      params.volumes.map(({ volumeId, poolId, sizeBytes, imageId }) =>
        bindSaga(createVolume, ctx, given({ volumeId, poolId, sizeBytes, imageId }) as never),
      ),
    ],
  })
  .each('ports', {
    items: ({ params }) => params.nics,
    limit: 4,
    do: async ({ ctx, params, item, call }) => {
      await ensurePort(ctx, item, params.hostname, call);
    },
    undo: ({ ctx, item, call, owe }) => deletePort(ctx, item, call, owe),
  })
  .effect('define', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(instance, params.instanceId);
      const spec = await prepareMachine(ctx, row, call, { volumes: [...params.volumes, ...params.existing] });
      await (await ctx.hosts.hypervisor(params.hostId)).define(spec, call);
    },
    undo: async (step) => {
      const { ctx, params, call, owe } = step;
      await machineCleanup(ctx, params, call, owe);
      const root = params.volumes.find((entry) => entry.slot === 0);
      if (root !== undefined) await removeOrOwe(step, 'seed.delete', root.poolId, params.instanceId);
    },
  })
  .effect('start', {
    timeoutMs: BOOT_TIMEOUT_MS,
    do: async ({ ctx, params, call }) => {
      if (params.start) await (await ctx.hosts.hypervisor(params.hostId)).power('start', params.instanceId, call);
    },
    undo: async ({ ctx, params, call }) => {
      // Out of reach: the removal that is owed for the step before takes a running machine too.
      if (await ctx.hosts.reachable(params.hostId))
        await (await ctx.hosts.hypervisor(params.hostId)).power('powerOff', params.instanceId, call);
    },
  })
  .write('ready', {
    do: ({ params }) => [
      transition(instance, params.instanceId, { from: 'creating', to: params.start ? 'running' : 'stopped' }),
      ...params.nics.map((entry) => transition(nic, entry.nicId, { from: 'creating', to: 'attached' })),
      ...[...params.volumes, ...params.existing].map(({ volumeId, slot }) =>
        transition(volume, volumeId, { from: 'available', to: 'attached', set: { instanceId: params.instanceId, slot } }),
      ),
    ],
    undo: ({ params }) => [
      revert(instance, params.instanceId, { from: params.start ? 'running' : 'stopped', to: 'creating' }),
      ...params.nics.map((entry) => revert(nic, entry.nicId, { from: 'attached', to: 'creating' })),
      ...[...params.volumes, ...params.existing].map(({ volumeId }) =>
        revert(volume, volumeId, { from: 'attached', to: 'available', set: { instanceId: null, slot: null } }),
      ),
    ],
  })
  .build();

export const createInstance = (services: CloudServices) => {
  const addresses = new Addresses();
  return defineAction({
    kind: instance,
    verb: 'create',
    description: 'Makes a machine from an image, with its disks and NICs, and starts it.',
    target: 'collection',
    input: instanceInput,
    gate: instanceCreating,
    accept: (request) => acceptCreate(services, addresses, request),
    refused: (failure, statement) => {
      if (failure.reason !== 'exists' || !isNicClash(statement)) return undefined;
      for (const subnetId of statement?.op === 'insert' ? [String(statement.row.subnetId)] : []) addresses.forget(subnetId);
      return 'again';
    },
    saga: instanceCreate,
    context: () => services,
    unwound: (params) => takeBack(params, true),
    again: (failed) => placeAgain(services, failed.params, failed.error.code, failed.attempt),
  });
};

/** Row changes that end everything a creation had made rows for. */
function takeBack(params: CreateParams, whole: boolean): readonly Statement[] {
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

async function acceptCreate(
  services: CloudServices,
  addresses: Addresses,
  request: AcceptRequest<typeof instance, InstanceInput>,
): Promise<Acceptance<CreateParams>> {
  const { id, input, projectId, reader, mint, attempt } = request;
  const type = await findType(services, input.instanceType);
  const source = await reader.get(image, input.imageId, '/imageId');
  if (source.projectId !== projectId) throw new CloudError('not_found', `No image ${input.imageId}.`, { pointer: '/imageId' });
  if (source.state !== 'available' || source.virtualSizeBytes === undefined)
    throw new CloudError('conflict', `Image ${source.name} is ${source.state}; it needs its content first.`, { pointer: '/imageId' });
  const places = await Promise.all((input.nics ?? []).map((entry, index) => nicPlace(reader, entry, `/nics/${index}`, projectId)));
  const existing = await existingVolumes(request);
  const wanted = wantedVolumes(input, source.id, source.virtualSizeBytes, mint);
  const onlyHosts = await allowedHosts(services, input, places, existing.poolIds);
  const size = { vcpus: type.vcpus, memoryBytes: type.memoryBytes };
  const placed = await services.placement.place(
    {
      ...size,
      volumes: wanted.map((entry) => given({ id: entry.id, sizeBytes: entry.sizeBytes, storageClass: entry.storageClass })),
      ...(onlyHosts === undefined ? {} : { onlyHosts }),
      attempt,
    },
    reader,
  );
  const hostId = placed.hostId as Id<'host'>;
  const name = nameOr(input.name, instance, id);
  const hostname = input.hostname ?? name;
  const ports = await Promise.all(
    places.map((place, index) =>
      nicRow(place, given({ id: mint('nic'), instanceId: id, projectId, slot: index, limits: input.nics?.[index]?.limits }), {
        addresses,
        reader,
        randomBytes: (count) => services.environment.random.bytes(count),
      }),
    ),
  );
  const sealed = input.userData === undefined ? undefined : await request.seal(input.userData);
  const row = create(instance, {
    id,
    projectId,
    name,
    instanceTypeId: type.id,
    hostId,
    imageId: source.id,
    ...size,
    vcpusMax: type.vcpusMax,
    memoryBytesMax: type.memoryBytesMax,
    guestOs: source.guestOs,
    firmware: source.firmware,
    diskBus: source.diskBus,
    hostname,
    sshKeys: input.sshKeys ?? [],
    desiredPower: input.start === false ? 'stopped' : 'running',
    ...given({ description: input.description, cpuShares: type.cpuShares, userData: sealed?.reference }),
  });
  const volumes = volumesAt(wanted, placed);
  return {
    params: {
      instanceId: id,
      hostId,
      hostname,
      size,
      volumes,
      existing: existing.volumes.map((volumeId, index) => ({ volumeId, slot: volumes.length + index })),
      nics: ports.map((port) => port.params),
      start: input.start !== false,
      classes: wanted.map((entry) => entry.storageClass),
      ...(onlyHosts === undefined ? {} : { onlyHosts }),
    },
    statements: [
      row,
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
async function placeAgain(
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
      given({ id: entry.volumeId, sizeBytes: entry.sizeBytes, storageClass: params.classes[index] }),
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
