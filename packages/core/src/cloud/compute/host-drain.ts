import { Type } from 'typebox';
import {
  both,
  CloudError,
  defineAction,
  type ErrorCode,
  equals,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  type Principal,
  type Reader,
  revert,
  type StepInput,
  saga,
  transition,
} from '../../kernel/index.ts';
import { host, ON_THE_HOST, refuseMachines } from '../topology/contract.ts';
import type { ComputeServices, InstanceRow } from './context.ts';
import { instance } from './instance.ts';
import { goOverSeconds, refuseBound } from './instance-migrate.ts';

/** Machines that go over at once: each has its memory on the wire between the hosts. */
const AT_ONCE = 4;
/** One wait for a machine. When it is over the step looks again, and waits on. */
const WAIT_MS = 24 * 3600_000;
const RETRY = { attempts: Number.MAX_SAFE_INTEGER, backoffMs: 500 };
const BLOCKERS_TOLD = 100;

interface DrainParams {
  readonly hostId: Id<'host'>;
  readonly from: 'enabled' | 'disabled';
  readonly caller: Pick<Principal, 'actor' | 'projectId' | 'accountId'>;
  readonly input: { readonly timeoutSeconds?: number };
}

/** A machine that has to go, and the operation that it goes by, however often it is begun. */
interface Move {
  readonly instanceId: Id<'instance'>;
  readonly operationId: Id<'operation'>;
}

type Step = Pick<StepInput<ComputeServices, DrainParams, unknown>, 'ctx' | 'params' | 'operationId' | 'call'>;

/** First nothing new can come; then what runs goes over; at last nothing may run there, and a look makes sure of it. What has gone over stays where it is, also in an undo. */
const drainHost = saga<ComputeServices, DrainParams>('host.drain', 1)
  .write('closed', {
    do: ({ params: { hostId, from } }) => (from === 'enabled' ? [transition(host, hostId, { from, to: 'disabled' })] : []),
    undo: ({ params: { hostId, from } }) => (from === 'enabled' ? [revert(host, hostId, { from: 'disabled', to: from })] : []),
  })
  .effect('machines', { retry: RETRY, do: ({ ctx, params }) => movesOf(ctx, params.hostId), undo: NOTHING_TO_UNDO })
  .each('go', {
    limit: AT_ONCE,
    items: ({ out }) => out.machines.moves,
    timeoutMs: WAIT_MS,
    retry: RETRY,
    do: ({ item, ...step }) => goOver(step, item),
    undo: ({ item, ...step }) => stay(step, item),
  })
  .write('maintenance', {
    do: ({ params: { hostId } }) => [transition(host, hostId, { from: 'disabled', to: 'maintenance' })],
    undo: ({ params: { hostId } }) => [revert(host, hostId, { from: 'maintenance', to: 'disabled' })],
  })
  .effect('verify', { do: ({ ctx, params }) => refuseMachines(ctx.reader, params.hostId), undo: NOTHING_TO_UNDO })
  .build();

/** What runs on the host, once nothing is about to come, or on its way. @throws CloudError unavailable until then */
async function movesOf({ reader, ids }: ComputeServices, hostId: string): Promise<{ readonly moves: readonly Move[] }> {
  const there = await machinesOn(reader, hostId);
  const coming = await reader.list(instance, equals('migratingToHostId', hostId));
  const isOnTheWay = ({ state, migratingToHostId }: InstanceRow) =>
    state === 'creating' || state === 'deleting' || migratingToHostId !== undefined;
  const [other] = [...there.filter(isOnTheWay), ...coming];
  if (other !== undefined) throw new CloudError('unavailable', `Instance ${other.name} is not at rest yet; it is waited for.`);
  return { moves: there.map(({ id }) => ({ instanceId: id, operationId: ids.mint('operation') })) };
}

const machinesOn = (reader: Reader, hostId: string): Promise<readonly InstanceRow[]> =>
  reader.list(instance, both(equals('hostId', hostId), { field: 'state', op: 'in', value: ON_THE_HOST }));

/** It migrates as if the caller had asked for that, and may: who drains a host reaches the machines of all projects. @throws CloudError with its name */
async function goOver({ ctx, params, operationId, call }: Step, { instanceId, operationId: own }: Move): Promise<void> {
  const { parts } = ctx.kernel();
  const principal: Principal = { ...params.caller, allows: () => true };
  const request = { action: 'instance.migrate', input: params.input, principal, resourceId: instanceId };
  const failed = async (code: ErrorCode, message: string): Promise<void> => {
    const row = (await machinesOn(ctx.reader, params.hostId)).find(({ id }) => id === instanceId);
    // Else it was stopped, deleted, or has gone by itself.
    if (row !== undefined)
      throw new CloudError(code, `Instance ${row.name} did not leave the host: ${message}`, { params: { instanceId, operationId: own } });
  };
  if ((await parts.find(own)) === undefined)
    try {
      await parts.submit({ ...request, operationId: own, causeId: operationId });
    } catch (error) {
      if (!isCloudError(error)) throw error;
      return failed(error.code, error.publicMessage);
    }
  const { state, error } = await parts.ended(own, operationId, call.signal);
  // What it could try again it has: to ask once more would find the same operation.
  if (state !== 'succeeded') await failed('conflict', error?.message ?? 'it was cancelled.');
}

/** One that is still on its way, for a restart came between, is called back; one that has gone over stays there. */
async function stay({ ctx, params, operationId, call }: Step, { operationId: own }: Move): Promise<void> {
  const { parts } = ctx.kernel();
  if ((await parts.find(own)) !== undefined) await parts.stopped(own, operationId, params.caller.actor, call.signal);
}

/** @throws CloudError in_use that lists the machines which cannot go */
async function refuseStuck(services: ComputeServices, machines: readonly InstanceRow[]): Promise<void> {
  const stuck: { readonly row: InstanceRow; readonly reason: string }[] = [];
  for (const row of machines) {
    if (row.state === 'suspended') stuck.push({ row, reason: `Instance ${row.name} is suspended: resume or stop it.` });
    await refuseBound(services, row).catch((error: unknown) => {
      if (!isCloudError(error)) throw error;
      stuck.push({ row, reason: error.publicMessage });
    });
  }
  const [first] = stuck;
  if (first === undefined) return;
  throw new CloudError('in_use', `${stuck.length} of ${machines.length} machines cannot leave the host. ${first.reason}`, {
    params: {
      blockers: stuck.slice(0, BLOCKERS_TOLD).map(({ row: { id, name }, reason }) => ({ kind: instance.name, id, name, reason })),
    },
  });
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
      if (machines.length > 0) (await services.hosts.hypervisor(id)).need('migration');
      const from = row.state === 'disabled' ? 'disabled' : 'enabled';
      const params: DrainParams = { hostId: id, from, caller: { actor, projectId, accountId }, input };
      return { params, statements: [], notes: { plan: { machines: machines.map(({ name }) => name) } } };
    },
    saga: drainHost,
    context: () => services,
  });
