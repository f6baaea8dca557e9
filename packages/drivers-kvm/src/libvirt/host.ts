import type { Readable } from 'node:stream';
import { type ConnectionOptions, type ConnectionState, LibvirtConnection, sessionOptions } from './connection.ts';
import { remaining } from './deadline.ts';
import { AbortedError, ConnectionLostError, TimeoutError } from './errors.ts';
import type { LibvirtEvent, LibvirtListener } from './event-feed.ts';
import { VolumeUploadFlag } from './generated/constants.ts';
import { bindLibvirtApi, domainEvents, procedures } from './generated/procedures.ts';
import type { Domain, LibvirtApi } from './generated/types.ts';
import type { CallOptions, Procedure } from './procedure.ts';
import { type DomainEventKind, type OpenedStream, Session } from './session.ts';
import type { LibvirtStream } from './stream.ts';
import { type DownloadRequest, download, type UploadRequest, upload, type ZeroRequest, zero } from './transfer.ts';

export interface LibvirtHostOptions extends ConnectionOptions {
  /** Deadline of a call of lane `jobs` that names none. Default 120,000; 0 is none. */
  readonly jobTimeoutMs?: number | undefined;
}

const allEvents = Object.keys(domainEvents).filter((kind): kind is DomainEventKind => kind in domainEvents);

/**
 * A host's libvirt, as callers want it: each call goes where it cannot hold up others.
 *
 * | lane      | connection                              | deadline unless named |
 * |-----------|-----------------------------------------|-----------------------|
 * | `control` | the one that also brings events         | `callTimeoutMs`       |
 * | `jobs`    | a second one, opened when first needed  | `jobTimeoutMs`        |
 * | `solo`    | one of its own for as long as it takes  | none                  |
 * | `stream`  | one of its own for as long as it is open| `callTimeoutMs` to open |
 *
 * A call that lost its connection is repeated once if that is harmless: it was not sent, or it only reads.
 */
export class LibvirtHost implements AsyncDisposable {
  /** Every procedure that answers with a value, typed. */
  readonly api: LibvirtApi = bindLibvirtApi((procedure, args, options) => this.call(procedure, args, options));
  readonly #options: LibvirtHostOptions;
  readonly #control: LibvirtConnection;
  readonly #solo = new Set<Session>();
  #jobs: LibvirtConnection | undefined;
  #closed = false;

  constructor(options: LibvirtHostOptions) {
    this.#options = options;
    this.#control = new LibvirtConnection({ ...options, events: options.events ?? allEvents });
    this.#control.subscribe(({ kind }) => {
      if (kind === 'connected') this.#jobs?.hurry();
    });
  }

  /** Of the control connection. */
  get state(): ConnectionState {
    return this.#control.state;
  }

  /** Resolves when connected, after as many attempts as it takes. Its `TimeoutError` carries the last failure as `cause`. */
  ready(options: CallOptions = {}): Promise<void> {
    return this.#control.ready(options);
  }

  async call<A, R>(procedure: Procedure<A, R>, args: A, options: CallOptions = {}): Promise<R> {
    const bounds = { signal: options.signal, timeoutMs: options.timeoutMs ?? this.#timeout(procedure) };
    const startedAtMs = performance.now();
    try {
      return await this.#route(procedure, args, bounds);
    } catch (error) {
      const harmless = error instanceof ConnectionLostError && (error.outcome === 'not_sent' || procedure.effect === 'read');
      if (!harmless || this.#closed) throw error;
      return this.#route(procedure, args, remaining(bounds, startedAtMs));
    }
  }

  /** Calls `listener` for each event until the returned function is called. */
  subscribe(listener: LibvirtListener): () => void {
    return this.#control.subscribe(listener);
  }

  /** Iterates over events until `signal` fires or the host is closed. */
  watch(signal?: AbortSignal): AsyncGenerator<LibvirtEvent, void, undefined> {
    return this.#control.watch(signal);
  }

  /** Opens the guest's console (`device`: an alias; default the first), both ways. Bytes are raw; nothing is echoed by us. */
  async openConsole(
    request: { readonly domain: Domain; readonly device?: string; readonly flags?: number },
    options: CallOptions = {},
  ): Promise<LibvirtStream> {
    return (await this.#openStream(procedures.domainOpenConsole, request, options)).stream;
  }

  /** Takes a picture of a screen, in whatever format the hypervisor gives: see `mime`. */
  async screenshot(
    request: { readonly domain: Domain; readonly screen?: number },
    options: CallOptions = {},
  ): Promise<{ readonly mime: string | undefined; readonly image: Buffer }> {
    const { answer, stream } = await this.#openStream(procedures.domainScreenshot, { screen: 0, ...request }, options);
    return { mime: answer, image: Buffer.concat(await stream.toArray()) };
  }

  /** Writes `source` into the volume. Resolves with the bytes sent once the host has them all; if it rejects, the upload was aborted there. */
  async uploadVolume(request: UploadRequest, options: CallOptions = {}): Promise<number> {
    const { volume, offsetBytes = 0, lengthBytes = 0 } = request;
    const { stream } = await this.#openStream(procedures.storageVolUpload, { volume, offsetBytes, lengthBytes }, options);
    return upload(stream, request);
  }

  /** Has the host write zeroes over a part of a volume that is a block device; in a file it would skip what is there. If it rejects, that was aborted there. */
  async zeroVolume({ volume, offsetBytes, lengthBytes }: ZeroRequest, options: CallOptions = {}): Promise<void> {
    const request = { volume, offsetBytes, lengthBytes, flags: VolumeUploadFlag.sparse };
    const { stream } = await this.#openStream(procedures.storageVolUpload, request, options);
    await zero(stream, lengthBytes);
  }

  /** Opens the volume's content for reading. It ends only if all of it came; destroying it aborts the download at the host. */
  async downloadVolume(request: DownloadRequest, options: CallOptions = {}): Promise<Readable> {
    const { volume, offsetBytes = 0, lengthBytes = 0 } = request;
    const { stream } = await this.#openStream(procedures.storageVolDownload, { volume, offsetBytes, lengthBytes }, options);
    return download(stream, request);
  }

  /** Memory of the node, or of one NUMA cell, in KiB by libvirt's field names: `total`, `free`, and for the node `buffers`, `cached`. */
  async nodeMemoryKib(cell = -1, options: CallOptions = {}): Promise<Readonly<Record<string, number>>> {
    const { count } = await this.api.nodeGetMemoryStats({ statsMax: 0, cell }, options);
    const { stats } = await this.api.nodeGetMemoryStats({ statsMax: count, cell }, options);
    return Object.fromEntries(stats.map(({ field, value }) => [field, value]));
  }

  /** Time of the node's processors, or of one, in nanoseconds since boot: `user`, `kernel`, `idle`, `iowait`. */
  async nodeCpuNs(cpu = -1, options: CallOptions = {}): Promise<Readonly<Record<string, number>>> {
    const { count } = await this.api.nodeGetCpuStats({ statsMax: 0, cpu }, options);
    const { stats } = await this.api.nodeGetCpuStats({ statsMax: count, cpu }, options);
    return Object.fromEntries(stats.map(({ field, value }) => [field, value]));
  }

  /** Ends all connections; unanswered calls reject with `ConnectionLostError`, open streams fail. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const session of this.#solo) session.end(new Error('closed by its owner'));
    await Promise.all([this.#control.close(), this.#jobs?.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #timeout(procedure: Procedure<never, unknown>): number {
    if (procedure.lane === 'solo') return 0;
    return procedure.lane === 'jobs' ? (this.#options.jobTimeoutMs ?? 120_000) : (this.#options.callTimeoutMs ?? 30_000);
  }

  #route<A, R>(procedure: Procedure<A, R>, args: A, bounds: CallOptions): Promise<R> {
    if (procedure.lane === 'control') return this.#control.call(procedure, args, bounds);
    if (procedure.lane === 'solo') return this.#callAlone(procedure, args, bounds);
    if (this.#closed) return Promise.reject(new ConnectionLostError(`${procedure.name}: the host is closed`, 'not_sent'));
    this.#jobs ??= new LibvirtConnection({ ...this.#options, events: [] });
    return this.#jobs.call(procedure, args, bounds);
  }

  async #callAlone<A, R>(procedure: Procedure<A, R>, args: A, bounds: CallOptions): Promise<R> {
    const startedAtMs = performance.now();
    const session = await this.#openSession(bounds);
    try {
      return await session.call(procedure, args, remaining(bounds, startedAtMs));
    } finally {
      session.end(new Error('done'));
    }
  }

  async #openStream<A, R>(procedure: Procedure<A, R>, args: A, options: CallOptions): Promise<OpenedStream<R>> {
    const bounds = { signal: options.signal, timeoutMs: options.timeoutMs ?? this.#timeout(procedure) };
    const startedAtMs = performance.now();
    const session = await this.#openSession(bounds);
    try {
      const opened = await session.openStream(procedure, args, remaining(bounds, startedAtMs));
      opened.stream.once('close', () => session.end(new Error('done')));
      return opened;
    } catch (error) {
      session.end(new Error('done'));
      throw error;
    }
  }

  async #openSession(bounds: CallOptions): Promise<Session> {
    if (this.#closed) throw new ConnectionLostError('the host is closed', 'not_sent');
    const { connectTimeoutMs = 10_000 } = this.#options;
    const { signal, timeoutMs = 0 } = bounds;
    const limit = AbortSignal.timeout(timeoutMs > 0 ? Math.min(timeoutMs, connectTimeoutMs) : connectTimeoutMs);
    const session = await Session.open(
      sessionOptions(this.#options, () => {}),
      signal === undefined ? limit : AbortSignal.any([signal, limit]),
    ).catch((cause: unknown) => {
      // However far the handshake came, the call itself was not sent.
      if (signal?.aborted) throw new AbortedError('connecting for one call', 'not_sent', { cause });
      if (limit.aborted) throw new TimeoutError('connecting for one call', 'not_sent', { cause });
      throw new ConnectionLostError(cause instanceof Error ? cause.message : 'connecting failed', 'not_sent', { cause });
    });
    this.#solo.add(session);
    void session.closed.then(() => this.#solo.delete(session));
    if (this.#closed) session.end(new Error('closed by its owner'));
    return session;
  }
}
