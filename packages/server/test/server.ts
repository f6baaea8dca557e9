import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { type KernelServices, madePlugins, type PluginSource } from '@pileus/core/kernel';
import { nodeEnvironment } from '@pileus/core/node';
import { Workshop, widgetPlugin } from '../../core/test/api/widgets.ts';
import { type ControlPlane, compose, createLogger, parseConfig } from '../src/index.ts';
import { Contract } from './contract.ts';

export type Body = NonNullable<RequestInit['body']>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of any shape.
  readonly json: any;
}

export interface TestServer {
  readonly plane: ControlPlane;
  readonly url: string;
  readonly key: string;
  readonly workshop: Workshop;
  readonly directory: string;
  /** Everything that was logged so far. */
  log(): string;
  /** A request with the root key, its answer checked against the document. */
  ask(method: string, path: string, options?: { body?: unknown; headers?: Record<string, string>; raw?: Body }): Promise<Answer>;
  /** Stops it and starts it again on the same data. */
  restart(): Promise<TestServer>;
  close(): Promise<void>;
}

interface Options {
  readonly config?: Record<string, unknown>;
  readonly directory?: string;
  readonly key?: string;
  readonly workshop?: Workshop;
  readonly plugins?: readonly PluginSource[];
  /** Serves the cloud in place of widgets. */
  readonly cloud?: boolean;
  readonly replaceSealKey?: boolean;
}

/** A server of widgets on a port of its own, with a store on disk: in a new folder, unless one is given. */
export async function openServer(options: Options = {}): Promise<TestServer> {
  if (options.directory !== undefined) return serve(options, options.directory);
  const home = await mkdtemp(join(tmpdir(), 'pileus-server-'));
  try {
    return await serve(options, home);
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    throw error;
  }
}

async function serve(
  { config = {}, key, workshop = new Workshop(), plugins = [], cloud = false, replaceSealKey = false }: Options,
  home: string,
): Promise<TestServer> {
  let logged = '';
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk);
      done();
    },
  });
  const plane = await compose({
    config: parseConfig({
      dataDir: '.',
      ...config,
      listen: { port: 0, ...(config.listen as object | undefined) },
      log: { level: 'debug' },
    }),
    directory: home,
    environment: nodeEnvironment({ logger: createLogger('debug', sink) }),
    plugins,
    replaceSealKey,
    ...(cloud
      ? {}
      : {
          modules: (extra: readonly PluginSource[]) => (services: KernelServices) => [
            ...widgetPlugin(workshop)(services),
            ...madePlugins(extra, services),
          ],
        }),
  });
  const rootKey = key ?? plane.newRootKey ?? '';
  const contract = await Contract.of(plane.address, rootKey);
  return {
    plane,
    url: plane.address,
    key: rootKey,
    workshop,
    directory: home,
    log: () => logged,
    async ask(method, path, { body, headers = {}, raw } = {}) {
      const response = await fetch(plane.address + path, {
        method,
        headers: {
          authorization: `Bearer ${rootKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(raw === undefined ? {} : { body: raw, duplex: 'half' }),
      } as RequestInit);
      const text = await response.text();
      const isJson = /json/.test(response.headers.get('content-type') ?? '') && text !== '';
      const answer: Answer = { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
      contract.check(method, path, answer);
      return answer;
    },
    async restart() {
      await plane.close();
      return openServer({ config, directory: home, key: rootKey, workshop, plugins, cloud });
    },
    async close() {
      await plane.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** A widget that is made and still. Answers its id. */
export async function made(server: TestServer, name: string, fields: object = {}): Promise<string> {
  const answer = await server.ask('POST', '/v1/widgets', { body: { name, sizeBytes: 10, ...fields }, headers: { prefer: 'wait=60' } });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.json.resourceId;
}

/** Waits until it holds. */
export async function eventually(holds: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  for (const endMs = performance.now() + timeoutMs; ; ) {
    if (await holds()) return;
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
