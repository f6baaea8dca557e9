import {
  Api,
  type ApiResponse,
  isStreamed,
  jsonBody,
  Kernel,
  type KernelServices,
  type Plugin,
  type Principal,
  type Store,
} from '../../src/kernel/index.ts';
import { nodeEnvironment } from '../../src/node/index.ts';
import { inlineSqlite } from '../../src/sqlite/index.ts';
import { principalOf, Workshop, widgetPlugin } from './widgets.ts';

export interface Ask {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly principal?: Principal | null;
  readonly signal?: AbortSignal;
}

/** An `Api` over widgets and an in-memory store. */
export async function openApi(
  options: {
    readonly store?: Store;
    readonly feedRevisionsMax?: number;
    readonly operationsMax?: number;
    readonly runningMax?: number;
    readonly plugins?: (services: KernelServices) => readonly Plugin[];
  } = {},
) {
  const environment = nodeEnvironment();
  const workshop = new Workshop();
  const store = options.store ?? inlineSqlite();
  const kernel = new Kernel({
    environment,
    store,
    plugins: (services) => [...widgetPlugin(workshop)(services), ...(options.plugins?.(services) ?? [])],
    sealKey: new Uint8Array(32).fill(7),
    ...(options.operationsMax === undefined ? {} : { operationsMax: options.operationsMax }),
    ...(options.runningMax === undefined ? {} : { runningMax: options.runningMax }),
  });
  await kernel.start();
  const api = new Api(kernel, options.feedRevisionsMax === undefined ? {} : { feedRevisionsMax: options.feedRevisionsMax });
  await api.start();
  const ask = (method: string, url: string, { body, headers = {}, principal, signal }: Ask = {}): Promise<ApiResponse> =>
    api.handle({
      method,
      url,
      headers,
      ...(body === undefined ? {} : { body: jsonBody(body) }),
      principal: principal === null ? undefined : (principal ?? principalOf()),
      requestId: 'request',
      signal: signal ?? new AbortController().signal,
      acceptsSocket: false,
    });
  return {
    api,
    kernel,
    store,
    workshop,
    ask,
    async close() {
      api.stop();
      await kernel.stop();
    },
  };
}
export type OpenApi = Awaited<ReturnType<typeof openApi>>;

export function parsed(response: ApiResponse): Record<string, unknown> & { items: Record<string, unknown>[] } {
  if (isStreamed(response.body)) throw new Error('the body is a stream');
  return JSON.parse(String(response.body));
}

/** A widget that is made and still. Answers its id. */
export async function made({ ask }: Pick<OpenApi, 'ask'>, name: string, fields: object = {}): Promise<string> {
  const response = await ask('POST', '/v1/widgets', { body: { name, sizeBytes: 10, ...fields }, headers: { prefer: 'wait=60' } });
  if (response.status !== 200) throw new Error(String(response.body));
  return parsed(response).resourceId as string;
}
