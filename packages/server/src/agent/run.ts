import { parseArgs } from 'node:util';
import { mintedAtMs } from '@pileus/core/agent';
import { describeChain, type Environment, sleep } from '@pileus/core/kernel';
import { nodeEnvironment } from '@pileus/core/node';
import { createLogger } from '../logging.ts';
import { releaseOf } from '../release.ts';
import { type Agent, type AgentServices, type Duties, startAgent } from './agent.ts';
import { type AgentConfig, loadAgentConfig } from './config.ts';
import { inspectHost } from './inspect.ts';
import { Links } from './links/links.ts';
import { SwitchWitness } from './links/switch-links.ts';
import { serviceHandlers } from './services/handlers.ts';
import { ovsPorts, type SwitchPorts } from './services/switch-ports.ts';

const DAY_MS = 86_400_000;
const CLEAR_EVERY_MS = 60_000;

export const USAGE = `Usage: pileus-agent --config FILE

  --config FILE      YAML or JSON; docs/reference/agent-config.md lists every key.
  --version      Shows the version, and ends.
`;

/** The program `pileus-agent`: serves until a signal ends it. Resolves when all is parked and closed. */
export async function run(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' }, help: { type: 'boolean' }, version: { type: 'boolean' } } });
  if (values.version === true) return void process.stdout.write(`${await releaseOf()}\n`);
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
  const witness = new SwitchWitness(config.ovs.socket);
  const links = await Links.of(environment, witness);
  const { handlers, served } = await serviceHandlers({
    ...{ environment, supervisor, dataDir, ports },
    upstreams: config.dns.upstreams,
    logLevel: config.log.level,
    isOld: (commandId) => mintedAtMs(commandId) < oldestMs,
  });
  const stop = clearing(ports, environment);
  const close = async () => {
    await stop();
    await witness.close();
    await ports.close();
  };
  return { handlers: { 'host.inspect': inspectHost, ...handlers }, served, links: () => links.now(), close };
}

/** Hosts that the control plane does not reach the switches of are tidied by who is there. Answers how to stop. */
function clearing(ports: SwitchPorts, { timers, logger }: Environment): () => Promise<void> {
  const stopping = new AbortController();
  const ended = (async () => {
    for (;;) {
      await sleep(timers, CLEAR_EVERY_MS, stopping.signal);
      await ports.clearLeft(stopping.signal).catch((error: unknown) => {
        if (!stopping.signal.aborted) logger.warn({ error: describeChain(error) }, 'what libvirt has left in the switch stays');
      });
    }
  })().catch(() => undefined);
  return () => {
    stopping.abort();
    return ended;
  };
}

/** The first signal stops gracefully; a second one is left to its default and ends the process at once. Rejects when the agent has failed. */
export function stopOnSignal(agent: Agent): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => agent.close().then(resolve, reject));
  return Promise.race([promise, agent.failed]);
}
