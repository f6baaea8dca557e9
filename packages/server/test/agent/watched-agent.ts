/**
 * The agent with a command that can be watched: each run of `host.inspect` adds a line to the file `runs`, and ends when there is a file `open`, beside the
 * configuration. With `--child` it has a child that says so in the file `child`.
 */
import { appendFile, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nodeEnvironment } from '@pileus/core/node';
import { startAgent } from '../../src/agent/agent.ts';
import { loadAgentConfig } from '../../src/agent/config.ts';
import { stopOnSignal } from '../../src/agent/run.ts';
import type { Handlers } from '../../src/agent/runner.ts';
import { describeFailure } from '../../src/failure.ts';

const { values } = parseArgs({ options: { config: { type: 'string' }, child: { type: 'boolean' } } });
const directory = dirname(values.config ?? '');
const isOpen = () =>
  readFile(join(directory, 'open')).then(
    () => true,
    () => false,
  );

try {
  const agent = await startAgent({
    ...(await loadAgentConfig(values.config ?? '')),
    environment: nodeEnvironment(),
    duties: ({ supervisor }) => {
      const child = fileURLToPath(new URL('watched-child.ts', import.meta.url));
      if (values.child === true)
        supervisor.add({ name: 'watched', command: process.execPath, args: [...process.execArgv, child, join(directory, 'child')] });
      const unknown = { subject: () => '', run: async () => ({ applied: false }) };
      const handlers: Handlers = {
        'host.inspect': {
          subject: () => 'host',
          async run(_input, { signal }) {
            await appendFile(join(directory, 'runs'), 'run\n');
            while (!(await isOpen())) {
              signal.throwIfAborted();
              await new Promise((resolve) => setTimeout(resolve, 10));
            }
            return { hostname: 'watched', kernel: String(process.pid), programs: {} };
          },
        },
        ...{ 'network.serve': unknown, 'network.withdraw': unknown, 'machine.serve': unknown, 'machine.withdraw': unknown },
        ...{ 'names.serve': unknown, 'names.withdraw': unknown },
      };
      return { handlers };
    },
  });
  const stopped = stopOnSignal(agent);
  process.stdout.write(`listening on ${agent.address}\n`);
  await stopped;
} catch (error) {
  process.stderr.write(`${describeFailure(error, '')}\n`);
  process.exit(1);
}
