import type { DriverPlugin, HostEndpoint } from '@pileus/core/strategy';
import { DriverError } from './driver-error.ts';
import { HostLinks, type LinkOptions } from './host-links.ts';
import { kvmHypervisor } from './hypervisor/driver.ts';
import { libvirtNetworks } from './network/driver.ts';
import { dirStorage } from './storage/driver.ts';

export interface KvmOptions extends LinkOptions {
  /**
   * How machines run. `auto`, the default, boots `probeKernel` under KVM on each host and falls back to `tcg`, software emulation, where that kernel is not
   * seen to run: an openable `/dev/kvm` proves nothing on nested hosts.
   */
  readonly virtType?: 'auto' | 'kvm' | 'tcg';
  /** A stock Linux kernel, by its path on the hosts. Default `/vmlinuz`, where Debian links the installed one. */
  readonly probeKernel?: string;
  /** The folder, on hosts that are this machine, for the sockets of screens; `auto`, the default, is each machine's own folder of libvirt. */
  readonly vncSocketDir?: string;
  /** Whether the hosts can weigh processors (the CPU controller of cgroups). Default true; where one cannot, the call is refused as unsupported. */
  readonly cpuShares?: boolean;
  /** Whether the hosts can shape traffic (`tc` with its usual disciplines). Default true; where one cannot, the call is refused as unsupported. */
  readonly nicLimits?: boolean;
}

/**
 * KVM hosts through libvirt: hypervisor `kvm`, storage `libvirt-dir` (a folder of one host) and network `libvirt` (NAT or isolated networks of one host). What
 * a host needs is in this package's README.
 */
export function kvm(options: KvmOptions = {}): DriverPlugin {
  const {
    virtType = 'auto',
    probeKernel = '/vmlinuz',
    vncSocketDir = 'auto',
    cpuShares = true,
    nicLimits = true,
    ...linkOptions
  } = options;
  const links = new HostLinks(linkOptions);
  return {
    id: 'kvm',
    version: '0.1.0',
    strategies: {
      hypervisor: [
        {
          name: 'kvm',
          open: (endpoint) =>
            kvmHypervisor(links.open(endpoint), { virtType, kernelPath: probeKernel, vncSocketDir, cpuShares, nicLimits }),
        },
      ],
      storage: [
        {
          name: 'libvirt-dir',
          scope: 'host',
          settings: { path: { description: 'Absolute path of the folder on the host; it is made if needed.', required: true } },
          open: ({ poolId, host, settings }) => {
            const endpoint = needHost(host, `pool ${poolId}`);
            const { path } = settings;
            if (path === undefined || !/^\/[^/]/.test(path))
              throw new DriverError('invalid', `pool ${poolId}: path must be absolute and not the root`);
            return dirStorage(links.open(endpoint), { poolId, path, hostId: endpoint.hostId });
          },
        },
      ],
      network: [{ name: 'libvirt', scope: 'host', open: ({ host }) => libvirtNetworks(links.open(needHost(host, 'network "libvirt"'))) }],
    },
  };
}

function needHost(host: HostEndpoint | undefined, what: string): HostEndpoint {
  if (host === undefined) throw new DriverError('invalid', `${what} is of one host, and none was given`);
  return host;
}
