import type { Call, HypervisorDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import { type Domain, DomainState, domainRef, ShutdownFlag } from '../libvirt/index.ts';
import type { DomainStatus, Domains } from './domains.ts';
import { unknownMachine } from './domains.ts';
import { renewQueues } from './queues.ts';

type Request = (domain: Domain, deadline: Deadline) => Promise<void>;

export const isRunning = (status: DomainStatus): boolean => status.state === DomainState.running || status.state === DomainState.blocked;
const isPaused = (status: DomainStatus): boolean => status.state === DomainState.paused;
const isStopped = (status: DomainStatus): boolean => status.state === DomainState.shutoff;
const never = (): boolean => false;

export function powerVerbs(domains: Domains): HypervisorDriver['power'] {
  /**
   * Libvirt refuses what does not fit the state; then the state decides whether the machine is already there. Asking first instead would answer for a
   * state that is over by the time we act.
   */
  const settle = async (
    name: string,
    request: Request,
    alreadyThere: (status: DomainStatus) => boolean,
    id: string,
    deadline: Deadline,
  ) => {
    await except(
      ['operationInvalid', 'operationFailed'],
      () => request(domainRef(id), deadline),
      async (refusal) => {
        const status = await domains.status(id, deadline);
        if (status === undefined) throw unknownMachine(id);
        if (alreadyThere(status)) return;
        throw refusal.is('operationInvalid')
          ? new DriverError('conflict', `cannot ${name} machine ${id} now`, { cause: refusal })
          : refusal;
      },
    );
  };
  const verb = (name: string, request: Request, alreadyThere: (status: DomainStatus) => boolean) => (id: string, call: Call) =>
    settle(name, request, alreadyThere, id, new Deadline(call));
  /** What runs from then on has its ports anew, also where it has come from another host. */
  const toRun = (name: string, request: Request) => async (id: string, call: Call) => {
    const deadline = new Deadline(call);
    await settle(name, request, isRunning, id, deadline);
    await renewQueues(domains, id, deadline);
  };
  const powerOff = verb('power off', (domain, deadline) => domains.api.domainDestroyFlags({ domain }, deadline.left), isStopped);
  return {
    start: toRun('start', (domain, deadline) => domains.api.domainCreateWithFlags({ domain }, deadline.left).then(() => {})),
    shutdown: verb(
      'shut down',
      (domain, deadline) => domains.api.domainShutdownFlags({ domain, flags: ShutdownFlag.acpiPowerButton }, deadline.left),
      isStopped,
    ),
    powerOff: (id, call) =>
      except(
        ['noDomain'],
        () => powerOff(id, call),
        () => {},
      ),
    suspend: verb('suspend', (domain, deadline) => domains.api.domainSuspend({ domain }, deadline.left), isPaused),
    resume: toRun('resume', (domain, deadline) => domains.api.domainResume({ domain }, deadline.left)),
    reboot: verb(
      'reboot',
      (domain, deadline) => domains.api.domainReboot({ domain, flags: ShutdownFlag.acpiPowerButton }, deadline.left),
      never,
    ),
    reset: verb('reset', (domain, deadline) => domains.api.domainReset({ domain }, deadline.left), never),
  };
}
