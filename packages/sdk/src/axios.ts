import type { AxiosInstance, AxiosRequestConfig } from 'axios';
import { baseUrl, chunks, isReplayable, type ReplayableBody, type StreamBody, type Transport } from './transport.ts';

/**
 * Requests through an axios instance: its interceptors, proxies and agents. Retries stay this client's, so give it an instance without any of its own.
 * @example connect({ transport: axiosTransport(axios.create({ baseURL: 'https://cloud.example' })), apiKey })
 */
export function axiosTransport(instance: AxiosInstance): Transport {
  const url = instance.defaults.baseURL;
  return {
    ...(url === undefined ? {} : { url: baseUrl(url) }),
    async request({ method, path, headers, body, signal }) {
      const connection = new AbortController();
      const config: AxiosRequestConfig = {
        method,
        url: path,
        headers: { ...headers },
        // The fetch adapter is the one that streams both in Node and in browsers.
        adapter: 'fetch',
        responseType: 'stream',
        maxRedirects: 0,
        validateStatus: () => true,
        ...(body === undefined ? {} : { data: await axiosBody(body) }),
        signal: signal === undefined ? connection.signal : AbortSignal.any([signal, connection.signal]),
      };
      const response = await instance.request<ReadableStream<Uint8Array> | null>(config);
      return {
        status: response.status,
        headers: Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), String(value)])),
        text: () => new Response(response.data).text(),
        stream: () => leavable(chunks(response.data), connection),
      };
    },
  };
}

/** What axios makes of a stream is cancelled when its next chunk has come, which may be never: whoever leaves ends the connection first. */
async function* leavable(bytes: AsyncGenerator<Uint8Array>, connection: AbortController): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const { done, value } = await bytes.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    connection.abort();
    await bytes.return(undefined);
  }
}

async function axiosBody(body: ReplayableBody | StreamBody): Promise<string | Blob | ReadableStream<Uint8Array>> {
  if (typeof body === 'string' || body instanceof Blob || body instanceof ReadableStream) return body;
  if (isReplayable(body)) return new Blob([body as Uint8Array<ArrayBuffer>]);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const part of body) parts.push(part as Uint8Array<ArrayBuffer>);
  return new Blob(parts);
}
