import type { DriverPlugin } from '@pileus/core/strategy';
import type { Log } from './ceph-pool.ts';
import { ClusterLinks } from './cluster-links.ts';
import { rbdStorage } from './driver.ts';
import { readSettings, SETTINGS, settingFault } from './settings.ts';

export interface RbdOptions {
  /** Told what the driver does on its own: space that it frees, and what keeps it from that. Default: nobody. */
  readonly log?: Log;
  /** What a killed writer left of a copy, half made, is removed once nobody has had it open for so long, in milliseconds. Default: ten minutes. */
  readonly partLeftMs?: number;
}

/**
 * Ceph: storage `rbd`, a pool of RADOS block devices that all hosts of a zone reach. What a cluster and this machine need is in this package's README.
 */
export function rbd({ log = () => undefined, partLeftMs = 600_000 }: RbdOptions = {}): DriverPlugin {
  const links = new ClusterLinks();
  return {
    id: 'rbd',
    version: '0.1.0',
    strategies: {
      storage: [
        {
          name: 'rbd',
          scope: 'zone',
          settings: SETTINGS,
          settingFault,
          open: (endpoint) => {
            const settings = readSettings(endpoint);
            return rbdStorage(links.open(settings), settings, { log, partLeftMs });
          },
        },
      ],
    },
  };
}
