import type { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { domainRef } from '../libvirt/index.ts';
import type { Domains } from './domains.ts';

/** The smallest part of its translation cache that QEMU gives a processor, and the most parts that it makes for each. */
const PART_BYTES_MIN = 2 ** 21;
const PARTS_MAX = 8;

export interface Processors {
  readonly from: number;
  readonly to: number;
  /** `vcpusMax`, by which QEMU divides its cache when it starts. */
  readonly most: number;
}

/** How many parts of the cache no processor has taken, by what QEMU tells of it; of one that is partly used by each processor only the rest is told. */
export function freeParts(report: string, { from, most }: Processors): number {
  const [, used, size] = /^gen code size +(\d+)\/(\d+)$/m.exec(report) ?? [];
  if (used === undefined || size === undefined)
    throw new DriverError('internal', 'QEMU does not tell how much of its translation cache is in use');
  const parts = Math.min(Math.max(Math.ceil(Number(size) / PART_BYTES_MIN), most), PARTS_MAX * most);
  return parts - Math.ceil(Number(used) / (Number(size) / parts)) - from;
}

/**
 * QEMU ends itself, and the guest with it, when a processor is added while all parts of its translation cache are taken (QEMU 7.2, `tcg_region_initial_alloc__locked`):
 * with one in sixteen of all additions once a guest has filled the cache. It empties the cache when the last part is full, so it may be possible a little later.
 *
 * @throws DriverError unsupported
 */
export async function needRoom({ api }: Domains, id: string, processors: Processors, { left }: Deadline): Promise<void> {
  const { from, to } = processors;
  if (to <= from) return;
  const answer = await api.qemuMonitorCommand({ domain: domainRef(id), command: JSON.stringify({ execute: 'x-query-jit' }) }, left);
  const report = (JSON.parse(answer) as { readonly return?: { readonly 'human-readable-text'?: string } }).return;
  if (freeParts(report?.['human-readable-text'] ?? '', processors) >= to - from) return;
  throw new DriverError('unsupported', `the emulator of machine ${id} has no room for a further processor`, {
    told: 'It is emulated, and its emulator has no room for a further processor now. Stop it first.',
  });
}
