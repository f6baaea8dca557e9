import { parseArgs } from 'node:util';
import { mintedAtMs } from '@pileus/core/agent';
import { nodeEnvironment } from '@pileus/core/node';
import { createLogger } from '../logging.ts';
import { type Agent, type AgentServices, type Duties, startAgent } from './agent.ts';
import { type AgentConfig, loadAgentConfig } from './config.ts';
import { inspectHost } from './inspect.ts';
import { serviceHandlers } from './services/handlers.ts';
import { ovsPorts, type SwitchPorts } from './services/switch-ports.ts';

const DAY_MS = 86_400_000;

export const USAGE = `Usage: pileus-agent --config FILE

  --config FILE      YAML or JSON; docs/reference/agent-config.md lists every key.
`;

/** The program `pileus-agent`: serves until a signal ends it. Resolves when all is parked and closed. */
export async function run(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' }, help: { type: 'boolean' } } });
  if (values.help === true || values.config === undefined) return void process.stdout.write(USAGE);
  const loaded = await loadAgentConfig(values.config);
  const environment = nodeEnvironment({ logger: createLogger(loaded.config.log.level) });
  const { config } = loaded;
  const agent = await startAgent({
    ...loaded,
    environment,
    duties: (services) => hostDuties(services, config, ovsPorts(config.ovs.socket)),
  });
  const stopped = stopOnSignal(agent);
  process.stdout.write(`listening on ${agent.address}\n`);
  await stopped;
}

/** All that an agent does. */
export async function hostDuties(
  { environment, supervisor, dataDir }: AgentServices,
  config: AgentConfig,
  ports: SwitchPorts,
): Promise<Duties> {
  const oldestMs = environment.clock.nowMs() - config.journal.keepDays * DAY_MS;
  const { handlers, served } = await serviceHandlers({
    ...{ environment, supervisor, dataDir, ports },
    upstreams: config.dns.upstreams,
    logLevel: config.log.level,
    isOld: (commandId) => mintedAtMs(commandId) < oldestMs,
  });
  return { handlers: { 'host.inspect': inspectHost, ...handlers }, served, close: () => ports.close() };
}

/** The first signal stops gracefully; a second one is left to its default and ends the process at once. Rejects when the agent has failed. */
export function stopOnSignal(agent: Agent): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => agent.close().then(resolve, reject));
  return Promise.race([promise, agent.failed]);
}
