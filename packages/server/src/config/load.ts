import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type CloudError, compileInput, isCloudError } from '@pileus/core/kernel';
import type { TObject } from 'typebox';
import { parse as parseYaml } from 'yaml';
import { CONFIG, type Config } from './schema.ts';

/** A mistake in the configuration, told so that it can be mended. */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConfigError';
  }
}

/** Work that depends on the value of a key. @throws ConfigError naming the key; that an address is in use is no mistake in it */
export async function dependingOn<T>(key: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof Error) || ('code' in cause && cause.code === 'EADDRINUSE')) throw cause;
    throw new ConfigError(`The configuration is wrong: ${key}: ${cause.message}`, { cause });
  }
}

/** Paths in a file are relative to it, others to the working directory. */
export interface LoadedConfig {
  readonly config: Config;
  readonly directory: string;
}

/** Fills defaults in. @throws ConfigError naming the key that is unknown, missing or wrong */
export function parseConfig(given: unknown): Config {
  const filled = checkedConfig(CONFIG, given, whole);
  const { path, url } = (filled as Config).store;
  if (path !== undefined && url !== undefined)
    throw new ConfigError('The configuration is wrong: store has both a path and a URL; the store is kept in one place.');
  return filled as Config;
}

/** The same for any program's configuration. `rewrite` puts what is written for short in its place. */
export function checkedConfig(schema: TObject, given: unknown, rewrite: (given: unknown) => unknown = structuredClone): unknown {
  if (given !== undefined && given !== null && (typeof given !== 'object' || Array.isArray(given)))
    throw new ConfigError('The configuration is wrong: it has keys with values, like `log: { level: debug }`.');
  const filled = withDefaults(schema, rewrite(given ?? {}));
  try {
    compileInput(schema).assert(filled);
  } catch (error) {
    if (!isCloudError(error)) throw error;
    throw new ConfigError(`The configuration is wrong: ${keyed(error)}`, { cause: error });
  }
  return filled;
}

interface Filled {
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Filled>>;
  readonly items?: Filled;
}

/** What is not given takes its default, in objects and lists. The library's own way loads 140 modules, and stays in memory with them. */
function withDefaults(schema: Filled, given: unknown): unknown {
  const value: unknown = given === undefined ? structuredClone(schema.default) : given;
  const { items, properties } = schema;
  if (Array.isArray(value)) return items === undefined ? value : value.map((item) => withDefaults(items, item));
  if (typeof value !== 'object' || value === null || properties === undefined) return value;
  const filled = Object.entries(properties).map(([key, property]) => [
    key,
    withDefaults(property, (value as Record<string, unknown>)[key]),
  ]);
  return { ...value, ...Object.fromEntries(filled.filter(([, what]) => what !== undefined)) };
}

/** The refusal with the key as it is written: `log.level` where inputs of the API are told by pointer, `/log/level`. */
function keyed({ publicMessage, pointer = '' }: CloudError): string {
  const key = pointer
    .slice(1)
    .replaceAll(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.');
  if (publicMessage.startsWith(`There is no field ${pointer}`)) return publicMessage.replace(`field ${pointer}`, `key ${key}`);
  return publicMessage.replace(`The field ${pointer}`, key);
}

/** What is a text for short is the group that it stands for. */
function whole(given: unknown): unknown {
  const copy: unknown = structuredClone(given);
  if (typeof copy !== 'object' || copy === null || !('store' in copy) || typeof copy.store !== 'string') return copy;
  return { ...copy, store: { url: copy.store } };
}

/** Reads a YAML or JSON file; without one, everything has its default. @throws ConfigError */
export async function loadConfig(path: string | undefined): Promise<LoadedConfig> {
  if (path === undefined) return { config: parseConfig({}), directory: process.cwd() };
  const file = resolve(path);
  return { config: parseConfig(await readConfigFile(file)), directory: dirname(file) };
}

/** @throws ConfigError */
export async function readConfigFile(file: string): Promise<unknown> {
  try {
    // JSON is YAML, too.
    return parseYaml(await readFile(file, 'utf8'));
  } catch (cause) {
    // The parser goes on to show the lines at fault, which may hold a password.
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    throw new ConfigError(`${file} cannot be read: ${reason}`, { cause });
  }
}
