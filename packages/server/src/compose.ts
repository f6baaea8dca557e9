import { join, resolve } from 'node:path';
import 'reflect-metadata';
import {
  type AgentLink,
  type CloudConfig,
  type CloudOptions,
  cloud,
  Directory,
  type IdentityProvider,
  operatorPrincipal,
} from '@pileus/core';
import {
  Api,
  CloudError,
  type Environment,
  Kernel,
  type KernelServices,
  notLetIn,
  type Plugin,
  type PluginSource,
  type Rate,
  type SealedAnew,
  type Store,
  sealAnew,
} from '@pileus/core/kernel';
import {
  agentLink,
  argon2Passwords,
  backups,
  directoryImageStore,
  fetchUrl,
  identityOf,
  loadSealKey,
  nextTurn,
  openFile,
  postUrl,
  refuseOtherKey,
  replaceSealKey,
  threadedCipher,
} from '@pileus/core/node';
import { Container, ContainerModule, type ServiceIdentifier } from 'inversify';
import { ApiKeys } from './auth/api-keys.ts';
import { type Authenticator, firstOf } from './auth/authenticator.ts';
import { Signatures } from './auth/signatures.ts';
import { dependingOn, type LoadedConfig } from './config/load.ts';
import { type Config, presetsOf } from './config/schema.ts';
import { Health } from './http/health.ts';
import { Metrics } from './http/metrics.ts';
import { HttpServer } from './http/server.ts';
import { readTls } from './http/tls.ts';
import { Admission } from './limits/admission.ts';
import { LoopWatch } from './loop-watch.ts';
import { makeDirectory } from './make-directory.ts';
import { openStore } from './store.ts';

const token = <T>(name: string): ServiceIdentifier<T> => Symbol.for(`@pileus/server/${name}`);

/** Names of the parts. Plugins may be bound many times, everything else once. */
const ENVIRONMENT = token<Environment>('Environment');
const METRICS = token<Metrics>('Metrics');
const STORE = token<Store>('Store');
const SEAL_KEY = token<Uint8Array>('SealKey');
const PLUGIN = token<PluginSource>('Plugin');
const KERNEL = token<Kernel>('Kernel');
const API = token<Api>('Api');
/** Absent where the kernel is not made of the cloud. */
const DIRECTORY = token<{ readonly directory: Directory | undefined }>('Directory');
const API_KEYS = token<ApiKeys>('ApiKeys');
const AUTHENTICATOR = token<Authenticator>('Authenticator');
const HEALTH = token<Health>('Health');
const HTTP_SERVER = token<HttpServer>('HttpServer');

export interface ComposeOptions extends LoadedConfig {
  readonly environment: Environment;
  /** Drivers and whatever else extends the cloud. */
  readonly plugins: readonly PluginSource[];
  /** What the kernel is made of. Default: the cloud. */
  readonly modules?: (plugins: readonly PluginSource[]) => (services: KernelServices) => readonly Plugin[];
  /** Void the root key and make another. */
  readonly replaceRootKey?: boolean;
  /** Make another sealing key, and seal everything anew. */
  readonly replaceSealKey?: boolean;
}

export interface ControlPlane extends AsyncDisposable {
  /** Where it listens, e.g. `http://127.0.0.1:7420`. */
  readonly address: string;
  readonly kernel: Kernel;
  /** The text of the root API key, when it was made now: the only time that it can be seen. */
  readonly newRootKey: string | undefined;
  /** What was sealed anew, when the sealing key was replaced. */
  readonly sealedAnew: SealedAnew | undefined;
  /** Answers what is in work, parks what runs, closes the store. */
  close(): Promise<void>;
}

/** Loaded by servers alone that use them. */
async function identityProvidersOf({ auth: { ldap, oidc } }: Config, directory: string): Promise<readonly IdentityProvider[]> {
  const path = (file: string | undefined) => (file === undefined ? undefined : resolve(directory, file));
  const providers: IdentityProvider[] = [];
  if (ldap !== undefined) {
    const { ldapProvider } = await import('./auth/ldap.ts');
    providers.push(ldapProvider({ ...ldap, caFile: path(ldap.caFile), bindPasswordFile: path(ldap.bindPasswordFile) }));
  }
  if (oidc !== undefined) providers.push((await import('./auth/oidc.ts')).oidcProvider(oidc));
  return providers;
}

async function agentLinkOf(agents: NonNullable<Config['agents']>, directory: string): Promise<AgentLink> {
  return agentLink({ identity: await readTls(agents, directory, 'agents'), callbackUrl: agents.callbackUrl });
}

const unknownScheme = (): never => {
  const error = new CloudError('unauthenticated', 'The Authorization header is: Bearer pil_…');
  throw notLetIn(error, { reason: 'malformed', action: 'apiKey.use' });
};

const pluginModule = (plugin: PluginSource): ContainerModule =>
  new ContainerModule(({ bind }) => void bind(PLUGIN).toConstantValue(plugin));

/**
 * Puts a server together. The one place that knows all parts, and the only user of the container: nothing is handed the container itself. Reads in order
 * of dependency; parts are made when first asked for, once.
 */
export async function compose(given: ComposeOptions): Promise<ControlPlane> {
  const container = new Container({ defaultScope: 'Singleton' });
  const options = watched(given, (what, seconds) => container.get(METRICS).held(what, seconds));
  const { config, directory, environment } = options;
  const { limits, listen } = config;
  const dataDir = await dependingOn('dataDir', makeDirectory(resolve(directory, config.dataDir)));

  container.bind(ENVIRONMENT).toConstantValue(environment);
  container.bind(METRICS).toDynamicValue(() => new Metrics());
  const opened = () => openStore(options, environment);
  container.bind(STORE).toDynamicValue(async ({ get }) => get(METRICS).measured(await opened(), environment.clock.monotonicMs));
  container.bind(SEAL_KEY).toDynamicValue(() => sealKeyOf(options, join(dataDir, 'seal.key')));
  for (const plugin of options.plugins) await container.load(pluginModule(plugin));
  container.bind(KERNEL).toDynamicValue(async ({ get, getAsync, getAll }) => {
    const sealKey = await getAsync(SEAL_KEY);
    const store = await getAsync(STORE);
    const plugins = options.plugins.length === 0 ? [] : getAll(PLUGIN);
    const modules =
      options.modules?.(plugins) ??
      cloud({
        cloudId: await identityOf(store, sealKey),
        imageStore: await directoryImageStore(join(dataDir, 'images')),
        ...IMPORTS,
        passwords: argon2Passwords(environment.random),
        bulkCipher: threadedCipher(),
        identityProviders: await identityProvidersOf(config, directory),
        ...(config.agents === undefined ? {} : { agentLink: await agentLinkOf(config.agents, directory) }),
        postUrl,
        config: cloudConfigOf(config),
        ...measuring(() => get(METRICS)),
        plugins,
      });
    const { operations, running } = limits;
    return new Kernel({
      environment: get(ENVIRONMENT),
      store,
      sealKey,
      plugins: (services) => [...modules(services), backups(services, join(dataDir, 'backups'))],
      operationsMax: operations,
      runningMax: running,
      presets: presetsOf(config),
      prepared: () => refuseOtherKey(store, { sealKey, path: join(dataDir, 'seal.key'), replaced: options.replaceSealKey }, environment),
    });
  });
  container
    .bind(API)
    .toDynamicValue(
      async ({ getAsync }) =>
        new Api(await getAsync(KERNEL), { feedRevisionsMax: limits.feedRevisions, unindexedRowsMax: limits.unindexedRows }),
    );
  container.bind(DIRECTORY).toDynamicValue(async ({ getAsync }) => {
    const { registry, services } = await getAsync(KERNEL);
    return { directory: registry.findKind('apiKey') === undefined ? undefined : new Directory(services) };
  });
  container.bind(API_KEYS).toDynamicValue(async ({ getAsync }) => {
    const { directory } = await getAsync(DIRECTORY);
    return new ApiKeys(await getAsync(STORE), environment, operatorPrincipal('key:root'), directory);
  });
  container.bind(AUTHENTICATOR).toDynamicValue(async ({ getAsync }) => {
    const { directory } = await getAsync(DIRECTORY);
    const signed = directory === undefined ? [] : [new Signatures(directory, environment.clock)];
    return firstOf([await getAsync(API_KEYS), ...signed], unknownScheme);
  });
  container.bind(HEALTH).toDynamicValue(async ({ getAsync }) => new Health(await getAsync(STORE), environment));
  container.bind(HTTP_SERVER).toDynamicValue(async ({ get, getAsync }) => {
    const { services } = await getAsync(KERNEL);
    return new HttpServer({
      api: await getAsync(API),
      authenticator: await getAsync(AUTHENTICATOR),
      environment: get(ENVIRONMENT),
      health: await getAsync(HEALTH),
      metrics: get(METRICS),
      mintRequestId: () => services.ids.mint('request'),
      admission: new Admission({ clock: environment.clock, nextTurn, limits: { ...limits, ...rateOf(config) } }),
      limits,
      origins: config.cors.origins,
      ...(listen.tls === undefined ? {} : { tls: await readTls(listen.tls, directory) }),
    });
  });

  return start(container, options);
}

const measuring = (metrics: () => Metrics): Pick<CloudOptions, 'observeCall' | 'observeUsage'> => ({
  observeCall: (call) => metrics().driverCall(call),
  observeUsage: (hosts) => metrics().usage(hosts),
});

/** All that is handed the environment tells there what it is at. */
function watched(options: ComposeOptions, told: (what: string, seconds: number) => void): ComposeOptions {
  return { ...options, environment: { ...options.environment, marks: new LoopWatch(options.environment, told) } };
}

/** Starts the parts in order; what was started is stopped again when a later one fails. */
async function start(container: Container, options: ComposeOptions): Promise<ControlPlane> {
  const { config, environment, replaceRootKey = false } = options;
  const stops: (() => Promise<void> | void)[] = [];
  const stopAll = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    const metrics = container.get(METRICS);
    stops.push(() => metrics.close());
    const store = await container.getAsync(STORE);
    stops.push(() => store.close());
    const kernel = await container.getAsync(KERNEL);
    stops.push(() => kernel.stop());
    await kernel.start();
    const sealedAnew = await sealedWith(kernel, options);
    metrics.watch(kernel);
    const keys = await container.getAsync(API_KEYS);
    const newRootKey = await keys.start({ replaceRootKey });
    const api = await container.getAsync(API);
    await api.start();
    const health = await container.getAsync(HEALTH);
    const server = await container.getAsync(HTTP_SERVER);
    stops.push(async () => {
      health.stop();
      api.stop();
      await server.close(config.stop.seconds * 1000);
    });
    await dependingOn('listen.host', server.listen(config.listen.host, config.listen.port));
    // Now nothing is left that could fail before it is handed out.
    if (newRootKey !== undefined) await keys.confirmShown();
    environment.logger.info({ address: server.address, epoch: store.epoch }, 'listening');
    return { address: server.address, kernel, newRootKey, sealedAnew, close: stopAll, [Symbol.asyncDispose]: stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/** When it is asked for the store is open, so nobody else changes the file. */
const sealKeyOf = ({ environment, replaceSealKey: isReplaced = false }: ComposeOptions, path: string): Promise<Uint8Array> =>
  isReplaced ? replaceSealKey(path, environment.random) : loadSealKey(path, environment.random);

const sealedWith = async ({ services }: Kernel, { replaceSealKey = false }: ComposeOptions): Promise<SealedAnew | undefined> =>
  replaceSealKey ? sealAnew(services) : undefined;

/** How images come from elsewhere. */
const IMPORTS = { fetchUrl, openFile };

const rateOf = ({ limits: { keyRequestsPerSecond: perSecond, keyBurst } }: Config): { readonly rate?: Rate } =>
  perSecond === undefined ? {} : { rate: { perSecond, burst: keyBurst ?? Math.max(1, Math.ceil(perSecond)) } };

const cloudConfigOf = ({ images, webhooks, quota }: Config): CloudConfig => ({
  imageSources: images.sources,
  imageDirectories: images.directories,
  webhookUrls: webhooks.urls,
  quota,
});
