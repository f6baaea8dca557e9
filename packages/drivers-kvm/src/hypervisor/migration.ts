import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, HostEndpoint, HypervisorDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import { type HostLink, locate } from '../host-links.ts';
import { domainRef, JobType, MigrateFlag } from '../libvirt/index.ts';
import { DiskBackups } from './disk-backup.ts';
import { type Domains, unknownMachine } from './domains.ts';
import { isRunning } from './power.ts';
import { Trails } from './trails.ts';

export interface MigrationOptions {
  /**
   * How memory goes from host to host. `tunnelled`: within the connection of the two libvirtd, as safe as that is. `tls`: from QEMU to QEMU, by the certificates of `migrate_tls_x509_cert_dir`
   * in the hosts' qemu.conf. It never goes in the clear over a network.
   */
  readonly transport: 'tunnelled' | 'tls';
  /** The folder on the hosts with the certificates by which one libvirtd calls the other. Undefined: where libvirt looks by itself. */
  readonly pkiPath: string | undefined;
}

/** How often a transfer tells how far it is. */
const PROGRESS_MS = 500;
/** A request that a frozen libvirtd had not read yet begins soon after its thaw: so many looks in a row find nothing. */
const QUIET_LOOKS = 5;
const LOOK_MS = 100;

/**
 * The source's libvirtd settles all with the target's. The guest arrives paused, always: libvirt's own last word can be lost with its connection, and it would go on on both sides. So whoever
 * asked decides, when one of them has forgotten it.
 */
const FLAGS =
  MigrateFlag.live |
  MigrateFlag.peerToPeer |
  MigrateFlag.persistDestination |
  MigrateFlag.undefineSource |
  MigrateFlag.paused |
  MigrateFlag.abortOnError |
  MigrateFlag.autoConverge;

export function migrationVerbs(domains: Domains, link: HostLink, options: MigrationOptions): NonNullable<HypervisorDriver['migration']> {
  const transport = options.transport === 'tls' ? MigrateFlag.tls : MigrateFlag.tunnelled;

  const isUnderWay = async (id: string, deadline: Deadline): Promise<boolean> => {
    const info = () => domains.api.domainGetJobInfo({ domain: domainRef(id) }, deadline.left);
    // Unsupported of one that is coming here: only where it comes from can it be stopped.
    const job = await except(['noDomain', 'operationInvalid', 'operationUnsupported'], info, () => undefined);
    if (job === undefined || (job.type !== JobType.bounded && job.type !== JobType.unbounded)) return false;
    // Libvirt counts a backup as a job of the same sort.
    return !(await new DiskBackups(domains).isAny(id, deadline));
  };

  /** Somebody asked for it before: its end is awaited. */
  const join = async (id: string, deadline: Deadline): Promise<void> => {
    while (await isUnderWay(id, deadline)) await deadline.pause(LOOK_MS, `machine ${id} to go over`);
    if ((await domains.find(id, deadline)) !== undefined)
      throw new DriverError('unavailable', `the transfer of machine ${id} that was under way has failed`);
  };

  return {
    async send(id, target, call) {
      const deadline = new Deadline(call);
      const status = await domains.status(id, deadline);
      if (status === undefined) throw unknownMachine(id);
      if (await isUnderWay(id, deadline)) return join(id, deadline);
      // QEMU 7.2 dies of an assertion when it sends what has stood still since it came: its disks are another's yet.
      if (!isRunning(status)) throw new DriverError('conflict', `machine ${id} does not run`);
      // Libvirt sends no machine with a copy under way. Of trails the bitmaps would go along, and nobody would know of them there.
      await giveUpBackups(domains, id, deadline);
      const ended = new AbortController();
      const told = tell(domains, id, call, ended.signal);
      const uri = peerUri(link, target, options.pkiPath);
      try {
        await domains.api.domainMigratePerform3Params(
          { domain: domainRef(id), connectionUri: uri, params: [], cookie: new Uint8Array(), flags: FLAGS | transport },
          deadline.left,
        );
      } finally {
        ended.abort();
        await told;
      }
    },

    async cancel(id, call) {
      const deadline = new Deadline(call);
      for (let quietLooks = 0; quietLooks < QUIET_LOOKS; await deadline.pause(LOOK_MS, `what was begun with machine ${id} to end`)) {
        const isBusy = await isUnderWay(id, deadline);
        quietLooks = isBusy ? 0 : quietLooks + 1;
        // Refused where it is past the point at which it can be stopped: then it ends by itself.
        const abort = () => domains.api.domainAbortJob({ domain: domainRef(id) }, deadline.left);
        if (isBusy) await except(['noDomain', 'operationInvalid', 'operationUnsupported'], abort, () => {});
      }
    },
  };
}

async function giveUpBackups(domains: Domains, id: string, deadline: Deadline): Promise<void> {
  const backups = new DiskBackups(domains);
  for (; await backups.isAny(id, deadline); await deadline.pause(LOOK_MS, `a copy of a disk of machine ${id} to end`))
    await backups.abort(id, deadline);
  await new Trails(domains.api).drop(id, deadline);
}

/** Tells how much of the memory has gone over, until it has ended. Memory is written again while it goes: the share never falls. */
async function tell(domains: Domains, id: string, call: Call, ended: AbortSignal): Promise<void> {
  if (call.onProgress === undefined) return;
  let most = 0;
  for (;;) {
    await sleep(PROGRESS_MS, undefined, { signal: ended }).catch(() => undefined);
    if (ended.aborted) return;
    const job = await domains.api.domainGetJobInfo({ domain: domainRef(id) }, { signal: ended, timeoutMs: 5000 }).catch(() => undefined);
    if (ended.aborted) return;
    const share = job === undefined || job.dataTotalBytes === 0 ? 0 : 1 - job.dataRemainingBytes / job.dataTotalBytes;
    if (share <= most) continue;
    most = Math.min(1, share);
    call.onProgress(most);
  }
}

/** By which the libvirtd of this host reaches the target's. Throws `unsupported` where there is no way that is safe. */
export function peerUri(link: Pick<HostLink, 'local'>, target: HostEndpoint, pkiPath: string | undefined): string {
  const { address, uri } = locate(target);
  if (address.kind === 'tls') {
    const port = address.port === undefined ? '' : `:${address.port}`;
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    const pki = pkiPath === undefined ? '' : `?pkipath=${encodeURIComponent(pkiPath)}`;
    return `qemu+tls://${host}${port}/system${pki}`;
  }
  if (!link.local)
    throw new DriverError(
      'unsupported',
      `host ${target.hostId} is reached by a socket of this machine, which the other host does not have; use qemu+tls`,
    );
  return `${uri.replace('qemu:', 'qemu+unix:')}?socket=${encodeURIComponent(address.path)}`;
}
