import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../../tools/system/free-port.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** The server as a process of its own, without drivers, that is killed and started again on the same data and port. */
export class ServerProcess {
  readonly url: string;
  key = '';
  readonly #directory: string;
  readonly #config: string;
  #child: ChildProcess | undefined;

  private constructor(directory: string, config: string, url: string) {
    this.#directory = directory;
    this.#config = config;
    this.url = url;
  }

  /** `config` may be made of the URL. */
  static async start(config: object | ((url: string) => object)): Promise<ServerProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'pileus-kills-'));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const path = join(directory, 'config.json');
    const more = typeof config === 'function' ? config(url) : config;
    await writeFile(path, JSON.stringify({ listen: { port }, dataDir: 'data', kvm: { enabled: false }, log: { level: 'error' }, ...more }));
    const server = new ServerProcess(directory, path, url);
    await server.begin();
    return server;
  }

  async begin(): Promise<void> {
    const child = spawn(process.execPath, [...process.execArgv, MAIN, '--config', this.#config], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code, signal) => reject(new Error(`the server ended: ${code ?? signal}`)));
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        this.key = /^root API key .*: (\S+)$/m.exec(said)?.[1] ?? this.key;
        if (said.includes('listening on')) resolve();
      });
    });
  }

  /** SIGKILL: nothing of it goes on. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = {
      authorization: `Bearer ${this.key}`,
      'content-type': 'application/json',
      ...(init.headers as Record<string, string>),
    };
    return fetch(this.url + path, { ...init, headers });
  }

  /** Asks until it is answered, however often the server is killed meanwhile. */
  async ask(path: string, init: RequestInit = {}): Promise<{ readonly status: number; readonly json: Answer }> {
    for (;;)
      try {
        const response = await this.fetch(path, init);
        const json = (await response.json()) as Answer;
        if (response.status < 500) return { status: response.status, json };
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
  }
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of any shape.
export type Answer = any;
