import type {
  Attachment,
  BackupStoreDriver,
  DiskSpec,
  DriverPlugin,
  HostEndpoint,
  HypervisorDriver,
  IsoSpec,
  MachineSpec,
  NetworkDriver,
  NicSpec,
  Plug,
  StorageDriver,
} from '@pileus/core/strategy';
import { expect } from 'chai';
import { sleep } from '../../src/kernel/environment.ts';
import type {
  Harness,
  HypervisorFeature,
  HypervisorHarness,
  KeepersHarness,
  NetworkHarness,
  StorageFeature,
  StorageHarness,
} from '../../testing/index.ts';
import { SHARED_SITE, SimEnvironment, SimWorld, simulated } from '../../testing/index.ts';
import { SimContent } from '../../testing/sim/content.ts';

const HOST: HostEndpoint = { hostId: 'host-1', uri: 'sim://hv1' };
const OTHER: HostEndpoint = { hostId: 'host-2', uri: 'sim://hv2' };
const MIB = 1024 * 1024;

/** A world of a host, and one beside it, whose virtual time moves by itself while a suite runs on it. */
export class SimulatedLab {
  readonly environment: SimEnvironment;
  readonly world: SimWorld;
  readonly plugin: DriverPlugin;
  readonly hypervisor: HypervisorDriver;
  readonly storage: StorageDriver;
  readonly network: NetworkDriver;
  #over = false;
  #count = 0;

  constructor(seed: string, without: readonly (HypervisorFeature | StorageFeature)[] = []) {
    this.environment = new SimEnvironment(seed);
    this.world = new SimWorld(this.environment);
    this.world.addHost('hv1');
    this.world.addHost('hv2');
    this.plugin = simulated({ world: this.world, environment: this.environment.incarnation(), without });
    this.hypervisor = this.openHypervisor();
    this.storage = this.openStorage('simulated');
    this.network = this.openNetwork();
    void this.#letTimePass();
  }

  openHypervisor(at = HOST): HypervisorDriver {
    return first(this.plugin.strategies.hypervisor).open(at);
  }

  openNetwork(): NetworkDriver {
    return first(this.plugin.strategies.network).open({ host: HOST });
  }

  openSharedNetwork(): NetworkDriver {
    return first(this.plugin.strategies.network?.filter(({ scope }) => scope === 'zone')).open({});
  }

  openStorage(name: 'simulated' | 'simulated-shared'): StorageDriver {
    const factory = first(this.plugin.strategies.storage?.filter((each) => each.name === name));
    return factory.open({ poolId: 'pool-1', scope: factory.scope, host: HOST, settings: name === 'simulated' ? {} : { user: 'vm' } });
  }

  openBackups(): BackupStoreDriver {
    return first(this.plugin.strategies.backup).open({ storeId: 'store-1', settings: {} });
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

  /** In another pool of the host. */
  async place({ volumeId }: DiskSpec): Promise<Attachment> {
    const factory = first(this.plugin.strategies.storage?.filter(({ name }) => name === 'simulated'));
    const pool = factory.open({ poolId: this.world.newUuid(), scope: 'host', host: HOST, settings: {} });
    await pool.ensurePool(this.call());
    await pool.volumes.create({ id: volumeId, sizeBytes: 8 * MIB }, this.call());
    return pool.volumes.attach(volumeId, HOST, this.call());
  }

  /** Each in a pool of its own. */
  async sealedDisk(slot: number) {
    const [volumeId, poolId] = [this.world.newUuid(), this.world.newUuid()];
    const factory = first(this.plugin.strategies.storage?.filter((each) => each.scope === 'cluster'));
    const pool = factory.open({ poolId, scope: 'cluster', settings: { user: 'vm' } });
    await pool.ensurePool(this.call());
    await pool.volumes.create({ id: volumeId, sizeBytes: 8 * MIB }, this.call());
    const attachment = await pool.volumes.attach(volumeId, HOST, this.call());
    if (attachment.type !== 'rbd') throw new Error(`an attachment of type ${attachment.type}`);
    const { secretRef } = attachment;
    const value = (await pool.secret?.(secretRef, this.call())) ?? '';
    return { disk: { volumeId, attachment, slot, readOnly: false }, secretRef, value };
  }

  async iso(): Promise<IsoSpec> {
    const imageId = this.world.newUuid();
    const content = {
      sizeBytes: MIB,
      open: async function* () {
        yield new Uint8Array(MIB);
      },
    };
    await this.storage.ensurePool(this.call());
    await this.storage.images.put({ id: imageId, format: 'raw', virtualSizeBytes: MIB, content }, this.call());
    const attachment = (await this.storage.images.attach?.(imageId, this.call())) ?? expect.fail('the pool shows no images');
    return { imageId, attachment };
  }

  async nic(slot: number): Promise<NicSpec> {
    const [nicId, networkId] = [this.world.newUuid(), this.world.newUuid()];
    const network = { id: networkId, name: networkId, owner: 'lab', mode: 'nat', subnets: [] } as const;
    const mac = this.mac();
    await this.network.ensureNetwork(network, this.call());
    const plug: Plug = await this.network.ensurePort({ nicId, networkId, mac, addresses: [], subnetIds: [], owner: 'lab' }, this.call());
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

  /** On a disk and a network that both hosts reach. */
  async portable(): Promise<MachineSpec> {
    const { disk, secretRef, value } = await this.sealedDisk(0);
    const pool = first(this.plugin.strategies.storage?.filter((each) => each.scope === 'cluster'));
    for (const [at, driver] of [
      [HOST, this.hypervisor],
      [OTHER, this.openHypervisor(OTHER)],
    ] as const) {
      await pool
        .open({ poolId: poolIdOf(disk), scope: 'cluster', settings: { user: 'vm' } })
        .volumes.attach(disk.volumeId, at, this.call());
      await driver.secrets?.put(secretRef, value, this.call());
    }
    const [nicId, networkId] = [this.world.newUuid(), this.world.newUuid()];
    const fabric = this.openSharedNetwork();
    await fabric.ensureNetwork({ id: networkId, name: networkId, owner: 'lab', mode: 'nat', subnets: [] }, this.call());
    const port = { nicId, networkId, mac: this.mac(), addresses: [], subnetIds: [], owner: 'lab' };
    const nics = [{ nicId, mac: port.mac, plug: await fabric.ensurePort(port, this.call()), slot: 0 }];
    const { seed: _, ...spec } = await this.machine();
    return { ...spec, disks: [disk], nics, record: 'a record' };
  }

  async #letTimePass(): Promise<void> {
    while (!this.#over) await this.environment.step();
  }
}

function poolIdOf({ attachment }: DiskSpec): string {
  if (attachment.type !== 'rbd') throw new Error(`an attachment of type ${attachment.type}`);
  return attachment.pool;
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
    place: (disk) => lab.place(disk),
    disk: (slot) => lab.disk(slot),
    sealedDisk: (slot) => lab.sealedDisk(slot),
    guestDiskBytes: async (id, disk) => lab.world.host('hv1').machine(id).diskBytes.get(disk.volumeId) ?? 0,
    tear: async (id, disk) => lab.world.host('hv1').tear(id, disk.volumeId),
    iso: () => lab.iso(),
    nic: (slot) => lab.nic(slot),
    booted: async (id) => {
      while (!lab.world.host('hv1').machine(id).booted) await sleep(lab.environment.timers, 100);
    },
    elsewhere: async () => ({ driver: lab.openHypervisor(OTHER), endpoint: OTHER, home: HOST }),
    portable: () => lab.portable(),
    foreignMachine: async () => lab.world.host('hv1').addForeignMachine('foreign').spec.id,
  };
}

export async function storageHarness(
  name: 'simulated' | 'simulated-shared',
  without: readonly StorageFeature[] = [],
): Promise<StorageHarness> {
  const lab = new SimulatedLab(name, without);
  const pool = () => lab.world.pools.get(name === 'simulated' ? 'hv1/pool-1' : 'pool-1') ?? expect.fail('the pool is not there');
  let clients = 0;
  return {
    ...lab.base(name === 'simulated' ? 'hv1' : SHARED_SITE, () => lab.openStorage(name)),
    host: HOST,
    client: async (volumeId) => {
      clients += 1;
      const client = `client ${clients}`;
      const volume = pool().find('volume', volumeId) ?? expect.fail('the volume is not there');
      volume.clients.add(client);
      return {
        write: async () => {
          if (volume.shutOut.has(client)) throw new Error(`${client} is shut out`);
        },
        close: async () => void volume.clients.delete(client),
      };
    },
    plant: async (name, sizeBytes) => void pool().others.set(name, { sizeBytes, content: SimContent.EMPTY }),
    harm: async () => {
      pool().facts = { ...pool().facts, health: 'degraded', reason: 'a disk is down' };
    },
    heal: async () => {
      const { reason: _, ...facts } = pool().facts;
      pool().facts = { ...facts, health: 'healthy' };
    },
  };
}

export async function keepersHarness(): Promise<KeepersHarness> {
  const lab = new SimulatedLab('keepers');
  const { kept } = lab.world.fabric;
  return {
    ...lab.base(SHARED_SITE, () => lab.openSharedNetwork()),
    ...{ owner: 'lab', hosts: ['hv1'], physicalNetwork: 'physnet1' },
    seen: async (sort, id) => kept.of(sort).get(id)?.spec,
    spoil: async (sort, id) => {
      const there = kept.of(sort).get(id);
      if (there !== undefined) kept.of(sort).set(id, { ...there, spec: { ...there.spec, ...{ name: 'spoilt' } } });
      return true;
    },
    foreign: async (sort) => {
      const id = lab.world.newUuid();
      kept.addForeign(sort, id);
      return id;
    },
  };
}

/** Of a host, or those that span all hosts. */
export async function networkHarness(site: 'hv1' | typeof SHARED_SITE): Promise<NetworkHarness> {
  const lab = new SimulatedLab('network');
  const { world } = lab;
  const at = site === SHARED_SITE ? world.fabric : world.host(site);
  let subnets = 0;
  let ports = 1;
  return {
    ...lab.base(site, () => (site === SHARED_SITE ? lab.openSharedNetwork() : lab.openNetwork())),
    network: async () => {
      const id = world.newUuid();
      subnets += 1;
      const subnet = { id: world.newUuid(), cidr: `10.20.${subnets}.0/24`, gateway: `10.20.${subnets}.1`, dnsServers: [] };
      return { id, name: `n-${id}`, owner: 'lab', mode: 'nat', subnets: [subnet] };
    },
    port: async (network) => {
      ports += 1;
      const address = network.subnets[0]?.cidr.replace('.0/24', `.${ports}`) ?? '';
      return {
        nicId: world.newUuid(),
        networkId: network.id,
        mac: lab.mac(),
        addresses: [address],
        subnetIds: network.subnets.map(({ id }) => id),
        owner: network.owner,
      };
    },
    stopNetwork: async (id) => {
      const network = at.networks.get(id);
      if (network !== undefined) network.active = false;
    },
    foreignNetwork: async () => at.addForeignNetwork('foreign'),
  };
}
