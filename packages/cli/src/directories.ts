import { homedir } from 'node:os';
import { join } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

const below = (env: Environment, variable: string, fallback: string): string =>
  join(env[variable] === undefined || env[variable] === '' ? join(env.HOME ?? homedir(), fallback) : env[variable], 'pileus');

export const configFile = (env: Environment): string => join(below(env, 'XDG_CONFIG_HOME', '.config'), 'config.json');
export const cacheDirectory = (env: Environment): string => below(env, 'XDG_CACHE_HOME', '.cache');
