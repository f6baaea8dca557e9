import type { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import { type Checkpoint, CheckpointDeleteFlag, CheckpointXmlFlag, domainRef, type LibvirtApi } from '../libvirt/index.ts';
import { childrenNamed, descend } from '../xml/element.ts';
import { parse } from '../xml/reader.ts';

const TRAIL = /^[\w-]{1,64}$/;
const PREFIX = 'pileus-';
const ofVolume = (volumeId: string): string => `${PREFIX}${volumeId}-`;

/**
 * A trail is a checkpoint of libvirt's of one disk: a bitmap of QEMU's, which it keeps in the file of the disk when it ends well, and takes for nothing where it did not. All of them are kept
 * at once, and none depends on another.
 */
export class Trails {
  readonly #api: LibvirtApi;

  constructor(api: LibvirtApi) {
    this.#api = api;
  }

  /** What libvirt calls it. @throws DriverError invalid */
  nameOf(volumeId: string, trail: string): string {
    if (!TRAIL.test(trail)) throw new DriverError('invalid', `${trail} is no name of a trail`);
    return ofVolume(volumeId) + trail;
  }

  async names(id: string, volumeId: string, deadline: Deadline): Promise<readonly string[]> {
    const prefix = ofVolume(volumeId);
    return (await this.#list(id, deadline)).flatMap(({ name }) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  }

  /** What the guest has written since. Undefined where that cannot be told. */
  async writtenBytes(id: string, device: string, name: string, deadline: Deadline): Promise<number | undefined> {
    const checkpoint = { name, domain: domainRef(id) };
    const flags = CheckpointXmlFlag.size | CheckpointXmlFlag.noDomain;
    const look = () => this.#api.domainCheckpointGetXmlDesc({ checkpoint, flags }, deadline.left);
    const xml = await except<string | undefined>(UNKNOWN, look, () => undefined);
    const disks = xml === undefined ? undefined : descend(parse(xml), 'disks');
    const size = childrenNamed(disks, 'disk').find(({ attributes }) => attributes.name === device)?.attributes.size;
    return size === undefined ? undefined : Number(size);
  }

  /** Of a machine that is on; of one volume, or of all of them. */
  async drop(id: string, deadline: Deadline, which: { readonly volumeId?: string; readonly but?: readonly string[] } = {}): Promise<void> {
    const prefix = which.volumeId === undefined ? PREFIX : ofVolume(which.volumeId);
    const kept = new Set((which.but ?? []).map((trail) => prefix + trail));
    for (const checkpoint of await this.#list(id, deadline))
      if (checkpoint.name.startsWith(prefix) && !kept.has(checkpoint.name)) await this.#delete(checkpoint, deadline);
  }

  async #delete(checkpoint: Checkpoint, deadline: Deadline): Promise<void> {
    const remove = (flags: number) => this.#api.domainCheckpointDelete({ checkpoint, flags }, deadline.left);
    const forget = () => except([...GONE, 'operationInvalid'], () => remove(CheckpointDeleteFlag.metadataOnly), ignore);
    await except(
      [...GONE, ...UNFIT],
      () => remove(0),
      // Of a disk that was unplugged, or a bitmap that was not kept: nothing is left but its name.
      (refusal) => (refusal.is(...GONE) ? undefined : forget()),
    );
  }

  #list(id: string, deadline: Deadline): Promise<readonly Checkpoint[]> {
    const list = () => this.#api.domainListAllCheckpoints({ domain: domainRef(id) }, deadline.left);
    return except<readonly Checkpoint[]>(['noDomain'], list, () => []);
  }
}

const GONE = ['noCheckpoint', 'noDomain'] as const;
const UNFIT = ['operationInvalid', 'internalError', 'invalidArgument', 'checkpointInconsistent', 'operationFailed'] as const;
const UNKNOWN = [...GONE, ...UNFIT, 'operationUnsupported', 'configUnsupported'] as const;

function ignore(): void {}
