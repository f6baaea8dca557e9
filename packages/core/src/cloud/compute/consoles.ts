import { hash } from 'node:crypto';
import { Type } from 'typebox';
import { CloudError, type Endpoint, type Principal } from '../../kernel/index.ts';
import type { ByteStream } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { instance } from './instance.ts';

type ConsoleType = 'serial' | 'vnc';

interface Ticket {
  readonly actor: string;
  readonly instanceId: string;
  readonly type: ConsoleType;
  readonly expiresAtMs: number;
}

const TICKET_MS = 60_000;
const TICKETS_MAX = 10_000;
const OPEN_TIMEOUT_MS = 15_000;

/** One-time tickets to consoles, and the sessions they opened. Kept by digest, for a minute, on this node only. */
export class Consoles {
  readonly #services: CloudServices;
  readonly #tickets = new Map<string, Ticket>();
  readonly #sessions = new Set<{ readonly actor: string; readonly instanceId: string; readonly close: () => void }>();

  constructor(services: CloudServices) {
    this.#services = services;
  }

  /** @throws CloudError not_found, conflict when the machine does not run, unsupported when its host offers no such console */
  async issue(
    principal: Principal,
    idOrName: string,
    type: ConsoleType,
  ): Promise<{ readonly token: string; readonly path: string; readonly expiresAt: string }> {
    const row = await this.#services.reader.get(instance, idOrName);
    if (row.projectId !== principal.projectId) throw new CloudError('not_found', `No instance ${idOrName}.`);
    if (row.state !== 'running' && row.state !== 'suspended')
      throw new CloudError('conflict', `Instance ${row.name} is ${row.state}; a console needs a running machine.`);
    (await this.#services.hosts.hypervisor(row.hostId)).need(type);
    this.#dropExpired();
    if (this.#tickets.size >= TICKETS_MAX)
      throw new CloudError('busy', 'Too many consoles were asked for.', { params: { retryAfterSeconds: 60 } });
    const token = Buffer.from(this.#services.environment.random.bytes(32)).toString('base64url');
    const expiresAtMs = this.#services.environment.clock.nowMs() + TICKET_MS;
    this.#tickets.set(digest(token), { actor: principal.actor, instanceId: row.id, type, expiresAtMs });
    return { token, path: `/v1/consoles/${token}`, expiresAt: new Date(expiresAtMs).toISOString() };
  }

  /** Uses a ticket up. @throws CloudError unauthenticated when it is unknown, used, expired, or another user's */
  async redeem(token: string, presented: string | undefined, signal: AbortSignal): Promise<ByteStream> {
    const key = digest(token);
    const ticket = this.#tickets.get(key);
    this.#tickets.delete(key);
    if (
      ticket === undefined ||
      ticket.expiresAtMs < this.#services.environment.clock.nowMs() ||
      (presented !== undefined && presented !== ticket.actor)
    )
      throw new CloudError('unauthenticated', 'This console token is unknown, used or expired; ask for another.');
    const row = await this.#services.reader.get(instance, ticket.instanceId);
    const hypervisor = await this.#services.hosts.hypervisor(row.hostId);
    const stream = await hypervisor.console(ticket.type, row.id, { requestId: `console-${row.id}`, signal, timeoutMs: OPEN_TIMEOUT_MS });
    return this.#session(ticket, stream, signal);
  }

  /** Ends the sessions of a machine or of a user, and voids their tickets. */
  revoke(which: { readonly instanceId?: string; readonly actor?: string }): void {
    const concerns = (entry: { readonly actor: string; readonly instanceId: string }) =>
      entry.instanceId === which.instanceId || entry.actor === which.actor;
    for (const [key, ticket] of this.#tickets) if (concerns(ticket)) this.#tickets.delete(key);
    for (const session of this.#sessions) if (concerns(session)) session.close();
  }

  /** The stream, closable from here, in both directions. */
  #session(ticket: Ticket, stream: ByteStream, signal: AbortSignal): ByteStream {
    const out = new TransformStream<Uint8Array, Uint8Array>();
    const abort = new AbortController();
    const session = {
      actor: ticket.actor,
      instanceId: ticket.instanceId,
      close: () => abort.abort(new CloudError('cancelled', 'The console was closed.')),
    };
    this.#sessions.add(session);
    const stop = AbortSignal.any([abort.signal, signal]);
    stream.readable
      .pipeTo(out.writable, { signal: stop })
      .catch(() => undefined)
      .finally(() => {
        this.#sessions.delete(session);
        void stream.writable.abort().catch(() => undefined);
      });
    return { readable: out.readable, writable: stream.writable };
  }

  #dropExpired(): void {
    const nowMs = this.#services.environment.clock.nowMs();
    for (const [key, ticket] of this.#tickets) if (ticket.expiresAtMs < nowMs) this.#tickets.delete(key);
  }
}

const digest = (token: string): string => hash('sha256', token, 'base64url');

export const consoleEndpoints = (consoles: Consoles): readonly Endpoint[] => [
  {
    type: 'value',
    method: 'POST',
    path: '/instances/{id}/console',
    summary: 'A one-time token, good for a minute, that opens a console of the machine over WebSocket.',
    permission: 'instance.console',
    body: Type.Object({
      type: Type.Optional(Type.Union([Type.Literal('serial'), Type.Literal('vnc')], { description: 'Default: serial.' })),
    }),
    answer: Type.Object({ token: Type.String(), path: Type.String(), expiresAt: Type.String({ format: 'date-time' }) }),
    handle: ({ principal, params, body }) =>
      consoles.issue(principal, params.id ?? '', (body as { type?: ConsoleType } | undefined)?.type ?? 'serial'),
  },
  {
    type: 'value',
    method: 'POST',
    path: '/instances/{id}/console/revoke',
    summary: 'Closes all consoles of the machine and voids their tokens.',
    permission: 'instance.console',
    body: Type.Object({}),
    answer: Type.Object({}),
    handle: async ({ params }) => {
      consoles.revoke({ instanceId: params.id ?? '' });
      return {};
    },
  },
  {
    type: 'socket',
    method: 'GET',
    path: '/consoles/{token}',
    summary: 'The console a token was given for: bytes both ways. The token is the permission.',
    permission: 'none',
    handle: ({ params, principal, signal }) =>
      consoles.redeem(params.token ?? '', principal.actor === 'anonymous' ? undefined : principal.actor, signal),
  },
];
