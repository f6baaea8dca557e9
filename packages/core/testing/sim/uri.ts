import type { HostEndpoint } from '../../src/strategy/index.ts';

/** The name in `sim://name`. */
export const hostnameOf = (host: HostEndpoint): string => host.uri.replace(/^sim:\/\//, '');
