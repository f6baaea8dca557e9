import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../packages/server/src/main.ts', import.meta.url));
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
export const LOG = 'server.log';
const KEY = 'root-key';

export interface ServerOptions {
  /** Holds the configuration, the data, the log and the root key. */
  readonly dir: string;
  /** Keys of the configuration beside `listen` and `dataDir`. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** The real server as a child process, on a free port of this machine. */
export class ServerProcess {
  readonly url: string;
  readonly apiKey: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess, ended: Promise<void>, place: { readonly url: string; readonly apiKey: string }) {
    this.#child = child;
    this.#ended = ended;
    this.url = place.url;
    this.apiKey = place.apiKey;
  }

  /** Resolves when the server answers. The first start shows the root key once; it is kept beside the data for the starts after it. */
  static async start({ dir, config }: ServerOptions): Promise<ServerProcess> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const configPath = join(dir, 'config.json');
    await writeFile(configPath, JSON.stringify({ listen: { host: '127.0.0.1', port: 0 }, dataDir: 'data', ...config }, undefined, 2));
    const log = await open(join(dir, LOG), 'a', 0o600);
    const { size: logStart } = await log.stat();
    // A group of its own: Ctrl-C in the terminal is for us, and we stop the server when we are done with it.
    const child = spawn(process.execPath, [...nodeFlags(), MAIN, '--config', configPath], {
      detached: true,
      stdio: ['ignore', 'pipe', log.fd],
    });
    await log.close();
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    try {
      const said = await untilListening(child, ended, () => wordsAfter(join(dir, LOG), logStart));
      if (said.newKey !== undefined) await writeFile(join(dir, KEY), said.newKey, { mode: 0o600 });
      const apiKey = said.newKey ?? (await readFile(join(dir, KEY), 'utf8'));
      return new ServerProcess(child, ended, { url: said.url, apiKey });
    } catch (error) {
      child.kill('SIGKILL');
      await ended;
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when the process has ended, for whatever reason. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Ends it gracefully, and by force when it takes too long. Answers whether it ended by itself. */
  async stop(): Promise<boolean> {
    let forced = false;
    const timer = setTimeout(() => {
      forced = true;
      this.#child.kill('SIGKILL');
    }, STOP_TIMEOUT_MS);
    this.#child.kill('SIGTERM');
    await this.#ended;
    clearTimeout(timer);
    return !forced;
  }

  /** SIGKILL: what a power failure is to it. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** How this process runs sources; a test runner's own flags are left out. */
const nodeFlags = (): readonly string[] => ['--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'];

/** What the server has written since this start. */
async function wordsAfter(path: string, offset: number): Promise<string> {
  const log = await readFile(path).catch(() => Buffer.alloc(0));
  return log.subarray(offset).toString('utf8').trim().slice(-3000);
}

interface Listening {
  readonly url: string;
  readonly newKey?: string;
}

function untilListening(child: ChildProcess, ended: Promise<void>, words: () => Promise<string>): Promise<Listening> {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = async (why: string) => {
      clearTimeout(timer);
      reject(new Error(`the server ${why}; its words: ${await words()}`));
    };
    const timer = setTimeout(() => void fail(`did not answer within ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
    child.once('error', (error) => void fail(`cannot be started: ${error.message}`));
    void ended.then(() => fail('ended before it listened'));
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const url = /^listening on (\S+)$/m.exec(said)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      const newKey = /^root API key .*: (\S+)$/m.exec(said)?.[1];
      resolve({ url, ...(newKey === undefined ? {} : { newKey }) });
    });
  });
}
