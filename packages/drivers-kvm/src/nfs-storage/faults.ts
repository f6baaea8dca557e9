import type { Fault } from '@pileus/core/strategy';
import { classify } from '../faults.ts';
import { NfsError, NfsRefusedError, type NfsStatus, NfsUnansweredError } from '../nfs/index.ts';

/**
 * A handle that is stale says that the server does not find a file by it now: no word about whether the volume is there. What the server refuses to us it may let us do
 * once its export is put right.
 */
const FAULTS: Readonly<Record<NfsStatus, Fault>> = {
  noent: 'not_found',
  exist: 'conflict',
  notempty: 'conflict',
  notSync: 'conflict',
  mlink: 'conflict',
  nospc: 'exhausted',
  dquot: 'exhausted',
  inval: 'invalid',
  fbig: 'invalid',
  nametoolong: 'invalid',
  notsupp: 'unsupported',
  xdev: 'unsupported',
  badtype: 'unsupported',
  ...{ perm: 'unavailable', acces: 'unavailable', rofs: 'unavailable' },
  ...{ stale: 'unavailable', badhandle: 'unavailable', remote: 'unavailable' },
  ...{ io: 'unavailable', nxio: 'unavailable', nodev: 'unavailable', serverfault: 'unavailable', jukebox: 'unavailable' },
  ...{ notdir: 'internal', isdir: 'internal', badCookie: 'internal', toosmall: 'internal' },
};

/** Never throws, whatever it is given. */
export function classifyNfs(error: unknown): Fault {
  try {
    if (error instanceof NfsUnansweredError) return error.outcome === 'unknown' ? 'unknown_outcome' : 'unavailable';
    if (error instanceof NfsError && error.status !== undefined) return FAULTS[error.status];
    if (error instanceof NfsRefusedError) return 'unavailable';
  } catch {
    // A thrown value may refuse even to be looked at.
  }
  return classify(error);
}
