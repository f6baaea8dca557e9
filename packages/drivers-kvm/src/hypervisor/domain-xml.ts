import type { Firmware, MachineSpec } from '@pileus/core/strategy';
import { markElement } from '../mark.ts';
import type { Element } from '../xml/element.ts';
import { element, render } from '../xml/element.ts';
import { diskElement, driveElement, seedElement } from './disk-xml.ts';
import type { GuestProfile, VirtType } from './guest-profile.ts';
import { guestProfile } from './guest-profile.ts';
import { nicElement } from './nic-xml.ts';

/** What of a definition the host decides, not the machine. */
export interface HostProfile {
  readonly virtType: VirtType;
  /** Where QEMU listens for VNC: a socket below this folder, or `auto` for the machine's own folder of libvirt. Without it, nowhere. */
  readonly vncSocketDir?: string;
}

/** Free PCI Express ports: each takes one device that is plugged in while the machine runs. */
const SPARE_PORTS = 8;
/**
 * Bounds the memory of a software-emulated machine: QEMU's own choice is many times the guest's size. One that may get further processors has more, so that a
 * guest that has booted has not filled it yet: see `room-for-processors.ts`.
 */
const TRANSLATION_CACHE_MIB = { fixed: 32, growing: 128 };

/**
 * The name of our machines in libvirt. Ids are unique and never change; the names users choose are neither, and libvirt would refuse the second of two and
 * every renaming. The chosen one is the domain's title.
 */
export const domainName = (id: string): string => `pileus-${id}`;

/** The definition of a machine. `name` is given for one that was renamed on the host, since libvirt refuses to define another name for a known UUID. */
export function domainXml(spec: MachineSpec, host: HostProfile, name: string = domainName(spec.id)): string {
  const profile = guestProfile(spec.guestOs, spec.diskBus, host.virtType);
  return render(
    element(
      'domain',
      { type: host.virtType === 'kvm' ? 'kvm' : 'qemu' },
      element('name', {}, name),
      element('uuid', {}, spec.id),
      element('title', {}, spec.name),
      markElement({ owner: spec.owner, guestOs: spec.guestOs, diskBus: spec.diskBus }, spec.record),
      element('memory', { unit: 'b' }, spec.memoryBytesMax),
      element('currentMemory', { unit: 'b' }, spec.memoryBytes),
      element('vcpu', { placement: 'static', current: spec.vcpus }, spec.vcpusMax),
      spec.cpuShares === undefined ? undefined : element('cputune', {}, element('shares', {}, spec.cpuShares)),
      osElement(spec.firmware),
      featuresElement(spec, profile, host.virtType),
      cpuElement(host.virtType),
      profile.clock,
      element('on_poweroff', {}, 'destroy'),
      element('on_reboot', {}, 'restart'),
      element('on_crash', {}, 'destroy'),
      element('devices', {}, ...deviceElements(spec, profile, host)),
    ),
  );
}

function osElement(firmware: Firmware): Element {
  const type = element('type', { arch: 'x86_64', machine: 'q35' }, 'hvm');
  if (firmware === 'bios') return element('os', {}, type);
  // The host's firmware descriptors name the files; secure boot would refuse unsigned guests.
  const plain = element('firmware', {}, element('feature', { enabled: 'no', name: 'secure-boot' }));
  return element('os', { firmware: 'efi' }, type, plain);
}

function featuresElement({ vcpus, vcpusMax }: MachineSpec, profile: GuestProfile, virtType: VirtType): Element {
  const sizeMib = vcpusMax > vcpus ? TRANSLATION_CACHE_MIB.growing : TRANSLATION_CACHE_MIB.fixed;
  const cache = element('tcg', {}, element('tb-cache', { unit: 'MiB' }, sizeMib));
  return element('features', {}, element('acpi'), element('apic'), ...profile.features, virtType === 'tcg' ? cache : undefined);
}

/** Under KVM the host's model with its mitigations, which libvirt can still migrate; software emulation has a model of its own. */
function cpuElement(virtType: VirtType): Element {
  if (virtType === 'kvm') return element('cpu', { mode: 'host-model' });
  return element('cpu', { mode: 'custom', match: 'exact' }, element('model', {}, 'qemu64'));
}

function deviceElements(spec: MachineSpec, profile: GuestProfile, host: HostProfile): (Element | undefined)[] {
  const bySlot = (a: { readonly slot: number }, b: { readonly slot: number }) => a.slot - b.slot;
  const scsi = spec.diskBus === 'scsi' || profile.seedBus === 'scsi';
  return [
    ...spec.disks.toSorted(bySlot).map((disk) => diskElement(disk, spec.diskBus, 'define')),
    spec.seed === undefined ? undefined : seedElement(spec.seed, profile.seedBus),
    driveElement(spec.iso?.attachment, { bus: profile.seedBus, diskBus: spec.diskBus, boots: spec.disks.length > 0 }),
    ...pciPorts(spec),
    scsi ? element('controller', { type: 'scsi', index: 0, model: 'virtio-scsi' }) : undefined,
    ...spec.nics.toSorted(bySlot).map((nic) => nicElement(nic, profile.nicModel)),
    element('serial', { type: 'pty' }, element('target', { type: 'isa-serial', port: 0 })),
    element('console', { type: 'pty' }, element('target', { type: 'serial', port: 0 })),
    element('channel', { type: 'unix' }, element('target', { type: 'virtio', name: 'org.qemu.guest_agent.0' })),
    host.vncSocketDir === undefined ? undefined : vncElement(spec.id, host.vncSocketDir),
    element('video', {}, element('model', { type: 'vga', vram: 16_384, heads: 1, primary: 'yes' })),
    element('memballoon', { model: 'virtio' }),
    element('rng', { model: 'virtio' }, element('backend', { model: 'random' }, '/dev/urandom')),
    ...profile.devices,
  ];
}

/** The root and its ports: one for each device of the definition that goes behind one, and spare ones. */
function pciPorts(spec: MachineSpec): Element[] {
  // Balloon, random numbers, agent channel and perhaps a SCSI or USB controller.
  const fixed = 5;
  const used = fixed + spec.nics.length + (spec.diskBus === 'virtio' ? spec.disks.length : 0);
  const ports = Array.from({ length: used + SPARE_PORTS }, (_, at) =>
    element('controller', { type: 'pci', index: at + 1, model: 'pcie-root-port' }),
  );
  return [element('controller', { type: 'pci', index: 0, model: 'pcie-root' }), ...ports];
}

/** Where a machine's screen is found in a folder of our own. */
export const vncSocket = (id: string, socketDir: string): string => `${socketDir}/${id}.vnc`;

function vncElement(id: string, socketDir: string): Element {
  const socket = socketDir === 'auto' ? undefined : vncSocket(id, socketDir);
  return element('graphics', { type: 'vnc' }, element('listen', { type: 'socket', socket }));
}
