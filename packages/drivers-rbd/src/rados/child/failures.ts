import type { Watcher } from '../errors.ts';

export const [ENOENT, EAGAIN, EBUSY, EEXIST, EINVAL, ERANGE, ENOTEMPTY] = [2, 11, 16, 17, 22, 34, 39] as const;
export const [EOVERFLOW, EOPNOTSUPP, EADDRNOTAVAIL, EUCLEAN] = [75, 95, 99, 117] as const;

/** librbd answered so. */
export class NativeFailure extends Error {
  readonly errno: number;
  /** Where others are in the way. */
  readonly watchers: readonly Watcher[] | undefined;

  constructor(errno: number, what: string, watchers?: readonly Watcher[]) {
    super(what);
    this.errno = errno;
    this.watchers = watchers;
  }
}

/** Nothing can be said of what is in a pool that is not there: it may have another name now. */
export class PoolAbsent extends NativeFailure {
  constructor(pool: string) {
    super(ENOENT, `pool ${pool}`);
  }
}

/** The installed release has no such function. */
export class MissingFunction extends Error {}

/** A negative answer is an errno. */
export function check(result: number | bigint, what: string): number {
  const number = Number(result);
  if (number < 0) throw new NativeFailure(-number, what);
  return number;
}

/** Undefined where what the work is about is not there, in a pool that is. */
export async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof NativeFailure) || error.errno !== ENOENT || error instanceof PoolAbsent) throw error;
    return undefined;
  }
}
