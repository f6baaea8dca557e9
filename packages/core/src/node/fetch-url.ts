import type { FetchUrl } from '../cloud/index.ts';
import { CloudError } from '../kernel/index.ts';

const REDIRECTS_MAX = 5;

/** Gets content over HTTP. Redirects are followed by hand: each must lead to what is allowed, too. */
export const fetchUrl: FetchUrl = async (url, { allowed, signal }) => {
  let at = url;
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
    const response = await ask(at, signal);
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || location === null) return bytesOf(response, at);
    await response.body?.cancel();
    at = new URL(location, at).href;
    if (!allowed(at)) throw new CloudError('refused', `${url} leads to ${at}, which images may not be imported from.`);
  }
  throw new CloudError('refused', `${url} leads on and on.`);
};

async function ask(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { redirect: 'manual', signal });
  } catch (cause) {
    throw new CloudError('unavailable', `${url} cannot be reached.`, { cause });
  }
}

function bytesOf({ status, body }: Response, url: string): AsyncIterable<Uint8Array> {
  if (status === 200 && body !== null) return body as AsyncIterable<Uint8Array>;
  void body?.cancel();
  throw new CloudError(status < 500 ? 'not_found' : 'unavailable', `${url} answers with status ${status}.`);
}
