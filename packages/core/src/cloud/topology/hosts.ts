import { CloudError, isCloudError, type KernelServices, type RowOf } from '../../kernel/index.ts';
import type {
  Attachment,
  ByteStream,
  Call,
  DiskBackup,
  DiskBackupBegun,
  DiskCopyLimit,
  DiskCopyState,
  DiskLimits,
  DiskSpec,
  HostEndpoint,
  HypervisorDriver,
  HypervisorFactory,
  IsoSpec,
  MachineSpec,
  NicLimits,
  NicSpec,
  SecretUse,
} from '../../strategy/index.ts';
import { type CallObserver, DriverCaller, required } from '../driver-call.ts';
import { cluster } from './cluster.ts';
import { host } from './host.ts';
import { LateCalls, type MachineAsk } from './late-calls.ts';

type Feature =
  | 'hotplug'
  | 'drive'
  | 'diskBackup'
  | 'diskCopy'
  | 'migration'
  | 'quiesce'
  | 'usage'
  | 'resize'
  | 'growDisk'
  | 'secrets'
  | 'cpuShares'
  | 'diskLimits'
  | 'nicLimits'
  | 'serial'
  | 'vnc';

/** One host's hypervisor as the cloud holds it: validated, timed, measured, one kind of error. */
export class Hypervisor {
  readonly place: string;
  readonly #driver: HypervisorDriver;
  readonly #caller: DriverCaller;
  readonly #noteLate: (ask: MachineAsk) => void;

  constructor(place: string, driver: HypervisorDriver, caller: DriverCaller, noteLate: (ask: MachineAsk) => void) {
    this.place = place;
    this.#driver = driver;
    this.#caller = caller;
    this.#noteLate = noteLate;
  }

  /** What may be done behind what takes it back is remembered where it is not answered. */
  async #remembered(name: string, ask: MachineAsk, call: Call, body: (call: Call) => Promise<void>): Promise<void> {
    try {
      await this.#caller.run(name, call, body);
    } catch (error) {
      if (isCloudError(error) && error.code === 'timeout') this.#noteLate(ask);
      throw error;
    }
  }

  inventory(call: Call) {
    return this.#caller.run('inventory', call, (c) => this.#driver.inventory(c));
  }
  usage(call: Call) {
    const feature = required(this.#driver.usage, this.place, 'tell what it and its machines use');
    return this.#caller.run('usage', call, (c) => feature.read(c));
  }
  define(spec: MachineSpec, call: Call) {
    return this.#caller.run('define', call, (c) => this.#driver.machines.define(spec, c));
  }
  inspect(id: string, call: Call) {
    return this.#caller.run('inspect', call, (c) => this.#driver.machines.inspect(id, c));
  }
  list(call: Call) {
    return this.#caller.run('list', call, (c) => this.#driver.machines.list(c));
  }
  remove(id: string, call: Call) {
    return this.#remembered('remove', { method: 'remove', machineId: id }, call, (c) => this.#driver.machines.remove(id, c));
  }
  power(verb: keyof HypervisorDriver['power'], id: string, call: Call) {
    return this.#caller.run(verb, call, (c) => this.#driver.power[verb](id, c));
  }
  attachDisk(id: string, disk: DiskSpec, call: Call) {
    const feature = required(this.#driver.hotplug, this.place, 'attach disks to a machine');
    const ask = { method: 'attachDisk', machineId: id, partId: disk.volumeId } as const;
    return this.#remembered('attachDisk', ask, call, (c) => feature.attachDisk(id, disk, c));
  }
  detachDisk(id: string, volumeId: string, call: Call) {
    const feature = required(this.#driver.hotplug, this.place, 'detach disks from a machine');
    const ask = { method: 'detachDisk', machineId: id, partId: volumeId } as const;
    return this.#remembered('detachDisk', ask, call, (c) => feature.detachDisk(id, volumeId, c));
  }
  attachNic(id: string, nic: NicSpec, call: Call) {
    const feature = required(this.#driver.hotplug, this.place, 'attach NICs to a machine');
    const ask = { method: 'attachNic', machineId: id, partId: nic.nicId } as const;
    return this.#remembered('attachNic', ask, call, (c) => feature.attachNic(id, nic, c));
  }
  detachNic(id: string, nicId: string, call: Call) {
    const feature = required(this.#driver.hotplug, this.place, 'detach NICs from a machine');
    const ask = { method: 'detachNic', machineId: id, partId: nicId } as const;
    return this.#remembered('detachNic', ask, call, (c) => feature.detachNic(id, nicId, c));
  }
  insertIso(id: string, iso: IsoSpec, call: Call) {
    const feature = this.#drive;
    const ask = { method: 'insertIso', machineId: id } as const;
    return this.#remembered('drive.insert', ask, call, (c) => feature.insert(id, iso, c));
  }
  /** Also where the guest has locked the tray, when it is forced. */
  ejectIso(id: string, forced: boolean, call: Call) {
    const feature = this.#drive;
    const ask = { method: 'ejectIso', machineId: id } as const;
    return this.#remembered('drive.eject', ask, call, (c) => feature.eject(id, forced, c));
  }
  get #drive() {
    return required(this.#driver.drive, this.place, 'show an ISO to a machine');
  }
  setVcpus(id: string, vcpus: number, call: Call) {
    const feature = required(this.#driver.resize, this.place, 'add processors to a running machine');
    return this.#caller.run('setVcpus', call, (c) => feature.setVcpus(id, vcpus, c));
  }
  setMemory(id: string, memoryBytes: number, call: Call) {
    const feature = required(this.#driver.resize, this.place, 'add memory to a running machine');
    return this.#caller.run('setMemory', call, (c) => feature.setMemory(id, memoryBytes, c));
  }
  /** @param sizeBytes whole and above 0 */
  growDisk(id: string, volumeId: string, sizeBytes: number, call: Call) {
    const grow = required(this.#driver.resize?.growDisk, this.place, 'grow disks of a running machine');
    return this.#caller.run('growDisk', call, (c) => grow.call(this.#driver.resize, id, volumeId, sizeBytes, c));
  }
  /** The host keeps the value; nobody else may. */
  putSecret(secretRef: string, value: string, call: Call, use?: SecretUse) {
    const feature = required(this.#driver.secrets, this.place, 'keep the secrets of disks');
    return this.#caller.run('putSecret', call, (c) => feature.put(secretRef, value, c, use));
  }
  deleteSecret(secretRef: string, call: Call) {
    const feature = required(this.#driver.secrets, this.place, 'keep the secrets of disks');
    return this.#caller.run('deleteSecret', call, (c) => feature.delete(secretRef, c));
  }
  setCpuShares(id: string, shares: number, call: Call) {
    const set = required(this.#driver.limits?.setCpuShares, this.place, 'change processor shares of a running machine');
    return this.#caller.run('setCpuShares', call, (c) => set.call(this.#driver.limits, id, shares, c));
  }
  setDiskLimits(id: string, volumeId: string, limits: DiskLimits, call: Call) {
    const set = required(this.#driver.limits?.setDiskLimits, this.place, 'limit disks of a running machine');
    return this.#caller.run('setDiskLimits', call, (c) => set.call(this.#driver.limits, id, volumeId, limits, c));
  }
  setNicLimits(id: string, nicId: string, limits: NicLimits, call: Call) {
    const set = required(this.#driver.limits?.setNicLimits, this.place, 'limit NICs of a running machine');
    return this.#caller.run('setNicLimits', call, (c) => set.call(this.#driver.limits, id, nicId, limits, c));
  }
  /** It is paused at the target then, and unknown here. */
  sendMachine(id: string, target: HostEndpoint, call: Call) {
    const feature = required(this.#driver.migration, this.place, 'send a running machine to another host');
    return this.#caller.run('sendMachine', call, (c) => feature.send(id, target, c));
  }
  cancelSend(id: string, call: Call) {
    const feature = required(this.#driver.migration, this.place, 'send a running machine to another host');
    return this.#caller.run('cancelSend', call, (c) => feature.cancel(id, c));
  }
  /** All of it is in both places then, and all that the guest writes from then on. */
  copyDisk(id: string, volumeId: string, to: Attachment, limit: DiskCopyLimit, call: Call) {
    const feature = this.#diskCopy;
    return this.#caller.run('diskCopy.copy', call, (c) => feature.copy(id, volumeId, to, limit, c));
  }
  lookAtDiskCopy(id: string, volumeId: string, to: Attachment, call: Call): Promise<DiskCopyState | undefined> {
    const feature = this.#diskCopy;
    return this.#caller.run('diskCopy.look', call, (c) => feature.look(id, volumeId, to, c));
  }
  pivotDisk(id: string, volumeId: string, to: Attachment, call: Call) {
    const feature = this.#diskCopy;
    return this.#caller.run('diskCopy.pivot', call, (c) => feature.pivot(id, volumeId, to, c));
  }
  cancelDiskCopy(id: string, volumeId: string, call: Call) {
    const feature = this.#diskCopy;
    return this.#caller.run('diskCopy.cancel', call, (c) => feature.cancel(id, volumeId, c));
  }
  changeSeed(id: string, seed: Attachment, call: Call) {
    const feature = this.#diskCopy;
    return this.#caller.run('diskCopy.changeSeed', call, (c) => feature.changeSeed(id, seed, c));
  }
  get #diskCopy() {
    return required(this.#driver.diskCopy, this.place, 'move a disk that is in use');
  }
  /** Answers when the instant is over. */
  beginDiskBackup(id: string, backup: DiskBackup, call: Call): Promise<DiskBackupBegun> {
    const feature = this.#diskBackup;
    if (!feature.places.includes(backup.to.type))
      throw new CloudError('unsupported', `${this.place} cannot copy a disk that is in use into such a place.`);
    return this.#caller.run('diskBackup.begin', call, (c) => feature.begin(id, backup, c));
  }
  finishDiskBackup(id: string, volumeId: string, to: Attachment, call: Call) {
    const feature = this.#diskBackup;
    return this.#caller.run('diskBackup.finish', call, (c) => feature.finish(id, volumeId, to, c));
  }
  cancelDiskBackup(id: string, volumeId: string, trail: string, call: Call) {
    const feature = this.#diskBackup;
    return this.#caller.run('diskBackup.cancel', call, (c) => feature.cancel(id, volumeId, trail, c));
  }
  trails(id: string, volumeId: string, call: Call) {
    const feature = this.#diskBackup;
    return this.#caller.run('diskBackup.trails', call, (c) => feature.trails(id, volumeId, c));
  }
  keepTrails(id: string, volumeId: string, kept: readonly string[], call: Call) {
    const feature = this.#diskBackup;
    return this.#caller.run('diskBackup.keepTrails', call, (c) => feature.keepTrails(id, volumeId, kept, c));
  }
  get #diskBackup() {
    return required(this.#driver.diskBackup, this.place, 'copy a disk as it is at one instant while it is in use');
  }
  freeze(id: string, call: Call) {
    const feature = required(this.#driver.quiesce, this.place, 'ask a guest to hold its writes back');
    return this.#caller.run('freeze', call, (c) => feature.freeze(id, c));
  }
  /** Answers whether writes were held back; never where the host cannot ask for that. */
  async thaw(id: string, call: Call): Promise<boolean> {
    const feature = this.#driver.quiesce;
    return feature !== undefined && this.#caller.run('thaw', call, (c) => feature.thaw(id, c));
  }
  console(type: 'serial' | 'vnc', id: string, call: Call): Promise<ByteStream> {
    const open = required(this.#driver.consoles?.[type], this.place, `open a ${type} console`);
    return this.#caller.run(`console.${type}`, call, (c) => open.call(this.#driver.consoles, id, c));
  }
  /** @throws CloudError `unsupported` when the host lacks the feature: asked before anything changes. */
  need(feature: Feature): void {
    required(this.#offered(feature), this.place, feature);
  }
  offers(feature: Feature): boolean {
    return this.#offered(feature) !== undefined;
  }
  #offered(feature: Feature): object | undefined {
    const { hotplug, drive, diskBackup, diskCopy, migration, resize, secrets, limits, consoles, quiesce, usage } = this.#driver;
    return {
      hotplug,
      drive,
      diskBackup,
      diskCopy,
      migration,
      resize,
      quiesce,
      usage,
      growDisk: resize?.growDisk,
      secrets,
      cpuShares: limits?.setCpuShares,
      diskLimits: limits?.setDiskLimits,
      nicLimits: limits?.setNicLimits,
      serial: consoles?.serial,
      vnc: consoles?.vnc,
    }[feature];
  }
  watch(hint: (machineId: string | undefined) => void): () => void {
    return this.#driver.watch?.(hint) ?? (() => undefined);
  }
  async close(): Promise<void> {
    this.#caller.close();
    await this.#driver.close();
  }
}

/** `credentials`: JSON, as `host.create` takes it. */
export const endpointOf = (hostId: string, uri: string, credentials: string | undefined): HostEndpoint => ({
  hostId,
  uri,
  ...(credentials === undefined ? {} : { tls: JSON.parse(credentials) as NonNullable<HostEndpoint['tls']> }),
});

interface Opened {
  readonly uri: string;
  readonly endpoint: HostEndpoint;
  readonly hypervisor: Hypervisor;
}

/** The hosts this node is connected to, opened on first use. */
export class Hosts {
  readonly #services: KernelServices;
  readonly #observe: CallObserver;
  readonly #opened = new Map<string, Promise<Opened>>();
  /** Also of connections that were opened anew since. */
  readonly late: LateCalls;

  constructor(services: KernelServices, observe: CallObserver) {
    this.#services = services;
    this.late = new LateCalls(services);
    this.#observe = observe;
  }

  async hypervisor(hostId: string): Promise<Hypervisor> {
    return (await this.#open(hostId)).hypervisor;
  }

  async endpoint(hostId: string): Promise<HostEndpoint> {
    return (await this.#open(hostId)).endpoint;
  }

  /** Opens and closes what would connect to it, without a call. @throws CloudError invalid_input when the driver cannot reach such an address, unsupported */
  async refuseUnreachable(hypervisor: string, endpoint: HostEndpoint): Promise<void> {
    const factory = this.#factory(hypervisor);
    let driver: HypervisorDriver;
    try {
      driver = factory.open(endpoint);
    } catch (cause) {
      const { message, field } = cause as Error & { readonly field?: string };
      throw new CloudError('invalid_input', `The host cannot be reached so: ${message}.`, { pointer: `/${field ?? 'uri'}`, cause });
    }
    await driver.close();
  }

  /** Whether the host answered its last looks. What is owed to one that did not is recorded as a debt. */
  async reachable(hostId: string): Promise<boolean> {
    return (await this.#services.reader.find(host, hostId))?.status === 'connected';
  }

  /** Forgets the connection, so that the next use opens it anew (another URI, other credentials, or gone). */
  async forget(hostId: string): Promise<void> {
    const opened = this.#opened.get(hostId);
    this.#opened.delete(hostId);
    if (opened !== undefined) await (await opened.catch(() => undefined))?.hypervisor.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#opened.keys()].map((hostId) => this.forget(hostId)));
  }

  #factory(hypervisor: string): HypervisorFactory {
    const factory = this.#services.kernel().registry.strategy('hypervisor', hypervisor) as HypervisorFactory | undefined;
    if (factory === undefined) throw new CloudError('unsupported', `No driver for the hypervisor ${hypervisor} is installed.`);
    return factory;
  }

  #open(hostId: string): Promise<Opened> {
    const known = this.#opened.get(hostId);
    if (known !== undefined) return known;
    const opening = this.#connect(hostId);
    this.#opened.set(hostId, opening);
    opening.catch(() => this.#opened.delete(hostId));
    return opening;
  }

  async #connect(hostId: string): Promise<Opened> {
    const { reader, secrets, environment } = this.#services;
    const row: RowOf<typeof host> | undefined = await reader.find(host, hostId);
    if (row === undefined) throw new CloudError('not_found', `No host ${hostId}.`);
    const { hypervisor: name } = (await reader.find(cluster, row.clusterId)) ?? { hypervisor: '' };
    const factory = this.#factory(name);
    const endpoint = endpointOf(hostId, row.uri, row.tlsCredentials === undefined ? undefined : await secrets.open(row.tlsCredentials));
    const driver = factory.open(endpoint);
    const place = `host ${row.name}`;
    const caller = new DriverCaller({
      environment,
      contract: 'hypervisor',
      place,
      classify: (error) => driver.classify(error),
      observe: (ended) => {
        this.late.ended(hostId, ended.outcome !== 'unknown_outcome' && ended.outcome !== 'unavailable');
        this.#observe(ended);
      },
      rest: this.#services.rest,
    });
    return { uri: row.uri, endpoint, hypervisor: new Hypervisor(place, driver, caller, (ask) => this.late.note(hostId, ask)) };
  }
}
