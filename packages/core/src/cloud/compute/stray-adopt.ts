import { type Static, Type } from 'typebox';
import {
  type Acceptance,
  type AcceptRequest,
  CloudError,
  create,
  defineAction,
  expectState,
  type Id,
  NOTHING_TO_UNDO,
  quotaOfRow,
  quotaReleased,
  type RowOf,
  resourceName,
  type Statement,
  saga,
  transition,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given, nameOr } from '../naming.ts';
import { membersOfFound, network, nic, subnet } from '../network/contract.ts';
import { hostCapacity, poolCapacity } from '../placement/contract.ts';
import { attachment, hostPlace, image, isWithin, pool, volume } from '../storage/contract.ts';
import { host, stray } from '../topology/contract.ts';
import { type AdoptedVolume, type MachinePlan, planMachine, planVolume, slotsOf } from './adopt-machine.ts';
import { type ComputeContext, type ComputeServices, volumesOf } from './context.ts';
import { instance } from './instance.ts';
import { instanceType } from './instance-type.ts';
import { STATE_OF } from './observe.ts';
import { attachmentRow, type NewAttachment } from './shared-disks.ts';

type StrayRow = RowOf<typeof stray>;
type Seen = (typeof STATE_OF)[keyof typeof STATE_OF];

interface AdoptParams {
  readonly hostId: Id<'host'>;
  /** Records that end with the adoption. */
  readonly strayIds: readonly Id<'stray'>[];
  /** Absent where a volume is adopted by itself. */
  readonly machine?: Pick<MachinePlan, 'row' | 'seen' | 'nics'> & {
    /** What puts its NICs into security groups. */
    readonly members: readonly Statement[];
  };
  readonly volumes: readonly Adopted[];
  /** What the rows will count for, taken when it was accepted. */
  readonly quota?: readonly Statement[];
}

/** With the row that says that the machine has it, where others may have it, too. */
type Adopted = AdoptedVolume & {
  readonly attachment?: { readonly id: Id<'attachment'>; readonly projectId: Id<'project'>; readonly name: string };
};

/** What the world shows when the adoption begins. */
interface Look {
  /** Of the machine that is adopted. */
  readonly state?: Seen;
  /** Where a volume that is adopted by itself is plugged in. */
  readonly use?: { readonly instanceId: Id<'instance'>; readonly slot: number };
  /** The same where it is plugged into several: it is a volume of several machines. */
  readonly shared?: readonly (NonNullable<Look['use']> & NewAttachment)[];
}

const ALIVE: readonly Seen[] = ['running', 'suspended', 'stopped', 'crashed'];

/**
 * Nothing real is touched, and rows are made in the last write alone: a row that was made and taken back would be a tombstone, by which reconcilers would remove
 * the machine.
 */
export const adoptStray = saga<ComputeContext, AdoptParams>('stray.adopt', 1)
  .effect('look', {
    do: ({ ctx, params, call }): Promise<Look> =>
      params.machine === undefined ? lookForUse(ctx, params, call) : lookAt(ctx, params, call),
    undo: NOTHING_TO_UNDO,
  })
  .write('adopted', {
    do: ({ params, out: { look } }) => [
      expectState(host, params.hostId, ['enabled', 'disabled', 'maintenance']),
      ...(params.machine === undefined ? [] : machineRows(params.machine, look.state ?? 'stopped')),
      ...params.volumes.flatMap((entry) =>
        look.shared === undefined ? volumeRows(entry, useOf(params, entry, look)) : sharedRows(entry, look.shared),
      ),
      ...params.strayIds.map((id) => transition(stray, id, { from: 'quarantined', to: 'deleted' })),
      ...quotaReleased(params.quota),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

function machineRows({ row, nics, members }: NonNullable<AdoptParams['machine']>, state: Seen): readonly Statement[] {
  // A machine that crashed was meant to run.
  const desiredPower = state === 'crashed' ? 'running' : state;
  return [
    expectState(instanceType, row.instanceTypeId, ['available']),
    ...(row.isoImageId === undefined ? [] : [expectState(image, row.isoImageId, ['available'])]),
    create(instance, { ...row, desiredPower, state }),
    ...nics.flatMap((entry) => [
      expectState(network, entry.networkId, ['available']),
      expectState(subnet, entry.subnetId, ['available']),
      create(nic, { ...entry, state: 'attached' }),
    ]),
    ...members,
  ];
}

const useOf = ({ machine }: AdoptParams, { slot }: Adopted, look: Look): Look['use'] =>
  machine === undefined || slot === undefined ? look.use : { instanceId: machine.row.id, slot };

function volumeRows({ row, volumeId, attachment: shared }: Adopted, use: Look['use']): readonly Statement[] {
  const user = use === undefined ? [] : [expectState(instance, use.instanceId, ALIVE)];
  if (shared !== undefined && use !== undefined) {
    const volumeThere = row === undefined ? expectState(volume, volumeId, ['available']) : create(volume, { ...row, state: 'available' });
    return [...user, volumeThere, create(attachment, { ...shared, ...use, volumeId })];
  }
  if (row !== undefined) {
    const state = use === undefined ? 'available' : 'attached';
    return [...user, expectState(pool, row.poolId, ['available', 'disabled']), create(volume, { ...row, ...use, state })];
  }
  return use === undefined ? [] : [...user, transition(volume, volumeId, { from: 'available', to: 'attached', set: use })];
}

function sharedRows({ row, volumeId }: Adopted, uses: NonNullable<Look['shared']>): readonly Statement[] {
  if (row === undefined) return [];
  return [
    expectState(pool, row.poolId, ['available', 'disabled']),
    create(volume, { ...row, shareable: true, state: 'available' }),
    ...uses.flatMap(({ instanceId, slot, ...shared }) => [
      expectState(instance, instanceId, ALIVE),
      ...attachmentRow(shared, { volumeId, instanceId, slot }),
    ]),
  ];
}

/** The machine must be what was planned for. */
async function lookAt(ctx: ComputeContext, { hostId, machine }: AdoptParams, call: Call): Promise<Look> {
  const found = machine === undefined ? undefined : await (await ctx.hosts.hypervisor(hostId)).inspect(machine.row.id, call);
  const same =
    found !== undefined &&
    found.vcpus === machine?.seen.vcpus &&
    found.memoryBytes === machine.seen.memoryBytes &&
    found.diskIds.join() === machine.seen.diskIds.join() &&
    found.nicIds.join() === machine.seen.nicIds.join();
  if (!same)
    throw new CloudError('conflict', 'The machine is not as it was found. Look at the record again when its host has been looked at.');
  return { state: STATE_OF[found.power] };
}

/** A volume in use by a machine that we know is attached to it; one in use by an unknown machine comes with that. */
async function lookForUse(ctx: ComputeContext, { volumes }: AdoptParams, call: Call): Promise<Look> {
  const [row] = volumes.flatMap((entry) => entry.row ?? []);
  if (row === undefined) return {};
  const stored = await (await ctx.pools.open(row.poolId)).inspect('volume', row.id, call);
  if (stored?.sizeBytes !== row.sizeBytes)
    throw new CloudError('conflict', 'The volume is not as it was found. Look at the record again when its pool has been looked at.');
  const at = await ctx.reader.get(pool, row.poolId);
  const { canShare } = await ctx.pools.open(row.poolId);
  const uses: NonNullable<Look['use']>[] = [];
  for (const place of await ctx.reader.list(host)) {
    if (!isWithin(at, await hostPlace(ctx.reader, place.id))) continue;
    if (place.status !== 'connected')
      throw new CloudError('unavailable', `Host ${place.name} is out of reach, and a machine on it may have the volume plugged in.`);
    const machines = await (await ctx.hosts.hypervisor(place.id)).list(call);
    for (const user of machines.filter((machine) => machine.diskIds.includes(row.id))) uses.push(await useBy(ctx, user, row.id));
    if (uses.length > 0 && !canShare) break;
  }
  const [use] = uses;
  if (uses.length < 2 || !canShare) return given({ use });
  return {
    shared: await Promise.all(
      uses.map(async (each) => {
        const { projectId = row.projectId } = await ctx.reader.get(instance, each.instanceId);
        return { ...each, attachmentId: ctx.ids.mint('attachment'), projectId: projectId as Id<'project'> };
      }),
    ),
  };
}

async function useBy(
  ctx: ComputeContext,
  machine: { readonly id: string; readonly name: string; readonly diskIds: readonly string[] },
  volumeId: string,
): Promise<NonNullable<Look['use']>> {
  const row = await ctx.reader.find(instance, machine.id);
  if (row === undefined || row.deletedAt !== undefined)
    throw new CloudError(
      'conflict',
      `It is plugged into machine ${machine.name}, which is unknown, too: adopt that, and its disks with it.`,
      {
        params: { objectId: machine.id },
      },
    );
  const known = (await volumesOf(ctx, row.id)).map(({ id, slot = 0 }) => ({ id, slot }));
  return { instanceId: row.id, slot: slotsOf(machine.diskIds, known)[machine.diskIds.indexOf(volumeId)] ?? 0 };
}

const input = Type.Object({
  name: Type.Optional(resourceName()),
  instanceType: Type.Optional(
    Type.String({
      maxLength: 63,
      description: 'Name or id: of a machine whose own type is not there any more. Its size stays what it is.',
    }),
  ),
  withoutNics: Type.Optional(
    Type.Array(Type.String({ format: 'uuid' }), { maxItems: 32, uniqueItems: true, description: 'NICs of the machine to leave out.' }),
  ),
});

type Request = AcceptRequest<typeof stray, Static<typeof input>> & { readonly row: StrayRow };

async function acceptMachine({ row, input: asked, reader, projectId, mint }: Request): Promise<Acceptance<AdoptParams>> {
  const plan = await planMachine(reader, row, asked, projectId);
  const { row: planned, seen, nics, strayIds } = plan;
  const volumes = plan.volumes.map((entry): Adopted => {
    if (entry.isShared !== true) return entry;
    const id = mint('attachment');
    return { ...entry, attachment: { id, projectId: planned.projectId ?? projectId, name: nameOr(undefined, attachment, id) } };
  });
  const members = await membersOfFound(reader, nics, mint);
  const quota = [...quotaOfRow(instance, planned), ...volumes.flatMap(quotaOf)];
  return {
    params: { hostId: row.hostId, strayIds: [row.id, ...strayIds], machine: { row: planned, seen, nics, members }, volumes, quota },
    statements: [...hostCapacity(row.hostId, seen, 1), ...volumes.flatMap(bytesOf(1)), ...quota],
    keys: [planned.id, ...volumes.map((entry) => entry.volumeId), ...nics.map((entry) => entry.id), ...strayIds],
    notes: {
      instanceId: planned.id,
      name: planned.name,
      volumeIds: volumes.map((entry) => entry.volumeId),
      nicIds: nics.map(({ id }) => id),
    },
  };
}

async function acceptVolume({ row, input: asked, reader, projectId }: Request): Promise<Acceptance<AdoptParams>> {
  const known = await reader.find(volume, row.objectId);
  if (known !== undefined)
    throw new CloudError('conflict', `Volume ${known.name} is known, in another pool.`, { params: { poolId: known.poolId } });
  const planned = await planVolume(reader, row, { name: nameOr(asked.name, volume, row.objectId), projectId });
  const volumes = [{ row: planned, volumeId: planned.id }];
  const quota = volumes.flatMap(quotaOf);
  return {
    params: { hostId: row.hostId, strayIds: [row.id], volumes, quota },
    statements: [...volumes.flatMap(bytesOf(1)), ...quota],
    keys: [planned.id],
    notes: { volumeId: planned.id, name: planned.name },
  };
}

/** What a volume takes of its pool, unless it is counted already. */
const bytesOf =
  (sign: 1 | -1) =>
  ({ row }: AdoptedVolume): readonly Statement[] =>
    row === undefined ? [] : [poolCapacity(row.poolId, row.sizeBytes, sign)];

const quotaOf = ({ row }: AdoptedVolume): readonly Statement[] => (row === undefined ? [] : quotaOfRow(volume, row));

/** Takes what is quarantined back whole, as it is: a machine with its disks and NICs, or a volume. It is not stopped, moved or changed. */
export const adoptAction = (services: ComputeServices) =>
  defineAction({
    kind: stray,
    verb: 'adopt',
    description: 'Makes the machine or volume ours again as it is, with the ids it had; a machine goes on running meanwhile.',
    target: 'resource',
    makes: [instance, volume],
    input,
    from: ['quarantined'],
    accept: (request) => {
      const { objectKind } = request.row;
      if (objectKind === 'machine') return acceptMachine(request);
      if (objectKind === 'volume') return acceptVolume(request);
      throw new CloudError('unsupported', `No ${objectKind} can be adopted.`, { params: { objectKind } });
    },
    saga: adoptStray,
    context: () => services,
    unwound: ({ hostId, machine, volumes, quota }) => [
      ...(machine === undefined ? [] : hostCapacity(hostId, machine.seen, -1)),
      ...volumes.flatMap(bytesOf(-1)),
      ...quotaReleased(quota),
    ],
  });
