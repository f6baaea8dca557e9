import type { HypervisorDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import { AffectFlag, domainRef } from '../libvirt/index.ts';
import type { Element } from '../xml/element.ts';
import { render } from '../xml/element.ts';
import { closeLeftOpen } from './block-nodes.ts';
import { diskElement } from './disk-xml.ts';
import type { DomainView } from './domain-view.ts';
import type { DomainSight, Domains } from './domains.ts';
import { guestProfile } from './guest-profile.ts';
import { nicElement } from './nic-xml.ts';
import { renewQueues } from './queues.ts';
import { Trails } from './trails.ts';

type Part = 'live' | 'config';
/** Finds a device of ours in a view of its machine. */
type Finder = (view: DomainView) => Element | undefined;

/** A guest that did not answer an unplug request, because it had not booted or was busy, is asked again after this long. */
const UNPLUG_RETRY_MS = 5_000;
/** How long to wait for the guest's word that a device is gone before looking for ourselves. */
const LOOK_AGAIN_MS = 500;

const findDisk =
  (volumeId: string): Finder =>
  (view) =>
    view.disks.find((disk) => disk.volumeId === volumeId)?.element;
const findNic =
  (nicId: string): Finder =>
  (view) =>
    view.nics.find((nic) => nic.nicId === nicId)?.element;

export function hotplugVerbs(domains: Domains, link: HostLink): NonNullable<HypervisorDriver['hotplug']> {
  const plug = new Plugging(domains, link);
  return {
    attachDisk: (id, disk, call) =>
      plug.attach(id, findDisk(disk.volumeId), (view) => diskElement(disk, view.diskBus, 'plug'), new Deadline(call)),
    async detachDisk(id, volumeId, call) {
      const deadline = new Deadline(call);
      const { active } = await domains.needSight(id, deadline);
      if (active) await new Trails(domains.api).drop(id, deadline, { volumeId });
      await plug.detach(id, findDisk(volumeId), deadline);
      // An attachment that was cut short, which is taken back by this.
      if (active) await closeLeftOpen(domains, id, volumeId, deadline);
    },
    async attachNic(id, nic, call) {
      const deadline = new Deadline(call);
      const build = (view: DomainView) => nicElement(nic, guestProfile(view.guestOs, view.diskBus, 'kvm').nicModel);
      await plug.attach(id, findNic(nic.nicId), build, deadline);
      if (nic.plug.type === 'ovsPort' && nic.limits?.inboundBytesPerSecond) await renewQueues(domains, id, deadline);
    },
    detachNic: (id, nicId, call) => plug.detach(id, findNic(nicId), new Deadline(call)),
  };
}

class Plugging {
  readonly #domains: Domains;
  readonly #link: HostLink;

  constructor(domains: Domains, link: HostLink) {
    this.#domains = domains;
    this.#link = link;
  }

  async attach(id: string, find: Finder, build: (view: DomainView) => Element, deadline: Deadline): Promise<void> {
    const sight = await this.#domains.needSight(id, deadline);
    const missing = partsOf(sight).filter((part) => find(sight[part]) === undefined);
    if (missing.length === 0) return;
    const request = { domain: domainRef(id), xml: render(build(sight.config)), flags: flagsOf(missing) };
    await except(
      ['operationFailed', 'operationInvalid', 'xmlError', 'internalError', 'invalidArgument', 'configUnsupported'],
      () => this.#domains.api.domainAttachDeviceFlags(request, deadline.left),
      async (refusal) => {
        // The same request from elsewhere may have come first.
        const now = await this.#domains.needSight(id, deadline);
        if (partsOf(now).every((part) => find(now[part]) !== undefined)) return;
        if (/already (?:exists|in use|used)|non unique alias/.test(refusal.message))
          throw new DriverError('conflict', `machine ${id} has another device in that place`, { cause: refusal });
        throw refusal;
      },
    );
  }

  /** The definition loses the device at once; the running guest lets go of it when it has booted far enough to be asked. */
  async detach(id: string, find: Finder, deadline: Deadline): Promise<void> {
    let askedAtMs = Number.NEGATIVE_INFINITY;
    for (;;) {
      const sight = await this.#domains.needSight(id, deadline);
      const config = sight.active ? find(sight.config) : undefined;
      const live = find(sight.live);
      if (config === undefined && live === undefined) return;
      if (config !== undefined) await this.#request(id, config, 'config', deadline);
      if (live !== undefined && performance.now() - askedAtMs >= UNPLUG_RETRY_MS) {
        askedAtMs = performance.now();
        await this.#request(id, live, sight.active ? 'live' : 'config', deadline);
      } else if (live !== undefined) await this.#hint(id, deadline);
    }
  }

  async #request(id: string, device: Element, part: Part, deadline: Deadline): Promise<void> {
    const request = { domain: domainRef(id), xml: render(device), flags: AffectFlag[part] };
    // Already gone, already on its way, or the guest is slow: each shows at the next look.
    await except(
      ['deviceMissing', 'operationTimeout', 'operationInvalid', 'operationFailed', 'internalError', 'invalidArgument'],
      () => this.#domains.api.domainDetachDeviceFlags(request, deadline.left),
      (refusal) => {
        if (
          !refusal.is('deviceMissing', 'operationTimeout') &&
          !/not found|no target device|in the process of unplug|no matching|not running/.test(refusal.message)
        )
          throw refusal;
      },
    );
  }

  /** Resolves soon after the guest let go of a device, or when it is time to look. */
  async #hint(id: string, deadline: Deadline): Promise<void> {
    const gone = Promise.withResolvers<void>();
    const stop = this.#link.host.subscribe((event) => {
      if ((event.kind === 'deviceRemoved' || event.kind === 'lifecycle') && event.domain.uuid === id) gone.resolve();
    });
    try {
      await Promise.race([gone.promise, deadline.pause(LOOK_AGAIN_MS, `unplugging a device of machine ${id}`)]);
    } finally {
      stop();
    }
  }
}

/** Where a change must land: a running machine changes now and stays changed. */
function partsOf(sight: DomainSight): readonly Part[] {
  return sight.active ? ['live', 'config'] : ['config'];
}

function flagsOf(parts: readonly Part[]): number {
  return parts.reduce((flags, part) => flags | AffectFlag[part], 0);
}
