import type { HypervisorDriver, MachineObservation } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { except } from '../faults.ts';
import { domainRef, UndefineFlag } from '../libvirt/index.ts';
import { type DomainView, limitsOf, observe, powerOf } from './domain-view.ts';
import { domainXml, type HostProfile } from './domain-xml.ts';
import type { DomainSight, Domains } from './domains.ts';
import { isProbe } from './kvm-probe.ts';
import type { LimitFeatures } from './tuning.ts';

/** All that libvirt may keep beside a definition. Without these it refuses to forget the domain. */
const UNDEFINE_ALL = UndefineFlag.managedSave | UndefineFlag.snapshotsMetadata | UndefineFlag.checkpointsMetadata | UndefineFlag.nvram;

export function machineVerbs(
  domains: Domains,
  profile: (deadline: Deadline) => Promise<HostProfile>,
  features: LimitFeatures,
): HypervisorDriver['machines'] {
  return {
    async define(spec, call) {
      const deadline = new Deadline(call);
      const [host, known] = await Promise.all([profile(deadline), domains.find(spec.id, deadline)]);
      await domains.api.domainDefineXmlFlags({ xml: domainXml(spec, host, known?.name) }, deadline.left);
    },

    async inspect(id, call) {
      const sight = await domains.sight(id, new Deadline(call));
      return sight && observation(sight, features);
    },

    async list(call) {
      const sights = await domains.all(new Deadline(call));
      return sights.filter((sight) => !isProbe(sight.live.libvirtName)).map((sight) => observation(sight, features));
    },

    async remove(id, call) {
      const deadline = new Deadline(call);
      // A start that was given up earlier may still land between our two steps, and would leave a machine that runs without a definition.
      while ((await domains.find(id, deadline)) !== undefined) {
        await except(
          ['operationInvalid', 'noDomain'],
          () => domains.api.domainDestroyFlags({ domain: domainRef(id) }, deadline.left),
          ignore,
        );
        const undefine = () => domains.api.domainUndefineFlags({ domain: domainRef(id), flags: UNDEFINE_ALL }, deadline.left);
        await except(['operationInvalid', 'noDomain'], undefine, ignore);
      }
    },
  };
}

function ignore(): void {}

/** Disks and NICs count as plugged while either the running machine or its definition has them, and as half plugged where the other has not. */
function observation(sight: DomainSight, features: LimitFeatures): MachineObservation {
  const { live, config } = sight;
  const limits = sight.active && live.owner !== undefined ? limitsOf(live, features) : undefined;
  const united = {
    ...live,
    // The balloon of a guest that has not booted yet, or has no driver for it, is not what was asked for.
    memoryBytes: config.memoryBytes,
    record: config.record,
    disks: unite(live.disks, config.disks, (disk) => disk.volumeId),
    nics: unite(live.nics, config.nics, (nic) => nic.nicId),
  };
  const halfPluggedIds = idsOf(united).filter((id) => !idsOf(live).includes(id) || !idsOf(config).includes(id));
  return {
    ...observe(united, powerOf(sight.status)),
    ...(halfPluggedIds.length === 0 ? {} : { halfPluggedIds }),
    ...(limits === undefined ? {} : { limits }),
    ...(sight.active && live.hold !== undefined ? { mayBeFrozen: true } : {}),
    ...(sight.incoming ? { incoming: true } : {}),
  };
}

function idsOf({ disks, nics }: Pick<DomainView, 'disks' | 'nics'>): readonly string[] {
  return [...disks.map((disk) => disk.volumeId), ...nics.map((nic) => nic.nicId)];
}

function unite<T extends { readonly slot: number }>(some: readonly T[], others: readonly T[], key: (item: T) => string): readonly T[] {
  const byKey = new Map([...others, ...some].map((item) => [key(item), item]));
  return [...byKey.values()].toSorted((a, b) => a.slot - b.slot);
}
