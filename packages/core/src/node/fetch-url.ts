import type { FetchUrl } from '../cloud/index.ts';
import { CloudError } from '../kernel/index.ts';

const REDIRECTS_MAX = 5;

/** Gets content over HTTP. Redirects are followed by hand, and each is judged like the URL itself: an allowed server must not lead into our own network. */
export const fetchUrl: FetchUrl = async (url, { allowed, signal }) => {
  let at = url;
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
    if (!allowed(at)) throw new CloudError('refused', `${shown(url)} leads to ${shown(at)}, which images may not be imported from.`);
    const response = await ask(at, signal);
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || location === null) return bytesOf(response, at);
    await response.body?.cancel();
    if (!URL.canParse(location, at)) throw new CloudError('refused', `${shown(at)} leads to what is no URL.`);
    at = new URL(location, at).href;
  }
  throw new CloudError('refused', `${shown(url)} leads on and on.`);
};

/** As messages show it: a query, a fragment or a user may be secret, and a redirect may bring them in. */
function shown(url: string): string {
  if (!URL.canParse(url)) return 'The URL';
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

async function ask(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { redirect: 'manual', signal });
  } catch (cause) {
    throw new CloudError('unavailable', `${shown(url)} cannot be reached.`, { cause });
  }
}

function bytesOf({ status, body }: Response, url: string): AsyncIterable<Uint8Array> {
  if (status === 200 && body !== null) return reading(body, url);
  void body?.cancel();
  const code = status === 404 || status === 410 ? 'not_found' : status >= 500 ? 'unavailable' : 'refused';
  throw new CloudError(code, `${shown(url)} answers with status ${status}.`);
}

/** A connection that breaks on the way is a failure of the source: the import may be tried again. */
async function* reading(body: ReadableStream<Uint8Array>, url: string): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    throw new CloudError('unavailable', `${shown(url)} broke off.`, { cause });
  }
}
