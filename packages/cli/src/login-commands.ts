import type { Command } from 'commander';
import { UsageError } from './exit.ts';
import { chooseTarget, loadProfiles, type Profile, saveProfiles } from './profiles.ts';
import { connectTo, openServer } from './server.ts';
import type { Session } from './session.ts';
import { table } from './table.ts';
import { passwordOf } from './values.ts';

/** `--url`, `--key` and `--profile` are read before everything else, from wherever they stand. */
export function addLogin(program: Command, session: Session): void {
  program
    .command('login')
    .description(
      'Keeps a server and a key as a profile, and makes it the one in use. Needs --url, and --key (- reads it from standard input) or --account with --user, who signs in with his password.',
    )
    .option('--account <name>', 'account of the user who signs in')
    .option('--user <name>', 'who signs in')
    .option('--password <text>', 'his password; - reads it from standard input, @FILE from a file; on a terminal it is asked for')
    .action(async (signIn: SignIn) => {
      const { url = session.env.PILEUS_URL, profile: name = 'default' } = session.choice;
      if (url === undefined) throw new UsageError('login needs --url.', 'pileus login --url http://127.0.0.1:7420 --key KEY');
      const key = signIn.user === undefined && signIn.account === undefined ? await givenKey(session) : await tokenOf(session, url, signIn);
      const { description } = await openServer({ url, key, from: '--url' }, session.env);
      const { profiles } = await loadProfiles(session.env);
      const file = await saveProfiles(session.env, { current: name, profiles: { ...profiles, [name]: { url, key } } });
      session.note(`Logged in to ${url} (${description.kinds.length} kinds). Profile ${name} is kept in ${file}.`);
    });
  program
    .command('logout')
    .description('Forgets a profile and its key (default: the one in use), and ends the session if it is one of a user.')
    .action(async () => {
      const { current, profiles } = await loadProfiles(session.env);
      const name = session.choice.profile ?? current;
      const { [name]: forgotten, ...rest } = profiles;
      if (forgotten === undefined) throw new UsageError(`There is no profile ${name}.`, 'pileus profiles lists them.');
      await signOut(session, forgotten);
      await saveProfiles(session.env, { current: name === current ? (Object.keys(rest)[0] ?? 'default') : current, profiles: rest });
      session.note(`Forgot profile ${name} (${forgotten.url}).`);
    });
  const profilesCommand = program.command('profiles').description('Shows the profiles, and which server is asked.');
  profilesCommand.command('list', { isDefault: true, hidden: true }).action(() => showProfiles(session));
  profilesCommand
    .command('use')
    .description('Makes a profile the one in use.')
    .argument('<name>')
    .action(async (name: string) => {
      const { profiles } = await loadProfiles(session.env);
      if (profiles[name] === undefined)
        throw new UsageError(`There is no profile ${name}.`, `There are: ${Object.keys(profiles).join(', ') || 'none'}.`);
      await saveProfiles(session.env, { current: name, profiles });
    });
}

interface SignIn {
  readonly account?: string;
  readonly user?: string;
  readonly password?: string;
}

/** @throws UsageError when there is none */
async function givenKey({ choice, env }: Session): Promise<string> {
  const given = choice.key ?? env.PILEUS_KEY;
  const key = given === undefined ? undefined : (await passwordOf(given, '--key')).trim();
  if (key !== undefined && key !== '') return key;
  throw new UsageError(
    'login needs --key, or --account and --user.',
    'The server showed its first key when it was first started: pileus login --url URL --key pil_…\nA user signs in with his password: pileus login --url URL --account ACCOUNT --user NAME',
  );
}

/** The token of a session that is opened with a password. @throws UsageError, PileusError unauthenticated */
async function tokenOf(session: Session, url: string, { account, user, password }: SignIn): Promise<string> {
  if (account === undefined || user === undefined) throw new UsageError('Who signs in is named by --account and --user.');
  const asked = password === undefined && session.asks;
  const given = asked ? await session.askHidden('Password: ') : await passwordOf(password ?? '', '--password');
  if (given === '') throw new UsageError('login needs a password.', 'Give it on a terminal, or by standard input with --password -');
  session.context = { ...session.context, isSigningIn: true };
  const { token, expiresAt } = await connectTo({ url }).sessions.create({ account, user, password: given }, { signal: session.signal });
  session.note(`Signed in until ${expiresAt}.`);
  return token;
}

/** Tokens of sessions. */
const isToken = (key: string | undefined): boolean => key?.startsWith('pis_') === true;

/** A session that nobody has the token of any more should not go on. What does not answer has no say in whether a profile is forgotten. */
async function signOut(session: Session, { url, key }: Profile): Promise<void> {
  if (key === undefined || !isToken(key)) return;
  const ended = await connectTo({ url, key }).logout.create({ signal: session.signal, timeoutMs: SIGN_OUT_MS }).safe();
  if (!ended.ok && ended.error.code !== 'unauthenticated') session.note(`The session could not be ended: ${ended.error.message}`);
}

const SIGN_OUT_MS = 5000;

async function showProfiles(session: Session): Promise<void> {
  const { current, profiles } = await loadProfiles(session.env);
  const rows = Object.entries(profiles).map(([name, { url }]) => [name === current ? '*' : '', name, url]);
  if (rows.length > 0) session.out(table(['', 'NAME', 'URL'], rows));
  const target = await chooseTarget(session.env, session.choice);
  session.note(`Asked is ${target.url} (${target.from}).`);
}
