import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeEnvironment } from '@pileus/core/node';
import type { PoolEndpoint, StorageDriver } from '@pileus/core/strategy';
import { type Lab, type LabOptions, labUp } from '../../../../test/lab/lab.ts';
import { run } from '../../../../tools/system/command.ts';
import { ensureSystem } from '../../../../tools/system/ensure.ts';
import { NfsServer, type NfsServerOptions } from '../../../../tools/system/nfs-server.ts';
import { TEST_PACKAGES } from '../../../../tools/system/packages.ts';
import { QemuClient } from '../../../../tools/system/qemu-client.ts';
import { kvm } from '../../src/index.ts';

/** A real NFS server, on the network of a lab whose hosts reach it. */
export class NfsBackend {
  readonly environment = nodeEnvironment();
  readonly host = { hostId: 'any', uri: 'qemu:///system' };
  readonly lab: Lab;
  readonly server: NfsServer;

  private constructor(lab: Lab, server: NfsServer) {
    this.lab = lab;
    this.server = server;
  }

  static async up({ squashTo, ...options }: Partial<LabOptions> & Pick<NfsServerOptions, 'squashTo'> = {}): Promise<NfsBackend> {
    const system = await ensureSystem({ log: () => {}, also: TEST_PACKAGES });
    if (!system.ok) throw new Error(system.reason);
    const lab = await labUp({ hosts: 0, ...options });
    try {
      const server = await NfsServer.start({ netns: lab.name, ...(squashTo !== undefined && { squashTo }) });
      await writeFile(join(server.folder, 'pileus-pool'), '');
      return new NfsBackend(lab, server);
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  get settings(): PoolEndpoint['settings'] {
    return { server: this.lab.fabricAddress, export: this.server.folder };
  }

  async open(settings = this.settings): Promise<StorageDriver> {
    const factory = kvm().strategies.storage?.find(({ name }) => name === 'nfs');
    if (factory === undefined) throw new Error('the plugin has no NFS');
    return factory.open({ poolId: '01900000-0000-7000-8000-00000000900c', scope: 'zone', settings });
  }

  /** As QEMU's own client reaches a file: the witness, which knows nothing of ours. */
  url(name: string): string {
    return `nfs://${this.lab.fabricAddress}${this.server.folder}/${name}`;
  }

  client(volumeId: string): Promise<QemuClient> {
    return QemuClient.open(this.url(`volume-${volumeId}.raw`));
  }

  /** As somebody on the server makes a disk. */
  async plant(name: string, sizeBytes: number): Promise<void> {
    await writeFile(join(this.server.folder, name), '');
    await truncate(join(this.server.folder, name), sizeBytes);
  }

  async freeze(): Promise<void> {
    await this.server.freeze();
  }

  async thaw(): Promise<void> {
    this.server.thaw();
  }

  /** Until the server sleeps, some looks in a row: between two of them it has done what was sent. */
  async settle(): Promise<void> {
    for (let idleLooks = 0; idleLooks < 3; await sleep(50)) idleLooks = (await this.server.isIdle()) ? idleLooks + 1 : 0;
    await run(['qemu-img', 'info', '--force-share', '--output=json', this.url('pileus-pool')]);
  }

  async close(): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.lab.down();
  }
}
