import type { Client, Outgoing, RepeatOptions } from './client.ts';
import { type ConsoleTicket, socketUrl } from './console.ts';
import { type DownloadOptions, download } from './download.ts';
import { Answer, type DryRuns } from './dry-run.ts';
import { Reply } from './reply.ts';
import { type Upload, type UploadOptions, upload } from './upload.ts';

export interface ValueRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  readonly query?: Readonly<Record<string, unknown>>;
}

/** What is served below one path segment beside rows and actions: values, uploads, downloads, tickets to sockets. */
export class Endpoints {
  protected readonly client: Client;
  protected readonly segment: string;
  /** Whether changes are only to tell what they would do. */
  protected readonly rehearses: boolean = false;

  constructor(client: Client, segment: string) {
    this.client = client;
    this.segment = segment;
  }

  /** The same verbs, each answering what it would do, with what it would use of quotas and what stands in its way. Nothing is changed. */
  get dryRun(): DryRuns<this> {
    return Object.create(this, { rehearses: { value: true } }) as DryRuns<this>;
  }

  /** What changes something, and takes a dry run. */
  protected change<T>(request: ValueRequest, options: RepeatOptions): Answer<T> {
    const query = this.rehearses ? { ...request.query, dryRun: true } : (request.query ?? {});
    return new Answer(this.value<T>({ ...request, query }, options));
  }

  /** A computed value: what is neither a row nor a change. */
  protected value<T>(request: ValueRequest, options: RepeatOptions): Reply<T> {
    const { method, body, query = {} } = request;
    const asked = new URLSearchParams(
      Object.entries(query).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, String(value)]])),
    );
    const path = asked.size === 0 ? request.path : `${request.path}?${asked}`;
    const outgoing: Outgoing = { method, path, ...(body === undefined ? {} : json(body)) };
    return new Reply(method === 'GET' ? this.client.json<T>(outgoing, options) : this.client.change<T>(outgoing, options));
  }

  /** Asks for a one-time token and says where to use it. Sent again, it brings another token. */
  protected ticket(path: string, input: object, options: RepeatOptions): Reply<ConsoleTicket> {
    const issued = this.value<{ readonly token: string; readonly path: string; readonly expiresAt: string }>(
      { method: 'POST', path, body: input },
      options,
    );
    return new Reply(issued.then((ticket) => ({ ...ticket, url: socketUrl(this.client.url, ticket.path) })));
  }

  protected send<T>(path: string, content: Upload, options: UploadOptions): Reply<T> {
    return new Reply(upload<T>(this.client, path, content, options));
  }

  protected receive(path: string, options: DownloadOptions): AsyncGenerator<Uint8Array> {
    return download(this.client, path, options);
  }

  protected path(...segments: readonly string[]): string {
    return ['/v1', this.segment, ...segments.map(encodeURIComponent)].join('/');
  }
}

/** Any endpoint by its path, also one that these types do not know; what it takes is checked by the server alone. */
export class AnyEndpoints extends Endpoints {
  override value<T>(request: ValueRequest, options: RepeatOptions = {}): Reply<T> {
    return super.value(request, options);
  }
  override send<T>(path: string, content: Upload, options: UploadOptions = {}): Reply<T> {
    return super.send(path, content, options);
  }
  override receive(path: string, options: DownloadOptions = {}): AsyncGenerator<Uint8Array> {
    return super.receive(path, options);
  }
  override path(...segments: readonly string[]): string {
    return super.path(...segments);
  }
}

export const json = (input: object, type = 'application/json') => ({ body: JSON.stringify(input), headers: { 'content-type': type } });
