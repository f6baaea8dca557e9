import { Type } from 'typebox';
import {
  CloudError,
  changeable,
  create,
  defineAction,
  defineDeletion,
  equals,
  expectState,
  type Id,
  type Principal,
  type Reader,
  type RowOf,
  resourceName,
  taken,
  transition,
} from '../../../kernel/index.ts';
import { nameOr } from '../../naming.ts';
import { type PartParams, partChange, partCreation, partRemoval } from '../kept.ts';
import { addressOf } from '../nat/bound-nic.ts';
import { isNotDistributed, refuseDistributed } from '../nat/distributed.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { nic } from '../nic.ts';
import { invalid } from '../refusal.ts';
import { backend } from './backend.ts';
import { BACKENDS_MAX, isPartBeside, onePartMore } from './limits.ts';
import { listener } from './listener.ts';
import { loadBalancer } from './load-balancer.ts';
import { keptLoadBalancer } from './load-balancer-kept.ts';

const { properties } = backend.schema;
const WEIGHT = 1;

export const createBackend = (context: () => NetworkContext) =>
  defineAction({
    kind: backend,
    verb: 'create',
    description: 'Has a machine take connections of a listener.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      listenerId: properties.listenerId,
      nicId: properties.nicId,
      port: Type.Optional({ ...properties.port, description: "The machine's. Default: that of the listener." }),
      weight: Type.Optional({
        ...properties.weight,
        description: `Its share of new connections; with 0 it gets none. Default: ${WEIGHT}.`,
      }),
    }),
    accept: async ({ id, input, projectId, principal, reader }) => {
      const of = await changeable(reader, listener, input.listenerId, principal, '/listenerId');
      const parent = await reader.get(loadBalancer, of.loadBalancerId);
      const target = await backendNic(reader, parent, input.nicId, principal);
      const port = input.port ?? of.port;
      await refuseMore(reader, of.id, { nicId: target.id, port });
      const row = create(backend, {
        ...{ id, projectId, name: nameOr(input.name, backend, id), loadBalancerId: parent.id, listenerId: of.id },
        ...{ nicId: target.id, port },
        weight: input.weight ?? WEIGHT,
      });
      return {
        params: { id, parentId: parent.id, nicId: target.id } satisfies BackendParams,
        statements: [
          onePartMore(parent),
          expectState(listener, of.id, ['available']),
          expectState(nic, target.id, ['attached']),
          isNotDistributed(target.id),
          row,
        ],
        keys: [parent.id, of.id, target.id],
      };
    },
    refused: (_, statement) => (isPartBeside(statement) ? 'again' : undefined),
    saga: partCreation<typeof loadBalancer, 'loadBalancers', BackendParams>(backend, keptLoadBalancer),
    context,
    unwound: ({ id }) => [transition(backend, id as Id<'backend'>, { from: 'creating', to: 'deleted' })],
  });

export const updateBackend = (context: () => NetworkContext) =>
  defineAction({
    kind: backend,
    verb: 'update',
    description: 'Changes name, weight of the backend; with weight 0 it gets no new connections and keeps those that it has.',
    target: 'resource',
    input: Type.Object({ name: Type.Optional(resourceName()), weight: Type.Optional(properties.weight) }),
    from: ['available'],
    accept: ({ row, input }) => {
      if (Object.keys(input).length === 0) throw invalid('', 'Nothing to change was given.');
      return { params: { id: row.id, parentId: row.loadBalancerId, set: input }, statements: [], keys: [row.loadBalancerId] };
    },
    saga: partChange(backend, keptLoadBalancer),
    context,
  });

interface BackendParams extends PartParams {
  readonly nicId: string;
}

export const backendDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: backend,
    from: ['available'],
    remove: partRemoval<typeof loadBalancer, 'loadBalancers', BackendParams>(backend, keptLoadBalancer),
    context,
    params: (row: RowOf<typeof backend>): BackendParams => ({ id: row.id, parentId: row.loadBalancerId, nicId: row.nicId }),
    shares: ({ parentId, nicId }) => [parentId, nicId],
  });

/** @throws CloudError not_found, conflict */
async function backendNic(
  reader: Reader,
  { vpcId, address }: RowOf<typeof loadBalancer>,
  nicId: string,
  principal: Principal,
): Promise<RowOf<typeof nic>> {
  const row = await changeable(reader, nic, nicId, principal, '/nicId');
  const place = await reader.get(network, row.networkId);
  if (place.vpcId !== vpcId)
    throw new CloudError('conflict', 'The NIC is not in the VPC of the load balancer.', { pointer: '/nicId', params: { vpcId } });
  if (addressOf(row, address) === undefined)
    throw new CloudError('conflict', `The NIC has no address of the family of ${address}.`, { pointer: '/nicId', params: { address } });
  await refuseDistributed(reader, row.id);
  return row;
}

/** @throws CloudError name_taken for one that is there already, conflict for one more than there may be */
async function refuseMore(
  reader: Reader,
  listenerId: string,
  { nicId, port }: { readonly nicId: string; readonly port: number },
): Promise<void> {
  const all = await reader.list(backend, equals('listenerId', listenerId));
  if (all.some((other) => other.nicId === nicId && other.port === port)) throw taken(backend.name, ['nicId']);
  if (all.length < BACKENDS_MAX) return;
  throw new CloudError('conflict', `A listener has at most ${BACKENDS_MAX} backends.`, {
    pointer: '/listenerId',
    params: { limit: BACKENDS_MAX },
  });
}
