import { kernelRan, PROBE_COMMAND_LINE } from '../boot-probe.ts';
import type { Deadline } from '../deadline.ts';
import { except } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import { ConsoleFlag, type Domain, LibvirtError, StartFlag } from '../libvirt/index.ts';
import { childrenNamed, descend, element, render } from '../xml/element.ts';
import { parse } from '../xml/reader.ts';
import type { VirtType } from './guest-profile.ts';

/** A kernel under KVM has spoken in less than a second. */
const SILENCE_MS = 5_000;
const PROBE_PREFIX = 'pileus-probe-';

/** Domains of this name are a probe's, for the seconds that it takes: no machines. */
export function isProbe(libvirtName: string): boolean {
  return libvirtName.startsWith(PROBE_PREFIX);
}

/**
 * Answers `kvm` only if a stock kernel is seen to boot under it. Neither `/dev/kvm` nor libvirt's capabilities tell: on some nested hosts both are there, and
 * guests hang.
 */
export async function probeVirtType(link: HostLink, capabilities: string, kernelPath: string, deadline: Deadline): Promise<VirtType> {
  if (!offersKvm(capabilities)) return 'tcg';
  return (await kernelBoots(link, { virtType: 'kvm', kernelPath, silenceMs: SILENCE_MS }, deadline)) ? 'kvm' : 'tcg';
}

export interface KernelBoot {
  readonly virtType: VirtType;
  /** A Linux kernel, by its path on the host. */
  readonly kernelPath: string;
  /** How long it may take to speak. */
  readonly silenceMs: number;
}

/** Boots a kernel in a domain without disks that lives as long as our connection to libvirtd at most. False also if there is no such kernel. */
export async function kernelBoots(link: HostLink, boot: KernelBoot, deadline: Deadline): Promise<boolean> {
  const { api } = link.host;
  let domain: Domain;
  try {
    const flags = StartFlag.paused | StartFlag.autodestroy;
    domain = await api.domainCreateXml({ xml: probeXml(boot), flags }, deadline.left);
  } catch (error) {
    // No such kernel, or the host refuses to make such a machine at all.
    if (error instanceof LibvirtError) return false;
    throw error;
  }
  try {
    if (await kernelSpeaks(link, domain, boot.silenceMs, deadline)) return true;
    // Silence proves something only if it was not libvirtd that did not pass on what was said.
    await except(
      ['noDomain'],
      () => api.domainGetState({ domain }, deadline.left).then(() => {}),
      () => {},
    );
    return false;
  } finally {
    // A kernel that found no root resets, which ends the domain: then there is nothing left to destroy.
    await api.domainDestroyFlags({ domain }, deadline.left).catch(() => {});
  }
}

async function kernelSpeaks(link: HostLink, domain: Domain, silenceMs: number, deadline: Deadline): Promise<boolean> {
  const console = await link.host.openConsole({ domain, flags: ConsoleFlag.force }, deadline.left);
  await link.host.api.domainResume({ domain }, deadline.left);
  const silence = setTimeout(() => console.destroy(), Math.min(silenceMs, deadline.leftMs));
  let output = '';
  try {
    for await (const piece of console) {
      output += piece.toString('latin1');
      if (kernelRan(output)) break;
    }
  } catch {
    // Hung up on, by us or with the domain. What was said until then counts.
  } finally {
    clearTimeout(silence);
    console.destroy();
  }
  return kernelRan(output);
}

function offersKvm(capabilities: string): boolean {
  const guests = childrenNamed(parse(capabilities), 'guest');
  return guests.some((guest) => childrenNamed(descend(guest, 'arch'), 'domain').some((domain) => domain.attributes.type === 'kvm'));
}

function probeXml({ virtType, kernelPath }: KernelBoot): string {
  return render(
    element(
      'domain',
      { type: virtType === 'kvm' ? 'kvm' : 'qemu' },
      element('name', {}, `${PROBE_PREFIX}${crypto.randomUUID()}`),
      element('memory', { unit: 'MiB' }, 128),
      element('vcpu', {}, 1),
      element(
        'os',
        {},
        element('type', { arch: 'x86_64', machine: 'q35' }, 'hvm'),
        element('kernel', {}, kernelPath),
        element('cmdline', {}, PROBE_COMMAND_LINE),
      ),
      element('features', {}, element('acpi'), element('apic')),
      virtType === 'kvm' ? element('cpu', { mode: 'host-passthrough' }) : undefined,
      element('on_reboot', {}, 'destroy'),
      element(
        'devices',
        {},
        element('controller', { type: 'usb', model: 'none' }),
        element('serial', { type: 'pty' }),
        element('console', { type: 'pty' }),
        element('memballoon', { model: 'none' }),
      ),
    ),
  );
}
