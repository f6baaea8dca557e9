import { ProtocolError } from './errors.ts';

/** What passes over a connection, both ways: requests, answers and notifications are told apart by what they have. */
export interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** Changes of rows by table and uuid, as `update3` and the answer to `monitor_cond_since` have them. */
export type TableUpdates = Readonly<Record<string, Readonly<Record<string, RowUpdate>>>>;

export type RowUpdate =
  | { readonly initial: unknown }
  | { readonly insert: unknown }
  | { readonly modify: Readonly<Record<string, unknown>> }
  | { readonly delete: unknown };

/** In one piece, or where they are many in pieces, each of some rows. */
export type Updates = TableUpdates | AsyncIterable<TableUpdates>;

/** @throws ProtocolError */
export function parseMessage(text: string): Message {
  try {
    return JSON.parse(text) as Message;
  } catch (cause) {
    throw new ProtocolError('what came is no JSON', { cause });
  }
}
