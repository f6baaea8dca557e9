import {
  both,
  CloudError,
  debt,
  defineDeletion,
  equals,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  saga,
  transition,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { instance } from '../compute/contract.ts';
import { given } from '../naming.ts';
import type { CloudServices } from '../services.ts';
import { forgetHostCapacity, hostsCounter } from './capacity.ts';
import { host } from './host.ts';
import { forgetHost, type HostContext } from './host-context.ts';
import { removalAllowed } from './recovery.ts';

export type LeavingContext = HostContext & Pick<CloudServices, 'cloudId' | 'kernel' | 'slices' | 'store'>;

interface DeleteHostParams {
  readonly hostId: Id<'host'>;
  readonly clusterId: Id<'cluster'>;
  readonly force: boolean;
  /** Reference to what is sealed. */
  readonly tlsCredentials?: string;
}

const owedTo = async (reader: Reader, hostId: string) =>
  (await reader.list(debt, both(equals('place', hostId), equals('state', 'owed')))).map((row) => row.id);

/**
 * Machines that were deleted before, and defined by a call that came late: no look comes for them any more. Not of a restored store, whose rows may be wrong about what
 * was deleted. A host that is out of reach keeps them.
 */
async function takeLateMachines(ctx: LeavingContext, hostId: string, call: Call): Promise<void> {
  if (!(await ctx.hosts.reachable(hostId)) || !(await removalAllowed(ctx))) return;
  const hypervisor = await ctx.hosts.hypervisor(hostId);
  const ids = (await hypervisor.list(call)).filter(({ owner }) => owner === ctx.cloudId).map(({ id }) => id);
  for (const [id, { deletedAt }] of await ctx.slices.named(ctx.reader, instance, ids))
    if (deletedAt !== undefined && !ctx.kernel().holds(id)) await hypervisor.remove(id, call);
}

/** What is still owed to the host would never be cleaned up: only `force` says that it is gone for good. */
const settleHost = saga<LeavingContext, DeleteHostParams>('host.settle', 1)
  .effect('debts', {
    do: async ({ ctx, params }) => {
      const owed = params.force ? [] : await owedTo(ctx.reader, params.hostId);
      if (owed.length > 0)
        throw new CloudError('in_use', `${owed.length} cleanups are still owed to the host; with \`force\` they are forgotten.`, {
          params: { blockers: owed.slice(0, 100).map((id) => ({ kind: debt.name, id })) },
        });
    },
    undo: NOTHING_TO_UNDO,
  })
  // Before anything goes: their disks may lie in pools that go with the host.
  .effect('late', {
    do: async ({ ctx, params, call }) => (params.force ? undefined : await takeLateMachines(ctx, params.hostId, call)),
    undo: NOTHING_TO_UNDO,
  })
  .build();

const removeHost = saga<HostContext, DeleteHostParams>('host.remove', 1)
  .effect('forgotten', { do: ({ ctx, params }) => forgetHost(ctx, params.hostId), undo: NOTHING_TO_UNDO, light: true })
  .effect('owed', { do: ({ ctx, params }) => owedTo(ctx.reader, params.hostId), undo: NOTHING_TO_UNDO, needed: true })
  .write('deleted', {
    do: ({ params, out }) => [
      transition(host, params.hostId, { from: 'deleting', to: 'deleted' }),
      { op: 'adjust', counter: hostsCounter(params.clusterId), by: -1 },
      ...forgetHostCapacity(params.hostId),
      ...(params.tlsCredentials === undefined ? [] : [forgetSealed(params.tlsCredentials)]),
      ...out.owed.map((id) => transition(debt, id, { from: 'owed', to: 'deleted' })),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** A migration that is on its way says so in its machine's row. */
async function awaited(row: RowOf<typeof host>, reader: Reader): Promise<CloudError | undefined> {
  const machines = await reader.list(instance, equals('migratingToHostId', row.id));
  if (machines.length === 0) return undefined;
  return new CloudError('in_use', `${machines.length} machines are being migrated to host ${row.name}; wait for them, or cancel that.`, {
    params: { blockers: machines.slice(0, 100).map(({ id, name }) => ({ kind: instance.name, id, name })) },
  });
}

export const hostDeletion = (context: LeavingContext) =>
  defineDeletion({
    kind: host,
    from: ['enabled', 'disabled', 'maintenance'],
    quiesce: settleHost,
    remove: removeHost,
    alone: awaited,
    context: () => context,
    params: (row: RowOf<typeof host>, { force }) => ({
      hostId: row.id,
      clusterId: row.clusterId,
      force,
      ...given({ tlsCredentials: row.tlsCredentials }),
    }),
  });
