import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from './client.ts';
import { PROBE, type Probe } from './probes.ts';

const MAIN = fileURLToPath(new URL('../../packages/server/src/main.ts', import.meta.url));
const PLUGIN = fileURLToPath(new URL('./world-plugin.ts', import.meta.url));
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'];
const KEY_FILE = 'root-key';

export interface ServerOptions {
  readonly dir: string;
  /** Simulated hosts; none = the server as it is, without drivers. */
  readonly hosts?: readonly string[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly nodeFlags?: readonly string[];
}

/** The real server as a process of its own, with the default configuration but for its drivers. */
export class BenchServer implements AsyncDisposable {
  readonly client: Client;
  readonly url: string;
  readonly pid: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string, client: Client) {
    this.#child = child;
    this.url = url;
    this.client = client;
    this.pid = child.pid ?? 0;
  }

  static async start({ dir, hosts = [], config = {}, nodeFlags = [] }: ServerOptions): Promise<BenchServer> {
    await mkdir(dir, { recursive: true });
    const path = join(dir, 'config.json');
    const plugins = [{ module: PLUGIN, options: { hosts } }];
    const whole = { listen: { host: '127.0.0.1', port: 0 }, dataDir: 'data', kvm: { enabled: false }, plugins, ...config };
    await writeFile(path, JSON.stringify(whole));
    const log = await open(join(dir, 'server.log'), 'a');
    const stdio = ['ignore', 'pipe', log.fd, 'ipc'] as const;
    const child = fork(MAIN, ['--config', path], { execArgv: [...NODE_FLAGS, ...nodeFlags], stdio: [...stdio] });
    await log.close();
    const { url, key } = await untilListening(child, dir);
    return new BenchServer(child, url, new Client(url, key));
  }

  async probe(): Promise<Probe> {
    const answered = once(this.#child, 'message');
    this.#child.send(PROBE);
    return (await answered)[0] as Probe;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }
}

/** The root key is shown at the first start only: it is kept for the next. */
async function untilListening(child: ChildProcess, dir: string): Promise<{ readonly url: string; readonly key: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = '';
  child.once(
    'exit',
    () => void readFile(join(dir, 'server.log'), 'utf8').then((log) => reject(new Error(`the server ended: ${log}`)), reject),
  );
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    const url = /^listening on (\S+)$/m.exec(said)?.[1];
    if (url !== undefined) resolve(url);
  });
  const url = await promise;
  const shown = /^root API key .*: (\S+)$/m.exec(said)?.[1];
  if (shown !== undefined) await writeFile(join(dir, KEY_FILE), shown, { mode: 0o600 });
  return { url, key: shown ?? (await readFile(join(dir, KEY_FILE), 'utf8')) };
}
