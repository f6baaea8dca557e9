/** What a server answers (RFC 1813, 2.6), by its number. */
const STATUS = {
  perm: 1,
  noent: 2,
  io: 5,
  nxio: 6,
  acces: 13,
  exist: 17,
  xdev: 18,
  nodev: 19,
  notdir: 20,
  isdir: 21,
  inval: 22,
  fbig: 27,
  nospc: 28,
  rofs: 30,
  mlink: 31,
  nametoolong: 63,
  notempty: 66,
  dquot: 69,
  stale: 70,
  remote: 71,
  badhandle: 10001,
  notSync: 10002,
  badCookie: 10003,
  notsupp: 10004,
  toosmall: 10005,
  serverfault: 10006,
  badtype: 10007,
  jukebox: 10008,
} as const;
export type NfsStatus = keyof typeof STATUS;

const NAMES = new Map<number, NfsStatus>(Object.entries(STATUS).map(([name, number]) => [number, name as NfsStatus]));

/** The server answered, and the answer is a refusal. */
export class NfsError extends Error {
  override readonly name = 'NfsError';
  /** Undefined for a number that no version of the protocol knows. */
  readonly status: NfsStatus | undefined;

  constructor(procedure: string, status: number) {
    super(`NFS: ${procedure} answered ${NAMES.get(status) ?? status}`);
    this.status = NAMES.get(status);
  }
}

/** No answer came. `not_sent` certainly changed nothing, `unknown` may have landed or may land yet. */
export class NfsUnansweredError extends Error {
  override readonly name = 'NfsUnansweredError';
  readonly outcome: 'unknown' | 'not_sent';

  constructor(message: string, outcome: 'unknown' | 'not_sent', options?: ErrorOptions) {
    super(`${message} (${outcome === 'unknown' ? 'it may still take effect' : 'it was not sent'})`, options);
    this.outcome = outcome;
  }
}

/** The server does not offer what is needed: no NFS of version 3 over TCP, say, or no such export. */
export class NfsRefusedError extends Error {
  override readonly name = 'NfsRefusedError';
}

/** The server sent something that this client does not understand. */
export class NfsProtocolError extends Error {
  override readonly name = 'NfsProtocolError';
}
