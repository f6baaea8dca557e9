import type { Deadline } from '../deadline.ts';
import { domainRef } from '../libvirt/index.ts';
import type { Domains } from './domains.ts';

interface BlockNode {
  readonly 'node-name'?: string;
  /** Where it is, in QEMU's words: a path, or a text of JSON. */
  readonly file?: string;
}
interface Answered {
  readonly return?: unknown;
}

/** What libvirt names what it opens for a disk: the secrets of a node first, then the place, and above it the format. */
const NODE = /^libvirt-(\d+)-(?:storage|format)$/;
const SECRET = /^libvirt-(\d+)-(?:storage|format)-.*secret\d+$/;

/**
 * A libvirtd that dies while it begins a copy, or attaches a disk, leaves the place open in QEMU, and what opens it: the next life knows of neither, the pool finds the
 * volume in use as long as the machine is on, and the names are taken for the next one. While libvirt is at it no command gets through, so whatever is seen is at rest; and QEMU
 * closes nothing that is in use, by a disk, a copy or a backup.
 */
export async function closeLeftOpen({ api }: Pick<Domains, 'api'>, id: string, volumeId: string, deadline: Deadline): Promise<void> {
  const ask = async (execute: string, args: object = {}): Promise<unknown> => {
    const command = JSON.stringify({ execute, arguments: args });
    return (JSON.parse(await api.qemuMonitorCommand({ domain: domainRef(id), command }, deadline.left)) as Answered).return;
  };
  const nodes = async () => ((await ask('query-named-block-nodes', { flat: true })) ?? []) as readonly BlockNode[];
  const open = (await nodes()).filter(({ file, 'node-name': name = '' }) => NODE.test(name) && file?.includes(volumeId) === true);
  // The format before the place, which it has open.
  for (const name of open.map((node) => node['node-name'] ?? '').sort()) await ask('blockdev-del', { 'node-name': name });
  const left = new Set((await nodes()).map((node) => NODE.exec(node['node-name'] ?? '')?.[1]));
  const objects = ((await ask('qom-list', { path: '/objects' })) ?? []) as readonly { readonly name: string }[];
  for (const { name } of objects) {
    const [, number] = SECRET.exec(name) ?? [];
    if (number !== undefined && !left.has(number)) await ask('object-del', { id: name });
  }
}
