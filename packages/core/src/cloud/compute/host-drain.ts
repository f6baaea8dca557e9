import { Type } from 'typebox';
import {
  AWAITS_PARTS,
  CloudError,
  defineAction,
  type ErrorCode,
  type ErrorRecord,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  type Principal,
  type Reader,
  revert,
  type StepInput,
  saga,
  sleep,
  transition,
} from '../../kernel/index.ts';
import { atRest } from '../patient-call.ts';
import { host, machinesComing, machinesOn, ON_THE_HOST, refuseMachines } from '../topology/contract.ts';
import type { ComputeServices, InstanceRow } from './context.ts';
import { instance } from './instance.ts';
import { goOverSeconds, refuseBound } from './instance-migrate.ts';

/** Machines that go over at once: each has its memory on the wire between the hosts. */
const AT_ONCE = 4;
/** How often one is sent: where it was to go may be lost, or taken out of use as well, before it is there. */
const TRIES = 3;
const PAUSE_MS = 5000;
/** Of a migration that may go better to another host, or in a while. One that took too long would again. */
const PASSING: ReadonlySet<ErrorCode> = new Set(['conflict', 'unavailable', 'busy']);
const BLOCKERS_TOLD = 100;

interface DrainParams {
  readonly hostId: Id<'host'>;
  readonly caller: Pick<Principal, 'actor' | 'projectId' | 'accountId'>;
  readonly input: { readonly timeoutSeconds?: number };
}

/** A machine that has to go, and the operations that it goes by, one after the other, however often they are begun. */
interface Move {
  readonly instanceId: Id<'instance'>;
  readonly operationIds: readonly Id<'operation'>[];
}

type Step = Pick<StepInput<ComputeServices, DrainParams, unknown>, 'ctx' | 'params' | 'operationId' | 'call'>;

/**
 * First nothing new is placed there, and what runs goes over. Then nothing can be started there any more, and what was until then goes over, too; a last look makes sure that nothing is left. What has gone
 * over stays where it is, also in an undo.
 */
const drainHost = saga<ComputeServices, DrainParams>('host.drain', 1)
  .effect('ready', { do: ({ ctx, params: { hostId } }) => readyToDrain(ctx, hostId), undo: NOTHING_TO_UNDO })
  .write('closed', {
    do: ({ params: { hostId }, out: { ready } }) =>
      ready.wasEnabled ? [transition(host, hostId, { from: 'enabled', to: 'disabled' })] : [],
    undo: ({ params: { hostId }, out: { ready } }) => (ready.wasEnabled ? [revert(host, hostId, { from: 'disabled', to: 'enabled' })] : []),
  })
  .effect('machines', { retry: AWAITS_PARTS.retry, do: movesOf, undo: NOTHING_TO_UNDO })
  .each('go', {
    ...{ limit: AT_ONCE, ...AWAITS_PARTS },
    items: ({ out }) => out.machines.moves,
    do: ({ item, ...step }) => goOver(step, item),
    undo: ({ item, ...step }) => stay(step, item),
  })
  .write('maintenance', {
    do: ({ params: { hostId } }) => [transition(host, hostId, { from: 'disabled', to: 'maintenance' })],
    undo: ({ params: { hostId } }) => [revert(host, hostId, { from: 'maintenance', to: 'disabled' })],
  })
  .effect('started', { retry: AWAITS_PARTS.retry, do: movesOf, undo: NOTHING_TO_UNDO })
  .each('follow', {
    ...{ limit: AT_ONCE, ...AWAITS_PARTS },
    items: ({ out }) => out.started.moves,
    do: ({ item, ...step }) => goOver(step, item),
    undo: ({ item, ...step }) => stay(step, item),
  })
  .effect('verify', { do: ({ ctx, params }) => refuseMachines(ctx.reader, params.hostId), undo: NOTHING_TO_UNDO })
  .build();

/** As it is when its turn has come: what was ahead of it may have been another drain that failed, or opened the host. @throws CloudError in_use */
async function readyToDrain(services: ComputeServices, hostId: Id<'host'>): Promise<{ readonly wasEnabled: boolean }> {
  await refuseStuck(services, await machinesOn(services.reader, hostId));
  return { wasEnabled: (await services.reader.get(host, hostId)).state === 'enabled' };
}

/** What runs on the host, once nothing is about to come, or on its way. @throws CloudError unavailable until then; conflict for what waits for the drain itself */
async function movesOf({ ctx, params: { hostId }, operationId }: Step): Promise<{ readonly moves: readonly Move[] }> {
  const { reader, ids, kernel } = ctx;
  const there = await machinesOn(reader, hostId);
  const isOnTheWay = ({ state, migratingToHostId }: InstanceRow) =>
    state === 'creating' || state === 'deleting' || migratingToHostId !== undefined;
  const [other] = [...there.filter(isOnTheWay), ...(await machinesComing(reader, hostId))];
  if (other !== undefined && kernel().holdsAhead(other.id, operationId)) throw notAtRest(other);
  if (other !== undefined)
    throw new CloudError('conflict', `Instance ${other.name} is ${other.state}, and what is under way with it waits for the drain.`);
  return {
    moves: there.map(({ id }) => ({ instanceId: id, operationIds: Array.from({ length: TRIES }, () => ids.mint('operation')) })),
  };
}

const notAtRest = ({ name }: InstanceRow) => new CloudError('unavailable', `Instance ${name} is not at rest yet; it is waited for.`);

/** Its row while it is on the host. Else it was stopped, deleted, or has gone by itself. */
async function stillThere(reader: Reader, hostId: string, instanceId: Id<'instance'>): Promise<InstanceRow | undefined> {
  const row = await reader.find(instance, instanceId);
  return row?.hostId === hostId && ON_THE_HOST.includes(row.state) ? row : undefined;
}

/** @throws CloudError with its name, and while something else is under way with it */
async function goOver(step: Step, { instanceId, operationIds }: Move): Promise<void> {
  const { ctx, params, operationId, call } = step;
  const { parts } = ctx.kernel();
  for (const [index, own] of operationIds.entries()) {
    if ((await parts.find(own)) === undefined) {
      if (index > 0) await atRest(ctx, call, () => sleep(ctx.environment.timers, PAUSE_MS * index, call.signal));
      if (!(await isSent(step, instanceId, own))) return;
    }
    const { state, error } = await parts.ended(own, operationId, call.signal);
    const row = state === 'succeeded' ? undefined : await stillThere(ctx.reader, params.hostId, instanceId);
    if (row === undefined) return;
    const { code, message }: ErrorRecord = error ?? { code: 'cancelled', message: 'it was cancelled.' };
    // What it could try again it has: to ask once more would find the same operations.
    if (index === operationIds.length - 1 || !PASSING.has(code)) throw left(row, 'conflict', message, own);
  }
}

/** It migrates as if the caller had asked for that, and may: who drains a host reaches the machines of all projects. Answers false when it has left before. @throws CloudError */
async function isSent({ ctx, params, operationId }: Step, instanceId: Id<'instance'>, own: Id<'operation'>): Promise<boolean> {
  if ((await stillThere(ctx.reader, params.hostId, instanceId)) === undefined) return false;
  const isBusy = () => ctx.kernel().holdsAhead(instanceId, operationId);
  const principal: Principal = { ...params.caller, allows: () => true };
  const wasBusy = isBusy();
  try {
    await ctx.kernel().parts.submit({
      ...{ action: 'instance.migrate', input: params.input, principal, resourceId: instanceId },
      ...{ operationId: own, causeId: operationId },
    });
    return true;
  } catch (error) {
    if (!isCloudError(error)) throw error;
    const row = await stillThere(ctx.reader, params.hostId, instanceId);
    if (row === undefined) return false;
    // What is under way may be what stands in the way: another migration, or whatever it is for one of a placement group.
    if (error.code === 'conflict' && (wasBusy || isBusy())) throw notAtRest(row);
    throw left(row, error.code, error.publicMessage, own);
  }
}

const left = ({ id, name }: InstanceRow, code: ErrorCode, why: string, operationId: string) =>
  new CloudError(code, `Instance ${name} did not leave the host: ${why}`, { params: { instanceId: id, operationId } });

/** One that is still on its way, for a restart came between, is called back; one that has gone over stays there. */
async function stay({ ctx, params, operationId, call }: Step, { operationIds }: Move): Promise<void> {
  const { parts } = ctx.kernel();
  for (const own of operationIds)
    if ((await parts.find(own)) !== undefined) await parts.stopped(own, operationId, params.caller.actor, call.signal);
}

/** @throws CloudError in_use that lists the machines which cannot go */
async function refuseStuck(services: ComputeServices, machines: readonly InstanceRow[]): Promise<void> {
  const stuck: { readonly row: InstanceRow; readonly reason: string }[] = [];
  for (const row of machines) {
    // It goes in its own way.
    if (row.state === 'deleting') continue;
    const suspended = row.state === 'suspended' ? `Instance ${row.name} is suspended: resume or stop it.` : undefined;
    const reason = await refuseBound(services, row).then(
      () => suspended,
      (error: unknown) => {
        if (!isCloudError(error)) throw error;
        return error.publicMessage;
      },
    );
    if (reason !== undefined) stuck.push({ row, reason });
  }
  const [first] = stuck;
  if (first === undefined) return;
  throw new CloudError('in_use', `${stuck.length} of ${machines.length} machines cannot leave the host. ${first.reason}`, {
    params: {
      blockers: stuck.slice(0, BLOCKERS_TOLD).map(({ row: { id, name }, reason }) => ({ kind: instance.name, id, name, reason })),
    },
  });
}

/** @throws CloudError conflict, unsupported */
async function refuseUnable({ hosts }: ComputeServices, { id, name }: { readonly id: Id<'host'>; readonly name: string }): Promise<void> {
  if (!(await hosts.reachable(id)))
    throw new CloudError('conflict', `Host ${name} is out of reach. If it is lost, its machines can be evacuated.`, {
      params: { hostId: id },
    });
  (await hosts.hypervisor(id)).need('migration');
}

export const drainAction = (services: ComputeServices) =>
  defineAction({
    kind: host,
    verb: 'drain',
    description: `Migrates all machines that run on the host to others, ${AT_ONCE} at once, and takes it out of use for work on it. Stopped machines stay. When one cannot go, or it is cancelled, the host is as it was; those that have gone over stay there.`,
    target: 'resource',
    input: Type.Object({ timeoutSeconds: goOverSeconds }),
    from: ['enabled', 'disabled', 'maintenance'],
    satisfied: (row) => row.state === 'maintenance',
    accept: async ({ id, row, input, principal: { actor, projectId, accountId } }) => {
      const machines = await machinesOn(services.reader, id);
      await refuseStuck(services, machines);
      if (machines.length > 0) await refuseUnable(services, row);
      const params: DrainParams = { hostId: id, caller: { actor, projectId, accountId }, input };
      return { params, statements: [], notes: { plan: { machines: machines.map(({ name }) => name) } } };
    },
    saga: drainHost,
    context: () => services,
  });
