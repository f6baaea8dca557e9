import type { HypervisorDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { AffectFlag, domainRef, type TypedParam } from '../libvirt/index.ts';
import type { DomainSight, Domains } from './domains.ts';
import { kibibytes } from './nic-xml.ts';
import { needRoom } from './room-for-processors.ts';
import { Trails } from './trails.ts';

/** A running machine changes now and stays changed; of a stopped one only the definition can. */
const affected = (sight: DomainSight): number => (sight.active ? AffectFlag.live | AffectFlag.config : AffectFlag.config);

/** Else `domainBlockResize` reads the size as KiB. */
const SIZE_IN_BYTES = 1;

export function resizeVerbs(domains: Domains): NonNullable<HypervisorDriver['resize']> {
  return {
    async setVcpus(id, vcpus, call) {
      const deadline = new Deadline(call);
      const sight = await domains.needSight(id, deadline);
      const { vcpusMax } = sight.config;
      if (vcpus > vcpusMax) throw new DriverError('invalid', `machine ${id} can have ${vcpusMax} processors at most, not ${vcpus}`);
      if (sight.active && sight.live.isEmulated)
        await needRoom(domains, id, { from: sight.live.vcpus, to: vcpus, most: vcpusMax }, deadline);
      await domains.api.domainSetVcpusFlags({ domain: domainRef(id), vcpus, flags: affected(sight) }, deadline.left);
    },

    async setMemory(id, memoryBytes, call) {
      const deadline = new Deadline(call);
      const sight = await domains.needSight(id, deadline);
      const { memoryBytesMax } = sight.config;
      if (memoryBytes > memoryBytesMax)
        throw new DriverError('invalid', `machine ${id} can have ${memoryBytesMax} bytes at most, not ${memoryBytes}`);
      const request = { domain: domainRef(id), memoryKib: Math.ceil(memoryBytes / 1024), flags: affected(sight) };
      await domains.api.domainSetMemoryFlags(request, deadline.left);
    },

    async growDisk(id, volumeId, sizeBytes, call) {
      const deadline = new Deadline(call);
      const sight = await domains.needSight(id, deadline);
      if (!sight.active) throw new DriverError('conflict', `machine ${id} is off`);
      const disk = sight.live.disks.find((each) => each.volumeId === volumeId)?.device;
      if (disk === undefined) throw new DriverError('not_found', `machine ${id} has no volume ${volumeId}`);
      const domain = domainRef(id);
      const { capacityBytes } = await domains.api.domainGetBlockInfo({ domain, disk }, deadline.left);
      if (sizeBytes < capacityBytes)
        throw new DriverError('invalid', `volume ${volumeId} has ${capacityBytes} bytes already, and only grows`);
      if (sizeBytes === capacityBytes) return;
      // QEMU does not grow a disk with a trail that it takes for nothing.
      await new Trails(domains.api).drop(id, deadline, { volumeId });
      await domains.api.domainBlockResize({ domain, disk, size: sizeBytes, flags: SIZE_IN_BYTES }, deadline.left);
    },
  };
}

/** What a host may not be able to do: it needs the CPU controller of cgroups, or traffic shaping in its kernel. */
export interface LimitFeatures {
  readonly cpuShares: boolean;
  readonly nicLimits: boolean;
}

export function limitVerbs(domains: Domains, features: LimitFeatures): NonNullable<HypervisorDriver['limits']> {
  type Limits = NonNullable<HypervisorDriver['limits']>;
  const setCpuShares: Limits['setCpuShares'] = async (id, shares, call) => {
    const deadline = new Deadline(call);
    const sight = await domains.needSight(id, deadline);
    const params = compact([param('cpu_shares', 'ullong', shares)]);
    await domains.api.domainSetSchedulerParametersFlags({ domain: domainRef(id), params, flags: affected(sight) }, deadline.left);
  };
  const setDiskLimits: Limits['setDiskLimits'] = async (id, volumeId, limits, call) => {
    const deadline = new Deadline(call);
    const sight = await domains.needSight(id, deadline);
    const disk = sight.live.disks.find((each) => each.volumeId === volumeId)?.device;
    if (disk === undefined) throw new DriverError('not_found', `machine ${id} has no volume ${volumeId}`);
    const params = compact([
      param('total_bytes_sec', 'ullong', limits.bytesPerSecond),
      param('total_iops_sec', 'ullong', limits.iopsPerSecond),
    ]);
    await domains.api.domainSetBlockIoTune({ domain: domainRef(id), disk, params, flags: affected(sight) }, deadline.left);
  };
  const setNicLimits: Limits['setNicLimits'] = async (id, nicId, limits, call) => {
    const deadline = new Deadline(call);
    const sight = await domains.needSight(id, deadline);
    const device = sight.live.nics.find((each) => each.nicId === nicId)?.mac;
    if (device === undefined) throw new DriverError('not_found', `machine ${id} has no NIC ${nicId}`);
    const params = compact([
      ...inboundParams(limits.inboundBytesPerSecond),
      param('outbound.average', 'uint', average(limits.outboundBytesPerSecond)),
    ]);
    await domains.api.domainSetInterfaceParameters({ domain: domainRef(id), device, params, flags: affected(sight) }, deadline.left);
  };
  return { setDiskLimits, ...(features.cpuShares ? { setCpuShares } : {}), ...(features.nicLimits ? { setNicLimits } : {}) };
}

const average = (bytes: number | undefined) => (bytes === undefined ? undefined : kibibytes(bytes));

/** 0 lifts the bound. */
export const inboundParams = (bytesPerSecond: number | undefined): TypedParam[] =>
  compact(['inbound.average', 'inbound.peak'].map((field) => param(field, 'uint', average(bytesPerSecond))));

function param(field: string, type: 'uint' | 'ullong', value: number | undefined): TypedParam | undefined {
  if (value === undefined) return undefined;
  return type === 'uint' ? { field, type, value } : { field, type, value };
}

function compact<T>(items: readonly (T | undefined)[]): T[] {
  return items.filter((item) => item !== undefined);
}
