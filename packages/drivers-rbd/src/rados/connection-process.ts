import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { encodeFrame, FrameReader } from './frames.ts';
import type { ConnectMessage, OwnerMessage, ProcessMessage } from './messages.ts';

/** What the owner of a process hears of it: `message`s as they come, then once `ended` with why. */
export interface ProcessListener {
  message(message: ProcessMessage): void;
  ended(why: Error): void;
}

/** Threads beside those of calls: for connecting, and for what Node does itself. */
const SPARE_THREADS = 4;
const WORDS_MAX = 2_000;
/** A process that was asked to end and does not is killed. */
const END_TIMEOUT_MS = 12_000;

/** The process that holds a connection; see child/main.ts for its side. It does not keep this process alive. */
export class ConnectionProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #gone = Promise.withResolvers<void>();
  readonly #key: string;
  #words = '';
  #ending: Promise<void> | undefined;

  constructor(connect: ConnectMessage, threads: number, listener: ProcessListener) {
    this.#key = connect.key;
    const file = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './child/main.ts' : './child/main.js', import.meta.url));
    const { PATH, LD_LIBRARY_PATH } = process.env;
    this.#child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
      stdio: ['pipe', 'pipe', 'pipe'],
      // Nothing of Ceph's own variables: what the process connects to is told by its owner alone.
      env: { UV_THREADPOOL_SIZE: String(threads + SPARE_THREADS), ...(PATH && { PATH }), ...(LD_LIBRARY_PATH && { LD_LIBRARY_PATH }) },
    });
    this.#listen(listener);
    // Pipes of a process are sockets, though their type does not say so.
    this.#child.unref();
    for (const pipe of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) (pipe as Socket).unref();
    this.send(connect);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: OwnerMessage): void {
    for (const part of encodeFrame(message)) this.#child.stdin.write(part);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Lets it finish what runs and disconnect; returns when it is gone. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.send({ type: 'end' });
    this.#child.ref();
    const timer = setTimeout(() => this.kill(), END_TIMEOUT_MS);
    await this.#gone.promise;
    clearTimeout(timer);
  }

  #listen(listener: ProcessListener): void {
    const child = this.#child;
    const reader = new FrameReader();
    let why: Error | undefined;
    const end = (error: Error): void => {
      why ??= error;
      this.kill();
    };
    child.stdout.on('data', (chunk: Buffer) => {
      if (why !== undefined) return;
      try {
        // What this process says is ours: both ends are of one version.
        reader.push(chunk, (message) => listener.message(message as ProcessMessage));
      } catch (error) {
        end(error instanceof Error ? error : new Error(String(error)));
      }
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.#words = (this.#words + chunk.toString('utf8')).slice(-WORDS_MAX);
    });
    // A pipe that breaks says less than the end of the process, which follows.
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => {
      why ??= error;
      if (child.pid === undefined) this.#ended(listener, why);
    });
    child.on('close', (code, signal) => this.#ended(listener, why ?? this.#describe(code, signal)));
  }

  #ended(listener: ProcessListener, why: Error): void {
    this.#gone.resolve();
    listener.ended(why);
  }

  #describe(code: number | null, signal: NodeJS.Signals | null): Error {
    const how = signal === null ? `exited with ${code}` : `was ended by ${signal}`;
    const words = this.#words.trim().replaceAll(this.#key, '…');
    return new Error(`the connection's process ${how}${words === '' ? '' : `: ${words}`}`);
  }
}
