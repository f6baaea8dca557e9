import { hash } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { isVisible, lacks, type Principal, readPermission } from '../access.ts';
import type { DeletionPreview } from '../cascade/preview.ts';
import type { Kernel } from '../kernel.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import { operation } from '../operation.ts';
import type { Registry } from '../registry.ts';
import type { WaitEnds } from '../waiters.ts';
import { auditDenied } from './denied.ts';
import { takeDryRun } from './dry-run.ts';
import { EndpointCalls } from './endpoint-calls.ts';
import { Events } from './events.ts';
import { Feed } from './feed.ts';
import { Lists } from './list.ts';
import { LIMIT_MAX, onlyParameters, wholeNumber } from './list-query.ts';
import { type Found, lookUp } from './lookup.ts';
import { openapi } from './openapi.ts';
import { besideInList, getOperation, steer } from './operation-routes.ts';
import { problemResponse, unauthenticated } from './problem.ts';
import { parseQuery } from './query.ts';
import { Repeats } from './repeats.ts';
import { type ApiRequest, type ApiResponse, bodyOf, headOf, keyOf } from './request.ts';
import { type Match, Router } from './router.ts';
import { AUTHENTICATED, anonymous, type Route, routesOf } from './routes.ts';
import { rehearse, submit } from './submit.ts';

export interface ApiOptions {
  /** Revisions of the change feed that are kept to resume from. Default 100,000. */
  readonly feedRevisionsMax?: number;
  /** Rows that a query without an index may look at one by one; beyond it is refused with `needs_index`. Default 20,000. */
  readonly unindexedRowsMax?: number;
}

const NO_PARAMETERS = new URLSearchParams();
const JSON_HEADERS = { 'content-type': 'application/json' };
const SSE_HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' };

const PREVIEW_LIMIT = 100;
const PREVIEW = Type.Object({
  force: Type.Optional(Type.Boolean()),
  permanent: Type.Optional(Type.Boolean()),
  recursive: Type.Optional(Type.Boolean()),
  limit: Type.Optional(Type.Integer()),
});
const DELETED = Type.Object({ deleted: Type.Optional(Type.Boolean()) });

/**
 * The public API of a kernel, whatever carries it: `@pileus/server` serves it over HTTP, `createCloud` in process. Every route follows from the registry.
 * Order of checks: path, method, who asks, what he may, the input, the resource.
 */
export class Api {
  readonly #kernel: Kernel;
  readonly #router: Router;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #feed: Feed;
  readonly #events: Events;
  readonly #lists: Lists;
  readonly #repeats: Repeats;
  readonly #endpoints: EndpointCalls;
  #document: { readonly text: string; readonly tag: string } | undefined;
  /** Requests that wait for an operation. */
  readonly #waits = new Set<() => void>();
  #stopped = false;

  constructor(kernel: Kernel, options: ApiOptions = {}) {
    const { environment, store } = kernel.services;
    this.#kernel = kernel;
    const routes = routesOf(kernel.registry);
    this.#router = new Router(routes);
    this.#routes = new Map(routes.map((route) => [route.operationId, route]));
    this.#feed = new Feed({ environment, store, revisionsMax: options.feedRevisionsMax ?? 100_000 });
    this.#events = new Events(this.#feed, kernel.registry, { environment, reader: kernel.reader });
    this.#lists = new Lists({
      registry: kernel.registry,
      store,
      clock: environment.clock,
      place: () => this.#feed.place(),
      beside: (kind) => (kind === operation ? (text) => besideInList(kernel.operations, text) : undefined),
      rowsMax: options.unindexedRowsMax,
    });
    this.#repeats = new Repeats({ ...kernel.services, commit: (statements) => kernel.operations.commit(statements) });
    this.#endpoints = new EndpointCalls(kernel, this.#repeats);
  }

  /** Called once, after the kernel has started. */
  async start(): Promise<void> {
    await this.#feed.start();
  }

  /** Ends event streams and answers whoever waits; other requests are still answered. */
  stop(): void {
    this.#stopped = true;
    for (const end of this.#waits) end();
    this.#feed.stop();
  }

  /** The route of an answer; undefined when the request had none. */
  route({ route }: Pick<ApiResponse, 'route'>): Route | undefined {
    return this.#routes.get(route);
  }

  /** Somebody was not let in: the audit tells of it, where the error says who. For whoever finds out who asks, before the API is asked. */
  refused(error: unknown, caller: Partial<Pick<ApiRequest, 'from' | 'principal'>>): void {
    this.#kernel.refusedSignIns.tell(error, caller);
  }

  /** Answers every request, failures as problem details; it never throws. */
  async handle(request: ApiRequest): Promise<ApiResponse> {
    return request.method === 'HEAD' ? headOf(await this.#handle(request)) : this.#handle(request);
  }

  async #handle(request: ApiRequest): Promise<ApiResponse> {
    let route = 'unknown';
    try {
      const cut = request.url.indexOf('?');
      const match = this.#router.match(request.method, cut < 0 ? request.url : request.url.slice(0, cut));
      route = match.route.operationId;
      const parameters = cut < 0 ? NO_PARAMETERS : new URLSearchParams(request.url.slice(cut + 1));
      try {
        return await this.#answer(match, request, permitted(match.route, request.principal), parameters);
      } catch (error) {
        this.refused(error, request);
        if (request.principal !== undefined) await auditDenied(this.#kernel, { match, principal: request.principal, parameters, error });
        throw error;
      }
    } catch (error) {
      return problemResponse(error, request.requestId, route, this.#kernel.services.environment.logger);
    }
  }

  async #answer({ route, params }: Match, request: ApiRequest, principal: Principal, parameters: URLSearchParams): Promise<ApiResponse> {
    const json = (body: string | Uint8Array): ApiResponse => ({ status: 200, headers: JSON_HEADERS, body, route: route.operationId });
    const named = params.idOrName ?? '';
    switch (route.type) {
      case 'list':
        return json(await this.#lists.page(route.kind, principal, parameters));
      case 'query':
        return json(await this.#lists.query(route.kind, principal, parameters, await bodyOf(request)));
      case 'get':
        return this.#get(route, named, request, principal, parameters);
      case 'action':
        return this.#act(route, named, request, principal, parameters);
      case 'deletion':
        return json(JSON.stringify(await this.#previewDeletion(route, named, principal, parameters)));
      case 'steer':
        onlyParameters(parameters, []);
        return json(await this.#steer(route, named, request, principal));
      case 'changes':
        return json(await this.#events.page(request, principal, parameters));
      case 'events':
        return { ...json(''), headers: SSE_HEADERS, body: await this.#events.stream(request, principal, parameters) };
      case 'document':
        this.#document ??= documentOf(this.#kernel.registry);
        return unlessKnown(request, this.#document.tag, this.#document.text, route.operationId);
      case 'endpoint':
        return this.#endpoints.answer({ endpoint: route.endpoint, route: route.operationId, params, request, principal, parameters });
    }
  }

  async #get(
    route: Route & { type: 'get' },
    named: string,
    request: ApiRequest,
    principal: Principal,
    parameters: URLSearchParams,
  ): Promise<ApiResponse> {
    const {
      row,
      text,
      tag = '',
    }: Found = route.kind.name === 'operation'
      ? await getOperation(this.#kernel, named, principal, parameters, () => this.#waiting(request))
      : await lookUp(this.#kernel.reader, route.kind, named, principal, { deleted: parseQuery(DELETED, parameters).deleted === true });
    return unlessKnown(request, `"${row.generation}${tag}"`, text, route.operationId);
  }

  async #previewDeletion(
    { action }: Route & { type: 'deletion' },
    named: string,
    principal: Principal,
    parameters: URLSearchParams,
  ): Promise<DeletionPreview> {
    const { limit = PREVIEW_LIMIT, ...how } = parseQuery(PREVIEW, parameters) as Static<typeof PREVIEW>;
    wholeNumber(parameters, 'limit', { minimum: 0, maximum: LIMIT_MAX });
    const { row } = await lookUp(this.#kernel.reader, action.kind, named, principal);
    const { reader } = this.#kernel;
    // What is only shared with the caller is not his to delete, nor to know what hangs on it.
    if (!(await isVisible(action.kind, row, principal, action.permission, reader))) throw lacks(action.permission, principal);
    const sees = async (kind: AnyKind, row: RowBase) =>
      principal.allows(readPermission(kind)) && isVisible(kind, row, principal, readPermission(kind), reader);
    return this.#kernel.previewDeletion(action, row, { force: false, permanent: false, recursive: false, ...how, limit, sees });
  }

  #steer(route: Route & { type: 'steer' }, named: string, request: ApiRequest, principal: Principal): Promise<string> {
    const { actor, projectId } = principal;
    const asked = { actor, projectId, key: keyOf(request), identity: [route.operationId, named], signal: request.signal };
    return this.#repeats.run(asked, async (attempt) => ({ answer: await steer(this.#kernel, named, route.verb, principal, attempt) }));
  }

  /**
   * A wait ends when the caller goes or the server stops. By hand: AbortSignal.any keeps books for the garbage collector, and this is on the path of each change
   * that somebody waits for.
   */
  #waiting(request: ApiRequest): WaitEnds {
    return this.#stopped ? { signal: AbortSignal.abort() } : { signal: request.signal, all: this.#waits };
  }

  async #act(
    route: Route & { type: 'action' },
    named: string,
    request: ApiRequest,
    principal: Principal,
    parameters: URLSearchParams,
  ): Promise<ApiResponse> {
    const { dryRun, rest } = takeDryRun(parameters);
    if (route.input === 'body') onlyParameters(rest, []);
    const input = route.input === 'query' ? parseQuery(route.action.input, rest) : await bodyOf(request);
    return (dryRun ? rehearse : submit)(this.#kernel, {
      action: route.action,
      named,
      input,
      request,
      principal,
      route: route.operationId,
      waiting: () => this.#waiting(request),
    });
  }
}

/** Clients that are built from the document keep it, and ask with the tag whether it is still the same. */
function documentOf(registry: Registry): { readonly text: string; readonly tag: string } {
  const text = JSON.stringify(openapi(registry));
  return { text, tag: `"${hash('sha256', text, 'base64url')}"` };
}

/** 304 when the caller has it already. */
function unlessKnown({ headers }: ApiRequest, etag: string, body: string, route: string): ApiResponse {
  const unchanged = headers['if-none-match'] === etag;
  return { status: unchanged ? 304 : 200, headers: { ...JSON_HEADERS, etag }, body: unchanged ? '' : body, route };
}

function permitted(route: Route, principal: Principal | undefined): Principal {
  if (route.permission === 'none') return principal ?? anonymous;
  if (principal === undefined) throw unauthenticated();
  if (route.permission !== AUTHENTICATED && !principal.allows(route.permission)) throw lacks(route.permission, principal);
  return principal;
}
