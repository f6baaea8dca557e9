import type {
  HostInventory,
  HostUsage,
  IsoSpec,
  MachineSpec,
  NetworkObservation,
  NetworkSpec,
  Plug,
  PortSpec,
} from '../../src/strategy/index.ts';
import type { HypervisorFeature } from '../conformance/hypervisor.ts';
import { canonical } from './canonical.ts';
import { SimDiskBackups } from './disk-backup.ts';
import { SimDiskCopies } from './disk-copy.ts';
import { SimError } from './fault.ts';
import { SimKept } from './kept.ts';
import { SimMachine } from './machine.ts';
import { SimPorts } from './ports.ts';
import type { SimSite } from './site.ts';
import { opens, type SimShared, type SimStored } from './stored.ts';
import { SimTransfer } from './transfer.ts';
import type { SimWorld } from './world.ts';

export interface HostFacts {
  readonly cpus: number;
  readonly memoryBytes: number;
}

export interface SimNetwork {
  spec: NetworkSpec;
  /** Undefined for a network that is not ours. */
  readonly owner: string | undefined;
  active: boolean;
  readonly ports: SimPorts;
}

type Hint = (machineId: string | undefined) => void;

const PLUG_PREFIX = 'sim-';
const SIM_CPU_RATIO = 0.25;
const HOST_USED_BYTES = 2 ** 30;

/** A host: its machines and networks. The methods are what its backend does; called from a test they are what an operator does behind our back. */
export class SimHost {
  readonly hostname: string;
  readonly inventory: HostInventory;
  readonly site: SimSite;
  readonly machines = new Map<string, SimMachine>();
  /** By machine: what is on its way from here. */
  readonly sending = new Map<string, SimTransfer>();
  readonly diskBackups: SimDiskBackups;
  readonly diskCopies: SimDiskCopies;
  readonly networks = new Map<string, SimNetwork>();
  /** By reference: what attachments need. */
  readonly secrets = new Map<string, string>();
  /** Optional features that the hypervisor of this host alone does not have, for drivers that are opened from now on. */
  readonly lacks = new Set<HypervisorFeature>();
  /** Physical networks that it is not connected to, by what hosts call them; to all others it is. */
  readonly unconnected = new Set<string>();
  /** Why its switch does not do what it is told, in words that follow its name; of the fabric: why nobody's does. */
  switchTrouble: string | undefined;
  /** NICs that its machines have and its switch has lost. */
  readonly unplugged = new Set<string>();
  /** What lies around its networks. */
  readonly kept = new SimKept();
  /** By NIC: when a running machine was last plugged in with it. */
  readonly #pluggedAtMs = new Map<string, number>();
  readonly #world: SimWorld;
  readonly #watchers = new Set<Hint>();

  constructor(world: SimWorld, hostname: string, hostUuid: string, site: SimSite, facts: HostFacts) {
    this.#world = world;
    this.diskBackups = new SimDiskBackups(world, this);
    this.diskCopies = new SimDiskCopies(world, this);
    this.hostname = hostname;
    this.site = site;
    this.inventory = {
      hostname,
      hostUuid,
      ...facts,
      cpuModel: 'simulated',
      architecture: 'x86_64',
      hypervisor: 'simulated',
      hypervisorVersion: '1.0.0',
      virtType: 'simulated',
    };
  }

  /** All processors are as busy, its own and those of machines that are on. */
  usage(): HostUsage {
    const ms = this.#world.environment.clock.monotonicMs() * SIM_CPU_RATIO;
    const machines = [...this.machines.values()]
      .filter(({ live }) => live)
      .map(({ spec: { id, memoryBytes, vcpus } }) => ({ id, usedMemoryBytes: memoryBytes, cpuMs: vcpus * ms }));
    const usedMemoryBytes = machines.reduce((sum, machine) => sum + machine.usedMemoryBytes, HOST_USED_BYTES);
    return { usedMemoryBytes, cpuMs: this.inventory.cpus * ms, machines };
  }

  define(spec: MachineSpec): void {
    const there = this.machines.get(spec.id);
    if (there === undefined) this.#add(spec, spec.owner);
    else if (canonical(there.spec) !== canonical(spec)) {
      if (there.live) throw new SimError('conflict', `machine ${spec.id} runs with another definition`);
      there.spec = spec;
    }
    this.hint(spec.id);
  }

  /** A machine without our mark, stopped. */
  addForeignMachine(name: string): SimMachine {
    const id = this.#world.newUuid();
    const spec: MachineSpec = {
      ...{ id, name, owner: '', vcpus: 1, vcpusMax: 1, memoryBytes: 2 ** 30, memoryBytesMax: 2 ** 30 },
      ...{ guestOs: 'linux', firmware: 'bios', diskBus: 'virtio', disks: [], nics: [] },
    };
    return this.#add(spec, undefined);
  }

  machine(id: string): SimMachine {
    const machine = this.machines.get(id);
    if (machine === undefined) throw new SimError('not_found', `no machine ${id} on ${this.hostname}`);
    return machine;
  }

  /** Begins to send a machine to another host, unless that is under way. */
  send(id: string, hostname: string): void {
    const to = this.#world.hosts.get(hostname);
    if (to === undefined || to === this) throw new SimError('unavailable', `${this.hostname} does not reach ${hostname}`);
    if (this.diskCopies.has(id)) throw new SimError('conflict', `a disk of machine ${id} is being copied`);
    this.diskBackups.end(id);
    this.diskBackups.lose(id);
    const underWay = this.sending.get(id);
    if (underWay !== undefined && underWay.to !== to)
      throw new SimError('conflict', `machine ${id} is on its way to ${underWay.to.hostname}`);
    if (underWay === undefined) this.sending.set(id, new SimTransfer(this.#world, this, id, to, this.#world.transferMs()));
  }

  /** A machine that is to come here, with nothing but its definition yet. */
  expect({ spec, owner }: SimMachine): SimMachine {
    if (this.machines.get(spec.id)?.live) throw new SimError('conflict', `machine ${spec.id} is on, on ${this.hostname}`);
    for (const nic of spec.nics) this.#needNetwork(nic);
    for (const disk of spec.disks) this.needDisk(disk);
    const machine = this.#add(spec, owner);
    machine.expect();
    return machine;
  }

  /** Power is lost. What was on its way here is gone with it. */
  powerOff(): void {
    this.sending.clear();
    for (const [id, machine] of this.machines) {
      this.diskBackups.lose(id);
      if (machine.incoming) this.machines.delete(id);
      machine.stop();
    }
  }

  remove(id: string): void {
    this.machines.get(id)?.stop();
    this.diskBackups.lose(id);
    if (this.machines.delete(id)) this.hint(id);
  }

  ensureNetwork(spec: NetworkSpec): void {
    if (spec.vpcId !== undefined && !this.kept.of('vpcs').has(spec.vpcId)) throw new SimError('not_found', `no VPC ${spec.vpcId}`);
    const there = this.networks.get(spec.id);
    if (there === undefined) this.networks.set(spec.id, { spec, owner: spec.owner, active: true, ports: new SimPorts() });
    else {
      there.spec = spec;
      there.active = true;
    }
  }

  /** A network without our mark; its id. */
  addForeignNetwork(name: string): string {
    const id = this.#world.newUuid();
    this.networks.set(id, {
      spec: { id, name, owner: '', mode: 'nat', subnets: [] },
      owner: undefined,
      active: true,
      ports: new SimPorts(),
    });
    return id;
  }

  deleteNetwork(id: string): void {
    const network = this.networks.get(id);
    if (network !== undefined && network.ports.size > 0) throw new SimError('conflict', `network ${id} has ${network.ports.size} ports`);
    this.kept.refuseUsed('networks', id);
    this.networks.delete(id);
  }

  ensurePort(port: PortSpec): Plug {
    const network = this.networks.get(port.networkId);
    if (network === undefined) throw new SimError('not_found', `no network ${port.networkId} on ${this.hostname}`);
    for (const groupId of port.securityGroupIds ?? [])
      if (!this.kept.of('securityGroups').has(groupId)) throw new SimError('not_found', `no security group ${groupId}`);
    const other = network.ports.clash(port);
    if (other !== undefined) throw new SimError('conflict', `port ${other} has the same MAC or address`);
    network.ports.set(port.nicId, port);
    return { type: 'libvirtNetwork', network: PLUG_PREFIX + port.networkId };
  }

  observeNetwork({ spec, owner, active, ports }: SimNetwork): NetworkObservation {
    return { id: spec.id, name: spec.name, active, ...(owner === undefined ? {} : { owner }), nicIds: [...ports.keys()] };
  }

  watch(hint: Hint): () => void {
    this.#watchers.add(hint);
    return () => void this.#watchers.delete(hint);
  }

  /** Sends a hint, which gets lost like everything else. */
  hint(machineId: string | undefined): void {
    const { life } = this.site;
    for (const watcher of this.#watchers) {
      if (this.#world.losesHint()) continue;
      this.#world.environment.timers.after(this.#world.latencyMs(), () => {
        if (this.site.answers(life) && this.site.reach === 'connected' && this.#watchers.has(watcher)) watcher(machineId);
      });
    }
  }

  /** Takes a disk for a machine that runs, or says why it cannot have it. */
  useDisk(machine: SimMachine, disk: MachineSpec['disks'][number]): void {
    const volume = this.needDisk(disk);
    const user = `${this.hostname}/${machine.spec.id}`;
    machine.diskBytes.set(disk.volumeId, volume.sizeBytes);
    if (disk.readOnly) return;
    if ((volume.shared !== undefined) !== (disk.shareable === true))
      this.#world.violations.push(
        `volume ${disk.volumeId} is opened by ${user} as ${disk.shareable ? 'one of several machines' : 'its own alone'}`,
      );
    if (volume.shared !== undefined) {
      this.#join(volume.shared, machine, disk.volumeId);
      return;
    }
    if (volume.user !== undefined && volume.user !== user && this.#world.isShared(disk.attachment))
      this.#world.violations.push(`volume ${disk.volumeId} is opened by ${user} under ${volume.user}`);
    if (volume.user !== undefined && volume.user !== user)
      throw new SimError('conflict', `the disk ${disk.volumeId} is in use by ${volume.user}`);
    volume.user = user;
    volume.mark = undefined;
    volume.holder = user;
    volume.isUserHidden = false;
  }

  /** With others, on this host and elsewhere; not with itself on another host. */
  #join({ users, hidden }: SimShared, { spec: { id } }: SimMachine, volumeId: string): void {
    const user = `${this.hostname}/${id}`;
    const other = [...users].find((each) => each !== user && each.endsWith(`/${id}`));
    if (other !== undefined) {
      this.#world.violations.push(`volume ${volumeId} is opened by ${user} under ${other}`);
      throw new SimError('conflict', `the disk ${volumeId} is in use by ${other}`);
    }
    users.add(user);
    hidden.delete(user);
  }

  dropDisk(machine: SimMachine, disk: MachineSpec['disks'][number]): void {
    const volume: SimStored | undefined = this.#world.stored(this.hostname, disk.attachment);
    const user = `${this.hostname}/${machine.spec.id}`;
    machine.diskBytes.delete(disk.volumeId);
    if (volume?.user === user) volume.user = undefined;
    volume?.shared?.users.delete(user);
    volume?.shared?.hidden.delete(user);
    if (volume?.holder === user && this.site.up) volume.holder = undefined;
    // Whoever opens it anew is another client.
    volume?.shutOut.delete(user);
  }

  growDisk(machine: SimMachine, volumeId: string, sizeBytes: number): void {
    if (!machine.live) throw new SimError('conflict', 'the machine does not run');
    const disk = machine.spec.disks.find((each) => each.volumeId === volumeId);
    const pool = disk && !machine.lost.has(volumeId) ? this.#world.poolOf(this.hostname, disk.attachment) : undefined;
    if (pool === undefined) throw new SimError('not_found', `the machine has no disk ${volumeId}`);
    this.diskBackups.lose(machine.spec.id, volumeId);
    pool.resizeVolume(volumeId, sizeBytes);
    machine.diskBytes.set(volumeId, sizeBytes);
    this.hint(machine.spec.id);
  }

  /** A disk or NIC is taken out of a running machine alone: its definition keeps it. */
  tear(machineId: string, deviceId: string): void {
    const machine = this.machine(machineId);
    if (!machine.live) throw new SimError('conflict', 'the machine does not run');
    for (const disk of machine.spec.disks) if (disk.volumeId === deviceId) this.dropDisk(machine, disk);
    machine.lost.add(deviceId);
    this.hint(machineId);
  }

  /** What a machine that runs here has in its drive from now on. */
  changeIso(machine: SimMachine, iso: MachineSpec['iso']): void {
    if (machine.spec.iso?.imageId === iso?.imageId) return;
    if (machine.live && iso !== undefined) this.readIso(machine, iso);
    if (machine.spec.iso !== undefined) this.dropIso(machine, machine.spec.iso);
    const { iso: _, ...others } = machine.spec;
    machine.spec = iso === undefined ? others : { ...others, iso };
    this.hint(machine.spec.id);
  }

  readIso({ spec: { id } }: SimMachine, { imageId, attachment }: IsoSpec): void {
    const image = this.#world.stored(this.hostname, attachment);
    if (image === undefined) throw new SimError('conflict', `the ISO ${imageId} is not there`);
    this.#unlock({ volumeId: imageId, attachment });
    image.readers.add(`${this.hostname}/${id}`);
  }

  dropIso({ spec: { id } }: SimMachine, { attachment }: IsoSpec): void {
    this.#world.stored(this.hostname, attachment)?.readers.delete(`${this.hostname}/${id}`);
  }

  usePlug(nic: MachineSpec['nics'][number]): void {
    if (this.#needNetwork(nic)) this.#pluggedAtMs.set(nic.nicId, this.#world.environment.clock.monotonicMs());
  }

  /** When a machine that runs here was plugged in with the NIC. */
  pluggedAtMs(nicId: string): number | undefined {
    const isIn = [...this.machines.values()].some(({ live, spec }) => live && spec.nics.some((nic) => nic.nicId === nicId));
    return isIn ? this.#pluggedAtMs.get(nicId) : undefined;
  }

  /** What is reachable from here, and opens. */
  needDisk(disk: Pick<MachineSpec['disks'][number], 'volumeId' | 'attachment'>): SimStored {
    const volume = this.#world.stored(this.hostname, disk.attachment);
    if (volume === undefined) throw new SimError('conflict', `the disk ${disk.volumeId} is not there`);
    if (!volume.attachedTo.has(this.hostname))
      throw new SimError('conflict', `the disk ${disk.volumeId} was not attached to ${this.hostname}`);
    this.#unlock(disk);
    return volume;
  }

  /** False for a port of a switch that is none of this world's. */
  #needNetwork(nic: MachineSpec['nics'][number]): boolean {
    if (nic.plug.type === 'ovsPort') return false;
    if (nic.plug.type !== 'libvirtNetwork') throw new SimError('unsupported', `a ${nic.plug.type} plug`);
    const id = nic.plug.network.slice(PLUG_PREFIX.length);
    const network = this.networks.get(id) ?? this.#world.fabric.networks.get(id);
    if (!network?.active) throw new SimError('conflict', `the network ${nic.plug.network} is not active`);
    if (!network.ports.has(nic.nicId)) throw new SimError('conflict', `the NIC ${nic.nicId} has no port in ${nic.plug.network}`);
    return true;
  }

  /** A backend that asks for a key gets the host's. */
  #unlock({ volumeId, attachment }: Pick<MachineSpec['disks'][number], 'volumeId' | 'attachment'>): void {
    const stored = this.#world.stored(this.hostname, attachment);
    const key = attachment.encryption && this.secrets.get(attachment.encryption.secretRef);
    if (stored?.encryptionKey !== undefined && !opens(stored, key))
      throw new SimError('conflict', `the host has no passphrase for the disk ${volumeId}`);
    if (attachment.type !== 'rbd') return;
    if (!this.#world.poolOf(this.hostname, attachment)?.letsIn(attachment.user, this.secrets.get(attachment.secretRef)))
      throw new SimError('conflict', `the host has no key for the disk ${volumeId}`);
  }

  #add(spec: MachineSpec, owner: string | undefined): SimMachine {
    const { timers, clock } = this.#world.environment;
    const ground = {
      nowMs: () => clock.monotonicMs(),
      after: (delayMs: number, run: () => void) => timers.after(delayMs, run),
      profile: (of: MachineSpec) => this.#world.guestOf(of),
      changed: (id: string) => this.hint(id),
      occupy: (machine: SimMachine) => this.#occupy(machine),
      vacate: (machine: SimMachine) => {
        this.diskCopies.endAll(machine);
        this.diskBackups.end(machine.spec.id);
        for (const disk of machine.spec.disks) this.dropDisk(machine, disk);
        if (machine.spec.iso !== undefined) this.dropIso(machine, machine.spec.iso);
      },
    };
    const machine = new SimMachine(ground, spec, owner);
    this.machines.set(spec.id, machine);
    return machine;
  }

  #occupy(machine: SimMachine): void {
    const { spec } = machine;
    for (const nic of spec.nics) this.usePlug(nic);
    if (spec.seed !== undefined && this.#world.stored(this.hostname, spec.seed) === undefined)
      throw new SimError('conflict', 'the seed is not there');
    if (spec.iso !== undefined) this.readIso(machine, spec.iso);
    try {
      for (const disk of spec.disks) this.useDisk(machine, disk);
    } catch (error) {
      for (const disk of spec.disks) this.dropDisk(machine, disk);
      if (spec.iso !== undefined) this.dropIso(machine, spec.iso);
      throw error;
    }
  }
}
