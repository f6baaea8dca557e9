import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from '@pileus/core/kernel';
import { ConfigError } from './config/load.ts';
import type { Config } from './config/schema.ts';

/** Loads the plugins that the configuration names. @throws ConfigError naming the module that is not there or exports no plugin */
export async function loadPlugins(entries: Config['plugins'], directory: string): Promise<readonly Plugin[]> {
  return Promise.all(entries.map((entry) => loadPlugin(entry, directory)));
}

async function loadPlugin(entry: Config['plugins'][number], directory: string): Promise<Plugin> {
  const isPath = entry.module.startsWith('.') || entry.module.startsWith('/');
  const specifier = isPath ? pathToFileURL(resolve(directory, entry.module)).href : entry.module;
  const name = entry.export ?? 'default';
  let exported: unknown;
  try {
    exported = ((await import(specifier)) as Record<string, unknown>)[name];
  } catch (cause) {
    throw new ConfigError(`The plugin ${entry.module} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  const plugin: unknown = typeof exported === 'function' ? await exported(entry.options) : exported;
  if (!isPlugin(plugin))
    throw new ConfigError(`The plugin ${entry.module} exports no plugin as ${name}: a plugin has an id and a version.`);
  return plugin;
}

const isPlugin = (value: unknown): value is Plugin =>
  typeof value === 'object' && value !== null && typeof (value as Plugin).id === 'string' && typeof (value as Plugin).version === 'string';
