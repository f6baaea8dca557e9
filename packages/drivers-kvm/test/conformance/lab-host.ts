import { setTimeout as sleep } from 'node:timers/promises';
import { nodeEnvironment } from '@pileus/core/node';
import type { HostEndpoint } from '@pileus/core/strategy';
import { virsh } from '../../../../test/lab/guest-domain.ts';
import type { LabHost } from '../../../../test/lab/host.ts';
import { type Lab, type LabOptions, labUp } from '../../../../test/lab/lab.ts';
import { attempt } from '../../../../tools/system/command.ts';

const SETTLED_MS = 180_000;

/** What every suite needs of a real libvirtd of its own. */
export class LabBackend {
  readonly environment = nodeEnvironment();
  readonly lab: Lab;
  readonly labHost: LabHost;
  readonly host: HostEndpoint;

  private constructor(lab: Lab) {
    this.lab = lab;
    this.labHost = lab.host(0);
    this.host = { hostId: this.labHost.name, uri: `qemu+unix:///system?socket=${this.labHost.socketPath}` };
  }

  static async up(options: Partial<LabOptions> = {}): Promise<LabBackend> {
    return new LabBackend(await labUp({ hosts: 1, ...options }));
  }

  /** The witness: it knows nothing of our own client. */
  virsh(...args: readonly string[]): Promise<string> {
    return virsh(this.labHost, ...args);
  }

  freeze(): Promise<void> {
    return this.labHost.freeze();
  }

  thaw(): Promise<void> {
    return this.labHost.thaw();
  }

  /** Until libvirtd's workers are all idle and nothing waits for one, some looks in a row: between two of them it has read what was sent. */
  async settle(): Promise<void> {
    const deadline = performance.now() + SETTLED_MS;
    for (let idleLooks = 0; idleLooks < 3; await sleep(30)) {
      idleLooks = (await this.#idle()) ? idleLooks + 1 : 0;
      if (performance.now() > deadline) throw new Error(`libvirtd of ${this.labHost.name} is not idle in ${SETTLED_MS} ms`);
    }
  }

  /** Nothing is, while it is not there: a libvirtd that was thawed may crash, and is started again. */
  async #idle(): Promise<boolean> {
    const socket = this.labHost.socketPath.replace(/libvirt-sock$/, 'libvirt-admin-sock');
    const { exitCode, stdout: text } = await attempt([
      'virt-admin',
      '--quiet',
      '--connect',
      `libvirtd:///system?socket=${socket}`,
      'srv-threadpool-info',
      'libvirtd',
    ]);
    if (exitCode !== 0) return false;
    const read = (field: string) => Number(new RegExp(`^${field}\\s*:\\s*(\\d+)`, 'm').exec(text)?.[1]);
    return read('nWorkers') === read('freeWorkers') && read('jobQueueDepth') === 0;
  }

  async close(): Promise<void> {
    await this.lab.down();
  }
}

export function required<T>(items: readonly T[] | undefined): T {
  const [first] = items ?? [];
  if (first === undefined) throw new Error('the plugin lacks a strategy');
  return first;
}
