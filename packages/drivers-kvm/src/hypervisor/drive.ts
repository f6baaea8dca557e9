import type { Call, HypervisorDriver, IsoSpec } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import { AffectFlag, domainRef } from '../libvirt/index.ts';
import { child, render } from '../xml/element.ts';
import { driveElement, isoIn } from './disk-xml.ts';
import type { Domains } from './domains.ts';
import { guestProfile } from './guest-profile.ts';
import { againWhileTrayCloses } from './tray.ts';

/** Also where the guest has locked the tray. */
const FORCE = 4;
const LOCKED = /tray|locked/;
/** The drive of a machine is a CD-ROM that is always there: only what is in it changes, which every bus takes while the guest runs. */
export function driveVerbs(domains: Domains): NonNullable<HypervisorDriver['drive']> {
  const change = async (id: string, iso: IsoSpec | undefined, forced: boolean, deadline: Deadline): Promise<void> => {
    const { active, live, config } = await domains.needSight(id, deadline);
    if (active && live.drive === undefined && iso !== undefined)
      throw new DriverError('conflict', `machine ${id} was started without a drive`);
    const differs = (view: typeof live) => isoIn(view.drive) !== iso?.imageId;
    const flags = (active && differs(live) ? AffectFlag.live : 0) | (differs(config) ? AffectFlag.config : 0);
    if (flags === 0) return;
    const { seedBus } = guestProfile(config.guestOs, config.diskBus, 'kvm');
    // An update of the definition replaces the drive whole: it keeps its place in the order of booting, or that it has none.
    const boots = config.drive !== undefined && child(config.drive, 'boot') !== undefined;
    const xml = render(driveElement(iso?.attachment, { bus: seedBus, diskBus: config.diskBus, boots }));
    const request = { domain: domainRef(id), xml, flags };
    // One that is off may have been defined without a drive, and gets one.
    if (config.drive === undefined) {
      await domains.api.domainAttachDeviceFlags(request, deadline.left);
      return;
    }
    await except(
      ['operationFailed', 'operationInvalid', 'operationUnsupported', 'internalError'],
      () => domains.api.domainUpdateDeviceFlags({ ...request, flags: forced ? flags | FORCE : flags }, deadline.left),
      (refusal) => {
        if (!LOCKED.test(refusal.message)) throw refusal;
        throw new DriverError('conflict', `the guest of machine ${id} has locked the tray`, { cause: refusal });
      },
    );
  };
  const changeInTray = (id: string, iso: IsoSpec | undefined, forced: boolean, call: Call): Promise<void> => {
    const deadline = new Deadline(call);
    return againWhileTrayCloses(domains, { id, of: 'drive', forced }, deadline, () => change(id, iso, forced, deadline));
  };
  return {
    insert: (id, iso, call) => changeInTray(id, iso, true, call),
    eject: (id, forced, call) => changeInTray(id, undefined, forced, call),
  };
}
