import { Type } from 'typebox';
import {
  both,
  CloudError,
  defineAction,
  equals,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  revert,
  saga,
  transition,
} from '../../kernel/index.ts';
import { instance } from '../compute/contract.ts';
import { host } from './host.ts';

/** Machines in these states are on their host; in others they are only rows that name it. */
export const ON_THE_HOST: readonly string[] = ['creating', 'running', 'suspended', 'deleting'];

export const machinesOn = (reader: Reader, hostId: string): Promise<readonly RowOf<typeof instance>[]> =>
  reader.list(instance, both(equals('hostId', hostId), { field: 'state', op: 'in', value: ON_THE_HOST }));

/** On their way to it from others. */
export const machinesComing = (reader: Reader, hostId: string): Promise<readonly RowOf<typeof instance>[]> =>
  reader.list(instance, equals('migratingToHostId', hostId));

/** @throws CloudError in_use that lists the machines */
export async function refuseMachines(reader: Reader, hostId: string): Promise<void> {
  const machines = [...(await machinesOn(reader, hostId)), ...(await machinesComing(reader, hostId))];
  if (machines.length > 0)
    throw new CloudError(
      'in_use',
      `${machines.length} machines are on the host, or on their way to it; drain the host, or stop them first.`,
      {
        params: { blockers: machines.slice(0, 100).map(({ id, name }) => ({ kind: instance.name, id, name })) },
      },
    );
}

interface MaintainParams {
  readonly hostId: Id<'host'>;
  readonly from: 'enabled' | 'disabled';
}

/** First nothing new can come, then a second look makes sure that nothing came in between. */
const maintainHost = saga<{ readonly reader: Reader }, MaintainParams>('host.maintain', 1)
  .write('maintenance', {
    do: ({ params }) => [transition(host, params.hostId, { from: params.from, to: 'maintenance' })],
    undo: ({ params }) => [revert(host, params.hostId, { from: 'maintenance', to: params.from })],
  })
  .effect('verify', { do: ({ ctx, params }) => refuseMachines(ctx.reader, params.hostId), undo: NOTHING_TO_UNDO })
  .build();

export const hostMaintain = (context: { readonly reader: Reader }) =>
  defineAction({
    kind: host,
    verb: 'maintain',
    description: 'Takes the host out of use for work on it. Refused while machines run on it, or are on their way to it.',
    target: 'resource',
    input: Type.Object({}),
    from: ['enabled', 'disabled', 'maintenance'],
    satisfied: (row) => row.state === 'maintenance',
    accept: async ({ id, row, reader }) => {
      await refuseMachines(reader, id);
      return { params: { hostId: id, from: row.state === 'disabled' ? 'disabled' : 'enabled' }, statements: [] };
    },
    saga: maintainHost,
    context: () => context,
  });
