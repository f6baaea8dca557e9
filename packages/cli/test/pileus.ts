import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

export const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** Shared by all runs: what is tested is the program, not its compilation. */
const COMPILED = fileURLToPath(new URL('../../../node_modules/.cache/compiled', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `pileus` as a child process with a home of its own. */
export class Pileus {
  readonly home: string;
  readonly env: Record<string, string>;

  private constructor(home: string, env: Record<string, string>) {
    this.home = home;
    this.env = env;
  }

  static async at(server: { readonly url: string; readonly apiKey: string } | undefined): Promise<Pileus> {
    const home = await mkdtemp(join(tmpdir(), 'pileus-cli-'));
    const target = server === undefined ? {} : { PILEUS_URL: server.url, PILEUS_KEY: server.apiKey };
    return new Pileus(home, { PATH: process.env.PATH ?? '', HOME: home, NODE_COMPILE_CACHE: COMPILED, ...target });
  }

  start(...args: readonly string[]) {
    return spawn(process.execPath, [...process.execArgv, MAIN, ...args], { env: this.env });
  }

  async run(...args: readonly string[]): Promise<Ran> {
    return await this.runWith('', ...args);
  }

  async runWith(input: string, ...args: readonly string[]): Promise<Ran> {
    const child = this.start(...args);
    child.stdin.end(input);
    const [out, err, code] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      new Promise<number | null>((resolve) => child.on('close', resolve)),
    ]);
    return { code, out, err };
  }

  /** Runs what must succeed and answers its output. */
  async ok(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await this.run(...args);
    expect(code, `pileus ${args.join(' ')}: ${err}`).to.equal(0);
    return out;
  }

  async json<T = Record<string, unknown>>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.ok(...args, '-o', 'json')) as T;
  }

  async remove(): Promise<void> {
    await rm(this.home, { recursive: true });
  }
}

const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** Compares with the committed text; with UPDATE_SNAPSHOTS=1 it is written instead. */
export async function expectSnapshot(name: string, actual: string): Promise<void> {
  const file = fileURLToPath(new URL(`snapshots/${name}.txt`, import.meta.url));
  const shown = actual.replaceAll(ID, 'ID').replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, 'URL');
  if (process.env.UPDATE_SNAPSHOTS === '1') await writeFile(file, shown);
  expect(shown).to.equal(await readFile(file, 'utf8').catch(() => ''));
}
