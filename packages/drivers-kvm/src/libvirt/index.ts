/**
 * A libvirt client in TypeScript alone: it speaks the daemon's own RPC protocol over a unix socket or mutual TLS.
 *
 * ```ts
 * await using host = new LibvirtHost({ address: { kind: 'unix', path: '/run/libvirt/libvirt-sock' } });
 * await host.ready();
 * const domain = await host.api.domainDefineXmlFlags({ xml, flags: DefineFlag.validate }, { timeoutMs: 5_000 });
 * await host.api.domainCreateWithFlags({ domain });
 * for await (const event of host.watch()) if (event.kind === 'lifecycle') console.log(event.domain.name, event.event);
 * ```
 *
 * - `LibvirtHost`: a host, with a connection for each kind of work. What most callers want.
 * - `LibvirtConnection`: one connection that heals.
 * - `domainRef`, `poolRef`, `networkRef`: address an object by UUID without looking it up first.
 */
export type { ConnectionOptions, ConnectionState } from './connection.ts';
export { LibvirtConnection } from './connection.ts';
export type { Outcome } from './errors.ts';
export { AbortedError, ConnectionLostError, LibvirtError, ProtocolError, TimeoutError, UnansweredError } from './errors.ts';
export type { ConnectionEvent, LibvirtEvent, LibvirtListener } from './event-feed.ts';
export * from './generated/constants.ts';
export { procedures } from './generated/procedures.ts';
export type * from './generated/types.ts';
export type { LibvirtHostOptions } from './host.ts';
export { LibvirtHost } from './host.ts';
export type { CallOptions, Effect, Lane, Procedure } from './procedure.ts';
export { domainRef, networkRef, poolRef } from './refs.ts';
export type { DomainEventKind } from './session.ts';
export type { LibvirtStream } from './stream.ts';
export type { DownloadRequest, UploadRequest, ZeroRequest } from './transfer.ts';
export type { Address, TlsAddress, UnixAddress } from './transport.ts';
export type { TypedParam, TypedParams, TypedValue } from './typed-params.ts';
