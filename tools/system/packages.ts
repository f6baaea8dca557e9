import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';

/**
 * What a KVM host and its tests need, by the Debian 12 package that brings it. `libvirt-daemon` and not `libvirt-daemon-system`:
 * the latter adds services and users, and can upgrade systemd; libvirtd runs without all of that but for a user (libvirt-user.sh).
 */
export const SYSTEM_PACKAGES: readonly string[] = [
  'libvirt-daemon',
  'libvirt-daemon-driver-qemu',
  'libvirt-clients',
  'qemu-system-x86',
  'qemu-utils',
  'ovmf',
  'dnsmasq-base',
  'iproute2',
  'iptables',
  'openssl',
  'genisoimage',
  'libxml2-utils',
  'syslinux',
  'syslinux-common',
  'mtools',
  'dosfstools',
];

/** What a cloud whose network is OVN needs beside that. */
export const OVN_PACKAGES: readonly string[] = ['openvswitch-switch', 'ovn-central', 'ovn-host', 'ethtool'];

/** What a KVM host needs for disks on Ceph: QEMU finds its block driver by itself. */
export const RBD_PACKAGES: readonly string[] = ['qemu-block-extra', 'ceph-common'];

/** What a Ceph cluster of one's own needs beside that, with S3. None of their recommendations: they bring a dashboard and ntpd. */
export const CEPH_PACKAGES: readonly string[] = [...RBD_PACKAGES, 'ceph-mon', 'ceph-osd', 'ceph-mgr', 'radosgw'];

/** An NFS server in user space, and what its clients find it by. Hosts and this machine need neither. */
export const NFS_PACKAGES: readonly string[] = ['nfs-ganesha', 'nfs-ganesha-vfs', 'rpcbind'];

/** What tests of the other parts need: no host does. */
export const TEST_PACKAGES: readonly string[] = [
  ...['postgresql', 'slapd', 'zsh', 'fish'],
  ...[...OVN_PACKAGES, 'isc-dhcp-client'],
  ...CEPH_PACKAGES,
  ...NFS_PACKAGES,
];

/** Unpacked into the cache and never installed: a kernel in /boot or another busybox would change the machine itself. */
export const GUEST_PACKAGES = ['linux-image-cloud-amd64', 'busybox-static', 'qemu-guest-agent'] as const;

/** What a machine with LVM, iSCSI and several paths needs beside what is installed; unpacked like that, since udev and its like have no place on this machine. */
export const SAN_PACKAGES = [
  ...['lvm2', 'dmsetup', 'libdevmapper1.02.1', 'libdevmapper-event1.02.1', 'udev'],
  ...['tgt', 'libibverbs1', 'librdmacm1', 'libaio1', 'libnl-3-200', 'libnl-route-3-200'],
  ...['open-iscsi', 'libisns0', 'libopeniscsiusr', 'multipath-tools', 'liburcu8', 'libjson-c5'],
] as const;
export type UnpackedPackage = (typeof GUEST_PACKAGES)[number] | (typeof SAN_PACKAGES)[number];

export async function missingSystemPackages(also: readonly string[] = []): Promise<readonly string[]> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's own.
  const listed = await run(['dpkg-query', '--show', '--showformat=${Package} ${db:Status-Status}\n']);
  const installed = new Set(
    listed
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.slice(0, -' installed'.length)),
  );
  return [...SYSTEM_PACKAGES, ...also].filter((name) => !installed.has(name));
}

/** The folder that a package is unpacked in. It appears by a rename, so it is complete when it exists. */
export function unpackedDir(cacheDir: string, name: string): string {
  return join(cacheDir, 'packages', name);
}

export async function missingUnpackedPackages(cacheDir: string, also: readonly string[] = []): Promise<readonly string[]> {
  const names = [...GUEST_PACKAGES, ...also];
  const present = await Promise.all(names.map((name) => exists(unpackedDir(cacheDir, name))));
  return names.filter((_, index) => !present[index]);
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
