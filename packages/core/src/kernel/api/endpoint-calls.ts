import { createHash } from 'node:crypto';
import { isVisible, lacks, type Principal } from '../access.ts';
import { AUDIT_TABLE, type AuditEnd, auditStatement, type Told, toldOfCall } from '../audit/index.ts';
import type { Refusal } from '../commits.ts';
import type { BegunBy, ChangeRequest, Endpoint, EndpointRequest } from '../endpoint.ts';
import { timestamp } from '../environment.ts';
import { CloudError, toErrorRecord } from '../errors.ts';
import { idempotencyMismatch } from '../idempotency.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Kernel } from '../kernel.ts';
import type { AnyKind } from '../kind.ts';
import { quotaExceeded } from '../quota/index.ts';
import { taken, tooLong } from '../refusals.ts';
import { type Rehearsal, rehearsal } from '../rehearse.ts';
import type { Statement } from '../store.ts';
import { compileInput, type InputCheck } from '../validation.ts';
import { toldOf } from './denied.ts';
import { contentResponse } from './download.ts';
import { takeDryRun } from './dry-run.ts';
import { lookUp } from './lookup.ts';
import { parseQuery } from './query.ts';
import type { Attempt, Done, Repeats } from './repeats.ts';
import { type ApiRequest, type ApiResponse, badHeader, bodyOf, keyOf } from './request.ts';
import { AUTHENTICATED, anonymous } from './routes.ts';

type Changing = Extract<Endpoint, { type: 'change' | 'upload' }>;
type Body = (request: ChangeRequest) => Promise<Done>;

/** One request to an endpoint. */
export interface EndpointCall<E extends Endpoint = Endpoint> {
  readonly endpoint: E;
  readonly route: string;
  /** As they are in the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly request: ApiRequest;
  readonly principal: Principal;
  readonly parameters: URLSearchParams;
}

/** Answers what plugins declare as endpoints. */
export class EndpointCalls {
  readonly #kernel: Kernel;
  readonly #repeats: Repeats;
  readonly #kinds: ReadonlyMap<string, AnyKind>;
  readonly #bodies = new Map<Endpoint, InputCheck>();

  constructor(kernel: Kernel, repeats: Repeats) {
    this.#kernel = kernel;
    this.#repeats = repeats;
    this.#kinds = new Map(kernel.registry.kinds().map((kind) => [kind.plural, kind]));
    for (const endpoint of kernel.registry.endpoints())
      if ('body' in endpoint && endpoint.body !== undefined) this.#bodies.set(endpoint, compileInput(endpoint.body));
  }

  /** @throws CloudError */
  async answer(call: EndpointCall): Promise<ApiResponse> {
    const { endpoint, request, route } = call;
    const { dryRun, rest } = takesDryRun(endpoint) ? takeDryRun(call.parameters) : { dryRun: false, rest: call.parameters };
    const query = parseQuery(endpoint.query, rest);
    const json = (body: string): ApiResponse => ({ status: 200, headers: { 'content-type': 'application/json' }, body, route });
    switch (endpoint.type) {
      case 'value': {
        const common = await this.#common(call, query);
        return json(JSON.stringify(await endpoint.handle({ ...common, body: await this.#body(call) })));
      }
      case 'change':
        if (dryRun) return json(JSON.stringify(await this.#rehearse(call as EndpointCall<typeof endpoint>, query)));
        return json(await this.#change(call as EndpointCall<typeof endpoint>, query));
      case 'upload':
        return json(await this.#upload(call as EndpointCall<typeof endpoint>, query));
      case 'download':
        return contentResponse(await endpoint.handle(await this.#common(call, query)), request.headers, route);
      case 'socket':
        if (!request.acceptsSocket) throw new CloudError('invalid_input', 'This route is a WebSocket; ask with Upgrade: websocket.');
        return { status: 101, headers: {}, body: '', socket: await endpoint.handle(await this.#common(call, query)), route };
    }
  }

  async #body({ endpoint, request }: EndpointCall): Promise<unknown> {
    const check = this.#bodies.get(endpoint);
    if (check === undefined) return undefined;
    const body = await bodyOf(request);
    check.assert(body);
    return body;
  }

  /** Below a collection, `{id}` takes a name too, and what the caller may not see is absent before the endpoint is asked. */
  async #common({ endpoint, params, request, principal }: EndpointCall, query: EndpointRequest['query']): Promise<EndpointRequest> {
    const { headers, signal, from } = request;
    const kind = this.#kinds.get(endpoint.path.split('/')[1] ?? '');
    const asIs = kind === undefined || params.id === undefined || principal === anonymous;
    const resolved = asIs ? params : { ...params, id: await this.#target(kind, params.id as string, endpoint, principal) };
    return { principal, params: resolved, query, headers, signal, from, body: undefined };
  }

  async #target(kind: AnyKind, named: string, { permission }: Endpoint, principal: Principal): Promise<string> {
    const { reader } = this.#kernel;
    const { row } = await lookUp(reader, kind, named, principal);
    // What one may see, one may be told not to touch.
    const isAllowed = permission === AUTHENTICATED || (await isVisible(kind, row, principal, permission, reader));
    if (!isAllowed) throw lacks(permission, principal);
    return row.id;
  }

  async #change(call: EndpointCall<Extract<Endpoint, { type: 'change' }>>, query: EndpointRequest['query']): Promise<string> {
    const { endpoint } = call;
    const body = await this.#body(call);
    return this.#repeatable(
      call,
      query,
      { body: withoutSecrets(body, endpoint.secrets), isOneTime: endpoint.isOneTime === true },
      async (request) => ({
        answer: JSON.stringify(await endpoint.handle({ ...request, body })),
      }),
    );
  }

  /** Plays it up to where it would begin. An Idempotency-Key is for what is done: here it is not looked at. */
  async #rehearse(call: EndpointCall<Extract<Endpoint, { type: 'change' }>>, query: EndpointRequest['query']): Promise<Rehearsal> {
    const { endpoint, route } = call;
    const body = await this.#body(call);
    const common = await this.#common(call, query);
    const at = timestamp(this.#kernel.services.environment.clock);
    const { action } = endpoint;
    const of = { action, resourceKind: action.slice(0, action.indexOf('.')), resourceId: common.params.id, steps: [] };
    return rehearsal(of, async (decided) => {
      const enough = new Error(`the dry run of ${route} ends where it would begin`);
      const begin: ChangeRequest['begin'] = async (statements = [], facts = {}) => {
        const { result, quota } = await this.#kernel.operations.commits.rehearse(statements);
        decided({ satisfied: false, quota, ...(Object.keys(facts).length === 0 ? {} : { notes: facts }) });
        throw result.ok ? enough : this.#refused(result, statements[result.statement]);
      };
      try {
        await endpoint.handle({ ...common, body, at, again: false, rehearses: true, begin });
      } catch (error) {
        if (error === enough) return;
        throw error;
      }
      throw unbegun(route);
    });
  }

  async #upload(call: EndpointCall<Extract<Endpoint, { type: 'upload' }>>, query: EndpointRequest['query']): Promise<string> {
    const { endpoint, request } = call;
    const { body } = request;
    if (body === undefined) throw new CloudError('invalid_input', 'The bytes to upload are missing.');
    if (request.headers['content-range'] !== undefined && endpoint.isResumable !== true)
      throw badHeader('Content-Range', 'is not for this upload, which takes the whole at once');
    const contentSha256 = () => digestOfContent(request, body.bytes());
    return this.#repeatable(call, query, { contentSha256 }, async (given) => {
      let isRead = false;
      const bytes = async function* () {
        isRead = true;
        yield* body.bytes();
      };
      const { answer, sha256 } = await endpoint.handle({ ...given, bytes: bytes() });
      // There already, says an endpoint that is asked again: then these bytes are to be the same.
      if (!isRead && (await contentSha256()) !== sha256) throw idempotencyMismatch();
      return { answer: JSON.stringify(answer), contentSha256: sha256 };
    });
  }

  /** What a repeat names may be gone or renamed since: it is the same request if it says the same. */
  #repeatable(
    call: EndpointCall<Changing>,
    query: EndpointRequest['query'],
    more: { readonly body?: Json; readonly isOneTime?: boolean; readonly contentSha256?: () => Promise<string> },
    run: Body,
  ): Promise<string> {
    const { request, principal, route, params } = call;
    const { body = null, ...rest } = more;
    const asked = {
      actor: principal.actor,
      projectId: principal.projectId,
      // Who has not proven who he is shares no memory with others who have not.
      key: principal === anonymous ? undefined : keyOf(request),
      identity: [route, params, query as JsonObject, body],
      signal: request.signal,
    };
    return this.#repeats.run({ ...asked, ...rest }, async (attempt) => {
      const common = await this.#common(call, query);
      const told = (facts: JsonObject) =>
        toldOfCall({ schema: schemaOf(call.endpoint), value: body }, { ...(query as JsonObject), ...facts });
      let begun: { readonly auditId: string | undefined } | undefined;
      const begin: ChangeRequest['begin'] = async (statements = [], facts = {}, by = {}) => {
        const of = { resourceId: common.params.id, ...by };
        begun = { auditId: await this.#begin(call, of, attempt, [...statements], told(facts)) };
      };
      try {
        const done = await run({ ...common, at: attempt.at, again: attempt.again, rehearses: false, begin });
        if (begun === undefined && !attempt.again) throw unbegun(route);
        const { contentSha256 } = done;
        await this.#end(begun?.auditId, { result: 'succeeded', ...(contentSha256 === undefined ? {} : { contentSha256 }) });
        return done;
      } catch (error) {
        if (begun !== undefined) toldOf(error);
        await this.#end(begun?.auditId, { result: 'failed', error: toErrorRecord(error) });
        throw error;
      }
    });
  }

  /** A repeat is the same call, and audited once; but each secret that is given out is told of. Answers the id of its row. */
  async #begin(
    { endpoint, principal }: EndpointCall<Changing>,
    { resourceId, ...by }: Omit<BegunBy, 'resourceId'> & { readonly resourceId: string | undefined },
    { again, entry }: Attempt,
    statements: readonly Statement[],
    told: Told,
  ): Promise<string | undefined> {
    const { services, operations, audit } = this.#kernel;
    const { actor, projectId, accountId } = principal;
    const resourceKind = resourceId === undefined ? undefined : this.#kinds.get(endpoint.path.split('/')[1] ?? '')?.name;
    const isAudited = !again || (endpoint.type === 'change' && endpoint.isOneTime === true);
    const id = services.ids.mint('audit');
    const row = auditStatement(
      {
        ...{ id, at: timestamp(services.environment.clock), actor, action: endpoint.action, projectId, accountId, ...by },
        ...(resourceKind === undefined ? {} : { resourceKind }),
        ...(resourceId === undefined ? {} : { resourceId }),
        ...told,
      },
      { result: 'pending' },
    );
    const all = [...(isAudited ? [row] : []), ...entry, ...statements];
    if (all.length === 0) return undefined;
    if (isAudited) audit.began(id);
    const result = await operations.commit(all);
    if (result.ok) return isAudited ? id : undefined;
    audit.forget(id);
    throw this.#refused(result, all[result.statement]);
  }

  /** What a guard that failed says of the call. */
  #refused({ reason, fields, quota }: Refusal, failed: Statement | undefined): CloudError {
    if (quota !== undefined) return quotaExceeded(quota);
    if (reason === 'too_long') return tooLong(fields);
    if (reason === 'exists' && failed?.op === 'insert' && this.#kernel.registry.findKind(failed.table) !== undefined)
      return taken(failed.table, fields);
    return new CloudError('conflict', 'Something changed meanwhile; ask again.', { detail: reason });
  }

  /** Durable before it is answered: after a crash nothing else would tell how it ended. */
  async #end(auditId: string | undefined, end: AuditEnd): Promise<void> {
    if (auditId === undefined) return;
    const { services, operations, audit } = this.#kernel;
    const set = { ...end, endedAt: timestamp(services.environment.clock) } as JsonObject;
    // A guard that fails means that an earlier try of this commit has landed.
    await operations.commit([{ op: 'update', table: AUDIT_TABLE, key: auditId, set, expect: { result: 'pending' } }]);
    audit.ended(auditId);
  }
}

const takesDryRun = (endpoint: Endpoint): boolean => endpoint.type === 'change' && endpoint.noDryRun === undefined;

const unbegun = (route: string): Error => new Error(`the endpoint ${route} has changed something without beginning it`);

const schemaOf = (endpoint: Endpoint) => ('body' in endpoint ? endpoint.body : undefined);

function withoutSecrets(body: unknown, secrets: readonly string[] = []): Json {
  if (secrets.length === 0) return (body ?? null) as Json;
  return Object.fromEntries(Object.entries(body as JsonObject).filter(([field]) => !secrets.includes(field)));
}

/** As the request says it, or else of all of it. */
async function digestOfContent({ headers }: ApiRequest, bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const said = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(headers['repr-digest'] ?? '')?.[1];
  if (said !== undefined) return Buffer.from(said, 'base64').toString('hex');
  const digest = createHash('sha256');
  for await (const chunk of bytes) digest.update(chunk);
  return digest.digest('hex');
}
