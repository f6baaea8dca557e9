import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  AGENT_VERSIONS,
  type AgentStatus,
  CALLBACK_HEADER,
  COMMAND_ID,
  COMMANDS,
  type CommandType,
  EPOCH_HEADER,
  type Hello,
  isCommandType,
  REACH_MAX,
  TRACE_HEADER,
} from '@pileus/core/agent';
import {
  CloudError,
  compileInput,
  type Environment,
  Ids,
  type InputCheck,
  isCloudError,
  type Json,
  parseTraceparent,
  problemResponse,
} from '@pileus/core/kernel';
import { type Identity, normalFingerprint, peerFingerprint } from '@pileus/core/node';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type Fence, isOpen, type Journal, type Kept, recordOf } from './journal.ts';
import { isTarget, reach } from './links/reach.ts';

export interface AgentServerOptions {
  readonly identity: Identity;
  /** Fingerprints of those who may command. */
  readonly controllers: readonly string[];
  readonly journal: Journal;
  readonly environment: Environment;
  readonly release: string;
  readonly openMax: number;
  /** A command was accepted: it is to be run. */
  readonly accepted: (command: Kept) => void;
  /** The outcome of a command that has ended is to be told elsewhere. */
  readonly redirected: (command: Kept) => void;
  /** A control plane was heard of. */
  readonly heard: () => void;
  readonly status: () => AgentStatus;
}

const BODY_BYTES_MAX = 16 * 1024 * 1024;
/** That commands are asked for by. */
const STATES = ['queued', 'running', 'done', 'unacknowledged', 'refused'];
const PAGE = 100;
const PAGE_MAX = 1000;

/** The agent's side of the contract in `@pileus/core/agent`. Whoever has none of the known certificates gets no answer at all. */
export class AgentServer {
  readonly #options: AgentServerOptions;
  readonly #app: FastifyInstance;
  readonly #checks: Readonly<Record<CommandType, InputCheck>>;

  constructor(options: AgentServerOptions) {
    this.#options = options;
    const { identity, environment } = options;
    const ids = new Ids(environment.clock, environment.random);
    this.#checks = Object.fromEntries(
      Object.entries(COMMANDS).map(([type, { input }]) => [type, compileInput(input)]),
    ) as unknown as Record<CommandType, InputCheck>;
    this.#app = fastify({
      logger: false,
      genReqId: () => ids.mint('request'),
      requestIdHeader: false,
      bodyLimit: BODY_BYTES_MAX,
      forceCloseConnections: true,
      exposeHeadRoutes: false,
      https: { ...identity, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3' },
    } as object) as FastifyInstance;
    this.#guard();
    this.#route();
  }

  /** E.g. `https://192.0.2.7:7430`. */
  get address(): string {
    const { address, port, family } = this.#app.server.address() as AddressInfo;
    return `https://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  async listen(host: string, port: number): Promise<void> {
    await this.#app.listen({ host, port });
  }

  async close(): Promise<void> {
    await this.#app.close();
  }

  /** Before a byte of HTTP is read. */
  #guard(): void {
    const known = new Set(this.#options.controllers.map(normalFingerprint));
    const { logger } = this.#options.environment;
    this.#app.server.prependListener('secureConnection', (socket: TLSSocket) => {
      const fingerprint = peerFingerprint(socket);
      if (fingerprint !== undefined && known.has(fingerprint)) return;
      logger.warn({ from: socket.remoteAddress, fingerprint: fingerprint ?? 'none' }, 'refused a connection');
      socket.destroy();
    });
    this.#app.addHook('onRequest', async ({ raw }: { raw: IncomingMessage }) => {
      if (raw.socket.destroyed) throw new CloudError('permission_denied', 'This certificate is not known here.');
      this.#options.heard();
    });
  }

  #route(): void {
    const app = this.#app;
    const { journal, status, environment } = this.#options;
    app.setErrorHandler((error: FastifyError, request, reply) => this.#refuse(error, request, reply));
    app.setNotFoundHandler((request, reply) => {
      const error = new CloudError('not_found', 'There is no such route.', { params: { versions: [...AGENT_VERSIONS] } });
      return this.#refuse(error, request, reply);
    });
    app.get('/', async () => this.#hello());
    app.get('/v1/status', async () => status());
    app.get('/v1/reach', async ({ query }) =>
      reach(targetsOf((query as { readonly to?: string | readonly string[] }).to), environment.timers),
    );
    app.get('/v1/commands', async ({ query }) => {
      const { state, after, limit } = query as Readonly<Record<string, string | undefined>>;
      return page(journal, state, after, Number(limit ?? PAGE));
    });
    app.get('/v1/commands/:id', async ({ params }) => {
      const found = journal.find((params as { readonly id: string }).id);
      if (found === undefined) throw new CloudError('not_found', 'No such command is known.');
      await journal.settled();
      return recordOf(found);
    });
    app.put('/v1/commands/:id', async (request, reply) => {
      const command = await this.#take((request.params as { readonly id: string }).id, request);
      return reply.code(command.state === 'done' ? 200 : 202).send(recordOf(command));
    });
  }

  #hello(): Hello {
    const { journal, release } = this.#options;
    return { product: 'pileus-agent', release, agentId: journal.agentId, versions: [...AGENT_VERSIONS] };
  }

  /** Answers when it is durable. */
  async #take(id: string, { headers, body }: FastifyRequest): Promise<Kept> {
    const { journal, accepted, redirected } = this.#options;
    if (!COMMAND_ID.test(id))
      throw new CloudError('invalid_input', 'The id of a command is a UUID of version 7, and mostly a name behind it.');
    const callbackUrl = callbackOf(headers[CALLBACK_HEADER]);
    if (!(await journal.admits(fenceOf(headers[EPOCH_HEADER]))))
      throw new CloudError('conflict', 'Another control plane has taken over.', { params: { reason: 'stale_epoch' } });
    const { type, input } = this.#read(body);
    const digest = createHash('sha256').update(canonical({ type, input })).digest('hex');
    const known = journal.find(id);
    if (known !== undefined) {
      if (known.digest !== digest)
        throw new CloudError('conflict', 'Another command has this id.', { params: { reason: 'other_command' } });
      if (known.callbackUrl !== callbackUrl) {
        await journal.callBackTo(id, callbackUrl);
        if (known.state === 'done' && isOpen(known)) redirected(known);
      }
      await journal.settled();
      return known;
    }
    if (journal.mayBeForgotten(id)) throw new CloudError('gone', 'It may have been done long ago, and is not known any more.');
    this.#refuseTooMany();
    await journal.accept({ id, type, input, digest, callbackUrl, ...traceOf(headers[TRACE_HEADER]) });
    const command = journal.find(id);
    if (command === undefined) throw new Error(`command ${id} was accepted and is not there`);
    accepted(command);
    return command;
  }

  #read(body: unknown): { readonly type: CommandType; readonly input: Json } {
    const { type, input } = (typeof body === 'object' && body !== null ? body : {}) as { readonly type?: unknown; readonly input?: Json };
    if (typeof type !== 'string') throw new CloudError('invalid_input', 'The body is { type, input }.', { pointer: '/type' });
    if (!isCommandType(type))
      throw new CloudError('unsupported', `This agent does not know ${type}.`, {
        pointer: '/type',
        params: { commandTypes: Object.keys(COMMANDS) },
      });
    try {
      this.#checks[type].assert(input);
    } catch (error) {
      if (!isCloudError(error)) throw error;
      throw new CloudError(error.code, error.publicMessage, { pointer: `/input${error.pointer ?? ''}`, cause: error });
    }
    return { type, input: input ?? null };
  }

  #refuseTooMany(): void {
    const { open } = this.#options.journal;
    if (open >= this.#options.openMax) throw new CloudError('busy', 'Too many commands are open.', { params: { open } });
  }

  #refuse(error: FastifyError | CloudError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { status, headers, body } = problemResponse(carried(error), request.id, request.url, this.#options.environment.logger);
    return reply.code(status).headers(headers).send(body);
  }
}

/** fastify's own refusals. */
function carried(error: FastifyError | CloudError): Error {
  if (isCloudError(error)) return error;
  if (error.statusCode === 413) return new CloudError('too_large', 'The body is too large.', { params: { limitBytes: BODY_BYTES_MAX } });
  if (error.statusCode !== undefined && error.statusCode < 500)
    return new CloudError('invalid_input', 'The request is malformed.', { cause: error });
  return error;
}

function callbackOf(header: string | readonly string[] | undefined): string {
  const text = String(header ?? '');
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new CloudError('invalid_input', `The header ${CALLBACK_HEADER} tells where the outcome goes, e.g. https://cloud.example.org/….`);
  return text;
}

function targetsOf(to: string | readonly string[] = []): readonly string[] {
  const targets = [to].flat();
  if (targets.length === 0 || targets.length > REACH_MAX)
    throw new CloudError('invalid_input', `to is a place, host:port, and there are 1 to ${REACH_MAX} of it.`, { pointer: '/to' });
  const odd = targets.find((target) => !isTarget(target));
  if (odd === undefined) return targets;
  throw new CloudError('invalid_input', 'A place is host:port, with an IPv6 address in brackets.', { pointer: '/to' });
}

/** What is none is overlooked. */
const traceOf = (header: string | readonly string[] | undefined): Pick<Kept, 'traceparent'> =>
  typeof header !== 'string' || parseTraceparent(header) === undefined ? {} : { traceparent: header };

function fenceOf(header: string | readonly string[] | undefined): Fence {
  const [, incarnation, epoch] = /^([^:]{1,100}):(\d{1,15})$/.exec(String(header ?? '')) ?? [];
  if (incarnation === undefined || epoch === undefined)
    throw new CloudError('invalid_input', `The header ${EPOCH_HEADER} tells who commands: incarnation:epoch.`);
  return { incarnation, epoch: Number(epoch) };
}

/** The same text for the same value, in whatever order its fields came. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

function page(journal: Journal, state: string | undefined, after: string | undefined, limit: number): object {
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_MAX)
    throw new CloudError('invalid_input', `limit is from 1 to ${PAGE_MAX}.`, { pointer: '/limit' });
  if (state !== undefined && !STATES.includes(state))
    throw new CloudError('invalid_input', `state is one of ${STATES.join(', ')}.`, { pointer: '/state' });
  const items: object[] = [];
  let isBehind = after === undefined;
  for (const command of journal.all()) {
    const isAsked =
      state === undefined ||
      command.state === state ||
      (state === 'unacknowledged' && command.state === 'done' && isOpen(command)) ||
      (state === 'refused' && command.refusedAt !== undefined);
    if (isBehind && isAsked) {
      if (items.length === limit) return { items, next: (items.at(-1) as { readonly commandId: string }).commandId };
      items.push(recordOf(command));
    }
    if (command.id === after) isBehind = true;
  }
  return { items };
}
