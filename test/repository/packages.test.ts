import { access, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { attempt, run } from '../../tools/system/command.ts';
import { built, ROOT, read } from './documents.ts';

interface Entry {
  readonly '@pileus/source': string;
  readonly types: string;
  readonly default: string;
}
interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly type: string;
  readonly files?: readonly string[];
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, Entry>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}
interface Package {
  readonly dir: string;
  readonly manifest: Manifest;
}

async function packages(): Promise<readonly Package[]> {
  const names = (await readdir(join(ROOT, 'packages'))).sort();
  return Promise.all(
    names.map(async (name) => ({ dir: `packages/${name}`, manifest: JSON.parse(await read(`packages/${name}/package.json`)) as Manifest })),
  );
}

describe('the packages', function () {
  this.timeout(300_000);
  let all: readonly Package[];
  before(async () => {
    all = await packages();
    await built();
  });

  it('have one version, which the changelog has, and exact dependencies', async () => {
    const { version, license } = JSON.parse(await read('package.json')) as Manifest;
    expect(await read('CHANGELOG.md')).to.match(new RegExp(`^## ${version.replaceAll('.', '\\.')}\\b`, 'm'));
    for (const { manifest } of all) {
      expect(manifest, manifest.name).to.include({ version, license, type: 'module' });
      for (const [name, range] of Object.entries(manifest.dependencies ?? {}))
        expect(range, `${manifest.name} on ${name}`).to.match(/^\d+\.\d+\.\d+$/);
    }
  });

  it('export and run what is built, for those who use the sources and those who use the build', async () => {
    for (const { dir, manifest } of all) {
      for (const [entry, targets] of Object.entries(manifest.exports))
        for (const target of Object.values(targets))
          await access(join(ROOT, dir, target)).catch(() => expect.fail(`${manifest.name} ${entry}: ${target} is not there`));
      for (const target of Object.values(manifest.bin ?? {})) {
        const { stdout, exitCode } = await attempt([process.execPath, join(ROOT, dir, target), '--help']);
        expect({ target, exitCode, says: stdout.length > 0 }).to.deep.equal({ target, exitCode: 0, says: true });
      }
    }
  });

  it('load from the build', async () => {
    const loaded = all.flatMap(({ manifest }) => Object.keys(manifest.exports).map((entry) => manifest.name + entry.slice(1)));
    const script = `for (const entry of ${JSON.stringify(loaded)}) { const names = Object.keys(await import(entry)); console.log(entry, names.length > 0 || entry.endsWith('/strategy')); }`;
    const said = await run([process.execPath, '--input-type=module', '--eval', script], { cwd: ROOT });
    expect(said.trim().split('\n')).to.deep.equal(loaded.map((entry) => `${entry} true`));
  });

  it('are typed in the build: a program that uses it compiles, and a wrong one does not', async () => {
    const dir = await mkdtemp(join(ROOT, 'test/repository/.consumer-'));
    try {
      const program = (field: string) => `
import { createCloud } from '@pileus/core';
import { inlineSqlite } from '@pileus/core/sqlite';
import { kvm } from '@pileus/drivers-kvm';
import { connect } from '@pileus/sdk';
const cloud = connect(await createCloud({ plugins: [kvm()], store: inlineSqlite() }));
const zone = await cloud.zones.create({ ${field}: 'here' }).wait();
console.log(zone.name satisfies string);
`;
      const compilerOptions = {
        module: 'nodenext',
        target: 'es2024',
        lib: ['es2024', 'esnext.disposable'],
        types: ['node'],
        strict: true,
        noEmit: true,
      };
      await writeFile(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
      const compile = async (field: string) => {
        await writeFile(join(dir, 'use.ts'), program(field));
        return (await attempt([join(ROOT, 'node_modules/.bin/tsc'), '-p', dir], { timeoutMs: 120_000 })).stdout;
      };
      expect(await compile('name')).to.equal('');
      expect(await compile('nome')).to.include("'nome' does not exist");
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
