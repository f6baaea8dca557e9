/**
 * What every driver method takes last: who is asking, for how long, and how to stop.
 * A driver that outlives `timeoutMs` or ignores `signal` is wrong; the facade gives up on it anyway and treats the outcome as unknown.
 */
export interface Call {
  /** Id of the operation (= the trace id) or of the reconciler round that asks. */
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** Time left for this call, from now. */
  readonly timeoutMs: number;
  /** Monotone share done, 0 to 1, of a long call (an upload, a copy). */
  readonly onProgress?: (fraction: number) => void;
}

/**
 * What a driver says of a failure. Closed: the facade maps each to a public error and a retry answer.
 * `unknown_outcome` = the call may still land (time-out, lost connection).
 * An error whose `told` is a sentence has it added to what the caller reads: how to put it right, without names or words of the backend, for tenants read it, too.
 */
export type Fault = 'not_found' | 'conflict' | 'invalid' | 'unsupported' | 'exhausted' | 'unavailable' | 'unknown_outcome' | 'internal';

/** What a driver asks for. */
export interface SettingSpec {
  readonly description: string;
  /** Must be given when the place is registered. */
  readonly required: boolean;
  /** Sealed, and never shown. */
  readonly secret?: true;
  /** Says who asks, and not where: it may be changed with the secrets, and the place stays the same. */
  readonly credential?: true;
}

/** What is wrong with the value of a setting. The reason goes on from its name, `must be an absolute path`, and quotes no secret. */
export interface SettingFault {
  readonly setting: string;
  readonly reason: string;
}

/** Bytes both ways, for consoles. Closing either side ends it. */
export interface ByteStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** Content that can be opened again from its start, because a retry must be able to. */
export interface Content {
  readonly sizeBytes: number;
  /** The file of this machine that it is in, where it is in one: for drivers that leave the copying to a program. */
  readonly path?: string;
  open(): AsyncIterable<Uint8Array>;
  /** From there on, where that can be had without reading what is before it. */
  openAt?(offsetBytes: number): AsyncIterable<Uint8Array>;
}
