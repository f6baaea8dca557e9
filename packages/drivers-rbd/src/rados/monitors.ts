/** Messenger version 1's; where it is named, version 2 must not be assumed. */
const PORT_V1 = ':6789';

/**
 * `mon_host` for librados. A port that is not version 1's is said to be version 2's: where librados tries both on one port, a wrong key is told as a time-out.
 * @throws RangeError when one is no address
 */
export function monHost(monitors: readonly string[]): string {
  if (monitors.length === 0) throw new RangeError('monitors: at least one is needed');
  return monitors.map(address).join(',');
}

function address(monitor: string): string {
  if (!/^[\w.:[\]/,-]+$/.test(monitor)) throw new RangeError(`monitors: ${JSON.stringify(monitor)} is no address`);
  const hasPort = /^[\w.-]+:\d+$|^\[[\da-fA-F:]+\]:\d+$/.test(monitor);
  return hasPort && !monitor.endsWith(PORT_V1) ? `[v2:${monitor}]` : monitor;
}
