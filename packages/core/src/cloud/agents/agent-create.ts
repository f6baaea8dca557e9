import { Type } from 'typebox';
import {
  CloudError,
  create,
  defineAction,
  defineDeletion,
  expectState,
  FORWARD_ONLY,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  resourceName,
  revert,
  saga,
  transition,
  updateAction,
} from '../../kernel/index.ts';
import { nameOr } from '../naming.ts';
import { host } from '../topology/contract.ts';
import { agent } from './agent.ts';
import type { AgentWatch } from './agent-watch.ts';
import { type Agents, commandIdOf } from './agents.ts';

/** What sagas on agents reach. */
export interface AgentContext {
  readonly agents: Agents;
  readonly watch: Pick<AgentWatch, 'add'>;
  readonly reader: Reader;
}

interface AgentParams {
  readonly agentRowId: Id<'agent'>;
}

const createAgent = saga<AgentContext, AgentParams>('agent.create', 1)
  .effect('inspect', {
    do: async ({ ctx, params, operationId, call }) => {
      const row = await ctx.reader.get(agent, params.agentRowId);
      const { agentId, release, version } = await ctx.agents.hello(row, call);
      const { kernel } = await ctx.agents.run(row, commandIdOf(operationId, 'inspect'), { type: 'host.inspect', input: {} }, call);
      return { agentId, release, contractVersion: version, kernel };
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('available', {
    do: ({ params, out: { inspect } }) => [
      transition(agent, params.agentRowId, { from: 'creating', to: 'available', set: { ...inspect, status: 'connected' } }),
    ],
    undo: ({ params }) => [revert(agent, params.agentRowId, { from: 'available', to: 'creating' })],
  })
  .effect('watch', { do: ({ ctx, params }) => ctx.watch.add(params.agentRowId), undo: NOTHING_TO_UNDO })
  .build();

const { properties } = agent.schema;

export const agentCreate = (context: AgentContext) =>
  defineAction({
    kind: agent,
    verb: 'create',
    description: 'Connects the agent of a host.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      hostId: properties.hostId,
      url: properties.url,
      fingerprint: properties.fingerprint,
    }),
    accept: async ({ id, input, reader }) => {
      if (!context.agents.isUsed) void context.agents.link;
      const of = await reader.get(host, input.hostId, '/hostId');
      if (of.state === 'deleting') throw new CloudError('conflict', 'The host is being deleted.', { pointer: '/hostId' });
      return {
        params: { agentRowId: id },
        keys: [input.hostId],
        statements: [
          expectState(host, input.hostId, ['enabled', 'disabled', 'maintenance']),
          create(agent, { ...input, id, name: nameOr(input.name, agent, id), status: 'connecting' as const }),
        ],
      };
    },
    saga: createAgent,
    context: () => context,
    unwound: ({ agentRowId }) => [transition(agent, agentRowId, { from: 'creating', to: 'deleted' })],
  });

/** After either, the next heartbeat finds out who is there. */
export const agentUpdate = updateAction(agent, ['url', 'fingerprint']);

const removeAgent = saga<null, AgentParams>('agent.remove', 1)
  .write('deleted', {
    do: ({ params }) => [transition(agent, params.agentRowId, { from: 'deleting', to: 'deleted' })],
    undo: FORWARD_ONLY,
  })
  .build();

/** The agent itself is left as it is, with what it serves: nobody commands it any more, and it is stopped where it runs. */
export const agentDeletion = defineDeletion({
  kind: agent,
  from: ['available'],
  remove: removeAgent,
  context: () => null,
  params: (row: RowOf<typeof agent>): AgentParams => ({ agentRowId: row.id }),
});
