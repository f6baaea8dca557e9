import { rm } from 'node:fs/promises';
import type { HypervisorDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { classify } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import { consoleVerbs } from './consoles.ts';
import { diskBackupVerbs } from './disk-backup.ts';
import { diskCopyVerbs } from './disk-copy.ts';
import { vncSocket } from './domain-xml.ts';
import { Domains } from './domains.ts';
import { driveVerbs } from './drive.ts';
import { HostFacts, type VirtTypeOptions } from './host-facts.ts';
import { hotplugVerbs } from './hotplug.ts';
import { machineVerbs } from './machines.ts';
import { type MigrationOptions, migrationVerbs } from './migration.ts';
import { powerVerbs } from './power.ts';
import { quiesceVerbs } from './quiesce.ts';
import { secretVerbs } from './secrets.ts';
import { type LimitFeatures, limitVerbs, resizeVerbs } from './tuning.ts';
import { usageVerbs } from './usage.ts';

export interface HypervisorOptions extends VirtTypeOptions, LimitFeatures {
  readonly vncSocketDir: string;
  readonly migration: MigrationOptions;
}

/** The machines of one KVM host. Takes over the link, and lets go of it with `close`. */
export function kvmHypervisor(link: HostLink, options: HypervisorOptions): HypervisorDriver {
  const domains = new Domains(link);
  const facts = new HostFacts(link, options);
  const watches = new Set<() => void>();
  const screen = link.local ? { vncSocketDir: options.vncSocketDir } : {};
  const profile = async (deadline: Deadline) => ({ virtType: await facts.virtType(deadline), ...screen });
  const machines = machineVerbs(domains, profile, options);
  return {
    inventory: (call) => facts.inventory(new Deadline(call)),
    machines: {
      ...machines,
      // QEMU leaves the socket of a screen behind; in a folder of libvirt's own, libvirt sweeps.
      async remove(id, call) {
        await machines.remove(id, call);
        if (link.local && options.vncSocketDir !== 'auto') await rm(vncSocket(id, options.vncSocketDir), { force: true });
      },
    },
    power: powerVerbs(domains),
    hotplug: hotplugVerbs(domains, link),
    drive: driveVerbs(domains),
    diskBackup: diskBackupVerbs(domains),
    diskCopy: diskCopyVerbs(domains),
    migration: migrationVerbs(domains, link, options.migration),
    resize: resizeVerbs(domains),
    secrets: secretVerbs(link),
    limits: limitVerbs(domains, options),
    quiesce: quiesceVerbs(domains),
    usage: usageVerbs(link),
    consoles: consoleVerbs(domains, link),
    watch(hint) {
      const stop = link.host.subscribe((event) => {
        if (event.kind === 'resync') hint(undefined);
        else if ('domain' in event) hint(event.domain.uuid);
      });
      watches.add(stop);
      return () => {
        watches.delete(stop);
        stop();
      };
    },
    classify,
    close: async () => {
      for (const stop of watches) stop();
      facts.close();
      await link.close();
    },
  };
}
