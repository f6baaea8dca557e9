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

export type PowerState = 'running' | 'paused' | 'stopped' | 'crashed';

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
  /** Those of them that a machine that is on has either now or in its definition alone; plugging one in again completes it. Absent: none. */
  readonly halfPluggedIds?: readonly string[];
  /** The record of its definition; only of our machines. */
  readonly record?: string;
}

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

export interface DiskSpec {
  readonly volumeId: string;
  readonly attachment: Attachment;
  /** Order on the bus and for booting; 0 is the root disk. */
  readonly slot: number;
  readonly readOnly: boolean;
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
  /** Live growth within the maxima of the spec, beyond which is `invalid`; stays over a power-off. */
  readonly resize?: {
    setVcpus(id: string, vcpus: number, call: Call): Promise<void>;
    setMemory(id: string, memoryBytes: number, call: Call): Promise<void>;
  };
  readonly limits?: {
    setCpuShares?(id: string, shares: number, call: Call): Promise<void>;
    setDiskLimits?(id: string, volumeId: string, limits: DiskLimits, call: Call): Promise<void>;
    setNicLimits?(id: string, nicId: string, limits: NicLimits, call: Call): Promise<void>;
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
