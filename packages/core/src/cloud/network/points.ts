import { notice } from '../../kernel/index.ts';

/** A fabric has come back empty or from yesterday: nothing is changed there until an operator has it built anew. */
export const fabricLost = notice<{ readonly fabricId: string; readonly driver: string; readonly reason: string }>('fabric.lost');

/** What the hosts of a fabric share does not answer, or does not follow: machines keep what they have, and changes do not come through. */
export const fabricDegraded = notice<{ readonly fabricId: string; readonly driver: string; readonly reason: string }>('fabric.degraded');
/** Changes of a fabric come through again. */
export const fabricRecovered = notice<{ readonly fabricId: string; readonly driver: string }>('fabric.recovered');

/** A host that answers does not do what its machines' networks need: those that run there may be cut off. */
export const hostNetworkDegraded = notice<{ readonly hostId: string; readonly driver: string; readonly reason: string }>(
  'host.networkDegraded',
);
/** A host does again what its machines' networks of that driver need. */
export const hostNetworkRecovered = notice<{ readonly hostId: string; readonly driver: string }>('host.networkRecovered');

/** More is found of the way of a host to the networks that carry its storage: slow, not bonded, down and the like. `findings` are the codes of all that is. */
export const hostStorageNetworkDegraded = notice<{ readonly hostId: string; readonly findings: readonly string[] }>(
  'host.storageNetworkDegraded',
);
/** Nothing is found of it any more. */
export const hostStorageNetworkRecovered = notice<{ readonly hostId: string }>('host.storageNetworkRecovered');

/** A backend has gone out too often, by its health check: it gets no new connections until then. `holds`: how often it came to that, one time not long after the other. */
export const backendHeld = notice<{
  readonly backendId: string;
  readonly listenerId: string;
  readonly reason: string;
  readonly until: string;
  readonly holds: number;
}>('backend.held');
/** A backend that was held is tried again. */
export const backendFreed = notice<{ readonly backendId: string; readonly listenerId: string }>('backend.freed');
