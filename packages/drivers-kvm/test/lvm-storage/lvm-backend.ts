import { nodeEnvironment } from '@pileus/core/node';
import type { HostEndpoint, PoolEndpoint, StorageDriver } from '@pileus/core/strategy';
import { SanMachine } from '../../../../tools/san/machine.ts';
import { kvm } from '../../src/index.ts';

const GROUP = 'pileus-test';
const SETTINGS = { group: GROUP, path: '/var/lib/pileus' };

interface Options {
  readonly prepare?: (machine: SanMachine) => Promise<string>;
  readonly extentBytes?: number;
}

/** A volume group in a machine whose kernel has device-mapper, and the libvirtd of that machine. Its extents are small, so that sizes need not be even. */
export class LvmBackend {
  readonly environment = nodeEnvironment();
  readonly machine: SanMachine;
  readonly host: HostEndpoint;

  private constructor(machine: SanMachine) {
    this.machine = machine;
    this.host = { hostId: 'san-host', uri: `qemu+unix:///system?socket=${machine.socketPath}` };
  }

  /** @param prepare gives the device of the group; by default it is the machine's own disk */
  static async up({ prepare = async () => '/dev/vda', extentBytes = 4096 }: Options = {}): Promise<LvmBackend> {
    const machine = await SanMachine.start();
    try {
      const device = await prepare(machine);
      await machine.run(`pvcreate ${device} && vgcreate -s ${extentBytes}b ${GROUP} ${device}`);
      return new LvmBackend(machine);
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  async open(settings: PoolEndpoint['settings'] = SETTINGS, poolId = '01900000-0000-7000-8000-00000000900d'): Promise<StorageDriver> {
    const factory = kvm().strategies.storage?.find(({ name }) => name === 'libvirt-lvm');
    if (factory === undefined) throw new Error('the plugin has no LVM');
    return factory.open({ poolId, scope: 'host', host: this.host, settings });
  }

  async freeze(): Promise<void> {
    this.machine.freeze();
  }

  async thaw(): Promise<void> {
    this.machine.thaw();
  }

  settle(): Promise<void> {
    return this.machine.settle();
  }

  async close(): Promise<void> {
    await this.machine[Symbol.asyncDispose]();
  }
}
