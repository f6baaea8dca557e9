import { contribution } from '../../kernel/index.ts';

/**
 * A connected host is being looked at: each module compares what is really there with its rows and repairs. With `machineId` only that machine needs a
 * look. Level-triggered: a look reads the world again, whatever the hint said, and may be repeated at any time.
 */
export const hostLook = contribution<{ readonly hostId: string; readonly machineId?: string; readonly signal: AbortSignal }, void>('host.look');
