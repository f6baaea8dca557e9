import { PileusError } from './errors.ts';

/** A way in to a console, good for one connection and for a minute at most. */
export interface ConsoleTicket {
  /** Of the WebSocket; the token is in it. */
  readonly url: string;
  readonly token: string;
  readonly expiresAt: string;
}

/** The WebSocket of browsers, of Node 22 and later, and of the package `ws`: anything that is made with an address. */
export type WebSocketConstructor<S> = new (url: string, protocols?: string[]) => S;

/**
 * Opens the WebSocket of a ticket.
 * @example const socket = openSocket(await cloud.instances.openConsole('web-1', 'serial'), WebSocket);
 */
export function openSocket<S>(ticket: ConsoleTicket, Socket: WebSocketConstructor<S>): S {
  return new Socket(ticket.url);
}

/** Makes an address of the server (a path, or http) one for a WebSocket. @throws PileusError unsupported in process, where there is none */
export function socketUrl(base: string | undefined, address: string): string {
  if (/^wss?:/.test(address)) return address;
  if (base === undefined && !/^https?:/.test(address))
    throw new PileusError('unsupported', 'Consoles need a server: in process there is no address to connect to.');
  return new URL(address, base).href.replace(/^http/, 'ws');
}
