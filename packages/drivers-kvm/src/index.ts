import type { DriverPlugin, HostEndpoint } from '@pileus/core/strategy';
import { DriverError } from './driver-error.ts';
import { HostLinks, type LinkOptions } from './host-links.ts';
import { kvmHypervisor } from './hypervisor/driver.ts';
import { lvmStorage } from './lvm-storage/driver.ts';
import { LVM_SETTINGS, lvmSettingFault, readLvmSettings } from './lvm-storage/settings.ts';
import { libvirtNetworks } from './network/driver.ts';
import { nfsStorage } from './nfs-storage/driver.ts';
import { NFS_SETTINGS, readNfsSettings } from './nfs-storage/settings.ts';
import { dirStorage } from './storage/driver.ts';
import { FOLDER_RULE, folderFault } from './storage/folder.ts';

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
  /**
   * How the memory of a machine goes to another host while it runs. `tunnelled`, the default: within the connection from libvirtd to libvirtd. `tls`: faster, from QEMU to QEMU, where the
   * hosts' qemu.conf names certificates for it (`migrate_tls_x509_cert_dir`). Never in the clear over a network.
   */
  readonly migration?: 'tunnelled' | 'tls';
  /** The folder on the hosts with the certificates by which one libvirtd calls another. Default: where libvirt looks by itself, /etc/pki. */
  readonly migrationPkiPath?: string;
}

/**
 * KVM hosts through libvirt: hypervisor `kvm`, storage `libvirt-dir` (a folder of one host), `libvirt-lvm` (a volume group of one host) and `nfs` (an export that all
 * hosts of a zone reach), and network `libvirt` (NAT or isolated networks of one host). What a host needs is in this package's README.
 */
export function kvm(options: KvmOptions = {}): DriverPlugin {
  const {
    virtType = 'auto',
    probeKernel = '/vmlinuz',
    vncSocketDir = 'auto',
    cpuShares = true,
    nicLimits = true,
    migration: transport = 'tunnelled',
    migrationPkiPath: pkiPath,
    ...linkOptions
  } = options;
  const links = new HostLinks(linkOptions);
  const machines = { virtType, kernelPath: probeKernel, vncSocketDir, cpuShares, nicLimits, migration: { transport, pkiPath } };
  return {
    id: 'kvm',
    version: '0.1.0',
    strategies: {
      hypervisor: [
        {
          name: 'kvm',
          open: (endpoint) => kvmHypervisor(links.open(endpoint), machines),
        },
      ],
      storage: [
        {
          name: 'libvirt-dir',
          scope: 'host',
          settings: { path: { description: 'Absolute path of the folder on the host; it is made if needed.', required: true } },
          settingFault: ({ path = '' }) => folderFault(path),
          open: ({ poolId, host, settings }) => {
            const endpoint = needHost(host, `pool ${poolId}`);
            const { path } = settings;
            if (path === undefined || folderFault(path) !== undefined)
              throw new DriverError('invalid', `pool ${poolId}: path ${FOLDER_RULE}`);
            return dirStorage(links.open(endpoint), { poolId, path, hostId: endpoint.hostId });
          },
        },
        {
          name: 'libvirt-lvm',
          scope: 'host',
          settings: LVM_SETTINGS,
          settingFault: lvmSettingFault,
          open: (endpoint) => {
            const host = needHost(endpoint.host, `pool ${endpoint.poolId}`);
            const { poolId } = endpoint;
            return lvmStorage(links.open(host), { poolId, ...readLvmSettings(endpoint), hostId: host.hostId });
          },
        },
        { name: 'nfs', scope: 'zone', settings: NFS_SETTINGS, open: (endpoint) => nfsStorage(readNfsSettings(endpoint)) },
      ],
      network: [{ name: 'libvirt', scope: 'host', open: ({ host }) => libvirtNetworks(links.open(needHost(host, 'network "libvirt"'))) }],
    },
  };
}

function needHost(host: HostEndpoint | undefined, what: string): HostEndpoint {
  if (host === undefined) throw new DriverError('invalid', `${what} is of one host, and none was given`);
  return host;
}
