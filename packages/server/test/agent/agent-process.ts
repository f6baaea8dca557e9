import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exchange, fingerprintOf, type Identity, PinnedConnections } from '@pileus/core/node';
import { freePort } from '../../../../tools/system/free-port.ts';
import { selfSigned } from '../../../drivers-kvm/test/self-signed.ts';

const WATCHED = fileURLToPath(new URL('watched-agent.ts', import.meta.url));

// biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of any shape.
export type Answer = { readonly status: number; readonly json: any };

export interface AskOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Who asks, and whom. Default: the control plane, the agent. */
  readonly identity?: Identity;
  readonly pins?: readonly string[];
}

export interface AgentProcessOptions {
  readonly args?: readonly string[];
  readonly config?: object;
  readonly program?: string;
  /** Where it listens. */
  readonly host?: string;
  /** Words before the program's own that run it elsewhere. */
  readonly within?: readonly string[];
  /** Who commands it. Default: one of its own. */
  readonly controller?: Identity;
}

/** An agent as a process of its own, that is killed and started again on the same data and port; and the identities of both sides. */
export class AgentProcess {
  readonly directory: string;
  readonly url: string;
  readonly identity: Identity;
  readonly controller: Identity;
  readonly #command: readonly [string, ...string[]];
  #child: ChildProcess | undefined;

  private constructor(made: {
    directory: string;
    url: string;
    identity: Identity;
    controller: Identity;
    command: readonly [string, ...string[]];
  }) {
    this.directory = made.directory;
    this.url = made.url;
    this.identity = made.identity;
    this.controller = made.controller;
    this.#command = made.command;
  }

  static async start({ args = [], config = {}, program = WATCHED, host = '127.0.0.1', within = [], ...given }: AgentProcessOptions = {}) {
    const directory = await mkdtemp(join(tmpdir(), 'pileus-agent-'));
    const [identity, controller, port] = await Promise.all([selfSigned(), given.controller ?? selfSigned(), freePort()]);
    await writeFile(join(directory, 'cert.pem'), identity.cert);
    await writeFile(join(directory, 'key.pem'), identity.key);
    const whole = {
      listen: { host, port },
      identity: { certFile: 'cert.pem', keyFile: 'key.pem' },
      controllers: [fingerprintOf(controller.cert)],
      dataDir: 'data',
      log: { level: 'error' },
      ...config,
    };
    await writeFile(join(directory, 'agent.json'), JSON.stringify(whole));
    const [first = process.execPath, ...rest] = [...within, process.execPath];
    const command = [first, ...rest, ...process.execArgv, program, '--config', join(directory, 'agent.json'), ...args] as const;
    const agent = new AgentProcess({ directory, url: `https://${host}:${port}`, identity, controller, command: [...command] });
    await agent.begin();
    return agent;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async begin(): Promise<void> {
    const [file, ...words] = this.#command;
    const child = spawn(file, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code, signal) => reject(new Error(`the agent ended: ${code ?? signal}`)));
      child.stdout?.setEncoding('utf8').on('data', (text: string) => text.includes('listening on') && resolve());
    });
  }

  /** Waits until it has ended by itself, and answers its exit code. */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null) await once(child, 'exit');
    return child?.exitCode ?? null;
  }

  /** SIGKILL, unless said otherwise. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  async close(): Promise<void> {
    await this.end();
    await rm(this.directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async ask(method: string, path: string, options: AskOptions = {}): Promise<Answer> {
    const { body, headers = {}, identity = this.controller, pins = [fingerprintOf(this.identity.cert)] } = options;
    const connections = new PinnedConnections(identity, pins);
    try {
      const signal = AbortSignal.timeout(60_000);
      const { status, text } = await exchange(connections, { url: this.url + path, method, headers, body, signal });
      return { status, json: text === '' ? undefined : JSON.parse(text) };
    } finally {
      connections.destroy();
    }
  }

  /** A command that only this test gives. */
  command(
    id: string,
    callbackUrl: string,
    { epoch = 'store:1', body = { type: 'host.inspect', input: {} } as unknown } = {},
  ): Promise<Answer> {
    return this.ask('PUT', `/v1/commands/${id}`, { body, headers: { 'x-callback-url': callbackUrl, 'x-pileus-epoch': epoch } });
  }

  /** Lets commands end. */
  async open(): Promise<void> {
    await writeFile(join(this.directory, 'open'), '');
  }

  async shut(): Promise<void> {
    await rm(join(this.directory, 'open'), { force: true });
  }

  /** Lines of a file beside the configuration. */
  async lines(name: string): Promise<readonly string[]> {
    const text = await readFile(join(this.directory, name), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }
}

/** Who is told outcomes. */
export class Receiver {
  readonly told: Answer['json'][] = [];
  /** Of which span each was said to be. */
  readonly traceparents: unknown[] = [];
  /** What it answers. */
  status = 204;
  readonly #server: Server;
  readonly url: string;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async start(identity: Identity, port?: number): Promise<Receiver> {
    const server = createServer({ ...identity, requestCert: true, rejectUnauthorized: false });
    const own = port ?? (await freePort());
    server.listen(own, '127.0.0.1');
    await once(server, 'listening');
    const receiver = new Receiver(server, `https://127.0.0.1:${own}/outcomes`);
    server.on('request', (request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      request.on('end', () => {
        receiver.traceparents.push(request.headers.traceparent);
        receiver.told.push(JSON.parse(text));
        response.writeHead(receiver.status).end();
      });
    });
    return receiver;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Whether a process runs: one that is dead and not waited for does not. */
export async function isAlive(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const state = text.slice(text.lastIndexOf(')') + 2)[0];
  return state !== undefined && state !== 'Z';
}

/** Waits until it holds, on however busy a machine. */
export async function eventually<T>(look: () => T | Promise<T>, holds: (seen: T) => boolean = Boolean): Promise<T> {
  for (const endMs = performance.now() + 120_000; ; ) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (performance.now() > endMs) throw new Error(`never held: ${holds}; last seen: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
