import type { Attachment, HypervisorDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import {
  AffectFlag,
  BackupBeginFlag,
  domainRef,
  JobOperation,
  JobStatsFlag,
  JobType,
  LibvirtError,
  MetadataType,
  StatsFlag,
  StatsGroup,
} from '../libvirt/index.ts';
import { child, childrenNamed, type Element, element, render } from '../xml/element.ts';
import { parse } from '../xml/reader.ts';
import type { Domains } from './domains.ts';
import { Trails } from './trails.ts';

/** How often a copy is looked at, and tells how far it is. */
const PROGRESS_MS = 250;
/** A request that a frozen libvirtd had not read yet begins soon after its thaw: so many looks in a row find nothing. */
const QUIET_LOOKS = 5;
const QUIET_MS = 100;
/** Of a qcow2 file beside the data in it: its tables, and what is rounded up. */
const TABLES_SHARE = 1.01;
const TABLES_BYTES = 2 ** 20;

/** How a copy is asked for, from the most that is wanted to what every disk can have. */
interface Way {
  /** Names of checkpoints. */
  readonly since?: string;
  readonly trail?: string;
}

/** By libvirt's backup jobs, in which QEMU puts aside what the guest is about to write over before it is copied. */
export function diskBackupVerbs(domains: Domains): NonNullable<HypervisorDriver['diskBackup']> {
  const trailsOf = () => new Trails(domains.api);
  const backups = new DiskBackups(domains);
  const isOn = async (id: string, deadline: Deadline) => (await domains.sight(id, deadline))?.active === true;
  return {
    places: ['file'],

    async begin(id, { volumeId, to, trail, since, roomBytes }, call) {
      const deadline = new Deadline(call);
      const trails = trailsOf();
      const name = trails.nameOf(volumeId, trail);
      const from = since === undefined ? undefined : trails.nameOf(volumeId, since);
      const device = await backups.needDevice(id, volumeId, deadline);
      const ways: readonly Way[] = [...(from === undefined ? [] : [{ since: from, trail: name }]), { trail: name }, {}];
      let refusal: unknown;
      for (const way of ways) {
        const bytes = await backups.neededBytes(id, device, way, deadline);
        if (bytes === undefined) continue;
        const mostBytes = Math.ceil(bytes * TABLES_SHARE + TABLES_BYTES);
        if (mostBytes > roomBytes)
          throw new DriverError('exhausted', `a copy of volume ${volumeId} may take ${bytes} bytes, of which ${roomBytes} are free`);
        try {
          await backups.begin(id, device, to, way, deadline);
          return { isPart: way.since !== undefined, hasTrail: way.trail !== undefined, mostBytes };
        } catch (error) {
          // What libvirt refuses it has not begun.
          if (!(error instanceof LibvirtError) || error.is('operationInvalid', 'noDomain', 'operationTimeout', 'rpc')) throw error;
          refusal = error;
        }
      }
      throw refusal;
    },

    async finish(id, volumeId, to, call) {
      const deadline = new Deadline(call);
      let most = 0;
      for (;;) {
        if (!(await backups.isInto(id, to, deadline))) return backups.needWhole(id, volumeId, deadline);
        const share = await backups.share(id, deadline);
        if (share > most) call.onProgress?.(share);
        most = Math.max(most, share);
        await deadline.pause(PROGRESS_MS, `the copy of volume ${volumeId}`);
      }
    },

    async cancel(id, volumeId, trail, call) {
      const deadline = new Deadline(call);
      for (let quietLooks = 0; quietLooks < QUIET_LOOKS; await deadline.pause(QUIET_MS, `the copy of volume ${volumeId} to end`)) {
        if (!(await isOn(id, deadline))) return;
        const isBusy = await backups.isOf(id, volumeId, deadline);
        quietLooks = isBusy ? 0 : quietLooks + 1;
        if (isBusy) await backups.abort(id, deadline);
        const trails = trailsOf();
        const others = (await trails.names(id, volumeId, deadline)).filter((each) => each !== trail);
        await trails.drop(id, deadline, { volumeId, but: others });
      }
    },

    async trails(id, volumeId, call) {
      const deadline = new Deadline(call);
      return (await isOn(id, deadline)) ? trailsOf().names(id, volumeId, deadline) : [];
    },

    async keepTrails(id, volumeId, kept, call) {
      const deadline = new Deadline(call);
      if (await isOn(id, deadline)) await trailsOf().drop(id, deadline, { volumeId, but: kept });
    },
  };
}

/** The backup jobs of running domains: one of each at a time. */
export class DiskBackups {
  readonly #domains: Domains;
  /** By machine: which run of it has begun a copy last, as libvirt numbers them. */
  readonly #runs = new Map<string, number>();

  constructor(domains: Domains) {
    this.#domains = domains;
  }

  /** The target name of a disk that a machine which is on has plugged in. @throws DriverError conflict, not_found */
  async needDevice(id: string, volumeId: string, deadline: Deadline): Promise<string> {
    const { active, live } = await this.#domains.needSight(id, deadline);
    if (!active) throw new DriverError('conflict', `machine ${id} is off`);
    const disk = live.disks.find((each) => each.volumeId === volumeId);
    if (disk === undefined) throw new DriverError('not_found', `machine ${id} has no volume ${volumeId}`);
    return disk.device;
  }

  /** What the copy may take. Undefined where there is no such trail. */
  async neededBytes(id: string, device: string, { since }: Way, deadline: Deadline): Promise<number | undefined> {
    if (since !== undefined) return new Trails(this.#domains.api).writtenBytes(id, device, since, deadline);
    const request = { domains: [await this.#domains.need(id, deadline)], stats: StatsGroup.block, flags: StatsFlag.backing };
    const [record] = await this.#domains.api.connectGetAllDomainStats(request, deadline.left);
    const params = record?.params ?? {};
    let [filesBytes, capacityBytes] = [0, 0];
    for (let index = 0; index < Number(params['block.count'] ?? 0); index += 1) {
      if (params[`block.${index}.name`] !== device) continue;
      // An image below may be smaller than the disk.
      capacityBytes = Math.max(capacityBytes, Number(params[`block.${index}.capacity`] ?? 0));
      filesBytes += Number(params[`block.${index}.physical`] ?? Number.POSITIVE_INFINITY);
    }
    return Math.min(filesBytes, capacityBytes);
  }

  async begin(id: string, device: string, to: Attachment, { since, trail }: Way, deadline: Deadline): Promise<void> {
    if (to.type !== 'file' || to.format !== 'qcow2' || to.encryption !== undefined)
      throw new DriverError('unsupported', `a copy into a place of the form ${to.type}`);
    const api = this.#domains.api;
    const target = element(
      'disk',
      { name: device, type: 'file', ...(since === undefined ? {} : { backupmode: 'incremental', incremental: since }) },
      element('driver', { type: 'qcow2' }),
      element('target', { file: to.path }),
    );
    const backup = element('domainbackup', { mode: 'push' }, element('disks', {}, target));
    const noted = element('disks', {}, element('disk', { name: device, checkpoint: 'bitmap' }));
    const checkpoint = trail === undefined ? undefined : element('domaincheckpoint', {}, element('name', {}, trail), noted);
    this.#runs.set(id, (await this.#domains.need(id, deadline)).id);
    // How the job before has ended is not to be taken for the end of this one.
    await this.#ended(id, deadline);
    const request = { domain: domainRef(id), backupXml: render(backup), flags: BackupBeginFlag.reuseExternal };
    await api.domainBackupBegin({ ...request, ...(checkpoint && { checkpointXml: render(checkpoint) }) }, deadline.left);
  }

  /** Whether what is under way goes to that place. */
  async isInto(id: string, to: Attachment, deadline: Deadline): Promise<boolean> {
    const disks = await this.#underWay(id, deadline);
    return to.type === 'file' && disks.some((disk) => child(disk, 'target')?.attributes.file === to.path);
  }

  async isOf(id: string, volumeId: string, deadline: Deadline): Promise<boolean> {
    const device = (await this.#domains.sight(id, deadline))?.live.disks.find((each) => each.volumeId === volumeId)?.device;
    return (await this.#underWay(id, deadline)).some(({ attributes }) => attributes.name === device);
  }

  async isAny(id: string, deadline: Deadline): Promise<boolean> {
    return (await this.#underWay(id, deadline)).length > 0;
  }

  async abort(id: string, deadline: Deadline): Promise<void> {
    await except(
      [...NONE, 'operationUnsupported'],
      () => this.#domains.api.domainAbortJob({ domain: domainRef(id) }, deadline.left),
      ignore,
    );
  }

  async share(id: string, deadline: Deadline): Promise<number> {
    const look = () => this.#domains.api.domainGetJobInfo({ domain: domainRef(id) }, deadline.left);
    const job = await except([...NONE, 'operationUnsupported'], look, () => undefined);
    return job === undefined || job.fileTotalBytes === 0 ? 0 : Math.min(1, job.fileProcessedBytes / job.fileTotalBytes);
  }

  /** @throws DriverError unavailable */
  async needWhole(id: string, volumeId: string, deadline: Deadline): Promise<void> {
    const isClosed = await this.#untilClosed(id, volumeId, deadline);
    const job = await this.#ended(id, deadline);
    const isWhole =
      isClosed && job?.type === JobType.completed && job.params.operation === JobOperation.backup && job.params.success !== false;
    if (isWhole) return;
    const why = typeof job?.params.errmsg === 'string' ? `: ${job.params.errmsg}` : '';
    const isFull = /No space left on device/.test(why);
    throw new DriverError(isFull ? 'exhausted' : 'unavailable', `the copy of volume ${volumeId} has broken off${why}`);
  }

  /**
   * Libvirt tells that a job has ended well before QEMU has closed the place, which brings the tables of the file there: it does both in one turn of changing the machine.
   * So who waits for a turn of his own comes after that, if the QEMU that has begun the copy answers then.
   */
  async #untilClosed(id: string, volumeId: string, deadline: Deadline): Promise<boolean> {
    const { api } = this.#domains;
    const domain = domainRef(id);
    const key = { type: MetadataType.element, key: 'pileus-copy', uri: COPY_NAMESPACE, flags: AffectFlag.live };
    const device = (await this.#domains.sight(id, deadline))?.live.disks.find((each) => each.volumeId === volumeId)?.device;
    const run = this.#runs.get(id);
    if (device === undefined || run === undefined) return false;
    try {
      await api.domainSetMetadata({ domain, ...key }, deadline.left);
      // QEMU itself answers this, of a machine that is on alone.
      await api.domainBlockStats({ domain, disk: device }, deadline.left);
    } catch (error) {
      if (error instanceof LibvirtError) return false;
      throw error;
    }
    return (await this.#domains.find(id, deadline))?.id === run;
  }

  /** The job that has ended since this was asked last. */
  #ended(id: string, deadline: Deadline) {
    const look = () => this.#domains.api.domainGetJobStats({ domain: domainRef(id), flags: JobStatsFlag.completed }, deadline.left);
    return except([...NONE, 'operationUnsupported'], look, () => undefined);
  }

  /** The disks that are being copied. */
  async #underWay(id: string, deadline: Deadline): Promise<readonly Element[]> {
    const look = () => this.#domains.api.domainBackupGetXmlDesc({ domain: domainRef(id) }, deadline.left);
    const xml = await except<string | undefined>([...NONE, 'noBackup'], look, () => undefined);
    const disks = xml === undefined ? undefined : child(parse(xml), 'disks');
    return childrenNamed(disks, 'disk').filter(({ attributes }) => attributes.backup !== 'no');
  }
}

/** Of an element that no machine has. */
const COPY_NAMESPACE = 'urn:pileus:libvirt:copy:1';
const NONE = ['noDomain', 'operationInvalid'] as const;

function ignore(): void {}
