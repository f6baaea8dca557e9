import type { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { domainRef, LibvirtError } from '../libvirt/index.ts';
import { aliasOf } from './domain-view.ts';
import type { Domains } from './domains.ts';

/** QEMU's words where the tray of a CD-ROM is closed that is about to be emptied, or filled. */
const CLOSED = /Tray of (?:the device|device '[^']*') is not open/;
const TRIES = 20;
const PAUSE_MS = 200;

interface Tray {
  readonly id: string;
  readonly of: 'drive' | 'seed';
  /** Also where the guest has locked it. */
  readonly forced: boolean;
}

/**
 * A running guest, or its firmware while it starts, may close the tray in the middle of a change of what is in it: what was in it is in it still then. Where it
 * does so by a reset of the bus, QEMU tells nobody (`scsi_disk_reset`): libvirt takes the tray for open ever after, and never opens it again. So QEMU is asked to.
 */
export async function againWhileTrayCloses(
  domains: Pick<Domains, 'api' | 'needSight'>,
  tray: Tray,
  deadline: Deadline,
  change: () => Promise<void>,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof LibvirtError && CLOSED.test(error.message))) throw error;
      if (tries === TRIES) throw new DriverError('conflict', `the guest of machine ${tray.id} keeps closing the tray`, { cause: error });
    }
    await open(domains, tray, deadline);
    await deadline.pause(PAUSE_MS, `the tray of machine ${tray.id} to stay open`);
  }
}

/** What QEMU makes of it the next try shows. */
async function open(domains: Pick<Domains, 'api' | 'needSight'>, { id, of, forced }: Tray, deadline: Deadline): Promise<void> {
  const { active, live } = await domains.needSight(id, deadline);
  const device = live[of];
  if (!active || device === undefined) return;
  const command = JSON.stringify({ execute: 'blockdev-open-tray', arguments: { id: aliasOf(device), force: forced } });
  await domains.api.qemuMonitorCommand({ domain: domainRef(id), command }, deadline.left);
}
