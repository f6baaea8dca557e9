import { isIP } from 'node:net';
import { CloudError } from '../../kernel/index.ts';
import { isPublicAddress } from './addresses.ts';

/** The URL if it is one that events may be sent to at all. */
function parsed(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === '';
  return plain ? url : undefined;
}

/** Whether a URL is one of the listed, or below. Compared by parts, so that a host or path that only begins alike does not pass. */
export function isListed(text: string, list: readonly string[]): boolean {
  const url = parsed(text);
  return (
    url !== undefined &&
    list.some((entry) => {
      const base = parsed(entry);
      if (base === undefined || base.origin !== url.origin) return false;
      const folder = base.pathname.endsWith('/') ? base.pathname : `${base.pathname}/`;
      return url.pathname === base.pathname || url.pathname.startsWith(folder);
    })
  );
}

/**
 * Events of tenants are sent from within our own network: they must not reach what only we reach. So a webhook has HTTPS, and leads to public addresses;
 * what a name stands for is looked at again with each connection. The list of the operator says what else may be called.
 * @throws CloudError
 */
export function refuseTarget(text: string, list: readonly string[], pointer = '/url'): void {
  const url = parsed(text);
  if (url === undefined) throw new CloudError('invalid_input', 'This is no http or https URL without a user.', { pointer });
  if (/[?#]/.test(text))
    throw new CloudError(
      'invalid_input',
      'The URL may have no query and no fragment: it is shown. A query is given apart, as urlQuery, and kept sealed.',
      {
        pointer,
      },
    );
  if (isListed(text, list)) return;
  if (url.protocol !== 'https:')
    throw new CloudError('refused', 'Events are sent over HTTPS alone, but where the operator allows it.', { pointer });
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && !isPublicAddress(host)))
    throw new CloudError('refused', 'Events are not sent to private addresses, but where the operator allows it.', { pointer });
}

/** What is behind the `?` may be a secret: it is kept apart, and shown nowhere. The fragment is never sent. */
export function parted(text: string): { readonly url: string; readonly query?: string } {
  const [, url = '', query] = /^([^?#]*)(?:\?([^#]*))?/.exec(text) ?? [];
  return query === undefined ? { url } : { url, query };
}

export const joined = (url: string, query: string | undefined): string => (query === undefined ? url : `${url}?${query}`);

/** @throws CloudError: callbacks go nowhere but where the operator allows it. */
export function refuseCallback(text: string, list: readonly string[]): void {
  if (parsed(text) === undefined)
    throw new CloudError('invalid_input', 'The header X-Callback-Url is no http or https URL without a user.', {
      params: { header: 'X-Callback-Url' },
    });
  if (!isListed(text, list)) throw new CloudError('refused', 'Callbacks may not go to this URL.', { params: { header: 'X-Callback-Url' } });
}
