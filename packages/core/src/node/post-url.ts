import { lookup } from 'node:dns';
import type { IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from '../cloud/events/addresses.ts';
import type { PostUrl } from '../cloud/index.ts';
import { CloudError } from '../kernel/index.ts';
import { Agent as HttpAgent, request as httpRequest } from './plain-http.ts';

const refused = (): CloudError => new CloudError('refused', 'The URL leads to an address that is not public.');

/** Looks a name up for one connection, so that what was checked is what is connected to. One address that is not public refuses all of them. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const [first] = addresses ?? [];
    if (error !== null || first === undefined) return callback(error ?? new Error(`${hostname} has no address`), '', 0);
    if (!addresses.every(({ address }) => isPublicAddress(address))) return callback(refused(), '', 0);
    if (options.all === true) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

/** Connections are kept for those alone that are checked alike. */
const CONNECTIONS = { keepAlive: true, maxSockets: 32, maxFreeSockets: 4, timeout: 60_000 };
const AGENTS = {
  public: {
    http: new HttpAgent({ ...CONNECTIONS, lookup: publicLookup }),
    https: new HttpsAgent({ ...CONNECTIONS, lookup: publicLookup }),
  },
  any: { http: new HttpAgent(CONNECTIONS), https: new HttpsAgent(CONNECTIONS) },
};

export const postUrl: PostUrl = ({ url, headers, body, publicOnly, signal }) => {
  const { protocol, hostname } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  // What is an address already is never looked up.
  if (publicOnly && isIP(host) !== 0 && !isPublicAddress(host)) return Promise.reject(refused());
  const agents = publicOnly ? AGENTS.public : AGENTS.any;
  const options = { method: 'POST', signal, headers: { ...headers, 'content-length': Buffer.byteLength(body) } };
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage) => {
      // The rest is of no interest: a connection with more of it is not worth keeping.
      response.on('error', () => undefined);
      if (Number(response.headers['content-length'] ?? Number.NaN) <= 1024) response.resume();
      else response.destroy();
      const retryAfter = Number(response.headers['retry-after'] ?? Number.NaN);
      resolve({ status: response.statusCode ?? 0, ...(Number.isFinite(retryAfter) ? { retryAfterSeconds: retryAfter } : {}) });
    };
    const sent =
      protocol === 'https:'
        ? httpsRequest(url, { ...options, agent: agents.https }, answered)
        : httpRequest(url, { ...options, agent: agents.http }, answered);
    sent.on('error', (cause) =>
      reject(cause instanceof CloudError ? cause : new CloudError('unavailable', 'There is no answer.', { detail: cause.message, cause })),
    );
    sent.end(body);
  });
};
