import { parseArgs } from 'node:util';
import type { SealedAnew } from '@pileus/core/kernel';
import { nodeEnvironment } from '@pileus/core/node';
import { kvm } from '@pileus/drivers-kvm';
import { backupStores } from './backups/plugin.ts';
import { type ComposeOptions, type ControlPlane, compose } from './compose.ts';
import { type LoadedConfig, loadConfig } from './config/load.ts';
import { describeFailure as describe } from './failure.ts';
import { createLogger } from './logging.ts';
import { networkPlugins } from './network-plugins.ts';
import { loadPlugins } from './plugins.ts';
import { releaseOf } from './release.ts';
import { storagePlugins } from './storage-plugins.ts';
import { restoreStore } from './store.ts';

const USAGE = `Usage: pileus-server [--config FILE] [--reset-root-key] [--replace-seal-key] [--restore BACKUP] [--version]

  --config FILE      YAML or JSON; docs/reference/config.md lists every key. Without it, everything has its default.
  --reset-root-key   Voids the root API key, makes another and shows it.
  --replace-seal-key Makes another key for what is sealed, seals all of that anew, and serves. Copy seal.key again where you keep it.
  --restore BACKUP   Makes the store anew from a backup, and ends. No store may be there: move its file away first, or name another schema. After the next
                     start nothing real is removed by itself until an operator confirms it (POST /v1/recovery/confirm).
  --version          Shows the version, and ends.
`;

/** The program `pileus-server`: serves until a signal ends it. Resolves when all is parked and closed. Tells when it has begun to serve. */
export async function run(onListening: () => void = () => {}): Promise<void> {
  const { values } = parseArgs({
    options: {
      config: { type: 'string' },
      'reset-root-key': { type: 'boolean' },
      'replace-seal-key': { type: 'boolean' },
      restore: { type: 'string' },
      help: { type: 'boolean' },
      version: { type: 'boolean' },
    },
  });
  if (values.help === true) return void process.stdout.write(USAGE);
  if (values.version === true) return void process.stdout.write(`${await releaseOf()}\n`);
  const loaded = await loadConfig(values.config);
  if (values.restore !== undefined) return restore(loaded, values.restore);
  const server = await startServer(loaded, {
    replaceRootKey: values['reset-root-key'] === true,
    replaceSealKey: values['replace-seal-key'] === true,
  });
  const stopped = stopOnSignal(server);
  const { newRootKey, sealedAnew } = server;
  process.stdout.write(
    newRootKey === undefined
      ? 'root API key: as shown before; --reset-root-key makes another\n'
      : `root API key (shown this once): ${newRootKey}\n`,
  );
  if (sealedAnew !== undefined) process.stdout.write(describeSealed(sealedAnew));
  process.stdout.write(`listening on ${server.address}\n`);
  onListening();
  await stopped;
}

const describeSealed = ({ values, unreadable }: SealedAnew): string =>
  [
    `sealed anew: ${values} values; copy seal.key again where you keep it\n`,
    ...(unreadable.length === 0 ? [] : [`no key opens ${unreadable.length}: ${unreadable.slice(0, 10).join(', ')}\n`]),
  ].join('');

type Replaced = Required<Pick<ComposeOptions, 'replaceRootKey' | 'replaceSealKey'>>;

async function startServer({ config, directory }: LoadedConfig, replaced: Replaced): Promise<ControlPlane> {
  const environment = nodeEnvironment({ logger: createLogger(config.log.level) });
  const { enabled, ...kvmOptions } = config.kvm;
  const plugins = [
    ...(enabled ? [kvm(kvmOptions)] : []),
    backupStores,
    ...(await storagePlugins(environment.logger)),
    ...(await networkPlugins(config.network, directory)),
    ...(await loadPlugins(config.plugins, directory)),
  ];
  return compose({ config, directory, environment, plugins, ...replaced });
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
