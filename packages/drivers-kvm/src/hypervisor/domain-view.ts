import type { DiskBus, GuestOs, MachineObservation, PowerState } from '@pileus/core/strategy';
import { DomainState, ShutoffReason } from '../libvirt/index.ts';
import { nicOfAlias, readMark, readRecord, volumeOfAlias } from '../mark.ts';
import type { Element } from '../xml/element.ts';
import { child, childrenNamed, descend, sizeInBytes } from '../xml/element.ts';
import { parse } from '../xml/reader.ts';
import { slotOfDevice } from './disk-xml.ts';
import { domainName } from './domain-xml.ts';

/** A disk or NIC of ours as the domain shows it. */
export interface PluggedDisk {
  readonly volumeId: string;
  readonly slot: number;
  /** Target name, e.g. `vda`. */
  readonly device: string;
  readonly element: Element;
}
export interface PluggedNic {
  readonly nicId: string;
  readonly slot: number;
  readonly mac: string;
  readonly element: Element;
}

/** What we read of a domain's XML. */
export interface DomainView {
  readonly id: string;
  readonly libvirtName: string;
  readonly name: string;
  readonly owner: string | undefined;
  readonly record: string | undefined;
  readonly guestOs: GuestOs;
  readonly diskBus: DiskBus;
  readonly vcpus: number;
  readonly vcpusMax: number;
  readonly memoryBytes: number;
  readonly memoryBytesMax: number;
  readonly disks: readonly PluggedDisk[];
  readonly nics: readonly PluggedNic[];
  /** The socket on which QEMU speaks VNC; only of a running domain. */
  readonly vncSocket: string | undefined;
}

export function viewDomain(xml: string): DomainView {
  const root = parse(xml);
  const id = child(root, 'uuid')?.text ?? '';
  const libvirtName = child(root, 'name')?.text ?? '';
  const mark = readMark(root);
  const vcpu = child(root, 'vcpu');
  const devices = child(root, 'devices');
  return {
    id,
    libvirtName,
    // One that was renamed on the host shows the name that it has there.
    name: libvirtName === domainName(id) ? (child(root, 'title')?.text ?? libvirtName) : libvirtName,
    owner: mark?.owner,
    record: readRecord(root),
    guestOs: mark?.guestOs === 'windows' ? 'windows' : 'linux',
    diskBus: mark?.diskBus === 'scsi' || mark?.diskBus === 'sata' ? mark.diskBus : 'virtio',
    vcpus: Number(vcpu?.attributes.current ?? vcpu?.text),
    vcpusMax: Number(vcpu?.text),
    memoryBytes: sizeInBytes(child(root, 'currentMemory'), 'KiB'),
    memoryBytesMax: sizeInBytes(child(root, 'memory'), 'KiB'),
    disks: childrenNamed(devices, 'disk').flatMap(viewDisk).toSorted(bySlot),
    nics: childrenNamed(devices, 'interface').flatMap(viewNic).toSorted(bySlot),
    vncSocket: vncSocketOf(devices),
  };
}

export function observe(view: DomainView, power: PowerState): MachineObservation {
  const { id, name, owner, vcpus, memoryBytes, record } = view;
  return {
    ...{ id, name, power, vcpus, memoryBytes },
    ...(owner === undefined ? {} : { owner }),
    diskIds: view.disks.map((disk) => disk.volumeId),
    nicIds: view.nics.map((nic) => nic.nicId),
    ...(record === undefined ? {} : { record }),
  };
}

/** `domainGetState`'s answer in the contract's words. A guest that is going down still runs; one that waits in its own sleep shows as paused. */
export function powerOf(state: { readonly state: number; readonly reason: number }): PowerState {
  switch (state.state) {
    case DomainState.paused:
    case DomainState.pmSuspended:
      return 'paused';
    case DomainState.shutoff:
      return state.reason === ShutoffReason.crashed ? 'crashed' : 'stopped';
    case DomainState.crashed:
      return 'crashed';
    default:
      return 'running';
  }
}

const bySlot = (a: { readonly slot: number }, b: { readonly slot: number }): number => a.slot - b.slot;

function viewDisk(disk: Element): PluggedDisk[] {
  const volumeId = volumeOfAlias(aliasOf(disk));
  const device = child(disk, 'target')?.attributes.dev ?? '';
  return volumeId === undefined ? [] : [{ volumeId, device, slot: slotOfDevice(device), element: disk }];
}

function viewNic(nic: Element): PluggedNic[] {
  const alias = nicOfAlias(aliasOf(nic));
  return alias === undefined ? [] : [{ ...alias, mac: child(nic, 'mac')?.attributes.address ?? '', element: nic }];
}

function aliasOf(device: Element): string {
  return child(device, 'alias')?.attributes.name ?? '';
}

function vncSocketOf(devices: Element | undefined): string | undefined {
  const graphics = childrenNamed(devices, 'graphics').find((each) => each.attributes.type === 'vnc');
  return graphics?.attributes.socket ?? (graphics && descend(graphics, 'listen')?.attributes.socket);
}
