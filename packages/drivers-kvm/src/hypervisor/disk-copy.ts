import type { Attachment, DiskCopyState, HypervisorDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import { AffectFlag, BlockCopyFlag, BlockJobAbortFlag, BlockJobType, domainRef, type TypedParam } from '../libvirt/index.ts';
import type { Element } from '../xml/element.ts';
import { child, render } from '../xml/element.ts';
import { closeLeftOpen } from './block-nodes.ts';
import { copyElement, isPlace, seedElement } from './disk-xml.ts';
import type { DomainSight, Domains } from './domains.ts';
import { Trails } from './trails.ts';
import { againWhileTrayCloses } from './tray.ts';

/** How often a copy is looked at, and tells how far it is. */
const PROGRESS_MS = 250;
const LOOK_MS = 50;
/** A request that a frozen libvirtd had not read yet begins soon after its thaw: so many looks in a row find nothing. */
const QUIET_LOOKS = 5;
const QUIET_MS = 100;

/**
 * The place is there already, made by its pool. A job of libvirt's does not outlive a domain, which is what "transient" means: the definition is changed by the pivot. By synchronous writes a guest
 * that writes faster than its new place takes them cannot run away from its copy, and `ready` stays true.
 */
const FLAGS = BlockCopyFlag.reuseExternal | BlockCopyFlag.transientJob | BlockCopyFlag.synchronousWrites;

interface Seen {
  readonly state: DiskCopyState;
  /** Target name, e.g. `vda`. */
  readonly device: string;
  /** A copy of it is under way, to whatever place; perhaps one that is only about to show where to, or about to end. */
  readonly isCopied: boolean;
  readonly isElsewhere: boolean;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export function diskCopyVerbs(domains: Domains): NonNullable<HypervisorDriver['diskCopy']> {
  const copies = new DiskCopies(domains);
  return {
    async copy(id, volumeId, to, { bytesPerSecond }, call) {
      const deadline = new Deadline(call);
      const params: readonly TypedParam[] =
        bytesPerSecond === undefined ? [] : [{ field: 'bandwidth', type: 'ullong', value: bytesPerSecond }];
      let hasBegun = false;
      for (let most = 0; ; await deadline.pause(hasBegun ? PROGRESS_MS : LOOK_MS, `the copy of volume ${volumeId}`)) {
        const seen = await copies.need(id, volumeId, to, deadline);
        if (seen.state === 'both' || seen.state === 'there') return;
        if (seen.isElsewhere) throw new DriverError('conflict', `volume ${volumeId} is being copied elsewhere`);
        if (seen.state === 'copying') {
          hasBegun = true;
          const share = seen.totalBytes === 0 ? 0 : seen.doneBytes / seen.totalBytes;
          if (share <= most) continue;
          most = Math.min(1, share);
          call.onProgress?.(most);
        } else if (hasBegun) throw new DriverError('unavailable', `the copy of volume ${volumeId} has broken off`);
        else if (!seen.isCopied) {
          // They are of the file that the disk is in.
          await new Trails(domains.api).drop(id, deadline, { volumeId });
          await closeLeftOpen(domains, id, volumeId, deadline);
          hasBegun = await copies.begin(id, seen.device, to, params, deadline);
        }
      }
    },

    look: async (id, volumeId, to, call) => (await copies.find(id, volumeId, to, new Deadline(call)))?.state,

    async pivot(id, volumeId, to, call) {
      const deadline = new Deadline(call);
      for (;;) {
        const seen = await copies.need(id, volumeId, to, deadline);
        if (seen.state === 'there') return;
        if (seen.state === 'apart') throw new DriverError('conflict', `volume ${volumeId} is not being copied there`);
        const request = { domain: domainRef(id), disk: seen.device, flags: BlockJobAbortFlag.pivot };
        // It is about to end already, or has: that shows.
        if (seen.state === 'both')
          await except(
            ENDING,
            () => domains.api.domainBlockJobAbort(request, deadline.left),
            () => {},
          );
        await deadline.pause(LOOK_MS, `volume ${volumeId} to change its place`);
      }
    },

    async cancel(id, volumeId, call) {
      const deadline = new Deadline(call);
      for (let quietLooks = 0; quietLooks < QUIET_LOOKS; await deadline.pause(QUIET_MS, `the copy of volume ${volumeId} to end`)) {
        const seen = await copies.find(id, volumeId, undefined, deadline);
        quietLooks = seen?.isCopied === true ? 0 : quietLooks + 1;
        if (seen?.isCopied !== true) continue;
        const request = { domain: domainRef(id), disk: seen.device };
        await except(
          ENDING,
          () => domains.api.domainBlockJobAbort(request, deadline.left),
          () => {},
        );
      }
      if ((await domains.sight(id, deadline))?.active === true) await closeLeftOpen(domains, id, volumeId, deadline);
    },

    async changeSeed(id, seed, call) {
      const deadline = new Deadline(call);
      await againWhileTrayCloses(domains, { id, of: 'seed', forced: true }, deadline, async () => {
        const { active, live, config } = await domains.needSight(id, deadline);
        if (!active) throw new DriverError('conflict', `machine ${id} is off`);
        const parts = [live, config].map((view) => view.seed).filter((each) => each !== undefined);
        const bus = child(parts[0], 'target')?.attributes.bus === 'sata' ? 'sata' : 'scsi';
        if (parts.length === 0 || parts.every((each) => isPlace(child(each, 'source'), seed))) return;
        const request = { domain: domainRef(id), xml: render(seedElement(seed, bus)), flags: AffectFlag.live | AffectFlag.config | FORCE };
        await domains.api.domainUpdateDeviceFlags(request, deadline.left);
      });
    },
  };
}

/** Also where the guest has locked the tray: what it reads is the same. */
const FORCE = 4;

const ENDING = ['noDomain', 'operationInvalid', 'invalidArgument', 'blockCopyActive'] as const;

/** Looks at the disks of running domains and what they are copied to. */
class DiskCopies {
  readonly #domains: Domains;

  constructor(domains: Domains) {
    this.#domains = domains;
  }

  async need(id: string, volumeId: string, to: Attachment, deadline: Deadline): Promise<Seen> {
    const sight = await this.#domains.needSight(id, deadline);
    if (!sight.active) throw new DriverError('conflict', `machine ${id} is off`);
    const seen = await this.#seen(id, sight, volumeId, to, deadline);
    if (seen === undefined) throw new DriverError('not_found', `machine ${id} has no volume ${volumeId}`);
    return seen;
  }

  async find(id: string, volumeId: string, to: Attachment | undefined, deadline: Deadline): Promise<Seen | undefined> {
    const sight = await this.#domains.sight(id, deadline);
    return sight?.active === true ? this.#seen(id, sight, volumeId, to, deadline) : undefined;
  }

  /** False where one has come first, of which nothing is known yet. */
  async begin(id: string, device: string, to: Attachment, params: readonly TypedParam[], deadline: Deadline): Promise<boolean> {
    const request = { domain: domainRef(id), disk: device, destinationXml: render(copyElement(to)), params, flags: FLAGS };
    const begun = () => this.#domains.api.domainBlockCopy(request, deadline.left).then(() => true);
    return except(['blockCopyActive'], begun, () => false);
  }

  async #seen(id: string, { live }: DomainSight, volumeId: string, to: Attachment | undefined, deadline: Deadline) {
    const disk = live.disks.find((each) => each.volumeId === volumeId);
    if (disk === undefined) return undefined;
    const { device, element } = disk;
    const mirror = child(element, 'mirror');
    const job = await this.#domains.api.domainGetBlockJobInfo({ domain: domainRef(id), disk: device }, deadline.left);
    const isCopied = mirror !== undefined || (job.found && job.type === BlockJobType.copy);
    const isElsewhere = mirror !== undefined && to !== undefined && !isPlace(child(mirror, 'source'), to);
    const isWhole = mirror?.attributes.ready === 'yes' && job.found && job.current === job.end;
    const state = stateOf(element, mirror, isWhole, to);
    return { device, state, isCopied, isElsewhere, doneBytes: job.current, totalBytes: job.end };
  }
}

function stateOf(disk: Element, mirror: Element | undefined, isWhole: boolean, to: Attachment | undefined): DiskCopyState {
  if (to === undefined) return 'apart';
  if (mirror === undefined) return isPlace(child(disk, 'source'), to) ? 'there' : 'apart';
  if (!isPlace(child(mirror, 'source'), to)) return 'apart';
  return isWhole ? 'both' : 'copying';
}
