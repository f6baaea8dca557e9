import type { SimCloudOptions, SimHost, SimMachine } from '@pileus/core/testing';
import { assert } from 'chai';
import { host, instance, nic, volume } from '../../../src/cloud/index.ts';
import { type CloudError, equals, type RowOf } from '../../../src/kernel/index.ts';
import { GIB, HEARTBEAT_MS, LittleCloud } from '../little-cloud.ts';

export type State = RowOf<typeof instance>['state'];

interface Setting {
  /** Each with a pool of its own. Default: one. */
  readonly hosts?: number;
  readonly cpus?: number;
  readonly cluster?: object;
  /** Default: a network on the first host. */
  readonly network?: false;
}

export const SSH_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f';

/** Long enough for a full look at each host. */
export const LOOK_MS = 8 * HEARTBEAT_MS;
/** Long enough for a host that is gone to show as disconnected. */
export const LOST_MS = 10 * HEARTBEAT_MS;

/** Code, pointer and words of the refusal; `accepted` where there is none. */
export const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'accepted',
    (error: CloudError) => [error.code, error.pointer, error.publicMessage].filter((part) => part !== undefined).join(' '),
  );

/** A cloud in which machines can be made: hosts with pools, an image, a size `small`, a network. */
export class MachineStage extends LittleCloud {
  hostIds: readonly string[] = [];
  poolIds: readonly string[] = [];
  imageId = '';
  networkId = '';
  #made = 0;

  static async with(setting: Setting = {}, options: Partial<SimCloudOptions> = {}): Promise<MachineStage> {
    const stage = new MachineStage(options);
    await stage.sim.start();
    const zoneId = await stage.sim.done('zone.create', { name: 'zone' });
    stage.clusterId = await stage.sim.done('cluster.create', { name: 'cluster', zoneId, ...setting.cluster });
    for (let number = 1; number <= (setting.hosts ?? 1); number += 1) {
      const hostId = await stage.host(`hv${number}`, setting.cpus === undefined ? {} : { cpus: setting.cpus });
      stage.hostIds = [...stage.hostIds, hostId];
      stage.poolIds = [...stage.poolIds, await stage.pool(hostId)];
    }
    stage.imageId = await stage.image(4096, { name: 'image' });
    await stage.sim.done('instanceType.create', { name: 'small', vcpus: 1, memoryBytes: GIB, vcpusMax: 4, memoryBytesMax: 4 * GIB });
    if (setting.network !== false) stage.networkId = await stage.network();
    return stage;
  }

  network(more: object = {}): Promise<string> {
    return this.sim.done('network.create', { hostId: this.hostIds[0], subnets: [{ cidr: '10.0.0.0/24' }], ...more });
  }

  input(more: object = {}): object {
    this.#made += 1;
    return { name: `vm-${this.#made}`, instanceType: 'small', imageId: this.imageId, ...more };
  }

  /** A machine that was made. */
  machine(more: object = {}): Promise<string> {
    return this.sim.done('instance.create', this.input(more));
  }

  instance(id: string): Promise<RowOf<typeof instance>> {
    return this.row(instance, id);
  }

  /** What an operator of the host sees and does. */
  worldHost(number = 1): SimHost {
    return this.sim.world.host(`hv${number}`);
  }

  real(id: string, number = 1): SimMachine {
    return this.worldHost(number).machine(id);
  }

  /** How many hosts have the machine. */
  copies(id: string): number {
    return [...this.sim.world.hosts.values()].filter((entry) => entry.machines.has(id)).length;
  }

  /** Brings a running machine to a state by verbs, or behind our back. */
  async into(state: State, id: string): Promise<string> {
    if (state === 'stopped') await this.sim.done('instance.stop', { force: true }, id);
    if (state === 'suspended') await this.sim.done('instance.suspend', {}, id);
    if (state === 'deleted') await this.sim.done('instance.delete', {}, id);
    if (state === 'crashed') this.real(id).stop('crashed');
    if (state === 'missing') this.worldHost().remove(id);
    if (state === 'crashed' || state === 'missing') await this.sim.run(LOOK_MS);
    assert.equal((await this.instance(id)).state, state);
    return id;
  }

  async disks(instanceId: string): Promise<readonly RowOf<typeof volume>[]> {
    const rows = await this.sim.environment.complete(this.sim.kernel.reader.list(volume, equals('instanceId', instanceId)));
    return [...rows].sort((a, b) => (a.slot ?? 0) - (b.slot ?? 0));
  }

  async nics(instanceId: string): Promise<readonly RowOf<typeof nic>[]> {
    const rows = await this.sim.environment.complete(this.sim.kernel.reader.list(nic, equals('instanceId', instanceId)));
    return [...rows].sort((a, b) => a.slot - b.slot);
  }

  /** The refusal of a request that must change nothing at all: no row, no counter, nothing real. */
  async refusal(action: string, input: unknown, resourceId?: string): Promise<CloudError> {
    const before = [await this.revision(), await this.sim.residue()];
    const error = await this.sim.submit(action, input, resourceId).then(
      () => undefined,
      (cause: unknown) => cause as CloudError,
    );
    if (error === undefined) throw new Error(`${action} was accepted`);
    assert.deepEqual([await this.revision(), await this.sim.residue()], before, `${action} was refused, but changed something`);
    return error;
  }

  /** Counters of what is taken of each host. */
  async taken(hostId: string): Promise<readonly (number | undefined)[]> {
    const [vcpus, memory] = [
      await this.counter(`capacity/host/${hostId}/vcpus`),
      await this.counter(`capacity/host/${hostId}/memoryBytes`),
    ];
    return [vcpus?.value, memory?.value];
  }

  async lose(number: number): Promise<void> {
    this.sim.world.crash(`hv${number}`);
    await this.sim.run(LOST_MS);
    assert.equal((await this.row(host, this.hostIds[number - 1] ?? '')).status, 'disconnected');
  }
}
