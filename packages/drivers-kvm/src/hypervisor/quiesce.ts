import type { HypervisorDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import { AffectFlag, domainRef, type LibvirtError, MetadataType } from '../libvirt/index.ts';
import { type Hold, holdChange } from '../mark.ts';
import type { Domains } from './domains.ts';

/** How long a request to freeze that got no answer may be on its way, once libvirtd answers again: until then the guest is looked at once more. */
const LATE_MS = 120_000;
const AGENT_TIMEOUT_S = 5;

/**
 * Asks QEMU's guest agent. Before it is asked, the running domain is marked: a freeze whose answer is lost may land at any time, and whoever finds the mark
 * thaws, this process or another. The mark goes when the guest is thawed for certain, or is off.
 */
export function quiesceVerbs(domains: Domains): NonNullable<HypervisorDriver['quiesce']> {
  const mark = (id: string, hold: Hold | undefined, deadline: Deadline) =>
    domains.api.domainSetMetadata(
      { domain: domainRef(id), type: MetadataType.element, ...holdChange(hold), flags: AffectFlag.live },
      deadline.left,
    );
  const isFrozen = async (id: string, { left }: Deadline) => {
    const command = JSON.stringify({ execute: 'guest-fsfreeze-status' });
    const answer = await domains.api.qemuAgentCommand({ domain: domainRef(id), command, timeoutS: AGENT_TIMEOUT_S }, left);
    return (JSON.parse(answer ?? '{}') as { readonly return?: string }).return === 'frozen';
  };
  /** Off, or gone, by now: so is the mark. */
  const forget = (id: string, deadline: Deadline) => except(['operationInvalid', 'noDomain'], () => mark(id, undefined, deadline), ignore);

  return {
    async freeze(id, call) {
      const deadline = new Deadline(call);
      await except(
        ['operationInvalid'],
        () => mark(id, { state: 'asked' }, deadline),
        (cause) => {
          throw new DriverError('conflict', `machine ${id} does not run`, { cause });
        },
      );
      const refused = async (refusal: LibvirtError): Promise<number> => {
        // Of one that is frozen the agent says no more than that it does not take the command now.
        if (refusal.is('internalError') && (await isFrozen(id, deadline).catch(() => false))) return 1;
        // The agent went away after it had been asked: what it did is not known.
        if (!/disappeared/.test(refusal.message)) await forget(id, deadline);
        throw refusal.is(...NO_AGENT) ? new DriverError('unsupported', `machine ${id}: ${refusal.message}`, { cause: refusal }) : refusal;
      };
      const fileSystems = await except(
        [...NO_AGENT, 'operationInvalid', 'noDomain', 'operationTimeout'],
        () => domains.api.domainFsFreeze({ domain: domainRef(id), mountpoints: [] }, deadline.left),
        refused,
      );
      if (fileSystems > 0) return mark(id, { state: 'held' }, deadline);
      await forget(id, deadline);
      throw new DriverError('unsupported', `machine ${id} has no file system that its agent can freeze`);
    },

    async thaw(id, call) {
      const deadline = new Deadline(call);
      const sight = await domains.sight(id, deadline);
      const hold = sight?.live.hold;
      if (hold === undefined) return false;
      const thawed = await except<number | undefined>(
        ['operationInvalid', 'noDomain', 'internalError'],
        () => domains.api.domainFsThaw({ domain: domainRef(id), mountpoints: [] }, deadline.left),
        (refusal) => {
          // The mark ends with the guest, and stays with one that is paused: that is asked when it runs.
          if (refusal.is('operationInvalid', 'noDomain')) return undefined;
          throw new DriverError('unavailable', `machine ${id} cannot be thawed now: ${refusal.message}`, { cause: refusal });
        },
      );
      if (thawed === undefined) return false;
      if (hold.state === 'held' || (hold.thawedAtMs !== undefined && Date.now() - hold.thawedAtMs > LATE_MS)) await forget(id, deadline);
      else if (hold.thawedAtMs === undefined || thawed > 0)
        await except(['operationInvalid', 'noDomain'], () => mark(id, { state: 'asked', thawedAtMs: Date.now() }, deadline), ignore);
      return thawed > 0;
    },
  };
}

/** No agent is there or answers, or it refuses. */
const NO_AGENT = ['agentUnresponsive', 'agentUnsynced', 'internalError', 'operationUnsupported', 'configUnsupported'] as const;

function ignore(): void {}
