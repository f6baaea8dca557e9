import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { configFile, type Environment } from './directories.ts';
import { UsageError } from './exit.ts';

export interface Profile {
  readonly url: string;
  readonly key?: string;
}
export interface ProfileFile {
  readonly current: string;
  readonly profiles: Readonly<Record<string, Profile>>;
}

export async function loadProfiles(env: Environment): Promise<ProfileFile> {
  const file = configFile(env);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return { current: 'default', profiles: {} };
    throw error;
  }
  try {
    const { current = 'default', profiles = {} } = JSON.parse(text) as Partial<ProfileFile>;
    return { current, profiles };
  } catch {
    throw new UsageError(`${file} is not JSON.`, 'Put it right, or remove it and log in again: pileus login --url URL --key KEY');
  }
}

/** Whole or not at all, and for the user's eyes only: it holds keys. */
export async function saveProfiles(env: Environment, content: ProfileFile): Promise<string> {
  const file = configFile(env);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, file);
  return file;
}

export interface Target extends Profile {
  /** Where the URL comes from, for messages. */
  readonly from: string;
  /** To work in; default: the key's. */
  readonly project?: string;
  /** Where the key comes from; absent without one. */
  readonly keyFrom?: string;
}

export interface TargetChoice {
  readonly url?: string | undefined;
  readonly key?: string | undefined;
  readonly profile?: string | undefined;
}

/** Which server to ask: flags go before the environment, that before the profile. @throws UsageError when none is set */
export async function chooseTarget(env: Environment, choice: TargetChoice): Promise<Target> {
  const { current, profiles } = await loadProfiles(env);
  const name = choice.profile ?? env.PILEUS_PROFILE ?? current;
  const profile = profiles[name];
  const asked = choice.profile ?? env.PILEUS_PROFILE;
  if (asked !== undefined && profile === undefined)
    throw new UsageError(
      `There is no profile ${asked}.`,
      `There are: ${Object.keys(profiles).join(', ') || 'none'}. Make one: pileus login --profile ${asked} --url URL --key KEY`,
    );
  const known = (asked === undefined ? env.PILEUS_URL : undefined) ?? profile?.url;
  const url = choice.url ?? known;
  if (url === undefined)
    throw new UsageError(
      'No server is set.',
      'Log in: pileus login --url http://127.0.0.1:7420 --key KEY\nor set PILEUS_URL and PILEUS_KEY.',
    );
  const from = choice.url !== undefined ? '--url' : url === profile?.url ? `profile ${name}` : 'PILEUS_URL';
  // A key belongs to its server: another URL gets neither the profile's nor that of the environment. It may be meant for something else, e.g. for a webhook.
  const ofEnvironment = known === undefined || known === url ? env.PILEUS_KEY : undefined;
  const key = choice.key ?? ofEnvironment ?? (url === profile?.url ? profile.key : undefined);
  const keyFrom = choice.key !== undefined ? '--key' : ofEnvironment !== undefined ? 'PILEUS_KEY' : `profile ${name}`;
  const project = env.PILEUS_PROJECT;
  return { url, from, ...(key === undefined ? {} : { key, keyFrom }), ...(project === undefined ? {} : { project }) };
}
