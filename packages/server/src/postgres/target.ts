import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { StoreError } from '@pileus/core/kernel';
import type { ClientConfig } from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import pgpass from 'pgpass';

const SCHEMA_NAME = /^[a-z_][a-z0-9_]{0,47}$/;

export interface PostgresOptions {
  /**
   * `postgres://user:password@host:port/database`, with parameters: `schema` (default `pileus`), and of libpq's URLs `sslmode`, `sslrootcert`, `sslcert`,
   * `sslkey`, `host`, `port`, `user`, `password`, `application_name` and `options`.
   */
  readonly url: string;
  /** Holds the password, alone; read at each connection, so that it may change. */
  readonly passwordFile?: string;
  /** What paths in the URL are relative to. Default: the working directory. */
  readonly directory?: string;
}

/** Where a store is. */
export interface Target {
  readonly config: ClientConfig;
  /** The PostgreSQL schema that holds all tables of the store, and nothing else. */
  readonly schema: string;
  /** For people and logs: without the password. */
  readonly name: string;
}

/**
 * Reads the URL. The password comes from it, else from the file, else as libpq finds it: PGPASSWORD, then PGPASSFILE or `~/.pgpass`.
 * @throws StoreError that does not repeat what was given, for it may hold a password
 */
export function targetOf({ url, passwordFile, directory = '' }: PostgresOptions): Target {
  const { schema, text } = split(url, directory);
  const config = configOf(text);
  // What stands before the `@` was cut by a character of the password, and would be shown as something else.
  if (config === undefined || (url.includes('@') && (config.user ?? '') === ''))
    throw new StoreError(
      'the URL of the store cannot be read: it has the form postgres://user:password@host:port/database, the password percent-encoded',
    );
  if (!SCHEMA_NAME.test(schema))
    throw new StoreError(`the schema ${JSON.stringify(schema)} is no name for one: lower-case letters, digits and underscores, 48 at most`);
  const { user, host, port, database } = config;
  const place = `${host ?? 'localhost'}${port === undefined ? '' : `:${port}`}`;
  const name = `postgres://${user === undefined || user === '' ? '' : `${user}@`}${place}/${database ?? ''} (schema ${schema})`;
  const given = typeof config.password === 'string' && config.password !== '';
  // Without a function of its own, the client would look for a file by itself and warn that it will not for much longer.
  const isElsewhere = given || (passwordFile === undefined && process.env.PGPASSWORD !== undefined);
  const password = isElsewhere ? {} : { password: (resolved?: Connecting) => passwordOf(resolved, passwordFile) };
  return { config: { ...config, ...password }, schema, name };
}

/** @throws StoreError for a certificate or key that cannot be read */
function configOf(url: string): ClientConfig | undefined {
  try {
    return parseIntoClientConfig(url) as ClientConfig;
  } catch (error) {
    const { syscall, path, message } = error as NodeJS.ErrnoException;
    if (syscall === undefined) return undefined;
    const named = FILES.find((name) => new URLSearchParams(url.split('?')[1]).get(name) === path) ?? 'a parameter';
    throw new StoreError(`the file that ${named} in the URL of the store names cannot be read: ${message}`, 'unchanged', { cause: error });
  }
}

/** Parameters that name files. */
const FILES = ['sslrootcert', 'sslcert', 'sslkey'] as const;

/** The schema is ours to read, and what files are relative to; the rest is the client's. */
function split(url: string, directory: string): { readonly schema: string; readonly text: string } {
  const [before = '', parameters = ''] = url.split('?', 2);
  const search = new URLSearchParams(parameters);
  const schema = search.get('schema') ?? 'pileus';
  search.delete('schema');
  for (const name of FILES) {
    const file = search.get(name);
    if (file !== null && file !== 'system') search.set(name, resolve(directory, file));
  }
  return { schema, text: search.size === 0 ? before : `${before}?${search}` };
}

/** What the client has made of its configuration and the environment when it is asked for a password. */
interface Connecting {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

async function passwordOf(connecting: Connecting | undefined, file: string | undefined): Promise<string> {
  if (file !== undefined) return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
  if (connecting === undefined) return '';
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const { host, port, user, database } = connecting;
  pgpass({ host: host.startsWith('/') ? 'localhost' : host, port, user, database }, resolve);
  return (await promise) ?? '';
}
