import { ANY_PROJECT, CloudError, lacks, type Principal } from '../../kernel/index.ts';
import type { CloudConfig } from '../services.ts';
import type { ImageContext } from './image-context.ts';

/** The URL if it is one that images may come from at all. */
function parsed(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === '';
  return plain ? url : undefined;
}

/** Whether a URL is the listed one or below it. Compared by parts, so that a host or path that only begins alike does not pass. */
function isBelow(url: URL, source: string): boolean {
  const base = parsed(source);
  if (base === undefined || base.origin !== url.origin) return false;
  const folder = base.pathname.endsWith('/') ? base.pathname : `${base.pathname}/`;
  return url.pathname === base.pathname || url.pathname.startsWith(folder);
}

export function isAllowedSource(text: string, sources: readonly string[]): boolean {
  const url = parsed(text);
  return url !== undefined && sources.some((source) => isBelow(url, source));
}

/** The absolute path that a `file:` URL is of, without any `..`; undefined for other URLs. */
function pathOf(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'file:' || url.host !== '') return undefined;
  // An encoded slash or zero is in no name of a file.
  return /%2f|%00/i.test(url.pathname) || !canDecode(url.pathname) ? undefined : decodeURIComponent(url.pathname);
}

function canDecode(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

const isIn = (path: string, directories: readonly string[]): boolean =>
  directories.some((directory) => path.startsWith(directory.endsWith('/') ? directory : `${directory}/`));

type Config = Pick<CloudConfig, 'imageSources' | 'imageDirectories'>;

/** @throws CloudError before anything is read: refused, permission_denied, or invalid_input for a URL that may carry a secret */
export function refuseSource(text: string, { imageSources, imageDirectories }: Config, principal: Principal): void {
  const pointer = '/sourceUrl';
  if (/[?#]/.test(text))
    throw new CloudError(
      'invalid_input',
      'The URL may have no query and no fragment: whoever may read the image sees it, and a signature in it would give access away.',
      { pointer },
    );
  if (/^file:/i.test(text)) {
    // What lies on the server is the operator's: who is none is not told whether anything may be read at all.
    if (!principal.allows(ANY_PROJECT)) throw lacks(ANY_PROJECT, principal);
    const path = pathOf(text);
    if (path !== undefined && isIn(path, imageDirectories)) return;
    throw new CloudError(
      'refused',
      'Images may not be imported from this path: it is in none of `images.directories` of the configuration.',
      { pointer },
    );
  }
  if (isAllowedSource(text, imageSources)) return;
  const why =
    imageSources.length === 0
      ? 'Import by URL is switched off here (`images.sources` of the configuration is empty); upload the content.'
      : 'Images may not be imported from this URL.';
  throw new CloudError('refused', why, { pointer });
}

/**
 * The content of a source that was accepted. It is opened by whoever reads it, who closes it, too: who fails before that leaves nothing open.
 * @throws CloudError unsupported, and what reading it throws
 */
export async function* bytesFrom(context: ImageContext, sourceUrl: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const part of await opened(context, sourceUrl, signal)) {
    signal.throwIfAborted();
    yield part;
  }
  // What ends too late is not taken for whole.
  signal.throwIfAborted();
}

function opened({ config, fetchUrl, openFile }: ImageContext, sourceUrl: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const path = pathOf(sourceUrl);
  if (path !== undefined) {
    if (openFile === undefined) throw new CloudError('unsupported', 'This server reads no files; upload the content.');
    return openFile(path, { directories: config.imageDirectories, signal });
  }
  if (fetchUrl === undefined) throw new CloudError('unsupported', 'This server fetches nothing; upload the content.');
  return fetchUrl(sourceUrl, { allowed: (url) => isAllowedSource(url, config.imageSources), signal });
}
