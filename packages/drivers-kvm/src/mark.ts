import type { Element } from './xml/element.ts';
import { descend, element, render } from './xml/element.ts';

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

function findMark(root: Element): Element | undefined {
  return elementOf(root, NAMESPACE);
}

/** Prefixes are libvirt's to change, so only the namespace counts. */
function elementOf(root: Element, namespace: string): Element | undefined {
  return descend(root, 'metadata')?.children.find((each) => Object.values(each.attributes).includes(namespace));
}

/** Of guests that were asked to hold writes back: an element of its own, which libvirt sets on the running domain alone, and which ends with that. */
const HOLD_NAMESPACE = 'urn:pileus:libvirt:hold:1';

export interface Hold {
  /** `asked`: the guest may have been frozen, or be so late. `held`: it was. */
  readonly state: 'asked' | 'held';
  /** When it was first seen thawed since, in milliseconds of the epoch. */
  readonly thawedAtMs?: number;
}

/** What sets the hold of a domain that runs, or takes it away. */
export function holdChange(hold: Hold | undefined): { readonly metadata?: string; readonly key: string; readonly uri: string } {
  const change = { key: 'pileus-hold', uri: HOLD_NAMESPACE };
  return hold === undefined ? change : { ...change, metadata: render(element('hold', { state: hold.state, thawedAtMs: hold.thawedAtMs })) };
}

export function readHold(root: Element): Hold | undefined {
  const hold = elementOf(root, HOLD_NAMESPACE);
  if (hold === undefined) return undefined;
  const { state, thawedAtMs } = hold.attributes;
  return { state: state === 'held' ? 'held' : 'asked', ...(thawedAtMs === undefined ? {} : { thawedAtMs: Number(thawedAtMs) }) };
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
