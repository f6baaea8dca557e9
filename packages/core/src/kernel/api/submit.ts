import type { Principal } from '../access.ts';
import type { Action } from '../action.ts';
import { isUuid } from '../id.ts';
import type { KeptRequest } from '../idempotency.ts';
import type { Accepted, Kernel, SubmitRequest } from '../kernel.ts';
import type { RowBase } from '../kind.ts';
import { isFinished, type Operation, operation } from '../operation.ts';
import type { WaitEnds } from '../waiters.ts';
import { lookUp } from './lookup.ts';
import { WAIT_SECONDS_MAX } from './operation-routes.ts';
import { type ApiRequest, type ApiResponse, badHeader, keyOf } from './request.ts';

export interface Submission {
  readonly action: Action;
  /** Id or name of the resource, for actions on one. */
  readonly named: string;
  readonly input: unknown;
  readonly request: ApiRequest;
  readonly principal: Principal;
  readonly route: string;
  /** What ends a wait early. */
  readonly waiting: () => WaitEnds;
}

/** Accepts an action: 202 with what was accepted, or, when the caller prefers to wait and it ends in time, 200 with the operation too. */
export async function submit(kernel: Kernel, submission: Submission): Promise<ApiResponse> {
  const { request, route } = submission;
  const idempotencyKey = keyOf(request);
  const waitSeconds = preferredWait(request);
  const accepted = await kernel.submit(await asked(kernel, submission, idempotencyKey));
  const headers = { 'content-type': 'application/json', location: `/v1/operations/${accepted.operationId}` };
  const text = acceptedText(accepted);
  const response = { status: 202, headers, body: text, route, operationId: accepted.operationId };
  if (waitSeconds === undefined) return response;
  const waited = { ...response, headers: { ...headers, 'preference-applied': `wait=${waitSeconds}` } };
  const row = await kernel.operations.wait(accepted.operationId, waitSeconds * 1000, submission.waiting());
  return isFinished(row) ? { ...waited, status: 200, body: `${text.slice(0, -1)},"operation":${JSON.stringify(row)}}` } : waited;
}

/** Tells what `submit` would do. An Idempotency-Key is for what is done: here it is not looked at. */
export async function rehearse(kernel: Kernel, submission: Submission): Promise<ApiResponse> {
  const rehearsal = await kernel.rehearse(await asked(kernel, submission, undefined));
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(rehearsal), route: submission.route };
}

async function asked(kernel: Kernel, submission: Submission, idempotencyKey: string | undefined): Promise<SubmitRequest> {
  const { action, request, principal, input } = submission;
  const ifGeneration = ifMatch(request);
  const callbackUrl = request.headers['x-callback-url'];
  return {
    action: action.name,
    ...(action.target === 'resource' ? { resourceId: await targetId(kernel, submission, idempotencyKey) } : {}),
    input,
    principal,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(ifGeneration === undefined ? {} : { ifGeneration }),
    ...(callbackUrl === undefined ? {} : { callbackUrl }),
  };
}

/** Fields in one order: a repeat is answered with the same bytes. */
const acceptedText = ({ operationId, action, resourceKind, resourceId, acceptedAt }: Accepted): string =>
  JSON.stringify({ operationId, action, resourceKind, resourceId, acceptedAt });

/** A repeated request may name a resource that its first try has deleted or renamed since: then the first try says what was meant. */
async function targetId(kernel: Kernel, { action, named, principal }: Submission, key: string | undefined): Promise<string> {
  if (isUuid(named)) return named;
  const first = key === undefined ? undefined : await firstTarget(kernel, action, `${principal.actor}/${key}`);
  if (first?.name === named) return first.id;
  try {
    return (await lookUp(kernel.reader, action.kind, named, principal)).row.id;
  } catch (error) {
    if (first !== undefined) return first.id;
    throw error;
  }
}

async function firstTarget(kernel: Kernel, action: Action, key: string): Promise<RowBase | undefined> {
  const text = await kernel.services.store.read('idempotency', key);
  if (text === undefined) return undefined;
  const { operationId } = JSON.parse(text) as KeptRequest;
  if (operationId === undefined) return undefined;
  const first: Operation = await kernel.reader.get(operation, operationId);
  return first.action === action.name ? kernel.reader.find(action.kind, first.resourceId) : undefined;
}

/** The generation the row must have; `*` is met by any row that is there. */
function ifMatch({ headers }: ApiRequest): number | undefined {
  const tag = headers['if-match'];
  if (tag === undefined || tag === '*') return undefined;
  const match = /^"(\d{1,15})"$/.exec(tag);
  if (match === null) throw badHeader('If-Match', 'is the ETag of one answer');
  return Number(match[1]);
}

function preferredWait({ headers }: ApiRequest): number | undefined {
  const match = /(?:^|[,;\s])wait=(\d{1,9})(?:$|[,;\s])/.exec(headers.prefer ?? '');
  return match === null ? undefined : Math.min(Number(match[1]), WAIT_SECONDS_MAX);
}
