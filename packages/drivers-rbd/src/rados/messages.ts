import type { CallName } from './calls.ts';
import type { FailureBody } from './errors.ts';

/** Who connects to what. */
export interface Credentials {
  /** As in `mon_host`. */
  readonly monitors: string;
  readonly user: string;
  readonly key: string;
}

/** How to connect: the first thing that a connection's process is told. It comes by the pipe, so the key is in no argument and no environment. */
export interface ConnectMessage extends Credentials {
  readonly type: 'connect';
  readonly timeoutMs: number;
}

export interface CallMessage {
  readonly type: 'call';
  readonly id: number;
  readonly name: CallName;
  readonly args: object;
  /** Whether somebody wants to hear how far it is. */
  readonly tells: boolean;
}

/** What the owner says. `end`: finish what runs, disconnect, exit; the end of the pipe means the same. */
export type OwnerMessage = ConnectMessage | CallMessage | { readonly type: 'end' };

/** What the process says. */
export type ProcessMessage =
  | { readonly type: 'ready'; readonly addresses: readonly string[] }
  | { readonly type: 'refused'; readonly failure: FailureBody }
  | { readonly type: 'result'; readonly id: number; readonly result: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly failure: FailureBody }
  | { readonly type: 'unsupported'; readonly id: number; readonly what: string }
  | { readonly type: 'progress'; readonly id: number; readonly fraction: number };
