import type { Call, HypervisorDriver, IsoSpec } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import { AffectFlag, domainRef } from '../libvirt/index.ts';
import { child, render } from '../xml/element.ts';
import { driveElement, isoIn } from './disk-xml.ts';
import type { Domains } from './domains.ts';
import { guestProfile } from './guest-profile.ts';

/** Also where the guest has locked the tray. */
const FORCE = 4;
const LOCKED = /tray|locked/;
/** The guest, or its firmware while it starts, has closed the tray between being opened and being filled. */
const CLOSED = /Tray of the device is not open/;
const TRIES = 20;
const PAUSE_MS = 200;

/** The drive of a machine is a CD-ROM that is always there: only what is in it changes, which every bus takes while the guest runs. */
export function driveVerbs(domains: Domains): NonNullable<HypervisorDriver['drive']> {
  /** Answers whether the tray was closed in the middle of it. */
  const tryChange = async (id: string, iso: IsoSpec | undefined, forced: boolean, deadline: Deadline): Promise<boolean> => {
    const { active, live, config } = await domains.needSight(id, deadline);
    if (active && live.drive === undefined && iso !== undefined)
      throw new DriverError('conflict', `machine ${id} was started without a drive`);
    const differs = (view: typeof live) => isoIn(view.drive) !== iso?.imageId;
    const flags = (active && differs(live) ? AffectFlag.live : 0) | (differs(config) ? AffectFlag.config : 0);
    if (flags === 0) return false;
    const { seedBus } = guestProfile(config.guestOs, config.diskBus, 'kvm');
    // An update of the definition replaces the drive whole: it keeps its place in the order of booting, or that it has none.
    const boots = config.drive !== undefined && child(config.drive, 'boot') !== undefined;
    const xml = render(driveElement(iso?.attachment, { bus: seedBus, diskBus: config.diskBus, boots }));
    const request = { domain: domainRef(id), xml, flags };
    // One that is off may have been defined without a drive, and gets one.
    if (config.drive === undefined) {
      await domains.api.domainAttachDeviceFlags(request, deadline.left);
      return false;
    }
    return except(
      ['operationFailed', 'operationInvalid', 'operationUnsupported', 'internalError'],
      async () => {
        await domains.api.domainUpdateDeviceFlags({ ...request, flags: forced ? flags | FORCE : flags }, deadline.left);
        return false;
      },
      (refusal) => {
        if (CLOSED.test(refusal.message)) return true;
        if (!LOCKED.test(refusal.message)) throw refusal;
        throw new DriverError('conflict', `the guest of machine ${id} has locked the tray`, { cause: refusal });
      },
    );
  };
  const change = async (id: string, iso: IsoSpec | undefined, forced: boolean, call: Call): Promise<void> => {
    const deadline = new Deadline(call);
    for (let tries = 1; await tryChange(id, iso, forced, deadline); tries += 1) {
      if (tries === TRIES) throw new DriverError('conflict', `the guest of machine ${id} keeps closing the tray`);
      await deadline.pause(PAUSE_MS, `the tray of machine ${id} to stay open`);
    }
  };
  return {
    insert: (id, iso, call) => change(id, iso, true, call),
    eject: (id, forced, call) => change(id, undefined, forced, call),
  };
}
