import { Agent, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
}

/** The least that speaks HTTP to a server with a key: the client's own work must not hide the server's. */
export class Client {
  readonly #url: URL;
  readonly key: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

  constructor(url: string, key: string) {
    this.#url = new URL(url);
    this.key = key;
  }

  ask(method: string, path: string, body?: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
    const sent = request(
      {
        agent: this.#agent,
        host: this.#url.hostname,
        port: this.#url.port,
        method,
        path,
        headers: {
          authorization: `Bearer ${this.key}`,
          ...(body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
    return promise;
  }

  /** A change, done when it answers. Answers the id of the resource. */
  async done(method: string, path: string, input?: object, key?: string): Promise<string> {
    const answer = await this.ask(method, path, input === undefined ? undefined : JSON.stringify(input), {
      prefer: 'wait=60',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    });
    const told = JSON.parse(answer.text) as { readonly resourceId: string; readonly operation?: { readonly state: string } };
    if (answer.status !== 200 || told.operation?.state !== 'succeeded')
      throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return told.resourceId;
  }

  close(): void {
    this.#agent.destroy();
  }
}
