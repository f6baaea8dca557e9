import type { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { classify } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import { type Domain, DomainState, DomainXmlFlag, domainRef, type LibvirtApi, PausedReason } from '../libvirt/index.ts';
import type { DomainView } from './domain-view.ts';
import { viewDomain } from './domain-view.ts';

/** `domainGetState`'s answer. */
export interface DomainStatus {
  readonly state: number;
  readonly reason: number;
}

/** A domain as it runs (or would), and as it will be at its next start. */
export interface DomainSight {
  readonly status: DomainStatus;
  readonly active: boolean;
  /** Its memory is on its way here: what there is has no definition yet. */
  readonly incoming: boolean;
  readonly live: DomainView;
  readonly config: DomainView;
}

/** Looks at the domains of one host. */
export class Domains {
  readonly #link: HostLink;

  constructor(link: HostLink) {
    this.#link = link;
  }

  get api(): LibvirtApi {
    return this.#link.host.api;
  }

  /** Undefined only when the host says that there is none. */
  find(id: string, deadline: Deadline): Promise<Domain | undefined> {
    return absentAsUndefined(this.api.domainLookupByUuid({ uuid: id }, deadline.left));
  }

  async need(id: string, deadline: Deadline): Promise<Domain> {
    const domain = await this.find(id, deadline);
    if (domain === undefined) throw unknownMachine(id);
    return domain;
  }

  status(id: string, deadline: Deadline): Promise<DomainStatus | undefined> {
    return absentAsUndefined(this.api.domainGetState({ domain: domainRef(id) }, deadline.left));
  }

  sight(id: string, deadline: Deadline): Promise<DomainSight | undefined> {
    return absentAsUndefined(this.#look(id, deadline));
  }

  async needSight(id: string, deadline: Deadline): Promise<DomainSight> {
    const sight = await this.sight(id, deadline);
    if (sight === undefined) throw unknownMachine(id);
    return sight;
  }

  /** Every domain of the host, ours or not. One that goes while we look is left out. */
  async all(deadline: Deadline): Promise<readonly DomainSight[]> {
    const domains = await this.api.connectListAllDomains({}, deadline.left);
    const sights = await Promise.all(domains.map((domain) => this.sight(domain.uuid, deadline)));
    return sights.filter((sight) => sight !== undefined);
  }

  async #look(id: string, deadline: Deadline): Promise<DomainSight> {
    const domain = domainRef(id);
    const read = (flags: number) => this.api.domainGetXmlDesc({ domain, flags }, deadline.left);
    const [status, live, config] = await Promise.all([
      this.api.domainGetState({ domain }, deadline.left),
      read(0),
      read(DomainXmlFlag.inactive),
    ]);
    // The other end of a transfer stands still for the same reason in its last moments, and has a definition.
    const isMoving = status.state === DomainState.paused && status.reason === PausedReason.migration;
    const incoming = isMoving && !(await this.api.domainIsPersistent({ domain }, deadline.left));
    return { status, active: isActive(status), incoming, live: viewDomain(live), config: viewDomain(config) };
  }
}

export function unknownMachine(id: string): DriverError {
  return new DriverError('not_found', `the host knows no machine ${id}`);
}

/** True while QEMU runs: also of a paused or crashed domain. */
export function isActive(status: DomainStatus): boolean {
  return status.state !== DomainState.shutoff;
}

async function absentAsUndefined<T>(look: Promise<T>): Promise<T | undefined> {
  try {
    return await look;
  } catch (error) {
    if (classify(error) === 'not_found') return undefined;
    throw error;
  }
}
