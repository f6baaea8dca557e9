import { kernelRan, PROBE_COMMAND_LINE } from '../boot-probe.ts';
import type { Deadline } from '../deadline.ts';
import type { HostLink } from '../host-links.ts';
import { ConsoleFlag, type Domain, LibvirtError, StartFlag } from '../libvirt/index.ts';
import { childrenNamed, descend, element, render } from '../xml/element.ts';
import { parse } from '../xml/reader.ts';
import type { VirtType } from './guest-profile.ts';

/** A kernel under KVM is there in less than a second. */
const PROBE_MS = 10_000;
const PROBE_PREFIX = 'pileus-probe-';

/** Domains of this name are a probe's, for the seconds that it takes: no machines. */
export function isProbe(libvirtName: string): boolean {
  return libvirtName.startsWith(PROBE_PREFIX);
}

export interface ProbeOptions {
  /** A Linux kernel, by its path on the host. */
  readonly kernelPath: string;
}

/**
 * Answers `kvm` only if a stock kernel is seen to boot under it. Neither `/dev/kvm` nor libvirt's capabilities tell: on some nested hosts both are there, and
 * guests hang. The probe is a domain without disks that lives as long as our connection to libvirtd at most.
 */
export async function probeVirtType(link: HostLink, capabilities: string, options: ProbeOptions, deadline: Deadline): Promise<VirtType> {
  if (!offersKvm(capabilities)) return 'tcg';
  const { api } = link.host;
  let domain: Domain;
  try {
    const flags = StartFlag.paused | StartFlag.autodestroy;
    domain = await api.domainCreateXml({ xml: probeXml(options.kernelPath), flags }, deadline.left);
  } catch (error) {
    // No such kernel, or KVM refuses to make a machine at all.
    if (error instanceof LibvirtError) return 'tcg';
    throw error;
  }
  try {
    return (await kernelSpeaks(link, domain, deadline)) ? 'kvm' : 'tcg';
  } finally {
    // A kernel that found no root resets, which ends the domain: then there is nothing left to destroy.
    await api.domainDestroyFlags({ domain }, deadline.left).catch(() => {});
  }
}

async function kernelSpeaks(link: HostLink, domain: Domain, deadline: Deadline): Promise<boolean> {
  const console = await link.host.openConsole({ domain, flags: ConsoleFlag.force }, deadline.left);
  const silence = setTimeout(() => console.destroy(), Math.min(PROBE_MS, deadline.leftMs));
  try {
    await link.host.api.domainResume({ domain }, deadline.left);
    let output = '';
    for await (const piece of console) {
      output += piece.toString('latin1');
      if (kernelRan(output)) return true;
    }
    return false;
  } catch {
    return false;
  } finally {
    clearTimeout(silence);
    console.destroy();
  }
}

function offersKvm(capabilities: string): boolean {
  const guests = childrenNamed(parse(capabilities), 'guest');
  return guests.some((guest) => childrenNamed(descend(guest, 'arch'), 'domain').some((domain) => domain.attributes.type === 'kvm'));
}

function probeXml(kernelPath: string): string {
  return render(
    element(
      'domain',
      { type: 'kvm' },
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
      element('cpu', { mode: 'host-passthrough' }),
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
