import { Client, type RetryPolicy } from './client.ts';
import { type Embedded, embeddedTransport } from './embedded.ts';
import { fetchTransport, type Transport } from './transport.ts';

interface Tuning {
  /** How often and how patiently calls are sent again. */
  readonly retry?: Partial<RetryPolicy>;
  /** Id or name of the project to work in. Default: that of the key, or the first that its holder has a role in. */
  readonly project?: string;
}

/** `sign` proves by each request that the key is there, in place of sending it: what is seen on the way is good for nothing. Streams cannot be signed. */
interface Proving {
  readonly apiKey?: string;
  readonly sign?: boolean;
}

/** How to reach a cloud: by URL (or several, of the same cloud), by a transport of your own, or in this process. */
export type ConnectOptions = Tuning &
  (({ readonly url: string } & Proving) | ({ readonly urls: readonly string[] } & Proving) | ({ readonly transport: Transport } & Proving));

export function clientOf(target: ConnectOptions | Embedded): Client {
  if ('handle' in target) return new Client({ transports: [embeddedTransport(target)] });
  const { apiKey, sign, project, retry } = target;
  return new Client({ transports: transportsOf(target), apiKey, sign, project, retry });
}

function transportsOf(options: ConnectOptions): readonly Transport[] {
  if ('transport' in options) return [options.transport];
  const urls = 'urls' in options ? options.urls : [options.url];
  return urls.map((url) => fetchTransport({ url }));
}
