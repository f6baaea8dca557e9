import type { HostInventory, MachineSpec, NetworkObservation, NetworkSpec, Plug, PortSpec } from '../../src/strategy/index.ts';
import { canonical } from './canonical.ts';
import { SimError } from './fault.ts';
import { SimMachine } from './machine.ts';
import type { SimStored } from './pool.ts';
import { SimPorts } from './ports.ts';
import type { SimSite } from './site.ts';
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

/** A host: its machines and networks. The methods are what its backend does; called from a test they are what an operator does behind our back. */
export class SimHost {
  readonly hostname: string;
  readonly inventory: HostInventory;
  readonly site: SimSite;
  readonly machines = new Map<string, SimMachine>();
  readonly networks = new Map<string, SimNetwork>();
  readonly #world: SimWorld;
  readonly #watchers = new Set<Hint>();

  constructor(world: SimWorld, hostname: string, hostUuid: string, site: SimSite, facts: HostFacts) {
    this.#world = world;
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

  remove(id: string): void {
    this.machines.get(id)?.stop();
    if (this.machines.delete(id)) this.hint(id);
  }

  ensureNetwork(spec: NetworkSpec): void {
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
    this.networks.delete(id);
  }

  ensurePort(port: PortSpec): Plug {
    const network = this.networks.get(port.networkId);
    if (network === undefined) throw new SimError('not_found', `no network ${port.networkId} on ${this.hostname}`);
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
    const volume = this.#world.stored(this.hostname, disk.attachment);
    const user = `${this.hostname}/${machine.spec.id}`;
    if (volume === undefined) throw new SimError('conflict', `the disk ${disk.volumeId} is not there`);
    if (!volume.attachedTo.has(this.hostname))
      throw new SimError('conflict', `the disk ${disk.volumeId} was not attached to ${this.hostname}`);
    if (disk.readOnly) return;
    if (volume.user !== undefined && volume.user !== user)
      throw new SimError('conflict', `the disk ${disk.volumeId} is in use by ${volume.user}`);
    volume.user = user;
  }

  dropDisk(machine: SimMachine, disk: MachineSpec['disks'][number]): void {
    const volume: SimStored | undefined = this.#world.stored(this.hostname, disk.attachment);
    if (volume?.user === `${this.hostname}/${machine.spec.id}`) volume.user = undefined;
  }

  /** A disk or NIC is taken out of a running machine alone: its definition keeps it. */
  tear(machineId: string, deviceId: string): void {
    const machine = this.machine(machineId);
    if (!machine.live) throw new SimError('conflict', 'the machine does not run');
    for (const disk of machine.spec.disks) if (disk.volumeId === deviceId) this.dropDisk(machine, disk);
    machine.lost.add(deviceId);
    this.hint(machineId);
  }

  usePlug(nic: MachineSpec['nics'][number]): void {
    if (nic.plug.type !== 'libvirtNetwork') throw new SimError('unsupported', `a ${nic.plug.type} plug`);
    const network = this.networks.get(nic.plug.network.slice(PLUG_PREFIX.length));
    if (!network?.active) throw new SimError('conflict', `the network ${nic.plug.network} is not active`);
    if (!network.ports.has(nic.nicId)) throw new SimError('conflict', `the NIC ${nic.nicId} has no port in ${nic.plug.network}`);
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
        for (const disk of machine.spec.disks) this.dropDisk(machine, disk);
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
    try {
      for (const disk of spec.disks) this.useDisk(machine, disk);
    } catch (error) {
      for (const disk of spec.disks) this.dropDisk(machine, disk);
      throw error;
    }
  }
}
