import type { HypervisorDriver, MachineUsage } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import type { HostLink } from '../host-links.ts';
import { StatsFlag, StatsGroup, type TypedParams } from '../libvirt/index.ts';

const NS_PER_MS = 1_000_000;
const KIB = 1024;

/** What libvirt counts, without asking any guest or waiting for a domain that something else is at work on. */
export function usageVerbs(link: HostLink): NonNullable<HypervisorDriver['usage']> {
  return {
    async read(call) {
      const deadline = new Deadline(call);
      const { host } = link;
      const [memory, cpu, domains] = await Promise.all([
        host.nodeMemoryKib(-1, deadline.left),
        host.nodeCpuNs(-1, deadline.left),
        host.api.connectGetAllDomainStats(
          { domains: [], stats: StatsGroup.cpuTotal | StatsGroup.balloon, flags: StatsFlag.active | StatsFlag.noWait },
          deadline.left,
        ),
      ]);
      const { total = 0, free = 0, buffers = 0, cached = 0 } = memory;
      const { user = 0, kernel = 0 } = cpu;
      return {
        usedMemoryBytes: Math.max(0, total - free - buffers - cached) * KIB,
        cpuMs: (user + kernel) / NS_PER_MS,
        machines: domains.flatMap(({ domain, params }) => usageOf(domain.uuid, params)),
      };
    },
  };
}

function usageOf(id: string, params: TypedParams): readonly MachineUsage[] {
  const [ns, kib] = [params['cpu.time'], params['balloon.rss']];
  return ns === undefined || kib === undefined ? [] : [{ id, cpuMs: Number(ns) / NS_PER_MS, usedMemoryBytes: Number(kib) * KIB }];
}
