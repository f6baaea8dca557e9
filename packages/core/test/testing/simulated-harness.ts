import type {
  DiskSpec,
  DriverPlugin,
  HostEndpoint,
  HypervisorDriver,
  MachineSpec,
  NetworkDriver,
  NicSpec,
  Plug,
  StorageDriver,
} from '@pileus/core/strategy';
import { sleep } from '../../src/kernel/environment.ts';
import type { Harness, HypervisorFeature, HypervisorHarness, NetworkHarness, StorageHarness } from '../../testing/index.ts';
import { SHARED_SITE, SimEnvironment, SimWorld, simulated } from '../../testing/index.ts';

const HOST: HostEndpoint = { hostId: 'host-1', uri: 'sim://hv1' };
const MIB = 1024 * 1024;

/** A world of one host whose virtual time moves by itself while a suite runs on it. */
export class SimulatedLab {
  readonly environment: SimEnvironment;
  readonly world: SimWorld;
  readonly plugin: DriverPlugin;
  readonly hypervisor: HypervisorDriver;
  readonly storage: StorageDriver;
  readonly network: NetworkDriver;
  #over = false;
  #count = 0;

  constructor(seed: string, without: readonly HypervisorFeature[] = []) {
    this.environment = new SimEnvironment(seed);
    this.world = new SimWorld(this.environment);
    this.world.addHost('hv1');
    this.plugin = simulated({ world: this.world, environment: this.environment.incarnation(), without });
    this.hypervisor = this.openHypervisor();
    this.storage = this.openStorage('simulated');
    this.network = this.openNetwork();
    void this.#letTimePass();
  }

  openHypervisor(): HypervisorDriver {
    return first(this.plugin.strategies.hypervisor).open(HOST);
  }

  openNetwork(): NetworkDriver {
    return first(this.plugin.strategies.network).open({ host: HOST });
  }

  openStorage(name: 'simulated' | 'simulated-shared'): StorageDriver {
    const factory = first(this.plugin.strategies.storage?.filter((each) => each.name === name));
    return factory.open({ poolId: 'pool-1', scope: factory.scope, host: HOST, settings: {} });
  }

  call() {
    return { requestId: 'lab', signal: new AbortController().signal, timeoutMs: 10_000 };
  }

  /** What the suites of all three contracts share. */
  base<D>(site: string, open: () => D): Harness<D> {
    const { world, environment } = this;
    return {
      environment,
      open: async () => open(),
      freeze: async () => world.freeze(site),
      thaw: async () => world.thaw(site),
      settle: async () => {
        do await sleep(environment.timers, 50);
        while (world.inFlight > 0);
      },
      close: async () => {
        this.#over = true;
      },
    };
  }

  async disk(slot: number): Promise<DiskSpec> {
    const volumeId = this.world.newUuid();
    await this.storage.ensurePool(this.call());
    await this.storage.volumes.create({ id: volumeId, sizeBytes: 8 * MIB }, this.call());
    const attachment = await this.storage.volumes.attach(volumeId, HOST, this.call());
    return { volumeId, attachment, slot, readOnly: false };
  }

  async nic(slot: number): Promise<NicSpec> {
    const [nicId, networkId] = [this.world.newUuid(), this.world.newUuid()];
    const network = { id: networkId, name: networkId, owner: 'lab', mode: 'nat', subnets: [] } as const;
    const mac = this.mac();
    await this.network.ensureNetwork(network, this.call());
    const plug: Plug = await this.network.ensurePort({ nicId, networkId, mac, addresses: [] }, this.call());
    return { nicId, mac, plug, slot };
  }

  mac(): string {
    this.#count += 1;
    return `52:54:00:00:${(this.#count >> 8).toString(16).padStart(2, '0')}:${(this.#count & 0xff).toString(16).padStart(2, '0')}`;
  }

  async machine(): Promise<MachineSpec> {
    const id = this.world.newUuid();
    const sizes = { vcpus: 1, vcpusMax: 4, memoryBytes: 256 * MIB, memoryBytesMax: 1024 * MIB };
    const os = { guestOs: 'linux', firmware: 'bios', diskBus: 'virtio' } as const;
    await this.storage.ensurePool(this.call());
    const seed = await this.storage.seeds.put(id, new Uint8Array(512), this.call());
    return { id, name: `m-${id}`, owner: 'lab', ...sizes, ...os, disks: [await this.disk(0)], nics: [await this.nic(0)], seed };
  }

  async #letTimePass(): Promise<void> {
    while (!this.#over) await this.environment.step();
  }
}

function first<T>(items: readonly T[] | undefined): T {
  const item = items?.[0];
  if (item === undefined) throw new Error('the plugin has no such strategy');
  return item;
}

export async function hypervisorHarness(without: readonly HypervisorFeature[] = []): Promise<HypervisorHarness> {
  const lab = new SimulatedLab('hypervisor', without);
  return {
    ...lab.base('hv1', () => lab.openHypervisor()),
    machine: () => lab.machine(),
    disk: (slot) => lab.disk(slot),
    tear: async (id, disk) => lab.world.host('hv1').tear(id, disk.volumeId),
    nic: (slot) => lab.nic(slot),
    booted: async (id) => {
      while (!lab.world.host('hv1').machine(id).booted) await sleep(lab.environment.timers, 100);
    },
    foreignMachine: async () => lab.world.host('hv1').addForeignMachine('foreign').spec.id,
  };
}

export async function storageHarness(name: 'simulated' | 'simulated-shared'): Promise<StorageHarness> {
  const lab = new SimulatedLab(name);
  return { ...lab.base(name === 'simulated' ? 'hv1' : SHARED_SITE, () => lab.openStorage(name)), host: HOST };
}

export async function networkHarness(): Promise<NetworkHarness> {
  const lab = new SimulatedLab('network');
  const { world } = lab;
  let subnets = 0;
  let ports = 1;
  return {
    ...lab.base('hv1', () => lab.openNetwork()),
    network: async () => {
      const id = world.newUuid();
      subnets += 1;
      const subnet = { id: world.newUuid(), cidr: `10.20.${subnets}.0/24`, gateway: `10.20.${subnets}.1`, dnsServers: [] };
      return { id, name: `n-${id}`, owner: 'lab', mode: 'nat', subnets: [subnet] };
    },
    port: async (network) => {
      ports += 1;
      const address = network.subnets[0]?.cidr.replace('.0/24', `.${ports}`) ?? '';
      return { nicId: world.newUuid(), networkId: network.id, mac: lab.mac(), addresses: [address] };
    },
    stopNetwork: async (id) => {
      const network = world.host('hv1').networks.get(id);
      if (network !== undefined) network.active = false;
    },
    foreignNetwork: async () => world.host('hv1').addForeignNetwork('foreign'),
  };
}
