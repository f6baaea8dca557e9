import { Type } from 'typebox';
import {
  both,
  CloudError,
  changeable,
  create,
  defineAction,
  defineDeletion,
  equals,
  type Id,
  type Reader,
  type RowOf,
  resourceName,
  taken,
  transition,
} from '../../../kernel/index.ts';
import { given, nameOr } from '../../naming.ts';
import { type PartParams, parentOf, partChange, partCreation, partRemoval } from '../kept.ts';
import type { NetworkContext } from '../network-context.ts';
import { invalid } from '../refusal.ts';
import { isPartBeside, LISTENERS_MAX, onePartMore } from './limits.ts';
import { healthCheck, listener } from './listener.ts';
import { loadBalancer } from './load-balancer.ts';
import { keptLoadBalancer } from './load-balancer-kept.ts';

const { properties } = listener.schema;

export const createListener = (context: () => NetworkContext) =>
  defineAction({
    kind: listener,
    verb: 'create',
    description: 'Has a load balancer listen at a port.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      loadBalancerId: properties.loadBalancerId,
      protocol: properties.protocol,
      port: properties.port,
      healthCheck: properties.healthCheck,
    }),
    accept: async ({ id, input, projectId, principal, reader }) => {
      const { loadBalancerId, protocol, port } = input;
      const parent = await changeable(reader, loadBalancer, loadBalancerId, principal, '/loadBalancerId');
      checkHealth(input.healthCheck, parent.address);
      await refuseMore(reader, { loadBalancerId, protocol, port });
      const row = create(listener, {
        ...{ id, projectId, name: nameOr(input.name, listener, id), loadBalancerId: parent.id, protocol, port },
        ...given({ healthCheck: input.healthCheck }),
      });
      return {
        params: { id, parentId: parent.id } satisfies PartParams,
        statements: [onePartMore(parent), row],
        keys: [parent.id],
      };
    },
    refused: (_, statement) => (isPartBeside(statement) ? 'again' : undefined),
    saga: partCreation(listener, keptLoadBalancer),
    context,
    unwound: ({ id }) => [transition(listener, id as Id<'listener'>, { from: 'creating', to: 'deleted' })],
  });

export const updateListener = (context: () => NetworkContext) =>
  defineAction({
    kind: listener,
    verb: 'update',
    description: 'Changes name, healthCheck of the listener.',
    target: 'resource',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      healthCheck: Type.Optional(Type.Union([healthCheck, Type.Null()], { description: 'Null: backends are not asked.' })),
    }),
    from: ['available'],
    accept: async ({ row, input, reader }) => {
      if (Object.keys(input).length === 0) throw invalid('', 'Nothing to change was given.');
      checkHealth(input.healthCheck ?? undefined, (await reader.get(loadBalancer, row.loadBalancerId)).address);
      return { params: { id: row.id, parentId: row.loadBalancerId, set: input }, statements: [], keys: [row.loadBalancerId] };
    },
    saga: partChange(listener, keptLoadBalancer),
    context,
  });

export const listenerDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: listener,
    from: ['available'],
    remove: partRemoval(listener, keptLoadBalancer),
    context,
    params: (row: RowOf<typeof listener>): PartParams => ({ id: row.id, parentId: row.loadBalancerId }),
    shares: parentOf,
  });

/** @throws CloudError invalid_input, unsupported */
function checkHealth(check: { readonly intervalSeconds: number; readonly timeoutSeconds: number } | undefined, address: string): void {
  if (check !== undefined && address.includes(':'))
    throw new CloudError('unsupported', 'Backends are asked for their health over IPv4 alone.', { pointer: '/healthCheck' });
  if (check !== undefined && check.timeoutSeconds > check.intervalSeconds)
    throw invalid('/healthCheck/timeoutSeconds', 'A backend is asked again before it has had its time to answer: interval or more.');
}

/** @throws CloudError name_taken for a port that it listens at already, conflict for one more than it may have */
async function refuseMore(
  reader: Reader,
  { loadBalancerId, protocol, port }: { readonly loadBalancerId: string; readonly protocol: string; readonly port: number },
): Promise<void> {
  const all = await reader.list(listener, both(equals('loadBalancerId', loadBalancerId)));
  if (all.some((other) => other.protocol === protocol && other.port === port)) throw taken(listener.name, ['port']);
  if (all.length < LISTENERS_MAX) return;
  throw new CloudError('conflict', `A load balancer has at most ${LISTENERS_MAX} listeners.`, {
    pointer: '/loadBalancerId',
    params: { limit: LISTENERS_MAX },
  });
}
