import type { Element } from './xml/element.ts';
import { descend, element } from './xml/element.ts';

/**
 * How our things are told from others' on a shared host: an element of our namespace in the metadata holds the owner (the cloud id), and the aliases of
 * disks and NICs hold the ids of volumes and NICs. Libvirt keeps aliases that begin with `ua-` as they were given.
 */
const NAMESPACE = 'urn:pileus:libvirt:1';

export interface Mark {
  /** The cloud id. */
  readonly owner: string;
  /** Facts that libvirt has no place for. */
  readonly [fact: string]: string;
}

/** `<metadata>` with our mark, and in it the record of a machine: libvirt allows one element for each namespace. */
export function markElement(mark: Mark, record?: string): Element {
  const kept = record === undefined ? undefined : element('pileus:record', {}, record);
  return element('metadata', {}, element('pileus:mark', { 'xmlns:pileus': NAMESPACE, ...mark }, kept));
}

/** The mark of a domain or network, if it has ours. */
export function readMark(root: Element): Mark | undefined {
  const mark = findMark(root);
  const { owner } = mark?.attributes ?? {};
  return owner === undefined ? undefined : { ...mark?.attributes, owner };
}

/** The record that a domain was defined with. */
export function readRecord(root: Element): string | undefined {
  return findMark(root)?.children.find((each) => /(?:^|:)record$/.test(each.name))?.text;
}

/** Prefixes are libvirt's to change, so only the namespace counts. */
function findMark(root: Element): Element | undefined {
  return descend(root, 'metadata')?.children.find((each) => Object.values(each.attributes).includes(NAMESPACE));
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
