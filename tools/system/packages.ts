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

/** What tests of the other parts need: no host does. */
export const TEST_PACKAGES: readonly string[] = ['postgresql', 'slapd', 'zsh', 'fish'];

/** Unpacked into the cache and never installed: a kernel in /boot or another busybox would change the machine itself. */
export const GUEST_PACKAGES = ['linux-image-cloud-amd64', 'busybox-static', 'qemu-guest-agent'] as const;
export type GuestPackage = (typeof GUEST_PACKAGES)[number];

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

/** The folder that a guest package is unpacked in. It appears by a rename, so it is complete when it exists. */
export function unpackedDir(cacheDir: string, name: GuestPackage): string {
  return join(cacheDir, 'packages', name);
}

export async function missingGuestPackages(cacheDir: string): Promise<readonly GuestPackage[]> {
  const present = await Promise.all(GUEST_PACKAGES.map((name) => exists(unpackedDir(cacheDir, name))));
  return GUEST_PACKAGES.filter((_, index) => !present[index]);
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
