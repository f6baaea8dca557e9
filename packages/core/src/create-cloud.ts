import { join } from 'node:path';
import { type CloudOptions, cloud, operatorPrincipal } from './cloud/index.ts';
import {
  Api,
  type ApiRequest,
  type ApiResponse,
  type Environment,
  Kernel,
  type Plugin,
  type PluginSource,
  type Presets,
  type Store,
} from './kernel/index.ts';
import {
  argon2Passwords,
  backups,
  directoryBackups,
  directoryImageStore,
  fetchUrl,
  identityOf,
  loadSealKey,
  nodeEnvironment,
  openFile,
  postUrl,
  refuseOtherKey,
  threadedCipher,
} from './node/index.ts';

export interface CreateCloudOptions {
  /** Drivers, and whatever else extends the cloud. */
  readonly plugins: readonly PluginSource[];
  /** E.g. `await openSqlite({ path: 'cloud.db' })`. Closed with the cloud. */
  readonly store: Store;
  /** Directory of the sealing key, the content of images and backups of the store. Default `./pileus-data`. */
  readonly dataDir?: string;
  /** 32 bytes that seal secrets, behind those that did before. Default: those in `seal.key` of `dataDir`, made at the first start. */
  readonly sealKey?: Uint8Array;
  /** Default: the clock, timers and randomness of this process, and no log. */
  readonly environment?: Environment;
  readonly config?: CloudOptions['config'];
  /** What settings are where nothing is set, by name, e.g. `{ 'hosts.heartbeatSeconds': 10 }`. */
  readonly presets?: Presets;
}

/** What a request in process may leave out, beside who asks: that is the operator. */
export type CloudRequest = Pick<ApiRequest, 'method' | 'url'> & Partial<Pick<ApiRequest, 'headers' | 'body' | 'signal'>>;

/** A cloud inside this process. */
export interface Cloud extends AsyncDisposable {
  readonly kernel: Kernel;
  /** The public API without HTTP: the same requests, the same answers. */
  handle(request: CloudRequest): Promise<ApiResponse>;
  /** Parks what is under way, for the next start, and closes the store. */
  close(): Promise<void>;
}

const operator = operatorPrincipal('key:root');

const DIRECTORIES: Plugin = { id: 'backup-directories', version: '0.1.0', strategies: { backup: [directoryBackups] } };

/** Starts a cloud in this process, without a server. */
export async function createCloud(options: CreateCloudOptions): Promise<Cloud> {
  const { store, plugins, dataDir = './pileus-data', environment = nodeEnvironment() } = options;
  const path = join(dataDir, 'seal.key');
  const sealKey = options.sealKey ?? (await loadSealKey(path, environment.random));
  const modules = cloud({
    cloudId: await identityOf(store, sealKey),
    imageStore: await directoryImageStore(join(dataDir, 'images')),
    fetchUrl,
    openFile,
    passwords: argon2Passwords(environment.random),
    bulkCipher: threadedCipher(),
    postUrl,
    plugins: [DIRECTORIES, ...plugins],
    ...(options.config === undefined ? {} : { config: options.config }),
  });
  const kernel = new Kernel({
    environment,
    store,
    sealKey,
    plugins: (services) => [...modules(services), backups(services, join(dataDir, 'backups'))],
    prepared: () => refuseOtherKey(store, { sealKey, path: options.sealKey === undefined ? path : 'sealKey' }, environment),
    ...(options.presets === undefined ? {} : { presets: options.presets }),
  });
  await kernel.start();
  const api = new Api(kernel);
  await api.start();
  let closing: Promise<void> | undefined;
  const stop = async () => {
    api.stop();
    await kernel.stop();
    await store.close();
  };
  const close = (): Promise<void> => {
    closing ??= stop();
    return closing;
  };
  const handle = (request: CloudRequest): Promise<ApiResponse> =>
    api.handle({
      headers: {},
      signal: new AbortController().signal,
      ...request,
      principal: operator,
      requestId: kernel.services.ids.mint('request'),
      acceptsSocket: true,
    });
  return { kernel, handle, close, [Symbol.asyncDispose]: close };
}
