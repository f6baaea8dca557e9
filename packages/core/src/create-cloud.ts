import { join } from 'node:path';
import { type CloudOptions, cloud, operatorPrincipal } from './cloud/index.ts';
import {
  Api,
  type ApiRequest,
  type ApiResponse,
  type Environment,
  Kernel,
  type KernelOptions,
  type Plugin,
  type Store,
} from './kernel/index.ts';
import { argon2Passwords, backups, cloudIdOf, directoryImageStore, fetchUrl, loadSealKey, nodeEnvironment, postUrl } from './node/index.ts';

export interface CreateCloudOptions {
  /** Drivers, and whatever else extends the cloud. */
  readonly plugins: readonly Plugin[];
  /** E.g. `await openSqlite({ path: 'cloud.db' })`. Closed with the cloud. */
  readonly store: Store;
  /** Directory of the sealing key, the content of images and backups of the store. Default `./pileus-data`. */
  readonly dataDir?: string;
  /** 32 bytes that seal secrets. Default: those in `seal.key` of `dataDir`, made at the first start. */
  readonly sealKey?: Uint8Array;
  /** Default: the clock, timers and randomness of this process, and no log. */
  readonly environment?: Environment;
  readonly settings?: CloudOptions['settings'];
  /** How long what has ended is kept. Default: operations and deleted rows 30 days, the audit for ever. */
  readonly retention?: KernelOptions['retention'];
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

/** Starts a cloud in this process, without a server. */
export async function createCloud(options: CreateCloudOptions): Promise<Cloud> {
  const { store, plugins, dataDir = './pileus-data', environment = nodeEnvironment() } = options;
  const sealKey = options.sealKey ?? (await loadSealKey(join(dataDir, 'seal.key'), environment.random));
  const modules = cloud({
    cloudId: await cloudIdOf(sealKey),
    imageStore: await directoryImageStore(join(dataDir, 'images')),
    fetchUrl,
    passwords: argon2Passwords(environment.random),
    postUrl,
    plugins,
    ...(options.settings === undefined ? {} : { settings: options.settings }),
  });
  const kernel = new Kernel({
    environment,
    store,
    sealKey,
    plugins: (services) => [...modules(services), backups(services, join(dataDir, 'backups'))],
    ...(options.retention === undefined ? {} : { retention: options.retention }),
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
