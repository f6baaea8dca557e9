/** The agent as it is, on a host whose switch is a bridge of the kernel: ports are plugged into the bridge that commands name, or the one given. */
import { execFile } from 'node:child_process';
import { parseArgs, promisify } from 'node:util';
import { nodeEnvironment } from '@pileus/core/node';
import { startAgent } from '../../src/agent/agent.ts';
import { loadAgentConfig } from '../../src/agent/config.ts';
import { hostDuties, stopOnSignal } from '../../src/agent/run.ts';
import { createLogger } from '../../src/logging.ts';

const run = promisify(execFile);
const { values } = parseArgs({ options: { config: { type: 'string' }, bridge: { type: 'string' } } });
const loaded = await loadAgentConfig(values.config ?? '');
const agent = await startAgent({
  ...loaded,
  environment: nodeEnvironment({ logger: createLogger('error') }),
  duties: (services) =>
    hostDuties(services, loaded.config, {
      plug: async (name, { bridge }) => void (await run('ip', ['link', 'set', name, 'master', values.bridge ?? bridge])),
      unplug: async () => undefined,
      clearLeft: async () => undefined,
      close: async () => undefined,
    }),
});
const stopped = stopOnSignal(agent);
process.stdout.write(`listening on ${agent.address}\n`);
await stopped;
