import type { Logger } from '../environment.ts';
import { CloudError, describeChain, isCloudError, toErrorRecord, toProblem } from '../errors.ts';
import type { ApiResponse } from './request.ts';

const RETRY_AFTER_SECONDS = 1;

/** The answer to a request that failed, as RFC 9457 has it. What was not foreseen goes to the log with all its causes, and so does a fault on our side, under the request id that the caller is shown. */
export function problemResponse(error: unknown, requestId: string, route: string, logger: Logger): ApiResponse {
  if (!isCloudError(error)) logger.error({ requestId, route, error: describeChain(error) }, 'request failed unexpectedly');
  else if (error.code === 'internal') logger.warn({ requestId, route, error: describeChain(error) }, 'request met a fault');
  const record = toErrorRecord(error);
  const problem = { ...toProblem(record), requestId };
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
  const params = record.params as { retryAfterSeconds?: number; allow?: readonly string[] } | undefined;
  if (problem.retry === 'same_request') headers['retry-after'] = String(params?.retryAfterSeconds ?? RETRY_AFTER_SECONDS);
  if (problem.code === 'method_not_allowed' && params?.allow !== undefined) headers.allow = params.allow.join(', ');
  if (problem.code === 'unauthenticated') headers['www-authenticate'] = 'Bearer realm="pileus"';
  return { status: problem.status, headers, body: JSON.stringify(problem), route };
}

export const unauthenticated = (): CloudError => new CloudError('unauthenticated', 'An API key is needed: Authorization: Bearer pil_…');
