import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { LAYERS, layerOf, PACKAGES } from './arrows.ts';
import { BANS, FILE_LINES_MAX } from './rules.ts';

/** What biome and tsc do not see: arrows between layers, module contracts, banned calls, long files. Prints `file:line: what, instead what`. */
const root = normalize(join(import.meta.dirname, '../..'));
const files = globSync(['{examples,packages}/*/{src,test,testing,examples}/**/*.ts', 'test/**/*.ts', 'tools/**/*.ts'], {
  cwd: root,
}).filter((path) => !path.includes('node_modules'));

const problems: string[] = [];
const within = (path: string, folders: readonly string[]) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`));

/** Comments out, line numbers kept. */
const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ' ')).replaceAll(/(^|\s)\/\/.*$/gm, '$1');

function target(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return normalize(join(dirname(path), specifier));
  return PACKAGES[specifier] ?? (specifier.startsWith('@pileus/') ? `unknown ${specifier}` : undefined);
}

/** Cloud modules meet through `contract.ts` of each other, and nothing else. */
function contractProblem(path: string, to: string): string | undefined {
  const module = /^packages\/core\/src\/cloud\/([a-z]+)\//;
  const [from, into] = [module.exec(path)?.[1], module.exec(to)?.[1]];
  if (from === undefined || into === undefined || from === into || to.endsWith('/contract.ts')) return undefined;
  return `module ${from} reaches into ${into}; import ../${into}/contract.ts`;
}

function checkImports(path: string, text: string): void {
  const layer = layerOf(path);
  if (layer === undefined) return;
  for (const match of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    const to = target(path, match[1] ?? '');
    if (to === undefined) continue;
    const line = text.slice(0, match.index).split('\n').length;
    const into = layerOf(to);
    if (into !== layer && !(LAYERS[layer] ?? []).includes(into ?? ''))
      problems.push(`${path}:${line}: ${layer} may not import ${into ?? to}`);
    const contract = contractProblem(path, to);
    if (contract !== undefined) problems.push(`${path}:${line}: ${contract}`);
  }
}

/** Examples are packages of third parties: of ours they have what is published under a name, in their tests too. */
function checkExample(path: string, text: string): void {
  const own = /^examples\/[^/]+\//.exec(path)?.[0];
  if (own === undefined) return;
  for (const [, specifier = ''] of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    const isOutside = specifier.startsWith('.') && !normalize(join(dirname(path), specifier)).startsWith(own);
    const isUnpublished = specifier.startsWith('@pileus/') && PACKAGES[specifier] === undefined;
    if (isOutside || isUnpublished) problems.push(`${path}: an example may not import ${specifier}; use an entry of a package`);
  }
}

for (const path of files) {
  const whole = readFileSync(join(root, path), 'utf8');
  const text = withoutComments(whole);
  checkImports(path, text);
  checkExample(path, text);
  const lines = text.split('\n');
  for (const ban of BANS) {
    if (!within(path, ban.within) || within(path, ban.except ?? [])) continue;
    const source = ban.pattern.source.startsWith('@ts') ? whole.split('\n') : lines;
    source.forEach((line, index) => {
      if (ban.pattern.test(line)) problems.push(`${path}:${index + 1}: ${ban.pattern.exec(line)?.[0]} is banned here; use ${ban.instead}`);
    });
  }
  if (lines.length > FILE_LINES_MAX && !path.includes('/generated/') && !whole.slice(0, 1000).includes('Long because'))
    problems.push(`${path}: ${lines.length} lines; split it, or say at its head why not ("Long because …")`);
}

for (const problem of problems) console.log(problem);
console.log(
  problems.length === 0 ? `lint: ${files.length} files, nothing to say` : `lint: ${problems.length} problems in ${files.length} files`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
