import { dirname, join, normalize } from 'node:path';
import { LAYERS, layerOf, PACKAGES } from './arrows.ts';
import { BANS, FILE_LINES_MAX } from './rules.ts';

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

function* importProblems(path: string, text: string): Generator<string> {
  const layer = layerOf(path);
  if (layer === undefined) return;
  for (const match of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    const to = target(path, match[1] ?? '');
    if (to === undefined) continue;
    const line = text.slice(0, match.index).split('\n').length;
    const into = layerOf(to);
    if (into !== layer && !(LAYERS[layer] ?? []).includes(into ?? '')) yield `${path}:${line}: ${layer} may not import ${into ?? to}`;
    const contract = contractProblem(path, to);
    if (contract !== undefined) yield `${path}:${line}: ${contract}`;
  }
}

/** Examples are packages of third parties: of ours they have what is published under a name, in their tests too. */
function* exampleProblems(path: string, text: string): Generator<string> {
  const own = /^examples\/[^/]+\//.exec(path)?.[0];
  if (own === undefined) return;
  for (const [, specifier = ''] of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    const isOutside = specifier.startsWith('.') && !normalize(join(dirname(path), specifier)).startsWith(own);
    const isUnpublished = specifier.startsWith('@pileus/') && PACKAGES[specifier] === undefined;
    if (isOutside || isUnpublished) yield `${path}: an example may not import ${specifier}; use an entry of a package`;
  }
}

function* banProblems(path: string, whole: string, text: string): Generator<string> {
  for (const ban of BANS) {
    if (!within(path, ban.within) || within(path, ban.except ?? [])) continue;
    const source = ban.pattern.source.startsWith('@ts') ? whole : text;
    for (const [index, line] of source.split('\n').entries()) {
      const found = ban.pattern.exec(line)?.[0];
      if (found !== undefined) yield `${path}:${index + 1}: ${found} is banned here; use ${ban.instead}`;
    }
  }
}

/** What is wrong with a file, as `file:line: what, instead what`. The path is that below the root of the repository. */
export function* problemsOf(path: string, whole: string): Generator<string> {
  const text = withoutComments(whole);
  yield* importProblems(path, text);
  yield* exampleProblems(path, text);
  yield* banProblems(path, whole, text);
  const { length } = text.split('\n');
  if (length > FILE_LINES_MAX && !path.includes('/generated/') && !whole.slice(0, 1000).includes('Long because'))
    yield `${path}: ${length} lines; split it, or say at its head why not ("Long because …")`;
}
