import { type ChildProcess, spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect } from 'chai';
import { attempt, run } from '../../tools/system/command.ts';
import { freePort } from '../../tools/system/free-port.ts';
import { ROOT, read } from './documents.ts';

const PAGE = 'examples/scrape-targets/README.md';

interface Block {
  readonly language: string;
  /** What stands behind it: `server`, `file=use.ts`. */
  readonly role: string;
  readonly code: string;
}

/** Somebody who follows the page in an empty folder. */
class Reader {
  readonly #place: string;
  readonly folder: string;
  readonly #port: number;
  #server: ChildProcess | undefined;
  #key = '';

  private constructor(place: string, port: number) {
    this.#place = place;
    this.folder = join(place, 'cloud');
    this.#port = port;
  }

  static async sitDown(): Promise<Reader> {
    const reader = new Reader(await mkdtemp(join(tmpdir(), 'pileus-plugin-')), await freePort());
    await mkdir(reader.folder);
    return reader;
  }

  get env(): Record<string, string | undefined> {
    return {
      // How npm reaches its registry.
      ...process.env,
      // The page asks for Node 24, which may not be this machine's.
      PATH: [join(ROOT, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
      XDG_CACHE_HOME: join(this.#place, 'cache'),
      XDG_CONFIG_HOME: join(this.#place, 'config'),
      PACKS: join(this.#place, 'packs'),
      PILEUS_URL: `http://127.0.0.1:${this.#port}`,
      PILEUS_KEY: this.#key,
      ...Object.fromEntries(['audit', 'fund', 'update_notifier'].map((name) => [`npm_config_${name}`, 'false'])),
      npm_config_prefer_offline: 'true',
    };
  }

  /** Does what the block says. Answers what was printed. */
  async follow({ role, code }: Block): Promise<string> {
    const file = /^file=(\S+)$/.exec(role)?.[1];
    // `npx` finds the same program, in a second each time.
    const text = code.replaceAll('7420', String(this.#port)).replaceAll(/\bnpx /g, './node_modules/.bin/');
    // It also installs what the clone lacks; we are running on that, and it is there.
    if (role === 'clone') return this.#sh(text.replace(/^npm run build$/m, `tsc -b ${join(ROOT, 'tsconfig.build.json')}`), ROOT);
    if (file !== undefined) await writeFile(join(this.folder, file), text);
    else if (role === 'server') await this.#serve(text.trim().split(' '));
    else if (role === '') return this.#sh(text, this.folder);
    return '';
  }

  async #sh(commands: string, cwd: string): Promise<string> {
    const script = join(this.#place, 'block.sh');
    await writeFile(script, commands);
    return run(['sh', '-e', script], { cwd, env: this.env, timeoutMs: 240_000 });
  }

  async #serve([program = '', ...words]: readonly string[]): Promise<void> {
    await this.stop();
    const server = spawn(program, words, { cwd: this.folder, env: this.env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#server = server;
    let said = '';
    for await (const text of server.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      said += text;
      if (said.includes('listening on')) break;
    }
    server.stdout.resume();
    expect(said).to.include(`listening on http://127.0.0.1:${this.#port}`);
    this.#key = /\(shown this once\): (\S+)/.exec(said)?.[1] ?? this.#key;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await ended;
  }

  async leave(): Promise<void> {
    await this.stop();
    await rm(this.#place, { recursive: true });
  }
}

const blocksOf = (page: string): readonly Block[] =>
  [...page.matchAll(/```(\w+)(?: (\S+))?\n([\s\S]*?)```/g)].map(([, language = '', role = '', code = '']) => ({ language, role, code }));

describe('the guide to the example of a plugin', function () {
  this.timeout(600_000);
  let reader: Reader;
  before(async () => {
    reader = await Reader.sitDown();
  });
  after(() => reader.leave());

  it('is about what nothing else knows of', async () => {
    const sources = globSync(['packages/*/{src,testing}/**/*', 'tools/generate/**/*', 'docs/reference/**/*'], {
      cwd: ROOT,
      exclude: ['**/node_modules/**'],
    });
    expect(sources.length).to.be.greaterThan(500);
    const files = sources.filter((path) => /\.(ts|md|json)$/.test(path));
    const texts = await Promise.all(files.map(async (path) => ((await read(path)).includes('scrapeTarget') ? [path] : [])));
    expect(texts.flat()).to.deep.equal([]);
  });

  it('does what it says, in an empty folder, from the installation to the removal', async () => {
    let printed = '';
    let compared = 0;
    for (const block of blocksOf(await read(PAGE))) {
      if (block.language !== 'text') {
        printed = await reader.follow(block);
        continue;
      }
      for (const line of block.code.trim().split('\n')) {
        for (const part of line.split('…')) expect(printed).to.include(part);
        compared += 1;
      }
    }
    expect(compared).to.be.greaterThan(10);
    // The last command has shown that nothing is left.
    expect(printed.trim().split('\n').at(-1)).not.to.include('.json');
    expect(await readdir(join(reader.folder, 'targets'))).to.deep.equal([]);
  });

  it('gives types that hold', async () => {
    const compilerOptions = {
      noEmit: true,
      customConditions: [],
      types: [],
      allowImportingTsExtensions: true,
      lib: ['es2024', 'esnext.disposable', 'dom'],
    };
    const config = { extends: join(ROOT, 'tsconfig.base.json'), compilerOptions, files: ['use.ts', 'node.d.ts'] };
    await writeFile(join(reader.folder, 'tsconfig.json'), JSON.stringify(config));
    await writeFile(
      join(reader.folder, 'node.d.ts'),
      'declare const process: { readonly env: Readonly<Record<string, string | undefined>> };',
    );
    const compile = async () => (await attempt([join(ROOT, 'node_modules/.bin/tsc'), '-p', reader.folder], { timeoutMs: 120_000 })).stdout;
    expect(await compile()).to.equal('');
    const use = blocksOf(await read(PAGE)).find(({ role }) => role === 'file=use.ts')?.code ?? '';
    await writeFile(join(reader.folder, 'use.ts'), use.replace('target.scheme', 'target.schema'));
    expect(await compile()).to.include("Property 'schema' does not exist");
  });
});
