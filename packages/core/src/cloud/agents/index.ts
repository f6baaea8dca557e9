import { Type } from 'typebox';
import { CALLBACK } from '../../agent/index.ts';
import { CloudError, type Endpoint, onContribution } from '../../kernel/index.ts';
import type { Module } from '../services.ts';
import { hostLinks, hostReach } from '../topology/contract.ts';
import { agent } from './agent.ts';
import { agentCreate, agentDeletion, agentUpdate } from './agent-create.ts';
import type { AgentLink } from './agent-link.ts';
import { AgentWatch } from './agent-watch.ts';
import { Agents } from './agents.ts';
import { Serving } from './serving.ts';
import { Witness } from './witness.ts';

export { agent } from './agent.ts';
export type { AgentAddress, AgentLink, AgentRequest } from './agent-link.ts';

/** Where agents tell outcomes. Who knows the address has it from us: it is proof enough. */
const outcomes = (agents: Agents): Endpoint => ({
  type: 'value',
  method: 'POST',
  path: '/agent-outcomes/{commandId}/{proof}',
  summary: 'Takes what came of a command, from the agent that was given this address with it.',
  permission: 'none',
  internal: true,
  body: CALLBACK,
  answer: Type.Object({}),
  handle: async ({ params: { commandId = '', proof = '' }, body }) => {
    const { outcome } = body as { readonly outcome: Parameters<Agents['told']>[0]['outcome'] };
    if ((body as { readonly commandId: string }).commandId !== commandId)
      throw new CloudError('invalid_input', 'This is the outcome of another command.', { pointer: '/commandId' });
    agents.told({ commandId, outcome }, proof);
    return {};
  },
});

/** What runs on hosts beside hypervisors and switches. */
export const agents =
  (link: AgentLink | undefined): Module =>
  (services) => {
    const held = new Agents(services, link);
    const watch = new AgentWatch(services, held);
    const serving = new Serving(services, held);
    const witness = new Witness(services, held);
    const context = { agents: held, watch, reader: services.reader };
    return {
      id: 'agents',
      version: '1',
      requires: ['topology', 'network', 'compute'],
      kinds: [agent],
      actions: [agentCreate(context), agentUpdate],
      deletions: [agentDeletion],
      endpoints: [outcomes(held)],
      hooks: [
        onContribution(hostLinks, ({ hostId }) => witness.links(hostId)),
        onContribution(hostReach, ({ hostId, places, signal }) => witness.reach(hostId, places, signal)),
      ],
      start: async () => {
        serving.start();
        await watch.start((row, status) => {
          witness.seen(row, status);
          return serving.seen(row, status);
        });
        return async () => {
          await watch.stop();
          await serving.stop();
        };
      },
    };
  };
