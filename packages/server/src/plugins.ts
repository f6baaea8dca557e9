import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isCloudError, type Plugin, type PluginSource } from '@pileus/core/kernel';
import { ConfigError } from './config/load.ts';
import type { Config } from './config/schema.ts';

type Entry = Config['plugins'][number];

/** Loads the plugins that the configuration names. @throws ConfigError naming the module that is not there, exports no plugin or refuses its options */
export async function loadPlugins(entries: Config['plugins'], directory: string): Promise<readonly PluginSource[]> {
  return Promise.all(entries.map((entry) => loadPlugin(entry, directory)));
}

async function loadPlugin(entry: Entry, directory: string): Promise<PluginSource> {
  const exported = await exportOf(entry, directory);
  const made = typeof exported === 'function' ? await madeBy(exported as (options: unknown) => unknown, entry) : exported;
  if (typeof made !== 'function') return checked(made, entry);
  return (services) => checked((made as (given: typeof services) => unknown)(services), entry);
}

async function exportOf({ module, export: name = 'default' }: Entry, directory: string): Promise<unknown> {
  try {
    return ((await import(specifierOf(module, directory))) as Record<string, unknown>)[name];
  } catch (cause) {
    throw new ConfigError(`The plugin ${module} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** A package is looked for where the configuration is, and then beside the server. */
function specifierOf(module: string, directory: string): string {
  if (module.startsWith('.') || module.startsWith('/')) return pathToFileURL(resolve(directory, module)).href;
  try {
    return pathToFileURL(createRequire(join(directory, 'pileus.yaml')).resolve(module)).href;
  } catch {
    return module;
  }
}

async function madeBy(make: (options: unknown) => unknown, { module, options }: Entry): Promise<unknown> {
  try {
    return await make(options);
  } catch (cause) {
    if (!isCloudError(cause)) throw cause;
    throw new ConfigError(`The options of the plugin ${module} are wrong: ${cause.publicMessage}`, { cause });
  }
}

function checked(value: unknown, { module, export: name = 'default' }: Entry): Plugin {
  if (isPlugin(value)) return value;
  throw new ConfigError(`The plugin ${module} exports no plugin as ${name}: a plugin has an id and a version.`);
}

const isPlugin = (value: unknown): value is Plugin =>
  typeof value === 'object' && value !== null && typeof (value as Plugin).id === 'string' && typeof (value as Plugin).version === 'string';
