import { readFile } from 'node:fs/promises';
import { isPileusError } from '@pileus/sdk';
import { EXIT, reportOf } from './exit.ts';
import { takeGlobals } from './globals.ts';
import { buildProgram } from './program.ts';
import { Session } from './session.ts';

/** Runs one command line. Answers the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  endWithReader();
  const { words, choice } = takeGlobals(argv);
  const session = new Session(choice, process.env, words);
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
      : reportOf(await causeOf(error, session, words), {
          ...session.context,
          keyFrom: await session.keyFrom(),
          urlGiven: choice.url !== undefined && isChange(words),
        });
    if (text !== '') session.note(text);
    return code;
  }
}

/** Whether the words may hold fields of a resource. */
const isChange = ([resource, verb]: readonly string[]): boolean =>
  resource !== 'login' && verb !== undefined && !['list', 'ls', 'get', 'show'].includes(verb);

/** What is not found may have been there when the server was asked what it offers: then that there is no such command is why. */
async function causeOf(error: unknown, session: Session, words: readonly string[]): Promise<unknown> {
  if (!isPileusError(error) || error.code !== 'not_found' || !(await session.renew().catch(() => false))) return error;
  return buildProgram(session, words).then(
    () => error,
    (unknown: unknown) => unknown,
  );
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
