import { readFile } from 'node:fs/promises';
import { EXIT, reportOf } from './exit.ts';
import { takeGlobals } from './globals.ts';
import { buildProgram } from './program.ts';
import { Session } from './session.ts';

/** Runs one command line. Answers the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  endWithReader();
  const { words, choice } = takeGlobals(argv);
  const session = new Session(choice, process.env);
  session.watchInterrupts();
  try {
    if (words[0] === '--version' || words[0] === '-V') {
      session.out(`${await version()}\n`);
      return EXIT.ok;
    }
    const program = await buildProgram(session, words);
    if (words.length === 0) program.outputHelp();
    else await program.parseAsync([...words], { from: 'user' });
    return session.signal.aborted ? EXIT.interrupted : EXIT.ok;
  } catch (error) {
    const { code, text } = session.signal.aborted
      ? { code: EXIT.interrupted, text: '' }
      : reportOf(error, { ...session.context, keyFrom: await session.keyFrom() });
    if (text !== '') session.note(text);
    return code;
  }
}

/** Beside the sources, or one level further up beside what is built of them. */
async function version(): Promise<string> {
  for (const path of ['../package.json', '../../package.json']) {
    const text = await readFile(new URL(path, import.meta.url), 'utf8').catch(() => undefined);
    if (text !== undefined) return (JSON.parse(text) as { readonly version: string }).version;
  }
  return 'unknown';
}

/** Whoever reads the output may stop (`| head`): that is no error. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
}
