import type { Element } from '../xml/element.ts';
import { descend, element } from '../xml/element.ts';

/**
 * How our things are told from others' on a shared host: an element of our namespace in the metadata holds the owner (the cloud id), and the aliases of
 * disks and NICs hold the ids of volumes and NICs. Libvirt keeps aliases that begin with `ua-` as they were given.
 */
const NAMESPACE = 'urn:pileus:libvirt:1';

/** `<metadata>` with our mark. */
export function markOwner(owner: string): Element {
  return element('metadata', {}, element('pileus:mark', { 'xmlns:pileus': NAMESPACE, owner }));
}

/** The cloud id of a domain or network with our mark. Prefixes are libvirt's to change, so only the namespace counts. */
export function readOwner(root: Element): string | undefined {
  const mark = descend(root, 'metadata')?.children.find((each) => Object.values(each.attributes).includes(NAMESPACE));
  return mark?.attributes.owner;
}

export const volumeAlias = (volumeId: string): string => `ua-vol-${volumeId}`;
/** The slot is in the alias because a NIC shows it nowhere else; a disk's is its target name. */
export const nicAlias = (slot: number, nicId: string): string => `ua-nic-${slot}-${nicId}`;

export function volumeOfAlias(alias: string): string | undefined {
  return /^ua-vol-(.+)$/.exec(alias)?.[1];
}

export function nicOfAlias(alias: string): { readonly nicId: string; readonly slot: number } | undefined {
  const [, slot, nicId] = /^ua-nic-(\d+)-(.+)$/.exec(alias) ?? [];
  return nicId === undefined ? undefined : { nicId, slot: Number(slot) };
}
