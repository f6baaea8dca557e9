import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Command } from 'commander';
import { EXIT, UsageError } from './exit.ts';
import type { Session } from './session.ts';

const PROGRAM = 'pileus-agent';

/** Not a word to the server: the agent is a program of its own, and this is its other name. */
export function addAgentProgram(program: Command, session: Session): void {
  program
    .command('agent')
    .description(`Runs the agent of a host: ${PROGRAM}, which comes with @pileus/server. The agents of a cloud are \`agents\`.`)
    .option('--config <file>', 'YAML or JSON; docs/reference/agent-config.md lists every key')
    .action(async ({ config }: { readonly config?: string }) => {
      if (config === undefined) throw new UsageError('The agent needs --config.', 'pileus agent --config /etc/pileus/agent.yaml');
      const child = spawn(PROGRAM, ['--config', config], { stdio: 'inherit', env: session.env });
      const stop = () => child.kill('SIGTERM');
      session.signal.addEventListener('abort', stop, { once: true });
      process.once('SIGTERM', stop);
      try {
        const [code] = (await once(child, 'exit')) as [number | null];
        if (code !== 0 && !session.signal.aborted) throw new UsageError('The agent has ended.', 'What it said is above.', EXIT.error);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
        throw new UsageError(`${PROGRAM} is not installed.`, 'npm install --global @pileus/server', EXIT.error);
      }
    });
}
