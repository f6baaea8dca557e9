import { hash } from 'node:crypto';
import { Type } from 'typebox';
import { CloudError, type Endpoint, isCloudError, isVisible, lookUp, Places, type Principal, renewed } from '../../kernel/index.ts';
import type { ByteStream } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { hostOf, type InstanceRow } from './context.ts';
import { instance } from './instance.ts';

type ConsoleType = 'serial' | 'vnc';

interface Ticket {
  readonly principal: Principal;
  readonly instanceId: string;
  readonly type: ConsoleType;
  readonly expiresAtMs: number;
  /** Gives its place to another. */
  readonly leave: () => void;
}

const PERMISSION = 'instance.console';
const LET_NO_MORE = new Set(['unauthenticated', 'permission_denied', 'not_found']);
const LOOK_MS = 1000;
const TICKET_MS = 60_000;
const TICKETS_MAX = 10_000;
const OPEN_TIMEOUT_MS = 15_000;

/** A ticket that is being recorded before it is given out; it counts as one. */
interface Asked {
  readonly instanceId: string;
  isRevoked: boolean;
}

interface Session {
  readonly principal: Principal;
  readonly instanceId: string;
  readonly closing: AbortController;
}

/** One-time tickets to consoles, and the sessions they opened. Kept by digest, for a minute, on this node only. */
export class Consoles {
  readonly #services: CloudServices;
  readonly #tickets = new Map<string, Ticket>();
  /** An account that asks for all of them leaves others a few. */
  readonly #places = new Places(TICKETS_MAX);
  readonly #asked = new Set<Asked>();
  readonly #sessions = new Set<Session>();

  constructor(services: CloudServices) {
    this.#services = services;
  }

  /**
   * The ticket is good when `begin` has come back.
   * @throws CloudError not_found, conflict when the machine does not run, unsupported when its host offers no such console
   */
  async issue(
    principal: Principal,
    idOrName: string,
    type: ConsoleType,
    begin: () => Promise<void>,
  ): Promise<{ readonly token: string; readonly path: string; readonly expiresAt: string }> {
    const row = await this.#machine(principal, idOrName);
    needsToRun(row);
    (await this.#services.hosts.hypervisor(hostOf(row))).need(type);
    const asked: Asked = { instanceId: row.id, isRevoked: false };
    this.#dropExpired();
    const leave = this.#places.take(principal.accountId);
    if (leave === undefined) throw new CloudError('busy', 'Too many consoles were asked for.', { params: { retryAfterSeconds: 60 } });
    this.#asked.add(asked);
    try {
      await begin();
      if (asked.isRevoked) throw new CloudError('conflict', 'The consoles of the machine were closed meanwhile; ask again.');
    } catch (error) {
      leave();
      throw error;
    } finally {
      this.#asked.delete(asked);
    }
    const token = Buffer.from(this.#services.environment.random.bytes(32)).toString('base64url');
    const expiresAtMs = this.#services.environment.clock.nowMs() + TICKET_MS;
    this.#tickets.set(digest(token), { principal, instanceId: row.id, type, expiresAtMs, leave });
    return { token, path: `/v1/consoles/${token}`, expiresAt: new Date(expiresAtMs).toISOString() };
  }

  /** Uses a ticket up. @throws CloudError unauthenticated when it is unknown, used, expired, another user's, or of one who is let in no more; conflict, unsupported */
  async redeem(token: string, presented: string | undefined, signal: AbortSignal): Promise<ByteStream> {
    const key = digest(token);
    const ticket = this.#tickets.get(key);
    this.#void(key);
    if (
      ticket === undefined ||
      ticket.expiresAtMs <= this.#services.environment.clock.nowMs() ||
      (presented !== undefined && presented !== ticket.principal.actor) ||
      !(await this.#isLet(ticket))
    )
      throw new CloudError('unauthenticated', 'This console token is unknown, used or expired; ask for another.');
    const { principal, instanceId, type } = ticket;
    const closing = new AbortController();
    const session = { principal, instanceId, closing };
    const stop = AbortSignal.any([closing.signal, signal]);
    // From here on it can be revoked, also while it is being opened.
    this.#sessions.add(session);
    try {
      const stream = await this.#connect(instanceId, type, stop);
      const unwatch = this.#watch(session);
      return this.#joined(stream, stop, () => {
        unwatch();
        this.#sessions.delete(session);
      });
    } catch (error) {
      this.#sessions.delete(session);
      throw error;
    }
  }

  /** Whether who has asked for it is still let in, and may still use consoles of the machine. */
  async #isLet({ principal, instanceId }: Pick<Ticket, 'principal' | 'instanceId'>): Promise<boolean> {
    try {
      const now = await renewed(principal);
      const row = await this.#machine(now, instanceId);
      return now.allows(PERMISSION) && (await isVisible(instance, row, now, PERMISSION, this.#services.reader));
    } catch (error) {
      if (isCloudError(error) && LET_NO_MORE.has(error.code)) return false;
      throw error;
    }
  }

  /** Closes it soon after its user is let in no more. Answers how to end the watch. */
  #watch(session: Session): () => void {
    const { timers } = this.#services.environment;
    const look = () =>
      void this.#isLet(session)
        .catch(() => true)
        .then((isLet) => {
          if (!isLet) session.closing.abort(new CloudError('cancelled', 'Its user is let in no more.'));
          else if (this.#sessions.has(session)) cancel = timers.after(LOOK_MS, look);
        });
    let cancel = timers.after(LOOK_MS, look);
    return () => cancel();
  }

  /** Ends the sessions of a machine, and voids their tickets. */
  revoke(which: { readonly instanceId: string }): void {
    const concerns = (entry: { readonly instanceId: string }) => entry.instanceId === which.instanceId;
    for (const [key, ticket] of this.#tickets) if (concerns(ticket)) this.#void(key);
    for (const asked of this.#asked) if (concerns(asked)) asked.isRevoked = true;
    for (const session of this.#sessions)
      if (concerns(session)) session.closing.abort(new CloudError('cancelled', 'The console was closed.'));
  }

  /** @throws CloudError not_found */
  async revokeMachine(principal: Principal, idOrName: string, begin: () => Promise<void>): Promise<void> {
    const { id } = await this.#machine(principal, idOrName);
    await begin();
    this.revoke({ instanceId: id });
  }

  async #connect(instanceId: string, type: ConsoleType, signal: AbortSignal): Promise<ByteStream> {
    const row = await this.#services.reader.get(instance, instanceId);
    needsToRun(row);
    const hypervisor = await this.#services.hosts.hypervisor(hostOf(row));
    const stream = await hypervisor.console(type, row.id, { requestId: `console-${row.id}`, signal, timeoutMs: OPEN_TIMEOUT_MS });
    if (!signal.aborted) return stream;
    await stream.readable.cancel(signal.reason).catch(() => undefined);
    throw signal.reason;
  }

  /** The stream, closable from here in both directions, whoever holds its ends. Either direction ends the other. */
  #joined(stream: ByteStream, stop: AbortSignal, ended: () => void): ByteStream {
    const [out, into] = [new TransformStream<Uint8Array, Uint8Array>(), new TransformStream<Uint8Array, Uint8Array>()];
    const end = new AbortController();
    const signal = AbortSignal.any([stop, end.signal]);
    const settle = () => {
      end.abort(new CloudError('cancelled', 'The console has ended.'));
      ended();
    };
    void stream.readable.pipeTo(out.writable, { signal }).then(settle, settle);
    void into.readable.pipeTo(stream.writable, { signal }).then(settle, settle);
    return { readable: out.readable, writable: into.writable };
  }

  /** The project's machine by id or name. @throws CloudError not_found */
  async #machine(principal: Principal, idOrName: string): Promise<InstanceRow> {
    const { reader } = this.#services;
    return (await lookUp(reader, instance, idOrName, principal)).row as InstanceRow;
  }

  #dropExpired(): void {
    const nowMs = this.#services.environment.clock.nowMs();
    for (const [key, ticket] of this.#tickets) if (ticket.expiresAtMs <= nowMs) this.#void(key);
  }

  #void(key: string): void {
    this.#tickets.get(key)?.leave();
    this.#tickets.delete(key);
  }
}

/** @throws CloudError conflict */
function needsToRun({ name, state }: InstanceRow): void {
  if (state !== 'running' && state !== 'suspended')
    throw new CloudError('conflict', `Instance ${name} is ${state}; a console needs a running machine.`, {
      params: { state, allowed: ['running', 'suspended'] },
    });
}

const digest = (token: string): string => hash('sha256', token, 'base64url');

export const consoleEndpoints = (consoles: Consoles): readonly Endpoint[] => [
  {
    type: 'change',
    method: 'POST',
    path: '/instances/{id}/console',
    summary: 'A one-time token, good for a minute, that opens a console of the machine over WebSocket.',
    permission: 'instance.console',
    action: 'instance.console',
    noDryRun: 'A token that nobody uses ends by itself, in a minute.',
    isOneTime: true,
    body: Type.Object({
      type: Type.Optional(Type.Union([Type.Literal('serial'), Type.Literal('vnc')], { description: 'Default: serial.' })),
    }),
    answer: Type.Object({ token: Type.String(), path: Type.String(), expiresAt: Type.String({ format: 'date-time' }) }),
    handle: ({ principal, params, body, begin }) => {
      const { type = 'serial' } = body as { readonly type?: ConsoleType };
      return consoles.issue(principal, params.id ?? '', type, () => begin([], { type }));
    },
  },
  {
    type: 'change',
    method: 'POST',
    path: '/instances/{id}/console/revoke',
    summary: 'Closes all consoles of the machine and voids their tokens.',
    permission: 'instance.console',
    action: 'instance.console.revoke',
    noDryRun: 'What it closes is opened again by one call.',
    body: Type.Object({}),
    answer: Type.Object({}),
    handle: async ({ principal, params, begin }) => {
      await consoles.revokeMachine(principal, params.id ?? '', begin);
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
