import { Type } from 'typebox';
import {
  announce,
  CloudError,
  change,
  defineAction,
  FORWARD_ONLY,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  type Statement,
  saga,
  timestamp,
  transition,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import { followMove, portOf, portsReady } from '../network/contract.ts';
import { type GroupSeat, hostCapacity, isPlaceTaken, leaveFor, stayInGroup } from '../placement/contract.ts';
import { pool } from '../storage/contract.ts';
import { host } from '../topology/contract.ts';
import { type ComputeContext, type ComputeServices, hostOf, type InstanceRow, nicsOf, prepareMachine, volumesOf } from './context.ts';
import { needDrive, placeElsewhere, refuseResized } from './elsewhere.ts';
import { refuseFoundElsewhere } from './found-elsewhere.ts';
import { instance } from './instance.ts';
import { seatOf } from './instance-delete.ts';
import { refuseLateRemoval } from './late.ts';
import { machineCleanup, releaseDisks } from './machine-cleanup.ts';
import { refuseMaintained } from './maintained.ts';
import { instanceEvacuated } from './points.ts';
import { keepsDisk, opening } from './shared-disks.ts';

interface EvacuateParams {
  readonly instanceId: Id<'instance'>;
  readonly fromHostId: Id<'host'>;
  readonly hostId: Id<'host'>;
  readonly size: { readonly vcpus: number; readonly memoryBytes: number };
  /** The operator's word: what no pool can prove. */
  readonly hostIsOff: boolean;
  /** Its place in its group, as it was and as it becomes. */
  readonly left?: GroupSeat;
  readonly seat?: GroupSeat;
}

const BOOT_TIMEOUT_MS = 120_000;
const FROM = ['running', 'suspended', 'stopped', 'crashed', 'missing'] as const;

/** The reason of a machine that was moved and is not running, though it was. */
export const NOT_STARTED = 'not_started';

/** What kept a machine from running at its new place. */
interface Problem {
  readonly code: string;
  readonly message: string;
}

/**
 * A machine whose host is lost begins anew elsewhere, on the same disks. That nothing of the old host can write to them any more, whatever becomes of it, is proved
 * first, by their pools; from there on there is only forward. From `moved` on the machine is one of the new host, and what it was on the old one is removed by
 * debts and by looks at that host. So it is started once at most: docs/decisions/0026-fencing.md.
 */
export const instanceEvacuate = saga<ComputeContext, EvacuateParams>('instance.evacuate', 1)
  .effect('ready', {
    do: async ({ ctx, params: { instanceId, fromHostId, hostId, size, hostIsOff }, call }) => {
      const row = await ctx.reader.get(instance, instanceId);
      if (row.hostId !== fromHostId) throw new CloudError('conflict', `Instance ${row.name} has another host by now.`);
      refuseResized(row, size);
      await refuseAnswering(ctx, row, fromHostId);
      if (!hostIsOff) refusePlugging(row);
      const to = await ctx.reader.get(host, hostId);
      if (to.state !== 'enabled') throw new CloudError('conflict', `Host ${to.name} is ${to.state} by now.`);
      if (!(await ctx.hosts.reachable(hostId)))
        throw new CloudError('unavailable', 'The host that it was to go to is out of reach, too; ask again.');
      await needDrive(ctx, row, hostId);
      await refuseLateRemoval(ctx, row, hostId);
      await refuseFoundElsewhere(ctx.reader, row);
      const volumes = await volumesOf(ctx, instanceId);
      await refuseUnfenced(ctx, volumes);
      const seen = await clientsOf(ctx, instanceId, volumes, call);
      if (WAS_ON.has(row.state) && !hostIsOff) refuseUnseen(seen);
      const { formerHostIds = [] } = row;
      return {
        volumes: seen.map(({ id, poolId, clients, isShared }) => ({ id, poolId, clients, ...given({ isShared }) })),
        formerHostIds: [...new Set([...formerHostIds, fromHostId])].filter((id) => id !== hostId),
        was: row.state,
        at: timestamp(ctx.environment.clock),
      };
    },
    undo: NOTHING_TO_UNDO,
  })
  .each('fence', {
    items: ({ out }) => out.ready.volumes,
    limit: 4,
    do: async ({ ctx, params, item: { id, poolId, clients, isShared }, call }) => {
      const at = await ctx.pools.open(poolId);
      // Of one that others have, too, the machine alone is shut out. Where nothing is known of it, somebody has said that its host is off, or it was off itself.
      if (isShared !== true) await at.fence(id, clients, call);
      else if (clients.length > 0) await at.shutOut(id, params.instanceId, call);
    },
    undo: FORWARD_ONLY,
  })
  .write('moved', {
    do: ({ params: { instanceId, fromHostId, hostId, size, seat, left }, out: { ready } }) => [
      transition(instance, instanceId, {
        from: [...FROM],
        to: 'stopped',
        set: {
          hostId,
          pluggingSince: null,
          formerHostIds: ready.formerHostIds,
          placementDomain: seat?.domain ?? null,
          stateReason: { code: 'evacuated', message: MOVED[ready.was === 'suspended' ? 'suspended' : 'off'], at: ready.at },
        },
        expect: { hostId: fromHostId },
      }),
      ...hostCapacity(fromHostId, size, -1),
      ...leaveFor(left, seat),
    ],
    undo: FORWARD_ONLY,
  })
  .effect('leave', {
    do: async (step) => {
      const { ctx, params, out } = step;
      const there = { instanceId: params.instanceId, hostId: params.fromHostId };
      await machineCleanup(ctx, there, step);
      await releaseDisks(
        ctx,
        there,
        out.ready.volumes.map(({ id }) => id),
        step,
      );
      ctx.consoles.revoke({ instanceId: params.instanceId });
    },
    undo: FORWARD_ONLY,
  })
  .effect('define', {
    do: ({ ctx, params: { instanceId, hostId }, call }) =>
      asFarAsItGoes(ctx, hostId, async () => {
        const row = await ctx.reader.get(instance, instanceId);
        await refuseMaintained(ctx.reader, row);
        await (await ctx.hosts.hypervisor(hostId)).define(await prepareMachine(ctx, row, call), call);
        for (const { id, state } of await nicsOf(ctx, instanceId)) if (state === 'attached') await followMove(ctx, id, call);
      }),
    undo: FORWARD_ONLY,
  })
  .effect('start', {
    timeoutMs: BOOT_TIMEOUT_MS,
    do: async ({ ctx, params, out, call }) => {
      // What was passed over may be there all the same: the host tells.
      const { problem } = out.define ?? { problem: null };
      if (out.ready.was !== 'running' || problem !== null) return { problem };
      return startOrTell(ctx, params, call);
    },
    undo: FORWARD_ONLY,
  })
  .write('placed', {
    do: ({ params: { instanceId, hostId, fromHostId }, out: { ready, start }, operationId }) => {
      // Nothing is there when an operator has said that the start cannot land any more.
      const problem = start === undefined ? GIVEN_UP : start.problem;
      const runs = ready.was === 'running' && problem === null;
      const failure = problem && {
        code: NOT_STARTED,
        message: `It was moved here from a lost host and is off: ${problem.message}`,
        at: ready.at,
      };
      return [
        ...(runs
          ? [transition(instance, instanceId, { from: [...FROM], to: 'running', set: { stateReason: null } })]
          : failure === null
            ? []
            : [change(instance, instanceId, { stateReason: failure })]),
        announce(instanceEvacuated, `${operationId}/evacuated`, { instanceId, hostId, fromHostId }),
      ];
    },
    undo: FORWARD_ONLY,
  })
  .build();

const MOVED = {
  off: 'Its host was lost; it was moved here.',
  suspended: 'Its host was lost, and with it the memory of the suspended machine; it was moved here and is off.',
} as const;

const GIVEN_UP: Problem = { code: 'timeout', message: 'its start was given up on request.' };

/**
 * A start that was not answered may land when its host is back, and no fence binds what opens a disk after it. So it ends without the machine running only where
 * a host answers and refuses; a host that is lost meanwhile is waited for, or skipped by whoever knows that its power is off.
 */
async function startOrTell(ctx: ComputeContext, params: EvacuateParams, call: Call): Promise<{ readonly problem: Problem | null }> {
  try {
    await startThere(ctx, params, call);
    return { problem: null };
  } catch (error) {
    if (!isCloudError(error) || PASSING.has(error.code) || !(await ctx.hosts.reachable(params.hostId))) throw error;
    return { problem: { code: error.code, message: error.publicMessage } };
  }
}

async function startThere(ctx: ComputeContext, { instanceId, hostId }: EvacuateParams, call: Call): Promise<void> {
  const hypervisor = await ctx.hosts.hypervisor(hostId);
  await opening(ctx, instanceId, await volumesOf(ctx, instanceId), call, () => hypervisor.power('start', instanceId, call));
  if (!ctx.fabrics.tellReadiness) return;
  const nics = await nicsOf(ctx, instanceId);
  await portsReady(ctx, nics.filter(({ state }) => state === 'attached').map(portOf), call);
}

/** What begins nothing: tried again while the host answers and may yet take it. Else the machine stays off where it is now: the row tells why, and it may be started or evacuated again. */
async function asFarAsItGoes(
  ctx: ComputeContext,
  hostId: string,
  body: () => Promise<void>,
): Promise<{ readonly problem: Problem | null }> {
  try {
    await body();
    return { problem: null };
  } catch (error) {
    if (!isCloudError(error)) throw error;
    if (PASSING.has(error.code) && (await ctx.hosts.reachable(hostId))) throw error;
    return { problem: { code: error.code, message: error.publicMessage } };
  }
}

const PASSING: ReadonlySet<string> = new Set(['unavailable', 'timeout', 'busy']);

/** @throws CloudError conflict */
async function refuseAnswering(ctx: Pick<ComputeContext, 'hosts' | 'reader'>, { name }: InstanceRow, hostId: Id<'host'>): Promise<void> {
  if (!(await ctx.hosts.reachable(hostId))) return;
  const { name: hostName } = await ctx.reader.get(host, hostId);
  throw new CloudError('conflict', `Host ${hostName} of instance ${name} answers; only machines of lost hosts are evacuated.`, {
    params: { hostId },
  });
}

/** A call that opens a disk may be under way to the lost host, and no fence binds what opens a disk after it. @throws CloudError conflict */
function refusePlugging({ name, pluggingSince }: InstanceRow): void {
  if (pluggingSince === undefined) return;
  throw new CloudError(
    'conflict',
    `A disk was being plugged into instance ${name} when its host was lost, and may yet be: make sure that the host is off, and say so by hostIsOff.`,
    { params: { pluggingSince } },
  );
}

type Volume = Awaited<ReturnType<typeof volumesOf>>[number];

/** Every disk has to be one from which the old host can be shut out. @throws CloudError unsupported */
async function refuseUnfenced({ reader, pools }: Pick<ComputeContext, 'reader' | 'pools'>, volumes: readonly Volume[]): Promise<void> {
  for (const { id, name, poolId, attachmentId } of volumes) {
    const row = await reader.get(pool, poolId);
    const params = { volumeId: id, poolId };
    if (row.scope === 'host')
      throw new CloudError('unsupported', `Volume ${name} lies on the lost host itself, in pool ${row.name}.`, { params });
    const opened = await pools.open(poolId);
    if (attachmentId === undefined ? !opened.canFence : !opened.canShutOut)
      throw new CloudError('unsupported', `Pool ${row.name} cannot shut the lost host out of volume ${name}.`, { params });
  }
}

interface Seen extends Pick<Volume, 'id' | 'name' | 'poolId'> {
  readonly clients: readonly string[];
  /** Other machines may have it open, too. */
  readonly isShared?: true;
}

/** Whose guest may write when its host thaws. */
const WAS_ON: ReadonlySet<string> = new Set(['running', 'suspended']);

async function clientsOf(
  { pools }: Pick<ComputeContext, 'pools'>,
  instanceId: string,
  volumes: readonly Volume[],
  call: Call,
): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  for (const { id, name, poolId, attachmentId } of volumes) {
    const at = await pools.open(poolId);
    if (attachmentId === undefined) seen.push({ id, name, poolId, clients: await at.clientsOf(id, call) });
    else seen.push({ id, name, poolId, clients: await at.clientsOfMachine(id, instanceId, call), isShared: true });
  }
  return seen;
}

/**
 * A machine that was on has its disks open. Where nobody is seen its client is out of sight, so it cannot be shut out: a frozen one that never wrote to the disk would
 * when it thaws. @throws CloudError conflict
 */
function refuseUnseen(volumes: readonly Seen[]): void {
  const unseen = volumes.find(({ clients }) => clients.length === 0);
  if (unseen === undefined) return;
  const { id: volumeId, name, poolId } = unseen;
  throw new CloudError(
    'conflict',
    `Nobody is seen to have volume ${name} open, so the lost host cannot be shut out of it: make sure that the host is off, and say so by hostIsOff.`,
    { params: { volumeId, poolId } },
  );
}

/** What it was given there, of a machine that stays. */
const takenBack = async ({ reader }: ComputeServices, { hostId, size, seat, left }: EvacuateParams): Promise<readonly Statement[]> => [
  ...hostCapacity(hostId, size, -1),
  ...(await stayInGroup(reader, left, seat)),
];

export const evacuateAction = (services: ComputeServices) =>
  defineAction({
    kind: instance,
    verb: 'evacuate',
    description:
      'Starts a machine whose host is lost on another one, on the same disks. The old host is shut out of them first, whether it is dead or only cut off; what is unsaved in memory is lost.',
    target: 'resource',
    permission: 'host.evacuate',
    input: Type.Object({
      hostId: Type.Optional(Type.String({ format: 'uuid', description: 'Where to. Default: the host that suits it best.' })),
      hostIsOff: Type.Optional(
        Type.Boolean({
          description:
            'Your word that the lost host has no power, and gets none before this has ended. It is needed where a disk of a machine that was on shows no client that could be shut out. A host that is only frozen or cut off may destroy what is on the disk. Default: false.',
        }),
      ),
    }),
    from: [...FROM],
    accept: async ({ row, input, reader, attempt, rehearses }) => {
      const fromHostId = hostOf(row);
      if (input.hostId !== undefined) await reader.get(host, input.hostId, '/hostId');
      // With an operation ahead it may be elsewhere by then: the head of the queue decides.
      await refuseAnswering(services, row, fromHostId);
      if (input.hostIsOff !== true) refusePlugging(row);
      const volumes = await volumesOf(services, row.id);
      await refuseUnfenced(services, volumes);
      const placed = await placeElsewhere(services, row, { hostId: input.hostId, attempt, rehearses });
      const hostId = placed.hostId as Id<'host'>;
      await needDrive(services, row, hostId);
      const params: EvacuateParams = {
        ...{ instanceId: row.id, fromHostId, hostId },
        size: { vcpus: row.vcpus, memoryBytes: row.memoryBytes },
        hostIsOff: input.hostIsOff ?? false,
        ...given({ left: seatOf(row), seat: placed.seat }),
      };
      return {
        params,
        statements: [...placed.reserve, ...volumes.map((disk) => keepsDisk(disk, row.id))],
        keys: volumes.map(({ id }) => id),
        notes: { placement: placed.reasons },
      };
    },
    refused: (_failure, statement) => (isPlaceTaken(statement) ? 'again' : undefined),
    saga: instanceEvacuate,
    context: () => services,
    unwound: (params) => takenBack(services, params),
    // Once its row says that it is there, a deletion gives back what it has there.
    abandoned: ({ hostId, size, seat, left }, isDone) =>
      isDone('moved') ? [] : [...hostCapacity(hostId, size, -1), ...leaveFor(seat, left)],
  });
