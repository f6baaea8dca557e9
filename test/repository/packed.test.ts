import { readFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { join, posix } from 'node:path';
import { expect } from 'chai';
import { attempt, run } from '../../tools/system/command.ts';
import { built, ROOT } from './documents.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly engines?: { readonly node?: string };
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** A package as npm would publish it. */
interface Packed {
  readonly dir: string;
  readonly manifest: Manifest;
  readonly files: ReadonlySet<string>;
}

async function packAll(): Promise<readonly Packed[]> {
  await built();
  const text = await run(['npm', 'pack', '--workspaces', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, timeoutMs: 200_000 });
  const packs = JSON.parse(text) as readonly { readonly name: string; readonly files: readonly { readonly path: string }[] }[];
  return Promise.all(
    packs.map(async ({ name, files }) => {
      const dir = join(ROOT, 'packages', name.slice('@pileus/'.length));
      const manifest = JSON.parse(await readFile(join(dir, 'package.json'), 'utf8')) as Manifest;
      return { dir, manifest, files: new Set(files.map(({ path }) => path)) };
    }),
  );
}

/** Of what is imported at run time; types are erased. */
const SPECIFIER = /(?:^|[\s;}])(?:import|export)\s(?!type\s)(?:[^'"`;]*?\sfrom\s*)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** Of what declarations name. */
const TYPE_SPECIFIER = /\bfrom\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** Suites that are called by others' tests import nothing of Mocha: its globals are there, or nothing works. */
const MOCHA_GLOBAL = /^\s*(?:describe|it)\(/m;

const declarationOf = (path: string): string => path.replace(/(?:\.d)?\.[jt]s$/, '.d.ts');

/** What a published module and all that it reaches inside its package import from elsewhere. @throws Error when it reaches a file that is not published */
async function reachedFrom({ dir, files }: Packed, entry: string): Promise<ReadonlySet<string>> {
  const isTypes = entry.endsWith('.d.ts');
  const outside = new Set<string>();
  const seen = new Set<string>();
  const waiting = [posix.normalize(entry)];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    if (!files.has(path)) throw new Error(`${path} is not published`);
    const text = await readFile(join(dir, path), 'utf8');
    if (MOCHA_GLOBAL.test(text)) outside.add('mocha');
    for (const [, stated, called] of text.matchAll(isTypes ? TYPE_SPECIFIER : SPECIFIER)) {
      const specifier = stated ?? called ?? '';
      const near = posix.join(posix.dirname(path), specifier);
      if (specifier.startsWith('.')) waiting.push(isTypes ? declarationOf(near) : near);
      else outside.add(packageOf(specifier));
    }
  }
  return outside;
}

const packageOf = (specifier: string): string => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
const isBuiltIn = (name: string): boolean => name.startsWith('node:') || builtinModules.includes(name);

describe('a package as it is published', function () {
  this.timeout(300_000);
  let all: readonly Packed[];
  before(async () => {
    all = await packAll();
  });

  it('holds what it exports and runs', () => {
    for (const { manifest, files } of all) {
      const targets = [...Object.values(manifest.exports).flatMap((entry) => Object.values(entry)), ...Object.values(manifest.bin ?? {})];
      for (const target of targets) expect(files.has(posix.normalize(target)), `${manifest.name}: ${target}`).to.equal(true);
    }
  });

  it('declares all that its entries import, and needs nothing optional for the first of them', async () => {
    const reached: Record<string, readonly string[]> = {};
    for (const packed of all) {
      const { name, exports, dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = packed.manifest;
      for (const [entry, targets] of Object.entries(exports))
        for (const target of [targets.default, targets['@pileus/source']]) {
          if (target === undefined) throw new Error(`${name} ${entry} has no code`);
          const outside = [...(await reachedFrom(packed, target))].filter((other) => !isBuiltIn(other) && other !== name);
          const undeclared = outside.filter((other) => !(other in dependencies) && !(other in peerDependencies));
          expect(undeclared, `${name} ${entry}: ${target}`).to.deep.equal([]);
          const optional = outside.filter((other) => peerDependenciesMeta[other]?.optional === true).sort();
          if (optional.length > 0) reached[`${name}${entry.slice(1)}`] = optional;
        }
    }
    expect(reached).to.deep.equal({
      '@pileus/core/testing': ['chai', 'fast-check', 'mocha'],
      '@pileus/sdk/rxjs': ['rxjs'],
    });
  });

  it('brings the declarations that its own ones name', async () => {
    for (const packed of all) {
      const { name, exports, devDependencies = {} } = packed.manifest;
      for (const [entry, { types }] of Object.entries(exports)) {
        if (types === undefined) continue;
        const outside = [...(await reachedFrom(packed, types))];
        const kept = outside.map((other) => `@types/${other}`).filter((other) => other in devDependencies);
        expect(kept, `${name} ${entry}`).to.deep.equal([]);
      }
    }
  });

  it('tells its version, and run by an older Node which one it needs', async () => {
    const older = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.1.0' } })`;
    for (const { dir, manifest } of all.filter(({ manifest: { engines } }) => engines?.node === '>=24'))
      for (const [program, target] of Object.entries(manifest.bin ?? {})) {
        const { exitCode, stderr } = await attempt([process.execPath, '--import', older, join(dir, target), '--help']);
        expect(stderr, program).to.match(/^.* needs Node 24 or later; this is 22\.1\.0\.\n$/);
        expect(exitCode).to.equal(1);
        expect(await run([process.execPath, join(dir, target), '--version']), program).to.equal(`${manifest.version}\n`);
      }
  });

  it('asks for peers that this repository is tested with', async () => {
    for (const { manifest } of all) {
      const entries = Object.entries(manifest.peerDependencies ?? {});
      expect(Object.keys(manifest.peerDependenciesMeta ?? {}), manifest.name).to.have.members(entries.map(([peer]) => peer));
      for (const [peer, range] of entries) {
        const { version } = JSON.parse(await readFile(join(ROOT, 'node_modules', peer, 'package.json'), 'utf8')) as { version: string };
        const [, major, minor] = /^\^(\d+)\.(\d+)\.0$/.exec(range) ?? [];
        const [testedMajor, testedMinor] = version.split('.');
        expect(testedMajor, `${peer} ${range}`).to.equal(major);
        expect(Number(testedMinor), `${peer} ${range}`).to.be.at.least(Number(minor));
      }
    }
  });
});
