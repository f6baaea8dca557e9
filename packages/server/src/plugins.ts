import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isCloudError, type Plugin, type PluginSource } from '@pileus/core/kernel';
import { ConfigError } from './config/load.ts';
import type { Config } from './config/schema.ts';

/** With where it stands in the configuration. */
type Entry = Config['plugins'][number] & { readonly place: string };

/** Loads the plugins that the configuration names. @throws ConfigError naming the module that is not there, exports no plugin, refuses its options or fails as it is made */
export async function loadPlugins(entries: Config['plugins'], directory: string): Promise<readonly PluginSource[]> {
  return Promise.all(entries.map((entry, index) => loadPlugin({ ...entry, place: `plugins[${index}]` }, directory)));
}

async function loadPlugin(entry: Entry, directory: string): Promise<PluginSource> {
  const exported = await exportOf(entry, directory);
  const made = typeof exported === 'function' ? await madeBy(exported as (options: unknown) => unknown, entry) : exported;
  if (typeof made !== 'function') return checked(made, entry);
  return (services) => {
    try {
      return checked((made as (given: typeof services) => unknown)(services), entry);
    } catch (cause) {
      throw cause instanceof ConfigError ? cause : failed(entry, cause);
    }
  };
}

async function exportOf({ module, export: name = 'default', place }: Entry, directory: string): Promise<unknown> {
  try {
    return ((await import(specifierOf(module, directory))) as Record<string, unknown>)[name];
  } catch (cause) {
    throw new ConfigError(`The plugin ${module} (${place}) cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
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

async function madeBy(make: (options: unknown) => unknown, entry: Entry): Promise<unknown> {
  try {
    return await make(entry.options);
  } catch (cause) {
    if (!isCloudError(cause)) throw failed(entry, cause);
    throw new ConfigError(`The options of the plugin ${entry.module} (${entry.place}) are wrong: ${cause.publicMessage}`, { cause });
  }
}

/** Whoever wrote it is told where in it that was; the rest of the trace is ours. */
function failed({ module, place }: Entry, cause: unknown): ConfigError {
  const [, where = ''] = cause instanceof Error ? (cause.stack?.match(/^ +(at .*)$/m) ?? []) : [];
  const what = cause instanceof Error ? cause.message : String(cause);
  return new ConfigError(`The plugin ${module} (${place}) failed as it was made: ${what}${where === '' ? '' : `, ${where}`}`, { cause });
}

function checked(value: unknown, { module, export: name = 'default', place }: Entry): Plugin {
  if (isPlugin(value)) return value;
  throw new ConfigError(`The plugin ${module} (${place}) exports no plugin as ${name}: a plugin has an id and a version.`);
}

const isPlugin = (value: unknown): value is Plugin =>
  typeof value === 'object' && value !== null && typeof (value as Plugin).id === 'string' && typeof (value as Plugin).version === 'string';
