import { hash } from 'node:crypto';
import { mkdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cloud, connect, type RetryPolicy } from '@pileus/sdk';
import { describeServer, type KindDescription, kebab, type ServerDescription } from '@pileus/sdk/document';
import { cacheDirectory, type Environment } from './directories.ts';
import { EXIT, UsageError } from './exit.ts';
import { inWords } from './format.ts';
import { didYouMean } from './near.ts';
import type { Target } from './profiles.ts';

/** A server and what it offers. */
export interface Server {
  readonly cloud: Cloud;
  readonly description: ServerDescription;
  /** Of its document: another one, another description. */
  readonly tag: string | undefined;
  /** It was taken from the cache without asking, and may be out of date. */
  readonly unasked: boolean;
}

/** `onRetry` is told what keeps the server from answering. */
export const connectTo = ({ url, key, project }: Pick<Target, 'url' | 'key' | 'project'>, onRetry?: RetryPolicy['onRetry']): Cloud =>
  connect({ url, retry: { onRetry }, ...(key === undefined ? {} : { apiKey: key }), ...(project === undefined ? {} : { project }) });

interface Cached {
  readonly etag?: string | undefined;
  readonly document: Readonly<Record<string, unknown>>;
}

/** For so long the document is taken from the cache without asking: a shell loop costs one request a command, not two. */
const FRESH_MS = 60_000;

/** Reads the server's document: from the cache if it is fresh enough, else asking by ETag whether it still holds. */
export async function openServer(
  target: Target,
  env: Environment,
  { freshMs = FRESH_MS, onRetry }: { readonly freshMs?: number; readonly onRetry?: RetryPolicy['onRetry'] } = {},
): Promise<Server> {
  const cloud = connectTo(target, onRetry);
  const file = cacheFile(target, env);
  const cached = await readCache(file);
  const known = (unasked: boolean, { document, etag: tag }: Cached): Server => ({
    cloud,
    description: describeServer(document),
    tag,
    unasked,
  });
  if (cached !== undefined && cached.ageMs < freshMs) return known(true, cached);
  const answer = await cloud.documentUnless(cached?.etag);
  if (answer === undefined && cached !== undefined) {
    await utimes(file, new Date(), new Date());
    return known(false, cached);
  }
  if (answer === undefined) throw new Error('The server says that its document is unchanged, without having been asked that.');
  const server = known(false, answer);
  await writeCache(file, answer);
  return server;
}

/** What is known of a server without asking it: for completion and for help. */
export async function knownServer(target: Target, env: Environment): Promise<ServerDescription | undefined> {
  const cached = await readCache(cacheFile(target, env));
  return cached === undefined ? undefined : describeServer(cached.document);
}

/** Documents differ by what a key may see, one day: so by key too. */
const cacheFile = ({ url, key }: Target, env: Environment): string =>
  join(cacheDirectory(env), `${hash('sha256', `${url}\n${key ?? ''}`).slice(0, 32)}.json`);

async function readCache(file: string): Promise<(Cached & { readonly ageMs: number }) | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    const { etag, document } = JSON.parse(text) as Cached;
    describeServer(document);
    return { etag, document, ageMs: Date.now() - mtimeMs };
  } catch {
    // Absent, unreadable or of another version: it is only a cache.
    return undefined;
  }
}

async function writeCache(file: string, content: Cached): Promise<void> {
  try {
    await mkdir(join(file, '..'), { recursive: true, mode: 0o700 });
    await writeFile(`${file}.${process.pid}`, JSON.stringify(content), { mode: 0o600 });
    await rename(`${file}.${process.pid}`, file);
  } catch {
    // Without a cache every command asks.
  }
}

const ALIASES: Readonly<Record<string, string>> = { vm: 'instance', vms: 'instance' };

/** What a kind may be called: `instances`, `instance`, `instance-types`, `instanceType`, `vm`. */
export function kindCalled(name: string, { kinds }: ServerDescription): KindDescription | undefined {
  const wanted = kebab(ALIASES[name] ?? name);
  return kinds.find(({ kind, plural }) => wanted === kebab(plural) || wanted === kebab(kind));
}

/** The kind that a pointer of an input names by its field: `/nics/0/networkId` -> network, `/attachVolumeIds/1` -> volume. */
export function kindAt(pointer: string, description: ServerDescription): KindDescription | undefined {
  const field = pointer.split('/').findLast((part) => !/^\d*$/.test(part)) ?? '';
  const words = kebab(field.replace(/Ids?$/, '')).split('-');
  return words.map((_, index) => kindCalled(words.slice(index).join('-'), description)).find((kind) => kind !== undefined);
}

/** Groups of endpoints that have commands: sockets are reached by those of their kinds. */
export const groupsOf = ({ groups }: ServerDescription): ServerDescription['groups'] =>
  groups.filter(({ endpoints }) => endpoints.some(({ type }) => type === 'value' || type === 'download'));

/** The id of a resource, which may be given by its name. @throws UsageError, PileusError not_found */
export async function idOf({ cloud, description }: Server, kind: string, named: string): Promise<string> {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(named)) return named;
  const found = kindCalled(kind, description);
  if (found === undefined) {
    const kinds = description.kinds.map((one) => one.kind);
    throw new UsageError(
      `The server has no kind ${JSON.stringify(kind)}, so there is none called ${JSON.stringify(named)}.`,
      didYouMean(kind, kinds) ?? `Kinds: ${kinds.join(', ')}`,
    );
  }
  const result = await cloud.resource({ kind, plural: found.plural }).get(named).safe();
  if (result.ok) return result.data.id;
  if (result.error.code !== 'not_found') throw result.error;
  const what = result.error.params?.shared === undefined ? `There is no ${inWords(kind)} ${named}.` : result.error.message;
  throw new UsageError(what, `See what there is: pileus ${kebab(found.plural)} list`, EXIT.notFound);
}
