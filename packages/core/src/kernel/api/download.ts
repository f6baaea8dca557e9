import type { Content } from '../../strategy/index.ts';
import { bytesText } from '../byte-text.ts';
import type { Downloaded } from '../endpoint.ts';
import { CloudError } from '../errors.ts';
import type { ApiRequest, ApiResponse } from './request.ts';

/** Content as a response, whole or the one range that was asked for; whole, too, when it is not what `If-Range` names. @throws CloudError `invalid_range` */
export function contentResponse(content: Downloaded, headers: ApiRequest['headers'], route: string): ApiResponse {
  const { sizeBytes } = content;
  const tag = content.tag === undefined ? undefined : `"${content.tag}"`;
  const condition = headers['if-range'];
  const part = condition === undefined || condition === tag ? parseRange(headers.range, sizeBytes) : undefined;
  const { from, to } = part ?? { from: 0, to: sizeBytes };
  return {
    status: part === undefined ? 200 : 206,
    headers: {
      'content-type': content.mediaType,
      'content-length': String(to - from),
      'accept-ranges': 'bytes',
      ...(tag === undefined ? {} : { etag: tag }),
      ...(content.sha256 === undefined ? {} : { 'repr-digest': `sha-256=:${Buffer.from(content.sha256, 'hex').toString('base64')}:` }),
      ...(part === undefined ? {} : { 'content-range': `bytes ${from}-${to - 1}/${sizeBytes}` }),
    },
    body: slice(content, from, to),
    route,
  };
}

interface Part {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Several ranges at once, and units other than bytes, are answered with the whole, as HTTP allows. */
function parseRange(range: string | undefined, sizeBytes: number): Part | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const [, first, last] = match as unknown as [string, string, string];
  const from = first === '' ? Math.max(sizeBytes - Number(last), 0) : Number(first);
  const to = first === '' || last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (from >= to)
    throw new CloudError('invalid_range', `The content has ${bytesText(sizeBytes)}; the range lies outside.`, { params: { sizeBytes } });
  return { from, to };
}

/** Opens the content when it is read: a response that nobody reads holds nothing. */
async function* slice(content: Content, from: number, to: number): AsyncGenerator<Uint8Array> {
  let at = content.openAt === undefined ? 0 : from;
  for await (const chunk of content.openAt?.(from) ?? content.open()) {
    const begin = Math.max(from - at, 0);
    const end = Math.min(to - at, chunk.length);
    if (begin < end) yield chunk.subarray(begin, end);
    at += chunk.length;
    if (at >= to) return;
  }
}
