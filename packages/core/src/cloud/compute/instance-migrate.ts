import { Type } from 'typebox';
import {
  announce,
  CloudError,
  canonical,
  change,
  debt,
  defineAction,
  equals,
  FORWARD_ONLY,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  type Statement,
  type StepInput,
  saga,
  unnote,
} from '../../kernel/index.ts';
import type { Call, MachineObservation } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import { followMove, network, portOf, portsReady } from '../network/contract.ts';
import { type GroupSeat, hostCapacity, isPlaceTaken, leaveFor, stayInGroup } from '../placement/contract.ts';
import { pool, volume } from '../storage/contract.ts';
import { host } from '../topology/contract.ts';
import { type ComputeContext, type ComputeServices, diskSpec, hostOf, type InstanceRow, nicSpec, nicsOf, volumesOf } from './context.ts';
import { needDrive, placeElsewhere, refuseResized } from './elsewhere.ts';
import { refuseFoundElsewhere } from './found-elsewhere.ts';
import { instance } from './instance.ts';
import { seatOf } from './instance-delete.ts';
import { MACHINE_GO_ON } from './instance-snapshot.ts';
import { brief, refuseLateRemoval, settleLate, suspectLate } from './late.ts';
import { MACHINE_REMOVE, machineCleanup, releaseDisks } from './machine-cleanup.ts';
import { instanceMigrated } from './points.ts';
import { keepsDisk, opening } from './shared-disks.ts';

interface MigrateParams {
  readonly instanceId: Id<'instance'>;
  readonly fromHostId: Id<'host'>;
  readonly hostId: Id<'host'>;
  readonly size: { readonly vcpus: number; readonly memoryBytes: number };
  /** For the memory to go over. */
  readonly timeoutMs: number;
  /** Its place in its group, as it was and as it becomes. */
  readonly left?: GroupSeat;
  readonly seat?: GroupSeat;
}

const TIMEOUT_SECONDS = { least: 10, most: 86_400, unlessAsked: 1800 } as const;
export const goOverSeconds = Type.Optional(
  Type.Integer({
    minimum: TIMEOUT_SECONDS.least,
    maximum: TIMEOUT_SECONDS.most,
    description: `How long the memory of a machine may take to go over; then it stays where it is. Default: ${TIMEOUT_SECONDS.unlessAsked}.`,
  }),
);
/** Longer than the longest that may be asked for. */
const SEND_TIMEOUT_MS = 2 * TIMEOUT_SECONDS.most * 1000;
/**
 * A running machine goes to another host, memory and all. What makes it run once at most: it arrives paused, and is let go on by `arrive` alone, when its row says that it is there. Until
 * then it is its old host's as long as that shows it on, which is where an undo leaves it: docs/decisions/0027-live-migration.md.
 */
export const instanceMigrate = saga<ComputeContext, MigrateParams>('instance.migrate', 1)
  .effect('ready', {
    do: async ({ ctx, params: { instanceId, fromHostId, hostId, size, timeoutMs } }) => {
      const row = await ctx.reader.get(instance, instanceId);
      if (row.hostId !== fromHostId) throw new CloudError('conflict', `Instance ${row.name} has another host by now.`);
      refuseResized(row, size);
      if (row.state !== 'running')
        throw new CloudError('conflict', `Instance ${row.name} is ${row.state} by now; only running machines are migrated.`);
      const to = await ctx.reader.get(host, hostId);
      if (to.state !== 'enabled') throw new CloudError('conflict', `Host ${to.name} is ${to.state} by now.`);
      for (const id of [fromHostId, hostId])
        if (!(await ctx.hosts.reachable(id)))
          throw new CloudError('unavailable', `Host ${(await ctx.reader.get(host, id)).name} is out of reach; ask again.`);
      await needDrive(ctx, row, hostId);
      await refuseLateRemoval(ctx, row, hostId);
      await refuseFoundElsewhere(ctx.reader, row);
      await refuseBound(ctx, row);
      await refuseStill(ctx, row);
      const { formerHostIds = [], migratedFromHostIds = [] } = row;
      return {
        volumeIds: (await volumesOf(ctx, instanceId)).map(({ id }) => id),
        formerHostIds: formerHostIds.filter((id) => id !== hostId),
        migratedFromHostIds: [...new Set([...migratedFromHostIds, fromHostId])].filter((id) => id !== hostId),
        untilMs: ctx.environment.clock.nowMs() + timeoutMs,
      };
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('attach', {
    do: ({ ctx, params, call }) => attachThere(ctx, params, call),
    undo: async (step) => {
      const { ctx, params, out } = step;
      await releaseDisks(ctx, params, out.ready.volumeIds, step);
    },
  })
  .effect('send', {
    timeoutMs: SEND_TIMEOUT_MS,
    // What fails has gone back before it is asked again.
    retry: { attempts: 1, backoffMs: 250 },
    do: ({ ctx, params, out, call }) => goOver(ctx, params, out.ready.untilMs, call),
    undo: (step) => comeBack(step, step.params),
  })
  .write('moved', {
    do: ({ params: { instanceId, fromHostId, hostId, size, seat, left }, out: { ready } }) => [
      change(
        instance,
        instanceId,
        {
          hostId,
          migratingToHostId: null,
          formerHostIds: ready.formerHostIds.length === 0 ? null : ready.formerHostIds,
          // A journal of before has none.
          ...given({ migratedFromHostIds: ready.migratedFromHostIds }),
          placementDomain: seat?.domain ?? null,
        },
        { hostId: fromHostId },
      ),
      ...hostCapacity(fromHostId, size, -1),
      ...leaveFor(left, seat),
    ],
    undo: FORWARD_ONLY,
  })
  .effect('arrive', {
    do: async ({ ctx, params: { instanceId, hostId }, call }) => {
      const there = await ctx.hosts.hypervisor(hostId);
      const disks = await volumesOf(ctx, instanceId);
      // Also where an earlier try has let it go on, and came no further.
      await opening(ctx, instanceId, disks, call, async () => {
        // Off or gone by now: looks show that.
        if ((await there.inspect(instanceId, call))?.power !== 'paused') return;
        // What released a disk there before the machine came may have been carried out since, or again.
        for (const { id, poolId } of disks) await (await ctx.pools.open(poolId)).attachVolume(id, await ctx.hosts.endpoint(hostId), call);
        await there.power('resume', instanceId, call);
      });
      ctx.consoles.revoke({ instanceId });
    },
    undo: FORWARD_ONLY,
  })
  .effect('ports', { do: ({ ctx, params, call }) => bindPorts(ctx, params.instanceId, call), undo: FORWARD_ONLY })
  .effect('leave', {
    do: async (step) => {
      const { ctx, params, out } = step;
      const there = { instanceId: params.instanceId, hostId: params.fromHostId };
      await machineCleanup(ctx, there, step);
      await releaseDisks(ctx, there, out.ready.volumeIds, step);
    },
    undo: FORWARD_ONLY,
  })
  .write('placed', {
    do: ({ params: { instanceId, hostId, fromHostId }, operationId }) => [
      announce(instanceMigrated, `${operationId}/migrated`, { instanceId, hostId, fromHostId }),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** The new host reaches the disks, by what the machine calls them already. @throws CloudError unsupported */
async function attachThere(ctx: ComputeContext, { instanceId, fromHostId, hostId }: MigrateParams, call: Call): Promise<void> {
  for (const row of await volumesOf(ctx, instanceId)) {
    const here = await (await ctx.pools.open(row.poolId)).attachVolume(row.id, await ctx.hosts.endpoint(fromHostId), call);
    const there = await diskSpec(ctx, row, hostId, row.slot ?? 0, call);
    if (canonical(here) !== canonical(there.attachment))
      throw new CloudError('unsupported', `Volume ${row.name} is reached in another way from there.`, { params: { volumeId: row.id } });
  }
}

const isOn = (seen: MachineObservation | undefined): seen is MachineObservation =>
  seen !== undefined && seen.incoming !== true && (seen.power === 'running' || seen.power === 'paused');

/** Which copy is right, by the rule of the contract: its old host's as long as that shows it on. */
async function whereIs(ctx: ComputeContext, { instanceId, fromHostId, hostId }: MigrateParams, call: Call) {
  const here = await (await ctx.hosts.hypervisor(fromHostId)).inspect(instanceId, brief(call));
  const there = await (await ctx.hosts.hypervisor(hostId)).inspect(instanceId, brief(call));
  return { at: isOn(here) ? 'here' : isOn(there) ? 'there' : 'nowhere', here, there } as const;
}

async function goOver(ctx: ComputeContext, params: MigrateParams, untilMs: number, call: Call): Promise<void> {
  const { instanceId, fromHostId, hostId } = params;
  const old = await ctx.hosts.hypervisor(fromHostId);
  let seen = await whereIs(ctx, params, call);
  // It is about to be forgotten here, or that was cut short and what is there is left over. One that is still coming is joined.
  if (seen.at === 'here' && isOn(seen.there)) {
    await old.cancelSend(instanceId, brief(call));
    seen = await whereIs(ctx, params, call);
    if (seen.at === 'here') await (await ctx.hosts.hypervisor(hostId)).remove(instanceId, brief(call));
  }
  if (seen.at === 'there') return;
  if (seen.at === 'nowhere') throw new CloudError('conflict', 'The machine has gone off; only running machines are migrated.');
  const timeoutMs = Math.max(1, untilMs - ctx.environment.clock.nowMs());
  try {
    await old.sendMachine(instanceId, await ctx.hosts.endpoint(hostId), { ...call, timeoutMs });
  } catch (error) {
    if (call.signal.aborted) throw error;
    const found = await whereIs(ctx, params, call).catch(() => undefined);
    if (found?.at === 'there') return;
    if (!isCloudError(error) || error.code !== 'timeout' || ctx.environment.clock.nowMs() < untilMs) throw error;
    throw new CloudError('timeout', `The machine did not go over within ${params.timeoutMs / 1000} s; it stays where it was.`, {
      cause: error,
    });
  }
}

/**
 * Back to its old host, which has to answer for that: else nobody knows whether what was sent still lands there. From its new host it comes back the way it went, once it has gone on there.
 */
async function comeBack(
  { ctx, call, owe, mayHaveBegun }: Pick<StepInput<ComputeContext, unknown, unknown>, 'ctx' | 'call' | 'owe' | 'mayHaveBegun'>,
  params: MigrateParams,
) {
  const { instanceId, fromHostId, hostId } = params;
  const removal = { method: 'remove', machineId: instanceId } as const;
  for (const id of [fromHostId, hostId]) suspectLate(ctx, mayHaveBegun, id, removal);
  const old = await ctx.hosts.hypervisor(fromHostId);
  await old.cancelSend(instanceId, brief(call));
  const other = (await ctx.hosts.reachable(hostId)) ? await ctx.hosts.hypervisor(hostId) : undefined;
  await other?.cancelSend(instanceId, brief(call));
  const here = await old.inspect(instanceId, brief(call));
  const there = await other?.inspect(instanceId, brief(call));
  // It runs there only once an earlier attempt to bring it back has made it: then that copy is the newer one.
  if (other !== undefined && isOn(there) && (there.power === 'running' || !isOn(here))) {
    if (isOn(here)) await old.remove(instanceId, brief(call));
    // One that comes late would end what has come back.
    await settleLate(ctx, fromHostId, removal, call, (c) => old.inspect(instanceId, c));
    await other.power('resume', instanceId, brief(call));
    await other.sendMachine(instanceId, await ctx.hosts.endpoint(fromHostId), { ...call, timeoutMs: params.timeoutMs });
    const disks = await volumesOf(ctx, instanceId);
    await opening(ctx, instanceId, disks, brief(call), () => old.power('resume', instanceId, brief(call)));
    return;
  }
  // What has gone over, or is on its way back, stands still or is not here: while nobody sees the other, only one that runs here is right for certain.
  if (other === undefined && !(isOn(here) && here.power === 'running'))
    throw new CloudError('unavailable', 'The host that it was to go to does not answer, and may have it.');
  if (isOn(here)) await old.power('resume', instanceId, brief(call));
  if (other !== undefined) await other.remove(instanceId, brief(call));
  else owe({ task: MACHINE_REMOVE, place: hostId, target: { instanceId } });
}

/** The guest runs by now: that its switch is slow is no reason to go on trying. */
async function bindPorts(ctx: ComputeContext, instanceId: Id<'instance'>, call: Call): Promise<void> {
  const row = await ctx.reader.get(instance, instanceId);
  const nics = (await nicsOf(ctx, instanceId)).filter(({ state }) => state === 'attached');
  for (const nic of nics) await nicSpec(ctx, nic, row, call);
  for (const { id } of nics) await followMove(ctx, id, call);
  if (!ctx.fabrics.tellReadiness) return;
  await portsReady(ctx, nics.map(portOf), call).catch((error: unknown) => {
    if (!isCloudError(error) || error.code !== 'timeout') throw error;
    ctx.environment.logger.warn({ instanceId, error: error.publicMessage }, 'a machine has gone over, and its port is not ready yet');
  });
}

interface Blocker {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
  readonly reason: string;
}

/** Who is told of one at a time mends it, and is refused for the next. */
const BLOCKERS_TOLD = 4;

/** What no other host reaches. @throws CloudError unsupported that lists it */
export async function refuseBound(ctx: Pick<ComputeContext, 'reader'>, row: InstanceRow): Promise<void> {
  const blockers: Blocker[] = [];
  for (const { id, name, poolId } of await volumesOf(ctx, row.id)) {
    const at = await ctx.reader.get(pool, poolId);
    if (at.scope !== 'host') continue;
    blockers.push({
      kind: volume.name,
      id,
      name,
      reason: `It lies in pool ${at.name}, on the host itself: the storage has to be moved first.`,
    });
  }
  for (const { networkId } of await nicsOf(ctx, row.id)) {
    const { id, name, hostId } = await ctx.reader.get(network, networkId);
    if (hostId === undefined) continue;
    blockers.push({ kind: network.name, id, name, reason: 'It is on the host alone: the NIC has to be detached first.' });
  }
  if (blockers.length === 0) return;
  const told = blockers
    .slice(0, BLOCKERS_TOLD)
    .map(({ kind, name, reason }) => `${kind === volume.name ? 'Volume' : 'Network'} ${name}: ${reason}`);
  const others = blockers.length > told.length ? ` And ${blockers.length - told.length} more.` : '';
  throw new CloudError('unsupported', `Instance ${row.name} cannot leave its host. ${told.join(' ')}${others}`, {
    params: { blockers: blockers.map((each) => ({ ...each })) },
  });
}

/** What is owed to a guest that was held still is owed at its host. @throws CloudError conflict */
async function refuseStill({ reader }: Pick<ComputeContext, 'reader'>, { id, name }: InstanceRow): Promise<void> {
  const owed = await reader.list(debt, equals('state', 'owed'));
  if (!owed.some(({ task, target }) => task === MACHINE_GO_ON && target.instanceId === id)) return;
  throw new CloudError('conflict', `Instance ${name} was held still for a snapshot, and may be yet; ask again in a while.`);
}

/** Hosts of its cluster on which the memory of its guest would mean nothing. */
async function unlike({ reader }: ComputeServices, from: { readonly id: string; readonly clusterId: Id<'cluster'> }) {
  const hosts = await reader.list(host, equals('clusterId', from.clusterId));
  const own = hosts.find(({ id }) => id === from.id);
  return hosts.filter(({ virtType, architecture }) => virtType !== own?.virtType || architecture !== own?.architecture);
}

/** Where it may go at all. @throws CloudError */
async function bounds(services: ComputeServices, row: InstanceRow, hostId: string | undefined) {
  const { reader, hosts } = services;
  const from = await reader.get(host, hostOf(row));
  const others = await unlike(services, from);
  if (hostId !== undefined) {
    const to = await reader.get(host, hostId, '/hostId');
    const refuse = (why: string) => new CloudError('conflict', why, { pointer: '/hostId' });
    if (to.id === from.id) throw refuse(`Instance ${row.name} is on host ${to.name} already.`);
    if (to.clusterId !== from.clusterId) throw refuse(`Host ${to.name} is in another cluster.`);
    if (others.some(({ id }) => id === to.id))
      throw refuse(
        `Host ${to.name} runs guests as ${to.virtType} on ${to.architecture}, and host ${from.name} as ${from.virtType} on ${from.architecture}.`,
      );
  }
  if (!(await hosts.reachable(from.id)))
    throw new CloudError('conflict', `Host ${from.name} is out of reach. If it is lost, its machines can be evacuated.`, {
      params: { hostId: from.id },
    });
  (await hosts.hypervisor(from.id)).need('migration');
  return { fromHostId: from.id, clusterId: from.clusterId, exceptHosts: others.map(({ id }) => id) };
}

/** What it was given there, of a machine that stays. */
const takenBack = async ({ reader }: ComputeServices, { hostId, size, seat, left }: MigrateParams): Promise<readonly Statement[]> => [
  ...hostCapacity(hostId, size, -1),
  ...(await stayInGroup(reader, left, seat)),
];

export const migrateAction = (services: ComputeServices) =>
  defineAction({
    kind: instance,
    verb: 'migrate',
    description:
      'Moves a running machine to another host of its cluster while its guest goes on. Its disks have to be in pools that both reach. What goes wrong on the way, or a cancel, leaves it where it was.',
    target: 'resource',
    permission: 'host.migrate',
    input: Type.Object({
      hostId: Type.Optional(Type.String({ format: 'uuid', description: 'Where to. Default: the host that suits it best.' })),
      timeoutSeconds: goOverSeconds,
    }),
    from: ['running'],
    accept: async ({ row, input, reader, attempt, rehearses }) => {
      if (row.migratingToHostId !== undefined)
        throw new CloudError('conflict', `Instance ${row.name} is being migrated already.`, {
          params: { migratingToHostId: row.migratingToHostId },
        });
      const { fromHostId, clusterId, exceptHosts } = await bounds(services, row, input.hostId);
      await refuseBound({ reader }, row);
      const placed = await placeElsewhere(services, row, { hostId: input.hostId, clusterId, exceptHosts, attempt, rehearses });
      const hostId = placed.hostId as Id<'host'>;
      (await services.hosts.hypervisor(hostId)).need('migration');
      await needDrive(services, row, hostId);
      const volumes = await volumesOf(services, row.id);
      const params: MigrateParams = {
        ...{ instanceId: row.id, fromHostId, hostId },
        size: { vcpus: row.vcpus, memoryBytes: row.memoryBytes },
        timeoutMs: (input.timeoutSeconds ?? TIMEOUT_SECONDS.unlessAsked) * 1000,
        ...given({ left: seatOf(row), seat: placed.seat }),
      };
      const [from, to] = await Promise.all([reader.get(host, fromHostId), reader.get(host, hostId)]);
      return {
        params,
        statements: [
          ...placed.reserve,
          change(instance, row.id, { migratingToHostId: hostId }, { migratingToHostId: null }),
          ...volumes.map((disk) => keepsDisk(disk, row.id)),
        ],
        keys: volumes.map(({ id }) => id),
        notes: {
          placement: placed.reasons,
          plan: { from: from.name, to: to.name, memoryBytes: row.memoryBytes, volumes: volumes.map(({ name }) => name) },
        },
      };
    },
    refused: (_failure, statement) => (isPlaceTaken(statement) ? 'again' : undefined),
    saga: instanceMigrate,
    context: () => services,
    unwound: async (params) => [
      ...(await unnote(services.reader, instance, params.instanceId, { migratingToHostId: null })),
      ...(await takenBack(services, params)),
    ],
    // Once its row says that it is there, a deletion gives back what it has there.
    abandoned: ({ hostId, size, seat, left }, isDone) =>
      isDone('moved') ? [] : [...hostCapacity(hostId, size, -1), ...leaveFor(seat, left)],
  });
