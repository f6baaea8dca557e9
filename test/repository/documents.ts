import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt, run } from '../../tools/system/command.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const NODE = [process.execPath, '--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'] as const;

export const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

/** TypeScript blocks of a page. Those with the same `file=` are one file, in their order; others are files of their own. */
export async function codeOf(page: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const [, file, code = ''] of (await read(page)).matchAll(/```ts(?: file=(\S+))?\n([\s\S]*?)```/g)) {
    const name = file ?? `block-${files.size + 1}.ts`;
    files.set(name, (files.get(name) ?? '') + code);
  }
  return files;
}

let build: Promise<string> | undefined;

/** The published form of the packages, made once. */
export const built = (): Promise<string> => {
  build ??= run([join(ROOT, 'node_modules/.bin/tsc'), '-b', join(ROOT, 'tsconfig.build.json')], { timeoutMs: 240_000 });
  return build;
};

/** The code of a page laid out in a folder of this repository, so that package names mean what they mean to users. */
export class CodeOfPage implements AsyncDisposable {
  readonly dir: string;
  readonly names: readonly string[];

  private constructor(dir: string, names: readonly string[]) {
    this.dir = dir;
    this.names = names;
  }

  static async lay(page: string): Promise<CodeOfPage> {
    const dir = join(ROOT, 'test/repository', `.code-${page.replaceAll(/[^a-z]/gi, '-')}-${process.pid}`);
    const files = await codeOf(page);
    await mkdir(dir, { recursive: true });
    for (const [name, code] of files) await writeFile(join(dir, name), code);
    return new CodeOfPage(dir, [...files.keys()]);
  }

  /** What the compiler says of it with the types that are published; empty when it has nothing to say. */
  async typeErrors(): Promise<string> {
    await built();
    const config = {
      extends: '../../../tsconfig.base.json',
      compilerOptions: { noEmit: true, customConditions: [], types: ['node', 'mocha'], allowImportingTsExtensions: true },
      include: ['*.ts'],
    };
    await writeFile(join(this.dir, 'tsconfig.json'), JSON.stringify(config));
    return (await attempt([join(ROOT, 'node_modules/.bin/tsc'), '-p', this.dir], { timeoutMs: 120_000 })).stdout;
  }

  /** Runs a file in its folder and answers what it printed. */
  run(name: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    return run([...NODE, join(this.dir, name)], { cwd: this.dir, env: { ...process.env, ...env } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}
