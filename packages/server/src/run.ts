import { parseArgs } from 'node:util';
import { nodeEnvironment } from '@pileus/core/node';
import { kvm } from '@pileus/drivers-kvm';
import { backupStores } from './backups/plugin.ts';
import { type ControlPlane, compose } from './compose.ts';
import { type LoadedConfig, loadConfig } from './config/load.ts';
import { describeFailure as describe } from './failure.ts';
import { createLogger } from './logging.ts';
import { networkPlugins } from './network-plugins.ts';
import { loadPlugins } from './plugins.ts';
import { storagePlugins } from './storage-plugins.ts';
import { restoreStore } from './store.ts';

const USAGE = `Usage: pileus-server [--config FILE] [--reset-root-key | --restore BACKUP]

  --config FILE      YAML or JSON; docs/reference/config.md lists every key. Without it, everything has its default.
  --reset-root-key   Voids the root API key, makes another and shows it.
  --restore BACKUP   Makes the store anew from a backup, and ends. No store may be there: move its file away first, or name another schema. After the next
                     start nothing real is removed by itself until an operator confirms it (POST /v1/recovery/confirm).
`;

/** The program `pileus-server`: serves until a signal ends it. Resolves when all is parked and closed. Tells when it has begun to serve. */
export async function run(onListening: () => void = () => {}): Promise<void> {
  const { values } = parseArgs({
    options: { config: { type: 'string' }, 'reset-root-key': { type: 'boolean' }, restore: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help === true) return void process.stdout.write(USAGE);
  const loaded = await loadConfig(values.config);
  if (values.restore !== undefined) return restore(loaded, values.restore);
  const server = await startServer(loaded, values['reset-root-key'] === true);
  const stopped = stopOnSignal(server);
  const { newRootKey } = server;
  process.stdout.write(
    newRootKey === undefined
      ? 'root API key: as shown before; --reset-root-key makes another\n'
      : `root API key (shown this once): ${newRootKey}\n`,
  );
  process.stdout.write(`listening on ${server.address}\n`);
  onListening();
  await stopped;
}

async function startServer({ config, directory }: LoadedConfig, replaceRootKey: boolean): Promise<ControlPlane> {
  const environment = nodeEnvironment({ logger: createLogger(config.log.level) });
  const { enabled, ...kvmOptions } = config.kvm;
  const plugins = [
    ...(enabled ? [kvm(kvmOptions)] : []),
    backupStores,
    ...(await storagePlugins(environment.logger)),
    ...(await networkPlugins(config.network, directory)),
    ...(await loadPlugins(config.plugins, directory)),
  ];
  return compose({ config, directory, environment, plugins, replaceRootKey });
}

async function restore(loaded: LoadedConfig, from: string): Promise<void> {
  const environment = nodeEnvironment({ logger: createLogger(loaded.config.log.level) });
  const place = await restoreStore(loaded, environment, from);
  process.stdout.write(`restored ${place}; after the start, look through the strays and confirm the recovery\n`);
}

/** The first signal stops gracefully; a second one is left to its default and ends the process at once. */
function stopOnSignal(server: ControlPlane): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.close().then(resolve, reject));
  return promise;
}

export const describeFailure = (error: unknown): string => describe(error, USAGE);
