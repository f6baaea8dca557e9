import type { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { LibvirtError } from '../libvirt/index.ts';

/** QEMU's words where the tray of a CD-ROM has been closed between being opened and being emptied, or filled. */
const CLOSED = /Tray of (?:the device|device '[^']*') is not open/;
const TRIES = 20;
const PAUSE_MS = 200;

/** A running guest, or its firmware while it starts, may close the tray in the middle of a change of what is in it: what was in it is in it still then. */
export async function againWhileTrayCloses(id: string, deadline: Deadline, change: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof LibvirtError && CLOSED.test(error.message))) throw error;
      if (tries === TRIES) throw new DriverError('conflict', `the guest of machine ${id} keeps closing the tray`, { cause: error });
    }
    await deadline.pause(PAUSE_MS, `the tray of machine ${id} to stay open`);
  }
}
