import type { DiskBus, GuestOs } from '@pileus/core/strategy';
import type { Element } from '../xml/element.ts';
import { element } from '../xml/element.ts';

/** How the host runs machines. `tcg` is QEMU's software emulation, which libvirt calls domain type `qemu`. */
export type VirtType = 'kvm' | 'tcg';

/** What a guest operating system wants of its machine, beyond what every machine has. */
export interface GuestProfile {
  readonly features: readonly Element[];
  readonly clock: Element;
  readonly devices: readonly Element[];
  readonly nicModel: string;
  /** The bus on which the guest's stock drivers find the cloud-init CD-ROM. */
  readonly seedBus: 'scsi' | 'sata';
}

export function guestProfile(guestOs: GuestOs, diskBus: DiskBus, virtType: VirtType): GuestProfile {
  return guestOs === 'windows' ? windows(diskBus, virtType) : linux(diskBus, virtType);
}

function linux(diskBus: DiskBus, virtType: VirtType): GuestProfile {
  return {
    features: [],
    clock: element('clock', { offset: 'utc' }, ...(virtType === 'kvm' ? steadyTimers() : [])),
    devices: [element('controller', { type: 'usb', model: 'none' }), element('panic', { model: 'isa' })],
    nicModel: 'virtio',
    // Cloud kernels come without AHCI: there only a virtio-scsi CD-ROM is seen. A guest that boots from SATA has AHCI.
    seedBus: diskBus === 'sata' ? 'sata' : 'scsi',
  };
}

function windows(diskBus: DiskBus, virtType: VirtType): GuestProfile {
  const enlightened = virtType === 'kvm';
  const hypervClock = enlightened ? [element('timer', { name: 'hypervclock', present: 'yes' })] : [];
  return {
    features: enlightened ? [hypervEnlightenments()] : [],
    clock: element('clock', { offset: 'localtime' }, ...(enlightened ? steadyTimers() : []), ...hypervClock),
    devices: [
      element('controller', { type: 'usb', model: 'qemu-xhci' }),
      // Without an absolute pointer the mouse of a VNC viewer drifts.
      element('input', { type: 'tablet', bus: 'usb' }),
      ...(enlightened ? [element('panic', { model: 'hyperv' })] : []),
    ],
    // A Windows that boots from SATA is one without virtio drivers.
    nicModel: diskBus === 'sata' ? 'e1000e' : 'virtio',
    seedBus: 'sata',
  };
}

/** Timers for hosts that overcommit. Software emulation keeps QEMU's own: guests check them against each other at boot, and panic when one lags. */
function steadyTimers(): Element[] {
  return [
    element('timer', { name: 'rtc', tickpolicy: 'catchup' }),
    element('timer', { name: 'pit', tickpolicy: 'delay' }),
    element('timer', { name: 'hpet', present: 'no' }),
  ];
}

/** Interfaces of Hyper-V that Windows uses to waste less time as a guest; only KVM has them. */
function hypervEnlightenments(): Element {
  const on = { state: 'on' };
  return element(
    'hyperv',
    { mode: 'custom' },
    element('relaxed', on),
    element('vapic', on),
    element('spinlocks', { state: 'on', retries: 8191 }),
    element('vpindex', on),
    element('synic', on),
    element('stimer', on),
    element('reset', on),
  );
}
