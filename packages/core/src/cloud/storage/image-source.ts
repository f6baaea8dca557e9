import { CloudError } from '../../kernel/index.ts';

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

/** @throws CloudError before anything is fetched: refused, or invalid_input for a URL that may carry a secret */
export function refuseSource(text: string, sources: readonly string[]): void {
  if (/[?#]/.test(text))
    throw new CloudError(
      'invalid_input',
      'The URL may have no query and no fragment: whoever may read the image sees it, and a signature in it would give access away.',
      { pointer: '/sourceUrl' },
    );
  if (isAllowedSource(text, sources)) return;
  const why =
    sources.length === 0
      ? 'Import by URL is switched off here (imageSources is empty); upload the content.'
      : 'Images may not be imported from this URL.';
  throw new CloudError('refused', why, { pointer: '/sourceUrl' });
}
