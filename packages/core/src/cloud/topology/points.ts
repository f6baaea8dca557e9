import type { HostLink } from '../../agent/index.ts';
import { contribution, type Id, notice } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import type { StrayKind } from './stray.ts';

/** A full look compares everything; between two of them hints tell what changed. After so many heartbeats a look finds out what hints missed. */
export const HEARTBEATS_PER_LOOK = 6;

/**
 * A connected host is being looked at: each module compares what is really there with its rows and repairs. With `machineId` only that machine needs a
 * look. Level-triggered: a look reads the world again, whatever the hint said, and may be repeated at any time.
 */
export const hostLook = contribution<{ readonly hostId: string; readonly machineId?: string; readonly signal: AbortSignal }, void>(
  'host.look',
);

/** A host has missed its looks and shows as disconnected now. Its machines may well go on. */
export const hostLost = notice<{ readonly hostId: string }>('host.lost');

/**
 * An operator wants a stray destroyed: the module that knows things of its kind removes it (absent is done) and answers true; the others answer false.
 */
export const strayRemoval = contribution<
  {
    readonly objectKind: StrayKind;
    readonly objectId: string;
    readonly hostId: Id<'host'>;
    readonly place: string;
    readonly call: Call;
  },
  boolean
>('stray.removal');

/** What whoever is on a host tells of its links. `pending`: nothing yet, and it will. Undefined: nobody is there, or does not tell. */
export type ToldLinks = readonly HostLink[] | 'pending' | undefined;
/** Who has somebody on a host answers for him. At once: by what was told last. */
export const hostLinks = contribution<{ readonly hostId: string }, ToldLinks>('host.links');

/** By place: an empty text, or why it takes no connections from there. `away`: nothing is heard of who would know. Undefined: nobody is there who can tell. */
export type ToldReach = Readonly<Record<string, string>> | 'away' | undefined;
/** Who has somebody on a host has him try whether these places, `host:port`, take connections from there. */
export const hostReach = contribution<
  { readonly hostId: string; readonly places: readonly string[]; readonly signal: AbortSignal },
  ToldReach
>('host.reach');
