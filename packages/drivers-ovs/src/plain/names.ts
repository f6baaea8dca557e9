import { createHash } from 'node:crypto';

/** A name of an interface has 15 characters; what is left of them is enough of an id to be its own. */
const DIGITS = 13;

const digest = (text: string): string => createHash('sha1').update(`pileus/${text}`).digest('hex').slice(0, DIGITS);

/** The bridge of a network, the same on each host. Ids end in what is random of them. */
export const bridgeName = (networkId: string): string => `pn${networkId.replaceAll('-', '').slice(-DIGITS)}`;

/** The tunnel of a network to another host. */
export const tunnelName = (networkId: string, peer: string): string => `pt${digest(`${networkId}/${peer}`)}`;

/** The two ends of what joins a network to the bridge of a physical one: its own, and the one that is there. */
export const patchName = (networkId: string): string => `pp${digest(networkId)}`;
export const wireName = (networkId: string): string => `pw${digest(networkId)}`;
