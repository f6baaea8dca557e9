import { constants } from 'node:os';

/** What is known of a call that got no answer: `not_sent` certainly changed nothing, `unknown` may have landed or may land yet. */
export type Outcome = 'unknown' | 'not_sent';

/** The call got no answer that tells whether it took effect; see `outcome`. Its subclasses say why. */
export abstract class UnansweredError extends Error {
  readonly outcome: Outcome;

  constructor(message: string, outcome: Outcome, options?: ErrorOptions) {
    super(`${message} (${outcome === 'unknown' ? 'it may still take effect' : 'it was not sent'})`, options);
    this.outcome = outcome;
  }
}

/** The process that held the connection ended, or the cluster handle was closed. */
export class ConnectionLostError extends UnansweredError {
  override readonly name = 'ConnectionLostError';
}

/** The deadline of the call passed. */
export class TimeoutError extends UnansweredError {
  override readonly name = 'TimeoutError';
}

/** The caller's signal fired; `cause` is its reason. */
export class AbortedError extends UnansweredError {
  override readonly name = 'AbortedError';
}

/** As many calls wait as may wait; outcome `not_sent`. */
export class BusyError extends UnansweredError {
  override readonly name = 'BusyError';
}

/** This release of librbd has no such function. Nothing was done. */
export class UnsupportedError extends Error {
  override readonly name = 'UnsupportedError';
}

/** Who has an image open. */
export interface Watcher {
  /** As the blocklist takes it: `10.0.0.7:0/3401295713`. */
  readonly address: string;
  /** Of the client's session with the cluster. */
  readonly clientId: bigint;
  readonly cookie: bigint;
}

/** A failure as the process that calls librbd tells it. */
export interface FailureBody {
  readonly call: string;
  /** Positive; the cluster's numbers are Linux's. */
  readonly errno: number;
  readonly message: string;
  readonly watchers?: readonly Watcher[];
  readonly lacksPool?: boolean;
}

const names = new Map<number, string>(Object.entries(constants.errno).map(([name, errno]) => [errno, name]));
/** Those that Ceph uses and Node does not name. */
for (const [errno, name] of [
  [79, 'ELIBACC'],
  [108, 'ESHUTDOWN'],
  [117, 'EUCLEAN'],
] as const)
  names.set(errno, name);

/** What the cluster means by them, where the name says it badly. */
const meanings: Readonly<Record<string, string>> = {
  EACCES: 'the cluster does not know this user with this key',
  EPERM: 'the caps of this user do not allow it, or it must still be kept',
  ELIBACC: 'librados2 and librbd1 have to be installed on this machine',
  EBUSY: 'it is in use',
  ENOTEMPTY: 'it has snapshots',
  ESHUTDOWN: 'this client is on the blocklist of the cluster',
  EUCLEAN: 'it is still there: a full pool, or what an earlier removal left, keeps it from going',
  EROFS: 'another client has the image open for writing',
};

/**
 * The cluster, or librbd, answered with an error. `code` is the name of the errno:
 * - `ENOENT`: no such image, snapshot or namespace, in a pool that is there; or no such pool, then `lacksPool`. From a removal it was checked in the listing: it is gone.
 * - `EEXIST`: the name is taken.
 * - `EBUSY`: open elsewhere, then `watchers` names by whom; or a namespace or a protected snapshot that is in use.
 * - `ENOTEMPTY`: an image with snapshots, which is not removed.
 * - `EACCES` (wrong user or key), `EPERM` (caps too low; in the trash: not yet due).
 * - `ETIMEDOUT`: from `connect` no monitor answered.
 * - `EADDRNOTAVAIL`: from `connect` the name of no monitor has an address, `EAGAIN`: or nobody could be asked for it.
 * - `EUCLEAN`: a removal found nothing to remove, and the image is still listed: the pool is full, or it is half removed and another try did not help either.
 * - `ESHUTDOWN`: blocklisted; the next call has a new connection.
 * - `ELIBACC`: librados or librbd is not installed, or cannot be loaded.
 */
export class RadosError extends Error {
  override readonly name = 'RadosError';
  readonly code: string;
  readonly errno: number;
  /** What was called: `image.remove`, `connect`. */
  readonly call: string;
  /** Only with `EBUSY`, where it is known. */
  readonly watchers: readonly Watcher[] | undefined;
  /** With `ENOENT`: the pool itself is not there, of which nothing follows for what was in it. */
  readonly lacksPool: boolean;

  constructor({ call, errno, message, watchers, lacksPool = false }: FailureBody) {
    const code = names.get(errno) ?? `E${errno}`;
    const meaning = meanings[code];
    const by = watchers === undefined || watchers.length === 0 ? '' : ` by ${watchers.map(({ address }) => address).join(', ')}`;
    super(`${call}: ${message}: ${code}${meaning === undefined ? '' : ` (${meaning}${by})`}`);
    this.code = code;
    this.errno = errno;
    this.call = call;
    this.watchers = watchers;
    this.lacksPool = lacksPool;
  }
}
