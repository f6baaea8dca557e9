import type { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { domainRef, JobType } from '../libvirt/index.ts';
import type { Domains } from './domains.ts';

interface BlockNode {
  readonly 'node-name'?: string;
  /** Where it is, in QEMU's words: a path, or a text of JSON. */
  readonly file?: string;
}
/** Devices, jobs and exports are among the parents. */
interface BlockGraph {
  readonly nodes: readonly { readonly id: number; readonly name: string; readonly type: string }[];
  readonly edges: readonly { readonly parent: number; readonly child: number }[];
}
interface Answered {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

/** What libvirt names what it opens for a disk, layer by layer: the secrets of a node first, then the place, and above it the format. */
const NODE = /^libvirt-(\d+)-(?:storage|format)$/;
const SECRET = /^libvirt-(\d+)-(?:storage|format)-.*secret\d+$/;

/**
 * A libvirtd that dies while it begins a copy, or attaches a disk, leaves the place open in QEMU, what lies below it, and what opens it: the next life knows of none, the pool
 * finds the volume in use as long as the machine is on, and the names are taken for the next one. As libvirt opens a chain from below, the image may be left alone.
 * While libvirt changes the disks no command gets through, so what nothing has open is left over, of whatever volume; but for long jobs, such as backups, which let commands through before they have
 * what they have opened: beside one only what the volume has is closed. QEMU closes nothing that is in use.
 *
 * @throws DriverError unavailable: QEMU does not tell, or does not close what the volume has.
 */
export async function closeLeftOpen({ api }: Pick<Domains, 'api'>, id: string, volumeId: string, deadline: Deadline): Promise<void> {
  const domain = domainRef(id);
  const tell = async (execute: string, args: object = {}) =>
    JSON.parse(await api.qemuMonitorCommand({ domain, command: JSON.stringify({ execute, arguments: args }) }, deadline.left)) as Answered;
  const ask = async <T>(query: string, args?: object): Promise<T> => {
    const { return: answer, error } = await tell(query, args);
    if (answer === undefined) throw new DriverError('unavailable', `the emulator of machine ${id} refuses ${query}: ${error?.desc}`);
    return answer as T;
  };
  const nodes = () => ask<readonly BlockNode[]>('query-named-block-nodes', { flat: true });
  // Asked after what it is to judge: what a job that has ended had opened is in use or gone.
  const isQuiet = async () => (await api.domainGetJobInfo({ domain }, deadline.left)).type === JobType.none;

  const own = new Set((await nodes()).flatMap(({ file, 'node-name': name = '' }) => (file?.includes(volumeId) === true ? [name] : [])));
  const refused = new Map<string, string | undefined>();
  for (;;) {
    const graph = await ask<BlockGraph>('x-debug-query-block-graph');
    const inUse = new Set(graph.edges.map(({ child }) => child));
    const open = graph.nodes.filter((node) => node.type === 'block-driver' && NODE.test(node.name) && !inUse.has(node.id));
    const isAnyOurs = await isQuiet();
    const closing = open.filter(({ name }) => (isAnyOurs || own.has(name)) && !refused.has(name));
    const [kept] = open.filter(({ name }) => own.has(name) && refused.has(name));
    if (closing.length === 0 && kept !== undefined)
      throw new DriverError('unavailable', `the emulator of machine ${id} does not close ${kept.name}: ${refused.get(kept.name)}`);
    if (closing.length === 0) break;
    for (const { id: parent, name } of closing) {
      const { error } = await tell('blockdev-del', { 'node-name': name });
      if (error !== undefined) refused.set(name, error.desc);
      else if (own.has(name))
        for (const { id: below, name: its } of graph.nodes)
          if (graph.edges.some((edge) => edge.parent === parent && edge.child === below)) own.add(its);
    }
  }
  // The secrets before the nodes: those of a disk that is plugged in meanwhile are not seen, or its nodes are.
  const objects = await ask<readonly { readonly name: string }[]>('qom-list', { path: '/objects' });
  const left = new Set((await nodes()).map((node) => /^libvirt-(\d+)-/.exec(node['node-name'] ?? '')?.[1]));
  const ofOwn = new Set([...own].map((name) => NODE.exec(name)?.[1]));
  const isAnyOurs = await isQuiet();
  for (const { name } of objects) {
    const [, number] = SECRET.exec(name) ?? [];
    if (number !== undefined && !left.has(number) && (isAnyOurs || ofOwn.has(number))) await tell('object-del', { id: name });
  }
}
