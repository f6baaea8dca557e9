import { LuksError } from '@pileus/core/luks';
import type { Fault } from '@pileus/core/strategy';
import { RadosError, ToolError, UnansweredError, UnsupportedError } from '../rados/index.ts';
import { DriverError } from './driver-error.ts';

const FAULTS: Readonly<Record<string, Fault>> = {
  ENOENT: 'not_found',
  EEXIST: 'conflict',
  EBUSY: 'conflict',
  ENOTEMPTY: 'conflict',
  // Another client has it open for writing.
  EROFS: 'conflict',
  EINVAL: 'invalid',
  ERANGE: 'invalid',
  EDOM: 'invalid',
  ENAMETOOLONG: 'invalid',
  EFBIG: 'invalid',
  ENOSPC: 'exhausted',
  EDQUOT: 'exhausted',
  EOPNOTSUPP: 'unsupported',
  ENOSYS: 'unsupported',
  // A key that is not the user's any more, or caps that were taken away, may be given back.
  EACCES: 'unavailable',
  EPERM: 'unavailable',
  // The libraries are not there, and the message says which: whoever installs them need change nothing else.
  ELIBACC: 'unavailable',
  EAGAIN: 'unavailable',
  // Names of monitors may get their addresses back, with the server that knows them.
  EADDRNOTAVAIL: 'unavailable',
  ENOTCONN: 'unavailable',
  ECONNREFUSED: 'unavailable',
  EHOSTUNREACH: 'unavailable',
  ENETUNREACH: 'unavailable',
  // This client is on the blocklist; the next call has a new connection.
  ESHUTDOWN: 'unavailable',
  // Another was quicker with the same; the next one sees what it has done.
  ESTALE: 'unavailable',
  // Half removed; the next removal goes on with it.
  EUCLEAN: 'unavailable',
};

/** What an error of this driver, of the binding or anything else means to the caller. Never throws, whatever it is given. */
export function classify(error: unknown): Fault {
  try {
    if (error instanceof DriverError || error instanceof LuksError) return error.fault;
    if (error instanceof UnansweredError) return error.outcome === 'unknown' ? 'unknown_outcome' : 'unavailable';
    if (error instanceof UnsupportedError) return 'unsupported';
    if (error instanceof RadosError) return ofAnswer(error);
    if (error instanceof ToolError) return ofProgram(error);
    // Of what was left half done, what came first.
    if (error instanceof AggregateError) return classify(error.errors[0]);
  } catch {
    // A thrown value may refuse even to be looked at.
  }
  return 'internal';
}

function ofAnswer({ code, call, lacksPool }: RadosError): Fault {
  // Renamed, it may get its name back; what is in it is there all the while.
  if (lacksPool) return 'unavailable';
  // No monitor answered a connection, of which nothing follows; elsewhere the disks may still do what they were asked.
  if (code === 'ETIMEDOUT') return call === 'connect' ? 'unavailable' : 'unknown_outcome';
  return FAULTS[code] ?? 'internal';
}

function ofProgram({ message, cause }: ToolError): Fault {
  if (cause !== undefined || /Unknown (driver|protocol)/.test(message)) return 'unsupported';
  if (/not in \w+ format|refers to other files|image is corrupt/i.test(message)) return 'invalid';
  return 'internal';
}

export const isCode = (error: unknown, ...codes: readonly string[]): error is RadosError =>
  error instanceof RadosError && codes.includes(error.code);

/** Runs `act`; what the cluster refuses with one of `codes` is handed to `otherwise` instead. */
export async function except<T, O>(
  codes: readonly string[],
  act: () => Promise<T>,
  otherwise: (error: RadosError) => O | Promise<O>,
): Promise<T | O> {
  try {
    return await act();
  } catch (error) {
    if (isCode(error, ...codes)) return otherwise(error);
    throw error;
  }
}

/** What `act` answers, or undefined where there is no such thing in the pool. Of a pool that is not there itself nothing is known. */
export const unlessAbsent = <T>(act: () => Promise<T>): Promise<T | undefined> =>
  except(['ENOENT'], act, (error) => {
    if (error.lacksPool) throw error;
    return undefined;
  });
