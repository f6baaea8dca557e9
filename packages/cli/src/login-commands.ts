import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { UsageError } from './exit.ts';
import { chooseTarget, loadProfiles, saveProfiles } from './profiles.ts';
import { openServer } from './server.ts';
import type { Session } from './session.ts';
import { table } from './table.ts';

/** `--url`, `--key` and `--profile` are read before everything else, from wherever they stand. */
export function addLogin(program: Command, session: Session): void {
  program
    .command('login')
    .description(
      'Keeps a server and a key as a profile, and makes it the one in use. Needs --url; --key - reads the key from standard input.',
    )
    .action(async () => {
      const { url = session.env.PILEUS_URL, key: given = session.env.PILEUS_KEY, profile: name = 'default' } = session.choice;
      if (url === undefined) throw new UsageError('login needs --url.', 'pileus login --url http://127.0.0.1:7420 --key KEY');
      const key = given === '-' ? (await readAll(process.stdin)).trim() : given;
      if (key === undefined || key === '')
        throw new UsageError(
          'login needs --key.',
          'The server showed its first key when it was first started: pileus login --url URL --key pil_…',
        );
      const { description } = await openServer({ url, key, from: '--url' }, session.env);
      const { profiles } = await loadProfiles(session.env);
      const file = await saveProfiles(session.env, { current: name, profiles: { ...profiles, [name]: { url, key } } });
      session.note(`Logged in to ${url} (${description.kinds.length} kinds). Profile ${name} is kept in ${file}.`);
    });
  program
    .command('logout')
    .description('Forgets a profile and its key (default: the one in use).')
    .action(async () => {
      const { current, profiles } = await loadProfiles(session.env);
      const name = session.choice.profile ?? current;
      const { [name]: forgotten, ...rest } = profiles;
      if (forgotten === undefined) throw new UsageError(`There is no profile ${name}.`, 'pileus profiles lists them.');
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

async function showProfiles(session: Session): Promise<void> {
  const { current, profiles } = await loadProfiles(session.env);
  const rows = Object.entries(profiles).map(([name, { url }]) => [name === current ? '*' : '', name, url]);
  if (rows.length > 0) session.out(table(['', 'NAME', 'URL'], rows));
  const target = await chooseTarget(session.env, session.choice);
  session.note(`Asked is ${target.url} (${target.from}).`);
}
