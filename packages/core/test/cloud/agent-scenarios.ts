import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import { nothing } from './set-ups.ts';
import type { SmallCloud } from './small-cloud.ts';

const agent = { name: 'agent-1', url: 'https://192.0.2.7:7430', fingerprint: 'a'.repeat(64) };
const connected = (at: SmallCloud) => at.sim.done('agent.create', { ...agent, hostId: at.hostId });

/** What is done to agents on hosts. */
export const agentScenarios: readonly Scenario[] = [
  on('agent.create', nothing, ({ hostId }) => ({ ...agent, hostId })),
  on('agent.update', connected, () => ({ url: 'https://192.0.2.8:7430' })),
  on('agent.delete', connected, () => ({})),
];
