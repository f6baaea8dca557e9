import { dirname, join, resolve } from 'node:path';
import type { Environment, Store } from '@pileus/core/kernel';
import { openSqlite, restoreSqlite } from '@pileus/core/sqlite';
import { dependingOn, type LoadedConfig } from './config/load.ts';
import { makeDirectory } from './make-directory.ts';
import type { PostgresOptions } from './postgres/index.ts';

/** Loaded by servers alone that use it: it takes time at the start, and memory. */
const postgres = () => import('./postgres/index.ts');

/** Opens the store that the configuration names: PostgreSQL, or a file. */
export async function openStore(loaded: LoadedConfig, environment: Environment): Promise<Store> {
  const options = postgresOf(loaded);
  if (options === undefined) return openSqlite({ path: fileOf(loaded), timers: environment.timers });
  const { openPostgres } = await judged(options);
  return openPostgres(options, environment);
}

/** Makes that store anew from a backup of its kind. Answers where it is. */
export async function restoreStore(loaded: LoadedConfig, environment: Environment, from: string): Promise<string> {
  const options = postgresOf(loaded);
  if (options === undefined) {
    const to = fileOf(loaded);
    // On another machine nothing is there yet.
    await dependingOn(loaded.config.store.path === undefined ? 'dataDir' : 'store.path', makeDirectory(dirname(to)));
    await restoreSqlite({ from, to });
    return to;
  }
  const { restorePostgres, targetOf } = await judged(options);
  await restorePostgres({ ...options, from }, environment);
  return targetOf(options).name;
}

/** What is wrong with the URL itself is a mistake of the configuration. @throws ConfigError */
async function judged(options: PostgresOptions) {
  const loaded = await postgres();
  await dependingOn('store.url', (async () => loaded.targetOf(options))());
  return loaded;
}

function postgresOf({ config, directory }: LoadedConfig): PostgresOptions | undefined {
  const { url, passwordFile } = config.store;
  if (url === undefined) return undefined;
  return { url, directory, ...(passwordFile === undefined ? {} : { passwordFile: resolve(directory, passwordFile) }) };
}

const fileOf = ({ config: { dataDir, store }, directory }: LoadedConfig): string =>
  resolve(directory, store.path ?? join(dataDir, 'pileus.db'));
