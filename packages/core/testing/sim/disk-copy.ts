import type { Attachment, DiskCopyState, MachineSpec } from '../../src/strategy/index.ts';
import { canonical } from './canonical.ts';
import { SimError } from './fault.ts';
import type { SimHost } from './host.ts';
import type { SimMachine } from './machine.ts';
import { locate, type SimStored, usersOf } from './stored.ts';
import type { SimWorld } from './world.ts';

type Disk = MachineSpec['disks'][number];

/** A disk on its way to another place under its machine. */
interface Copy {
  readonly to: Attachment;
  /** All of it is there, and each write goes to both. */
  isWhole: boolean;
}

const isSame = (a: Attachment, b: Attachment): boolean => canonical(locate(a) ?? {}) === canonical(locate(b) ?? {});

/** The copies under the machines of a host. They end with their machines, whatever becomes of who asked for them. */
export class SimDiskCopies {
  readonly #world: SimWorld;
  readonly #host: SimHost;
  readonly #copies = new Map<string, Copy>();

  constructor(world: SimWorld, host: SimHost) {
    this.#world = world;
    this.#host = host;
  }

  has(machineId: string, volumeId = ''): boolean {
    return [...this.#copies.keys()].some((key) => key.startsWith(`${machineId}/${volumeId}`));
  }

  /** Where a write of the guest goes besides. */
  mirrorOf(machineId: string, volumeId: string): Attachment | undefined {
    const copy = this.#copies.get(`${machineId}/${volumeId}`);
    return copy?.isWhole === true ? copy.to : undefined;
  }

  look(machine: SimMachine | undefined, volumeId: string, to: Attachment): DiskCopyState | undefined {
    const disk = machine?.live === true && !machine.lost.has(volumeId) ? diskOf(machine, volumeId) : undefined;
    if (machine === undefined || disk === undefined) return undefined;
    if (isSame(disk.attachment, to)) return 'there';
    const copy = this.#copies.get(`${machine.spec.id}/${volumeId}`);
    if (copy === undefined || !isSame(copy.to, to)) return 'apart';
    return copy.isWhole ? 'both' : 'copying';
  }

  begin(machine: SimMachine, volumeId: string, to: Attachment): void {
    if (!machine.live) throw new SimError('conflict', 'the machine does not run');
    const state = this.look(machine, volumeId, to);
    if (state === undefined) throw new SimError('not_found', `the machine has no disk ${volumeId}`);
    if (state !== 'apart') return;
    const key = `${machine.spec.id}/${volumeId}`;
    if (this.#copies.has(key)) throw new SimError('conflict', `the disk ${volumeId} is copied elsewhere`);
    const target = this.#host.needDisk({ volumeId, attachment: to });
    const [inUseBy] = usersOf(target);
    if (inUseBy !== undefined) throw new SimError('conflict', `what is there is in use by ${inUseBy}`);
    if (target.sizeBytes < (machine.diskBytes.get(volumeId) ?? 0)) throw new SimError('invalid', 'what is there is smaller');
    this.#host.diskBackups.lose(machine.spec.id, volumeId);
    target.user = `${this.#host.hostname}/${machine.spec.id}`;
    const copy: Copy = { to, isWhole: false };
    this.#copies.set(key, copy);
    this.#world.environment.timers.after(this.#world.transferMs(), () => {
      if (this.#copies.get(key) === copy) this.#fill(machine, volumeId, copy);
    });
  }

  /** False while it is being copied. */
  pivot(machine: SimMachine, volumeId: string, to: Attachment): boolean {
    const state = this.look(machine, volumeId, to);
    if (state === 'there') return true;
    if (state === 'copying') return false;
    const disk = diskOf(machine, volumeId);
    if (state === undefined || disk === undefined)
      throw new SimError(machine.live ? 'not_found' : 'conflict', `no disk ${volumeId} is in use`);
    if (state === 'apart') throw new SimError('conflict', `the disk ${volumeId} is not being copied there`);
    const sizeBytes = machine.diskBytes.get(volumeId) ?? 0;
    this.#copies.delete(`${machine.spec.id}/${volumeId}`);
    this.#host.dropDisk(machine, disk);
    const moved = { ...disk, attachment: to };
    machine.spec = { ...machine.spec, disks: machine.spec.disks.map((each) => (each === disk ? moved : each)) };
    this.#host.useDisk(machine, moved);
    machine.diskBytes.set(volumeId, sizeBytes);
    this.#host.hint(machine.spec.id);
    return true;
  }

  /** Also what a place does that fails: the guest goes on on its disk as it was. */
  end(machineId: string, volumeId: string): void {
    const key = `${machineId}/${volumeId}`;
    const copy = this.#copies.get(key);
    this.#copies.delete(key);
    const target = copy && this.#world.stored(this.#host.hostname, copy.to);
    if (target?.user === `${this.#host.hostname}/${machineId}`) target.user = undefined;
  }

  endAll(machine: SimMachine): void {
    for (const { volumeId } of machine.spec.disks) this.end(machine.spec.id, volumeId);
  }

  #fill(machine: SimMachine, volumeId: string, copy: Copy): void {
    const place = (attachment: Attachment | undefined): SimStored | undefined =>
      attachment && this.#world.stored(this.#host.hostname, attachment);
    const [source, target] = [place(diskOf(machine, volumeId)?.attachment), place(copy.to)];
    if (source === undefined || target === undefined) {
      this.end(machine.spec.id, volumeId);
      return;
    }
    target.content = source.content;
    copy.isWhole = true;
  }
}

const diskOf = ({ spec }: SimMachine, volumeId: string): Disk | undefined => spec.disks.find((each) => each.volumeId === volumeId);
