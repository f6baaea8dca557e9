import type { HostInventory } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import type { HostLink } from '../host-links.ts';
import { descend } from '../xml/element.ts';
import { parse } from '../xml/reader.ts';
import type { VirtType } from './guest-profile.ts';
import { probeVirtType } from './kvm-probe.ts';

export interface VirtTypeOptions {
  /** `auto` boots a kernel under KVM to see whether guests run there. */
  readonly virtType: 'auto' | VirtType;
  readonly kernelPath: string;
}

/** For a probe with all that it asks of libvirt, on a busy host. */
const PROBE_MS = 30_000;

/** What does not change while the host is up. */
type Facts = Omit<HostInventory, 'cpus' | 'memoryBytes' | 'virtType'> & { readonly capabilities: string };

/** What a host is. Found out once a connection, since another daemon, or a rebooted host, may answer after the next one. */
export class HostFacts {
  readonly #link: HostLink;
  readonly #options: VirtTypeOptions;
  #facts: Facts | undefined;
  #virtType: Promise<VirtType> | undefined;
  #unsubscribe: (() => void) | undefined;
  readonly #closing = new AbortController();

  constructor(link: HostLink, options: VirtTypeOptions) {
    this.#link = link;
    this.#options = options;
  }

  /** One small request, and what is known already. */
  async inventory(deadline: Deadline): Promise<HostInventory> {
    const [node, facts] = await Promise.all([this.#link.host.api.nodeGetInfo({}, deadline.left), this.#known(deadline)]);
    const { capabilities: _, ...shown } = facts;
    return { ...shown, cpus: node.cpus, memoryBytes: node.memoryKib * 1024, virtType: await this.virtType(deadline) };
  }

  async virtType(deadline: Deadline): Promise<VirtType> {
    const { virtType, kernelPath } = this.#options;
    if (virtType !== 'auto') return virtType;
    const { capabilities } = await this.#known(deadline);
    this.#virtType ??= this.#probe(capabilities, kernelPath);
    return deadline.bound(this.#virtType, 'booting a kernel under KVM');
  }

  close(): void {
    this.#closing.abort();
    this.#unsubscribe?.();
  }

  async #known(deadline: Deadline): Promise<Facts> {
    this.#unsubscribe ??= this.#link.host.subscribe((event) => {
      if (event.kind === 'disconnected') this.#forget();
    });
    this.#facts ??= await this.#read(deadline);
    return this.#facts;
  }

  #forget(): void {
    this.#facts = undefined;
    this.#virtType = undefined;
  }

  /** With time of its own: a caller in a hurry gives up its wait, and the next one finds the answer. */
  #probe(capabilities: string, kernelPath: string): Promise<VirtType> {
    const deadline = new Deadline({ requestId: 'kvm-probe', signal: this.#closing.signal, timeoutMs: PROBE_MS });
    const probe = probeVirtType(this.#link, capabilities, kernelPath, deadline);
    probe.catch(() => {
      if (this.#virtType === probe) this.#virtType = undefined;
    });
    return probe;
  }

  async #read(deadline: Deadline): Promise<Facts> {
    const { api } = this.#link.host;
    const [capabilities, hostname, hypervisor, version] = await Promise.all([
      api.connectGetCapabilities({}, deadline.left),
      api.connectGetHostname({}, deadline.left),
      api.connectGetType({}, deadline.left),
      api.connectGetVersion({}, deadline.left),
    ]);
    const root = parse(capabilities);
    return {
      capabilities,
      hostname,
      hostUuid: descend(root, 'host', 'uuid')?.text ?? '',
      cpuModel: descend(root, 'host', 'cpu', 'model')?.text ?? 'unknown',
      architecture: descend(root, 'host', 'cpu', 'arch')?.text ?? 'unknown',
      hypervisor,
      hypervisorVersion: dotted(version),
    };
  }
}

/** Libvirt's 7002022 is 7.2.22. */
function dotted(version: number): string {
  return [Math.floor(version / 1_000_000), Math.floor(version / 1_000) % 1_000, version % 1_000].join('.');
}
