import type { Deadline } from '../deadline.ts';
import { except } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import { Trails } from '../hypervisor/trails.ts';
import { BlockResizeFlag, ListDomainsFlag, type StorageVolume } from '../libvirt/index.ts';
import { volumeOfAlias } from '../mark.ts';
import { child, childrenNamed, type Element } from '../xml/element.ts';
import { parse } from '../xml/reader.ts';

/** What QEMU says of a file that somebody else has open. */
export const IN_USE = /Failed to get .*lock/;

/**
 * Grows a file that a running machine of this host uses: QEMU holds its lock, so only QEMU can, and the guest sees it at once. False when none uses it.
 */
export async function growInUse(link: HostLink, path: string, sizeBytes: number, deadline: Deadline): Promise<boolean> {
  const user = await userOf(link, path, deadline);
  if (user === undefined) return false;
  const { domain, disk, volumeId } = user;
  // QEMU does not grow a disk with a trail that it takes for nothing.
  if (volumeId !== undefined) await new Trails(link.host.api).drop(domain.uuid, deadline, { volumeId });
  await link.host.api.domainBlockResize({ domain, disk, size: sizeBytes, flags: BlockResizeFlag.bytes }, deadline.left);
  return true;
}

/** Whether a running machine of this host has the file open. */
export const isInUse = async (link: HostLink, path: string, deadline: Deadline): Promise<boolean> =>
  (await userOf(link, path, deadline)) !== undefined;

/** The name of a machine of this host, running or not, that has the file as a disk, or one below a disk. */
export async function machineWith(link: HostLink, file: StorageVolume, deadline: Deadline): Promise<string | undefined> {
  const { api } = link.host;
  for (const domain of await api.connectListAllDomains({}, deadline.left)) {
    const read = () => api.domainGetXmlDesc({ domain }, deadline.left);
    const xml = await except(['noDomain'], read, () => '<domain/>');
    if (hasSource(child(parse(xml), 'devices'), file)) return domain.name;
  }
  return undefined;
}

function hasSource(node: Element | undefined, file: StorageVolume): boolean {
  if (node === undefined) return false;
  const { file: path, dev, pool, volume } = node.name === 'source' ? node.attributes : {};
  return (
    path === file.key ||
    dev === file.key ||
    (pool === file.pool && volume === file.name) ||
    node.children.some((each) => hasSource(each, file))
  );
}

async function userOf(link: HostLink, path: string, deadline: Deadline) {
  const { api } = link.host;
  const domains = await api.connectListAllDomains({ flags: ListDomainsFlag.active }, deadline.left);
  for (const domain of domains) {
    const read = () => api.domainGetXmlDesc({ domain }, deadline.left);
    const found = diskOf(await except(['noDomain'], read, () => '<domain/>'), path);
    if (found?.disk !== undefined) return { ...found, domain, disk: found.disk };
  }
  return undefined;
}

function diskOf(xml: string, path: string) {
  const disks = childrenNamed(child(parse(xml), 'devices'), 'disk');
  const found = disks.find((each) => child(each, 'source')?.attributes.file === path);
  return found && { disk: child(found, 'target')?.attributes.dev, volumeId: volumeOfAlias(child(found, 'alias')?.attributes.name ?? '') };
}
