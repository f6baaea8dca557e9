import { sleep } from '../../src/kernel/environment.ts';
import type { Attachment, Call, DiskBackup, DiskBackupBegun, Extent, HypervisorDriver, MachineSpec } from '../../src/strategy/index.ts';
import { canonical } from './canonical.ts';
import { SimContent } from './content.ts';
import { SimError } from './fault.ts';
import type { SimHost } from './host.ts';
import type { DriverEnvironment } from './link.ts';
import type { SimMachine } from './machine.ts';
import { marked } from './marks.ts';
import type { SimPool } from './pool.ts';
import { locate, usersOf } from './stored.ts';
import type { SimWorld } from './world.ts';

/** One copy of a machine's disk. */
interface Copy {
  readonly volumeId: string;
  readonly to: Attachment;
  isWhole: boolean;
}

/** The copies of disks at an instant, and the trails, of the machines of a host. */
export class SimDiskBackups {
  readonly #world: SimWorld;
  readonly #host: SimHost;
  /** By machine; that which has ended last stays until another begins. */
  readonly #copies = new Map<string, Copy>();
  /** By `machine/volume/name`: what the disk had when it was laid. */
  readonly #trails = new Map<string, SimContent>();

  constructor(world: SimWorld, host: SimHost) {
    this.#world = world;
    this.#host = host;
  }

  begin(machine: SimMachine, { volumeId, to, trail, since, roomBytes }: DiskBackup): DiskBackupBegun {
    const { id } = machine.spec;
    if (!/^[\w-]{1,64}$/.test(trail)) throw new SimError('invalid', `${trail} is no name of a trail`);
    if (!machine.live) throw new SimError('conflict', 'the machine does not run');
    const disk = machine.lost.has(volumeId) ? undefined : diskOf(machine, volumeId);
    if (disk === undefined) throw new SimError('not_found', `the machine has no disk ${volumeId}`);
    if (this.#copies.get(id)?.isWhole === false) throw new SimError('conflict', `a disk of machine ${id} is being copied`);
    const source = this.#host.needDisk(disk);
    const target = this.#host.needDisk({ volumeId, attachment: to });
    const [user] = usersOf(target);
    if (user !== undefined) throw new SimError('conflict', `what is there is in use by ${user}`);
    if (target.sizeBytes !== source.sizeBytes) throw new SimError('invalid', 'what is there is of another size');
    const content = source.content;
    const before = since === undefined ? undefined : this.#trails.get(this.#key(id, volumeId, since));
    const extents = content.changesSince(before ?? SimContent.EMPTY, source.sizeBytes);
    const bytes = extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    if (bytes > roomBytes) throw new SimError('exhausted', `${bytes} bytes, of which ${roomBytes} are free`);
    this.#trails.set(this.#key(id, volumeId, trail), content);
    target.user = `${this.#host.hostname}/${id}`;
    const copy: Copy = { volumeId, to, isWhole: false };
    this.#copies.set(id, copy);
    this.#world.environment.timers.after(this.#world.transferMs(), () => {
      if (this.#copies.get(id) !== copy) return;
      const place = this.#world.stored(this.#host.hostname, to);
      if (place === undefined) return this.end(id);
      for (const { offsetBytes, lengthBytes, hasData } of extents)
        if (hasData) place.content = place.content.written(offsetBytes, content.read(offsetBytes, lengthBytes));
      Object.assign(place, { written: extents, user: undefined });
      copy.isWhole = true;
    });
    return { isPart: before !== undefined, hasTrail: true, mostBytes: bytes };
  }

  /** Undefined: nobody knows of it. */
  isWhole(id: string, to: Attachment): boolean | undefined {
    const copy = this.#copies.get(id);
    return copy !== undefined && canonical(locate(copy.to) ?? {}) === canonical(locate(to) ?? {}) ? copy.isWhole : undefined;
  }

  cancel(machine: SimMachine | undefined, volumeId: string, trail: string): void {
    if (machine?.live !== true) return;
    const { id } = machine.spec;
    if (this.#copies.get(id)?.volumeId === volumeId) this.end(id);
    this.#trails.delete(this.#key(id, volumeId, trail));
  }

  /** With its machine. */
  end(id: string): void {
    const copy = this.#copies.get(id);
    this.#copies.delete(id);
    const place = copy && this.#world.stored(this.#host.hostname, copy.to);
    if (place?.user === `${this.#host.hostname}/${id}`) place.user = undefined;
  }

  names(machine: SimMachine | undefined, volumeId: string): readonly string[] {
    const prefix = this.#key(machine?.spec.id ?? '', volumeId, '');
    return machine?.live === true
      ? [...this.#trails.keys()].flatMap((key) => (key.startsWith(prefix) ? [key.slice(prefix.length)] : []))
      : [];
  }

  keep(machine: SimMachine | undefined, volumeId: string, kept: readonly string[]): void {
    for (const name of this.names(machine, volumeId))
      if (!kept.includes(name)) this.#trails.delete(this.#key(machine?.spec.id ?? '', volumeId, name));
  }

  /** Of a disk that grows, moves or is unplugged, or of all of a machine. */
  lose(id: string, volumeId = ''): void {
    for (const key of [...this.#trails.keys()]) if (key.startsWith(`${id}/${volumeId}`)) this.#trails.delete(key);
  }

  #key(id: string, volumeId: string, trail: string): string {
    return `${id}/${volumeId}/${trail}`;
  }
}

/** Where a volume was written to: of what a guest writes beside copies of disks, what is not zeroes. */
export function writtenIn(pool: SimPool, volumeId: string, within: Omit<Extent, 'hasData'>): Extent[] {
  const { content, sizeBytes, written, user } = marked(pool, volumeId);
  if (user !== undefined) throw new SimError('conflict', `volume ${volumeId} is in use by ${user}`);
  const endBytes = within.offsetBytes + within.lengthBytes;
  return (written ?? content.changesSince(SimContent.EMPTY, sizeBytes)).flatMap(({ offsetBytes, lengthBytes, hasData }) => {
    const [from, to] = [Math.max(offsetBytes, within.offsetBytes), Math.min(offsetBytes + lengthBytes, endBytes)];
    return from < to ? [{ offsetBytes: from, lengthBytes: to - from, hasData }] : [];
  });
}

const diskOf = ({ spec }: SimMachine, volumeId: string): MachineSpec['disks'][number] | undefined =>
  spec.disks.find((each) => each.volumeId === volumeId);

interface HostAsk {
  ask<T>(command: string, call: Call, apply: (host: SimHost) => T): Promise<T>;
  onMachine<T>(command: string, id: string, call: Call, apply: (machine: SimMachine, host: SimHost) => T): Promise<T>;
}

const LOOK_MS = 10;
const QUIET_LOOKS = 3;

/** A copy goes on under its machine: who waits for it looks how it stands. */
export function diskBackupOf(
  on: HostAsk,
  timers: DriverEnvironment['timers'],
  left: (call: Call) => () => Call,
): NonNullable<HypervisorDriver['diskBackup']> {
  const pause = (call: Call) =>
    sleep(timers, LOOK_MS, call.signal).catch(() => {
      throw new SimError('unknown_outcome', 'it was given up, and goes on');
    });
  return {
    places: ['file'],
    begin: (id, backup, call) => on.onMachine('diskBackup.begin', id, call, (machine, host) => host.diskBackups.begin(machine, backup)),
    async finish(id, volumeId, to, call) {
      const next = left(call);
      for (let looks = 1; ; looks += 1) {
        const isWhole = await on.ask('diskBackup.finish', next(), (host) => host.diskBackups.isWhole(id, to));
        if (isWhole === true) return;
        if (isWhole === undefined) throw new SimError('unavailable', `the copy of disk ${volumeId} has broken off`);
        call.onProgress?.(1 - 1 / (1 + looks));
        await pause(call);
      }
    },
    // What was held by a frozen host lands in any order: one that begins after a look has to be met by the next.
    async cancel(id, volumeId, trail, call) {
      const next = left(call);
      for (let looks = 0; looks < QUIET_LOOKS; looks += 1) {
        await on.ask('diskBackup.cancel', next(), (host) => host.diskBackups.cancel(host.machines.get(id), volumeId, trail));
        await pause(call);
      }
    },
    trails: (id, volumeId, call) => on.ask('diskBackup.trails', call, (host) => host.diskBackups.names(host.machines.get(id), volumeId)),
    keepTrails: (id, volumeId, kept, call) =>
      on.ask('diskBackup.keepTrails', call, (host) => host.diskBackups.keep(host.machines.get(id), volumeId, kept)),
  };
}
