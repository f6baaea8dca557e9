// The program of a probe: node probe-process.ts NAME. A process of its own because a process cannot change its network namespace.
import { createInterface } from 'node:readline';
import { ask } from './probe-asks.ts';
import type { Command } from './probe-commands.ts';
import { serve, stopServing } from './probe-serves.ts';

const name = process.argv[2] ?? '';

async function answerTo(command: Command | 'hello', what: never): Promise<unknown> {
  switch (command) {
    case 'hello':
      return null;
    case 'serve':
      return serve(name, what);
    case 'close':
      return stopServing(what);
    default:
      return ask[command](what);
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { id, command, what } = JSON.parse(line) as { readonly id: number; readonly command: Command | 'hello'; readonly what: never };
  const tell = (more: object) => process.stdout.write(`${JSON.stringify({ id, ...more })}\n`);
  answerTo(command, what).then(
    (answer) => tell({ answer: answer ?? null }),
    (error: unknown) => tell({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
// Whoever started it is gone.
lines.on('close', () => process.exit());
