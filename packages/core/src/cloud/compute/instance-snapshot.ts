import { type Static, Type } from 'typebox';
import {
  CloudError,
  create,
  defineAction,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  type Owed,
  resourceName,
  type Statement,
  saga,
  sleep,
  transition,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given, nameOr } from '../naming.ts';
import {
  type consistencies,
  dropOrOwe,
  refuseUnkept,
  snapshotGroup,
  snapshotRows,
  take,
  type WantedSnapshot,
} from '../storage/contract.ts';
import { type ComputeContext, type ComputeServices, hostOf, hypervisorOf, type InstanceRow, volumesOf } from './context.ts';
import { instance } from './instance.ts';
import { FOUND_PAUSED } from './observe.ts';
import { sharedOf } from './shared-disks.ts';
import { DISKS_MAX } from './slots.ts';

interface SnapshotParams {
  readonly instanceId: Id<'instance'>;
  readonly groupId: Id<'snapshotGroup'>;
  readonly disks: readonly WantedSnapshot[];
}

/** What keeps the disks of a machine as they are. `alone`: it has one, of which a snapshot is one instant anyway. */
interface Still {
  readonly by: 'off' | 'asleep' | 'agent' | 'pause' | 'alone';
  readonly consistency: Static<typeof consistencies>;
}

/** A debt of a host that is out of reach: a machine there must not be left waiting. */
export const MACHINE_GO_ON = 'machine.goOn';

/** While this lasts the guest stands still: it is given up early rather than tried again. */
const STILL_TIMEOUT_MS = 30_000;
const ONCE = { attempts: 1, backoffMs: 0 };

/** Repeatable. A machine that runs by its row and is paused was paused by an earlier try. @throws CloudError */
async function holdStill(ctx: ComputeContext, { instanceId, disks }: SnapshotParams, call: Call): Promise<Still> {
  const row = await ctx.reader.get(instance, instanceId);
  if (row.state === 'suspended') return { by: 'asleep', consistency: 'crash' };
  // Its guest may have shut down, or lost its power by force: the row does not tell.
  if (row.state !== 'running') return { by: 'off', consistency: 'crash' };
  const hypervisor = await hypervisorOf(ctx, instanceId);
  const power = (await hypervisor.inspect(instanceId, call))?.power;
  if (power === 'paused') return { by: 'pause', consistency: 'crash' };
  if (power !== 'running') return { by: 'off', consistency: 'crash' };
  if (hypervisor.offers('quiesce')) {
    try {
      await hypervisor.freeze(instanceId, call);
      // Its guest does not speak for others that have one of the disks, too.
      const isAlone = sharedOf(await volumesOf(ctx, instanceId)).length === 0;
      return { by: 'agent', consistency: isAlone ? 'filesystem' : 'crash' };
    } catch (error) {
      // No agent answers in this guest.
      if (!isCloudError(error) || error.code !== 'unsupported') throw error;
    }
  }
  if (disks.length === 1) return { by: 'alone', consistency: 'crash' };
  await hypervisor.power('suspend', instanceId, call);
  return { by: 'pause', consistency: 'crash' };
}

/** Whether a machine that is paused was paused by a snapshot, and not by its user. No look comes while the operation is at work. */
const isOurPause = ({ state }: InstanceRow): boolean => state === 'running';

/** Lets the machine go on, and answers whether it had stood still until now. One that its user has suspended stays so. */
async function goOn(
  ctx: Pick<ComputeContext, 'reader' | 'hosts'>,
  instanceId: string,
  call: Call,
  isOurs = isOurPause,
): Promise<Record<Still['by'], boolean>> {
  const row = await ctx.reader.get(instance, instanceId);
  const hypervisor = await hypervisorOf(ctx, instanceId);
  const agent = await hypervisor.thaw(instanceId, call);
  const power = (await hypervisor.inspect(instanceId, call))?.power;
  const pause = isOurs(row) && power === 'paused';
  if (pause) await hypervisor.power('resume', instanceId, call);
  return { agent, pause, alone: true, asleep: power !== 'running', off: power !== 'running' };
}

interface Step {
  readonly ctx: ComputeContext;
  readonly params: SnapshotParams;
  readonly call: Call;
  readonly owe: (debt: Owed) => void;
}

/** All of them and their pauses are shorter than the step. */
const GO_ON_TRIES = 3;
const GO_ON_CALL_TIMEOUT_MS = 5_000;
const GO_ON_PAUSE_MS = 1_000;

/**
 * A machine whose host is out of reach goes on when that is back. So does one whose guest hangs in holding its writes back, and answers nobody: its user has to be
 * able to reset it meanwhile.
 */
async function goOnOrOwe({ ctx, params: { instanceId }, call, owe }: Step): Promise<void> {
  const hostId = hostOf(await ctx.reader.get(instance, instanceId));
  for (let tries = 1; tries <= GO_ON_TRIES && (await ctx.hosts.reachable(hostId)); tries += 1)
    try {
      await goOn(ctx, instanceId, { ...call, timeoutMs: GO_ON_CALL_TIMEOUT_MS });
      return;
    } catch (error) {
      if (!isCloudError(error) || !['unavailable', 'timeout', 'busy'].includes(error.code)) throw error;
      await sleep(ctx.environment.timers, GO_ON_PAUSE_MS, call.signal);
    }
  owe({ task: MACHINE_GO_ON, place: hostId, target: { instanceId } });
}

export async function payGoingOn(
  { reader, hosts, kernel }: ComputeServices,
  instanceId: string,
  hostId: string,
  call: Call,
): Promise<void> {
  const row = await reader.find(instance, instanceId);
  if (row === undefined || row.deletedAt !== undefined || row.hostId !== hostId) return;
  if (kernel().holds(instanceId)) throw new CloudError('conflict', 'An operation is at work on the machine.');
  // A look may have come before: what it found paused is what is owed here.
  await goOn({ reader, hosts }, instanceId, call, (found) => isOurPause(found) || found.stateReason?.code === FOUND_PAUSED);
}

/** All disks at one instant. Whatever fails, the machine goes on first; then what was taken is taken back. */
export const instanceSnapshot = saga<ComputeContext, SnapshotParams>('instance.snapshot', 1)
  .effect('still', {
    timeoutMs: STILL_TIMEOUT_MS,
    retry: ONCE,
    do: ({ ctx, params, call }) => holdStill(ctx, params, call),
    undo: goOnOrOwe,
  })
  .each('images', {
    items: ({ params }) => params.disks,
    limit: DISKS_MAX,
    timeoutMs: STILL_TIMEOUT_MS,
    retry: ONCE,
    do: ({ ctx, item, call }) => take(ctx, item, call),
    undo: async (step) => {
      await goOnOrOwe(step);
      await dropOrOwe(step, step.item);
    },
  })
  .effect('on', {
    do: async ({ ctx, params, out, call }) => {
      // A host may have lost its power meanwhile, or somebody let it go on: then the disks are of different times.
      const held = out.still.by === 'off' || out.still.by === 'alone' || (await goOn(ctx, params.instanceId, call))[out.still.by];
      if (!held) throw new CloudError('conflict', 'The machine went on before all its disks were taken; ask again.');
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('available', {
    do: ({ params, out }) => [
      ...params.disks.flatMap((disk, index) => {
        const image = out.images[index];
        return image === undefined ? [] : snapshotRows.taken(disk, image);
      }),
      transition(snapshotGroup, params.groupId, { from: 'creating', to: 'available', set: { consistency: out.still.consistency } }),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

/** Room for a hyphen and two digits in a name of 63 characters. */
const STEM_MAX = 60;
const nameOfDisk = (name: string | undefined, slot: number) =>
  name === undefined ? undefined : `${name.slice(0, STEM_MAX).replace(/-+$/, '')}-${slot}`;

export const snapshotAction = (services: ComputeServices) =>
  defineAction({
    kind: instance,
    verb: 'snapshot',
    description:
      'Takes a snapshot of each disk of the machine, all at one instant: a snapshotGroup. An agent in the guest holds its writes back meanwhile; without one, a machine with several disks is paused.',
    target: 'resource',
    makes: [snapshotGroup],
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: snapshotGroup.schema.properties.description,
    }),
    from: ['running', 'suspended', 'stopped', 'crashed'],
    accept: async ({ row, input: { name, description }, projectId, reader, mint }) => {
      const groupId = mint('snapshotGroup');
      const disks: WantedSnapshot[] = [];
      const statements: Statement[] = [
        create(snapshotGroup, {
          ...given({ description }),
          id: groupId,
          projectId,
          name: nameOr(name, snapshotGroup, groupId),
          instanceId: row.id,
        }),
      ];
      for (const volume of await volumesOf({ reader }, row.id)) {
        await refuseUnkept(services, volume, '');
        const wanted = { id: mint('snapshot'), groupId, name: nameOfDisk(name, volume.slot ?? 0) };
        disks.push(snapshotRows.wanted(volume, wanted));
        statements.push(...snapshotRows.insert(volume, wanted));
      }
      return {
        params: { instanceId: row.id, groupId, disks },
        statements,
        keys: [groupId, ...disks.flatMap(({ volumeId, snapshotId }) => [volumeId, snapshotId])],
        notes: { snapshotGroupId: groupId, snapshotIds: disks.map(({ snapshotId }) => snapshotId) },
      };
    },
    saga: instanceSnapshot,
    context: () => services,
    unwound: ({ groupId, disks }) => [
      transition(snapshotGroup, groupId, { from: 'creating', to: 'deleted' }),
      ...disks.map(snapshotRows.takeBack),
    ],
  });
