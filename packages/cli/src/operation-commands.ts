import type { Operation } from '@pileus/sdk';
import type { Command } from 'commander';
import { asRow, outputOption, Progress, timeoutOption } from './accept.ts';
import { type Format, formatOperation } from './format.ts';
import type { Server } from './server.ts';
import type { Session } from './session.ts';
import { withSentence } from './waiting.ts';

const VERBS = {
  cancel: 'Asks it to unwind.',
  retry: 'Has one that is stuck try its step again now.',
  skip: 'Has one that is stuck leave its step as it is: you have seen to it by hand.',
} as const;

/** What operations have beside list and get. */
export function addOperationVerbs(parent: Command, session: Session, { cloud }: Server): void {
  for (const verb of Object.keys(VERBS) as (keyof typeof VERBS)[])
    parent
      .command(verb)
      .description(VERBS[verb])
      .argument('<id>')
      .addOption(outputOption())
      .action(async (id: string, { output }: { readonly output: Format }) => {
        show(session, await cloud.operations[verb](id, { signal: session.signal }), output);
      });
  parent
    .command('wait')
    .description('Waits for its end, showing each step.')
    .argument('<id>')
    .addOption(outputOption())
    .addOption(timeoutOption())
    .action(async (id: string, { output, timeout }: { readonly output: Format; readonly timeout?: number }) => {
      const progress = new Progress('', (text) => session.note(text.trimStart()));
      const ended = await cloud.operations.wait(id, {
        signal: session.signal,
        onProgress: (operation) => progress.show(operation),
        ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
      });
      show(session, ended, output);
    });
}

const show = (session: Session, operation: Operation, format: Format): void =>
  session.out(formatOperation(withSentence(asRow(operation), format), format));
