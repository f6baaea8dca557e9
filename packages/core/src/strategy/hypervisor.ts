import type { ByteStream, Call, Fault } from './call.ts';
import type { Plug } from './network.ts';
import type { Attachment } from './storage.ts';

/** Where a host is and how it is reached; secrets in it are resolved by the caller before this value is made. */
export interface HostEndpoint {
  readonly hostId: string;
  /** `qemu:///system`, `qemu+unix:///system?socket=/path`, `qemu+tls://host:16514/system`, `sim://name`. */
  readonly uri: string;
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

export interface HostInventory {
  readonly hostname: string;
  /** The backend's own stable id of the host; a host row keeps the first one seen and refuses another. */
  readonly hostUuid: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly cpuModel: string;
  readonly architecture: string;
  readonly hypervisor: string;
  readonly hypervisorVersion: string;
  /** `kvm` only if a guest was seen to run under it; `tcg` is software emulation. */
  readonly virtType: 'kvm' | 'tcg' | 'simulated';
}

/** What a host and its machines take of it at one moment. Times only grow while what they belong to is on: who asks twice knows how busy it was. */
export interface HostUsage {
  /** Without what can be given up at once, such as caches of files. */
  readonly usedMemoryBytes: number;
  /** For which its processors were at work, all of them added up. */
  readonly cpuMs: number;
  /** Of the machines that are on, ours or not. One that cannot tell at this moment may be left out. */
  readonly machines: readonly MachineUsage[];
}

export interface MachineUsage {
  readonly id: string;
  /** Of the host's memory, with what its hypervisor needs for it. */
  readonly usedMemoryBytes: number;
  readonly cpuMs: number;
}

export type PowerState = 'running' | 'paused' | 'stopped' | 'crashed';

export interface DiskLimits {
  /** 0 lifts the limit. */
  readonly iopsPerSecond?: number;
  readonly bytesPerSecond?: number;
}
export interface NicLimits {
  /** 0 lifts the limit. */
  readonly inboundBytesPerSecond?: number;
  readonly outboundBytesPerSecond?: number;
}

/** What holds a machine back. */
export interface MachineLimits {
  readonly cpuShares?: number;
  /** By volume id and NIC id; only of those that are limited. */
  readonly disks?: Readonly<Record<string, DiskLimits>>;
  readonly nics?: Readonly<Record<string, NicLimits>>;
}

/** A machine as the host shows it. Machines that are not ours are listed too, with `owner` undefined. */
export interface MachineObservation {
  readonly id: string;
  readonly name: string;
  readonly power: PowerState;
  /** Our mark: the cloud id written at definition. */
  readonly owner?: string;
  readonly vcpus: number;
  readonly memoryBytes: number;
  /** Volume ids and NIC ids plugged in, in slot order; only of our machines. */
  readonly diskIds: readonly string[];
  readonly nicIds: readonly string[];
  /** The image in its drive; of a machine that is on, what its guest sees. Absent: none. */
  readonly isoId?: string;
  /** Those of them that a machine that is on has either now or in its definition alone; plugging one in again completes it. Absent: none. */
  readonly halfPluggedIds?: readonly string[];
  /** Of one that is on, those in force now, as far as the driver has a verb that changes them; backends round a little. Absent: none. */
  readonly limits?: MachineLimits;
  /** The record of its definition; only of our machines. */
  readonly record?: string;
  /** Its guest was asked to hold writes back, and may do so yet: `thaw` makes sure that it does not. Absent: nobody asked. */
  readonly mayBeFrozen?: true;
  /** It is coming here from another host and is no machine yet: what there is of it goes again when the transfer ends otherwise. Absent: no. */
  readonly incoming?: true;
}

export interface DiskSpec {
  readonly volumeId: string;
  readonly attachment: Attachment;
  /** Order on the bus and for booting; 0 is the root disk. */
  readonly slot: number;
  readonly readOnly: boolean;
  /** Other machines may have it open, too, here and on other hosts: nothing of it is kept on the way that they would not see. Absent: this one alone. */
  readonly shareable?: true;
  readonly limits?: DiskLimits;
}
export interface NicSpec {
  readonly nicId: string;
  /** Lower case, colon separated. */
  readonly mac: string;
  readonly plug: Plug;
  readonly slot: number;
  readonly limits?: NicLimits;
}

/** An image in the drive of a machine, which reads it and nothing else. */
export interface IsoSpec {
  readonly imageId: string;
  /** Names the image by its id. */
  readonly attachment: Attachment;
}

/** What a copy under a guest may take. */
export interface DiskCopyLimit {
  /** Of what is read to be copied; undefined: no bound. What the guest writes meanwhile is not held back. */
  readonly bytesPerSecond?: number;
}

/**
 * `apart`: it is not being copied there. `copying`: not all of it is there. `both`: every write that its guest has seen done is in both, and on stable storage in both once the machine was paused
 * since. `there`: the guest has it there alone.
 */
export type DiskCopyState = 'apart' | 'copying' | 'both' | 'there';

/** What is copied of a disk at an instant, and where to. */
export interface DiskBackup {
  readonly volumeId: string;
  /** Of the form that the pool of the disk gives: qcow2, as large as the disk, empty, and in no use. */
  readonly to: Attachment;
  /** From that instant on it is noted under this name where the guest writes: word characters and hyphens, at most 64. */
  readonly trail: string;
  /** Only what was written since the instant of an earlier trail of the disk is wanted. */
  readonly since?: string;
  /** What the place may grow by. */
  readonly roomBytes: number;
}

export interface DiskBackupBegun {
  /** Only what was written since the trail that was asked for, by pieces which may be larger. Else all. */
  readonly isPart: boolean;
  /** Else the disk can have no trail: all is copied the next time. */
  readonly hasTrail: boolean;
  /** What the copy may take of the place, at most `roomBytes`. Absent where that is not told: then as much as the disk. */
  readonly mostBytes?: number;
}

export type SecretUse = 'ceph' | 'luks';
export type GuestOs = 'linux' | 'windows';
export type Firmware = 'bios' | 'uefi';
export type DiskBus = 'virtio' | 'scsi' | 'sata';

/** Everything a machine is, complete: drivers keep no state of their own. */
export interface MachineSpec {
  /** Our UUID, used as the backend's. */
  readonly id: string;
  readonly name: string;
  /** The cloud id: our mark. */
  readonly owner: string;
  readonly vcpus: number;
  /** Upper bound for hot-add. */
  readonly vcpusMax: number;
  readonly memoryBytes: number;
  readonly memoryBytesMax: number;
  /** Relative weight, 2 to 10,000: the most that control groups of version 2 take. */
  readonly cpuShares?: number;
  readonly guestOs: GuestOs;
  readonly firmware: Firmware;
  readonly diskBus: DiskBus;
  readonly disks: readonly DiskSpec[];
  readonly nics: readonly NicSpec[];
  /** The cloud-init seed, shown to the guest as a read-only CD-ROM. */
  readonly seed?: Attachment;
  /** What is in its drive; only where there is `drive`. It boots from there when none of its disks can be booted from. */
  readonly iso?: IsoSpec;
  /**
   * What the cloud wants to find with the machine should its own memory be lost. Opaque to the backend, which keeps it with the definition: `inspect` and `list`
   * give it back as it was, another definition replaces it. Printable ASCII that neither begins nor ends with a space, at most 32,768 characters. Never secrets:
   * who may read the host's definitions reads it.
   */
  readonly record?: string;
}

/**
 * One host. Mutating methods are idempotent and take ids minted by the caller, so that a call repeated after an unknown outcome is safe.
 * Forms whose late arrival is harmless are required: `define` never starts, `start` works by id on a defined machine only.
 */
export interface HypervisorDriver {
  /** Also the heartbeat: cheap, and answered by the backend itself. */
  inventory(call: Call): Promise<HostInventory>;
  readonly machines: {
    /** Makes the machine known, not running. The same spec again changes nothing; another spec for a stopped machine replaces it. */
    define(spec: MachineSpec, call: Call): Promise<void>;
    /** `undefined` only when absence is certain; throws when the answer is unknown. */
    inspect(id: string, call: Call): Promise<MachineObservation | undefined>;
    list(call: Call): Promise<readonly MachineObservation[]>;
    /** Powers off if it runs and forgets the machine. An absent one succeeds. Disks stay. */
    remove(id: string, call: Call): Promise<void>;
  };
  /** Each succeeds when the machine is already there. `not_found` for an unknown machine, except powerOff. */
  readonly power: {
    start(id: string, call: Call): Promise<void>;
    /** Asks the guest; returns when the request is delivered, not when the guest is down. */
    shutdown(id: string, call: Call): Promise<void>;
    powerOff(id: string, call: Call): Promise<void>;
    suspend(id: string, call: Call): Promise<void>;
    resume(id: string, call: Call): Promise<void>;
    /** Asks the guest to restart. */
    reboot(id: string, call: Call): Promise<void>;
    /** Presses the reset button. */
    reset(id: string, call: Call): Promise<void>;
  };
  /** On a running machine the guest sees it at once, and it stays over a power-off; on a stopped one the definition changes. Idempotent by volume or NIC id. */
  readonly hotplug?: {
    attachDisk(id: string, disk: DiskSpec, call: Call): Promise<void>;
    detachDisk(id: string, volumeId: string, call: Call): Promise<void>;
    attachNic(id: string, nic: NicSpec, call: Call): Promise<void>;
    detachNic(id: string, nicId: string, call: Call): Promise<void>;
  };
  /**
   * A CD-ROM drive, which every machine has, empty or not. A running guest sees a change at once, as a medium that was changed; it stays over a power-off.
   * `conflict` for a machine that is on and was started without a drive.
   */
  readonly drive?: {
    /** In place of what is in it. Repeatable. */
    insert(id: string, iso: IsoSpec, call: Call): Promise<void>;
    /** Leaves it empty, and there. A guest that has locked the tray is a `conflict`, unless it is `forced`. Repeatable. */
    eject(id: string, forced: boolean, call: Call): Promise<void>;
  };
  /** Live growth within the maxima of the spec, beyond which is `invalid`; stays over a power-off. */
  readonly resize?: {
    setVcpus(id: string, vcpus: number, call: Call): Promise<void>;
    setMemory(id: string, memoryBytes: number, call: Call): Promise<void>;
    /**
     * Grows a disk that a machine that is on has plugged in, content and what the guest sees; of the size already it changes nothing, a smaller one is `invalid`.
     * Of a machine that is off it is a `conflict`, of a disk that it does not have `not_found`.
     */
    growDisk?(id: string, volumeId: string, sizeBytes: number, call: Call): Promise<void>;
  };
  /**
   * What attachments refer to by `secretRef`. Kept by the host over restarts, readable by nobody but its hypervisor. A disk whose secret the host does not have is
   * plugged in or started with a `conflict`.
   */
  readonly secrets?: {
    /** Again with another value replaces it. Given as what it is, the key of a user of Ceph by default, or the passphrase of a disk's encryption. */
    put(ref: string, value: string, call: Call, use?: SecretUse): Promise<void>;
    delete(ref: string, call: Call): Promise<void>;
  };
  readonly limits?: {
    setCpuShares?(id: string, shares: number, call: Call): Promise<void>;
    setDiskLimits?(id: string, volumeId: string, limits: DiskLimits, call: Call): Promise<void>;
    setNicLimits?(id: string, nicId: string, limits: NicLimits, call: Call): Promise<void>;
  };
  /** Cheap, and waits for no guest. */
  readonly usage?: {
    read(call: Call): Promise<HostUsage>;
  };
  /** Through an agent in the guest. */
  readonly quiesce?: {
    /**
     * The guest writes all its file systems out and holds writes back until `thaw`; again when it does so changes nothing. `unsupported` where no agent answers,
     * or it has nothing to hold back. From before the guest is asked until `thaw` is certain the machine shows that it `mayBeFrozen`, also to another server: a
     * call that was given up may freeze it late.
     */
    freeze(id: string, call: Call): Promise<void>;
    /**
     * Answers whether writes were held back until now. Of a machine that is off or absent, or was not frozen, it changes nothing, nor of one that is paused: that
     * shows on that it `mayBeFrozen`. `unavailable` where an agent that was asked to freeze does not answer now.
     */
    thaw(id: string, call: Call): Promise<boolean>;
  };
  /** Moves disks of machines that are on to another place, while their guests go on. */
  readonly diskCopy?: {
    /**
     * Copies a disk that a machine which is on has plugged in to a place that is as large, reachable from here (its secrets given), and in no use; what it holds is written over. Answers when all of
     * it is there, and every write that the guest sees done from then on is in both. The guest goes on on the disk as it was, also when the copy breaks off: then it is `unavailable`, and begins
     * anew when it is asked again. Asked again while it is under way, it joins in. Time-outs, aborts and lost connections do not end a copy: `cancel` does, and the end of the machine.
     * `conflict` for a machine that is off, or while the disk is copied elsewhere, `not_found` for a disk that it does not have. Tells its progress.
     */
    copy(id: string, volumeId: string, to: Attachment, limit: DiskCopyLimit, call: Call): Promise<void>;
    /** How it stands with the disk and that place. Undefined of a machine that is off or absent, or does not have the disk. */
    look(id: string, volumeId: string, to: Attachment, call: Call): Promise<DiskCopyState | undefined>;
    /**
     * The guest goes on in that place alone, now and after a power-off. When it is there already nothing changes; while it is `copying` this waits. `conflict` for a machine that is off and where
     * `look` says `apart`, `not_found` for what is not there: then nothing has changed, nor will it by this call.
     */
    pivot(id: string, volumeId: string, to: Attachment, call: Call): Promise<void>;
    /** Ends what was asked before for this disk. When this has answered no copy of it is under way any more: it is where it was, or where it went. Of a machine that is off or absent nothing changes. */
    cancel(id: string, volumeId: string, call: Call): Promise<void>;
    /** A machine that is on shows its seed from another place from now on, also after a power-off. Of one that has none nothing changes; `conflict` for one that is off. */
    changeSeed(id: string, seed: Attachment, call: Call): Promise<void>;
  };
  /**
   * Copies what is in disks of machines that are on, as it is at one instant, while their guests go on. One copy of a machine at a time. It ends with its machine, and
   * with a transfer of it to another host; time-outs, aborts and lost connections do not end it: `cancel` does.
   */
  readonly diskBackup?: {
    /** Forms of places that can be copied to. */
    readonly places: readonly Attachment['type'][];
    /**
     * The instant is between this call and its answer: what the guest has seen done before is in the copy, what it writes after the answer is not. The copy goes on behind that. Of what was written since a
     * trail only that is copied, though it reads as zeroes now, where it is certain that nothing is missing in the trail: it is lost with a host that crashes, a
     * transfer of the machine, a disk that grows, is moved or unplugged. Else all is, as if no trail had been asked for. `exhausted`, with nothing begun, where that
     * may take more than there is room; `conflict` for a machine that is off, or while a copy of one of its disks is under way, `not_found` for a disk that it does not have.
     */
    begin(id: string, backup: DiskBackup, call: Call): Promise<DiskBackupBegun>;
    /** Waits until all of it is in the place. `unavailable` where it is not certain that it is, nor will be: it broke off, or nobody knows of it. Tells its progress. */
    finish(id: string, volumeId: string, to: Attachment, call: Call): Promise<void>;
    /** Ends what was asked before for this disk, and its trail. When this has answered no copy of it is under way any more. Of a machine that is off or absent nothing changes. Repeatable. */
    cancel(id: string, volumeId: string, trail: string, call: Call): Promise<void>;
    /** The names of trails that the disk may have: those that `begin` may be asked for. None of a machine that is off or absent. */
    trails(id: string, volumeId: string, call: Call): Promise<readonly string[]>;
    /** Ends the trails of the disk, but these. Of a machine that is off or absent nothing changes. */
    keepTrails(id: string, volumeId: string, kept: readonly string[], call: Call): Promise<void>;
  };
  /** Live migration; both hosts have to offer it. */
  readonly migration?: {
    /**
     * Sends a running machine to another host, memory and all, while its guest goes on here until the last moment. The host there has been given what it needs: disks reachable by the same
     * attachments, secrets, networks of the same plugs. Answers when this host does not know it any more; it is then defined and **paused** there, and its guest goes on only by `power.resume`
     * there. So nothing but the caller makes it run twice, and this says which copy is right, whatever has died in between:
     *
     * **As long as this host shows it on, it is this host's, and the other's copy may be removed. When this host shows it off or does not know it, it is the other's,
     * if that shows it on and not `incoming`.**
     *
     * A failure leaves it on here, perhaps paused. Asked again while it is on its way to the same host, it joins in. Time-outs, aborts and lost connections do not end a transfer: `cancel` does.
     * `conflict` for one that is off or paused (what has arrived has to go on before it can leave), or that the other host shows on already; `unavailable` where the hosts do not reach each
     * other; `unsupported` where the other cannot run it, or there is no safe way between them. Tells its progress.
     */
    send(id: string, target: HostEndpoint, call: Call): Promise<void>;
    /** Ends what was asked of this host before to send it. When this has answered none is on its way any more: it is here as before, or there. Of a machine that is not here nothing changes. */
    cancel(id: string, call: Call): Promise<void>;
  };
  /** Of a machine that is on; of another it is a `conflict`. */
  readonly consoles?: {
    serial?(id: string, call: Call): Promise<ByteStream>;
    vnc?(id: string, call: Call): Promise<ByteStream>;
  };
  /** Hints that something changed: a machine id, or undefined for "look at everything". Never the truth, may be dropped. Returns its stop. */
  watch?(hint: (machineId: string | undefined) => void): () => void;
  /** Never throws. */
  classify(error: unknown): Fault;
  close(): Promise<void>;
}

/**
 * What a hypervisor plugin gives: a name and a way to open one host. Opening makes no call yet. For an endpoint that it cannot be reached by it throws; the
 * message is shown to the operator, and `field` on the error names what is wrong when that is not the `uri`.
 */
export interface HypervisorFactory {
  readonly name: string;
  open(endpoint: HostEndpoint): HypervisorDriver;
}
