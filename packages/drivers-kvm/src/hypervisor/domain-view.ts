import type { DiskBus, DiskLimits, GuestOs, MachineLimits, MachineObservation, NicLimits, PowerState } from '@pileus/core/strategy';
import { DomainState, ShutoffReason } from '../libvirt/index.ts';
import { type Hold, nicOfAlias, readHold, readMark, readRecord, volumeOfAlias } from '../mark.ts';
import type { Element } from '../xml/element.ts';
import { child, childrenNamed, descend, sizeInBytes } from '../xml/element.ts';
import { parse } from '../xml/reader.ts';
import { DRIVE_DEVICE, isoIn, SEED_DEVICE, slotOfDevice } from './disk-xml.ts';
import { domainName } from './domain-xml.ts';
import type { LimitFeatures } from './tuning.ts';

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
  /** In software, without KVM. */
  readonly isEmulated: boolean;
  readonly vcpus: number;
  readonly vcpusMax: number;
  readonly memoryBytes: number;
  readonly memoryBytesMax: number;
  readonly cpuShares: number | undefined;
  readonly disks: readonly PluggedDisk[];
  readonly nics: readonly PluggedNic[];
  readonly seed: Element | undefined;
  /** Absent of a domain that was defined by an earlier release. */
  readonly drive: Element | undefined;
  /** The socket on which QEMU speaks VNC; only of a running domain. */
  readonly vncSocket: string | undefined;
  /** Of a guest that was asked to hold writes back. */
  readonly hold: Hold | undefined;
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
    isEmulated: root.attributes.type === 'qemu',
    vcpus: Number(vcpu?.attributes.current ?? vcpu?.text),
    vcpusMax: Number(vcpu?.text),
    memoryBytes: sizeInBytes(child(root, 'currentMemory'), 'KiB'),
    memoryBytesMax: sizeInBytes(child(root, 'memory'), 'KiB'),
    cpuShares: numberIn(child(root, 'cputune'), 'shares') || undefined,
    disks: childrenNamed(devices, 'disk').flatMap(viewDisk).toSorted(bySlot),
    nics: childrenNamed(devices, 'interface').flatMap(viewNic).toSorted(bySlot),
    seed: discOf(devices, SEED_DEVICE),
    drive: discOf(devices, DRIVE_DEVICE),
    vncSocket: vncSocketOf(devices),
    hold: readHold(root),
  };
}

const discOf = (devices: Element | undefined, device: string): Element | undefined =>
  childrenNamed(devices, 'disk').find((each) => child(each, 'target')?.attributes.dev === device);

export function observe(view: DomainView, power: PowerState): MachineObservation {
  const { id, name, owner, vcpus, memoryBytes, record } = view;
  const isoId = isoIn(view.drive);
  return {
    ...{ id, name, power, vcpus, memoryBytes },
    ...(owner === undefined ? {} : { owner }),
    diskIds: view.disks.map((disk) => disk.volumeId),
    nicIds: view.nics.map((nic) => nic.nicId),
    ...(isoId === undefined ? {} : { isoId }),
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

/** As far as the driver changes them. */
export function limitsOf(view: DomainView, features: LimitFeatures): MachineLimits | undefined {
  const disks = Object.fromEntries(view.disks.flatMap(({ volumeId, element }) => limitedDisk(volumeId, child(element, 'iotune'))));
  const nics = Object.fromEntries(view.nics.flatMap(({ nicId, element }) => limitedNic(nicId, child(element, 'bandwidth'))));
  const limits = {
    ...(view.cpuShares === undefined || !features.cpuShares ? {} : { cpuShares: view.cpuShares }),
    ...(Object.keys(disks).length === 0 ? {} : { disks }),
    ...(Object.keys(nics).length === 0 || !features.nicLimits ? {} : { nics }),
  };
  return Object.keys(limits).length === 0 ? undefined : limits;
}

function limitedDisk(volumeId: string, tune: Element | undefined): [string, DiskLimits][] {
  const [bytesPerSecond, iopsPerSecond] = [numberIn(tune, 'total_bytes_sec'), numberIn(tune, 'total_iops_sec')];
  const limits = { ...(bytesPerSecond > 0 ? { bytesPerSecond } : {}), ...(iopsPerSecond > 0 ? { iopsPerSecond } : {}) };
  return Object.keys(limits).length === 0 ? [] : [[volumeId, limits]];
}

function limitedNic(nicId: string, bandwidth: Element | undefined): [string, NicLimits][] {
  const average = (direction: string) => Number(child(bandwidth, direction)?.attributes.average ?? 0) * 1024;
  const [inboundBytesPerSecond, outboundBytesPerSecond] = [average('inbound'), average('outbound')];
  const limits = {
    ...(inboundBytesPerSecond > 0 ? { inboundBytesPerSecond } : {}),
    ...(outboundBytesPerSecond > 0 ? { outboundBytesPerSecond } : {}),
  };
  return Object.keys(limits).length === 0 ? [] : [[nicId, limits]];
}

const numberIn = (parent: Element | undefined, name: string): number => Number(child(parent, name)?.text ?? 0);

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

export function aliasOf(device: Element): string {
  return child(device, 'alias')?.attributes.name ?? '';
}

function vncSocketOf(devices: Element | undefined): string | undefined {
  const graphics = childrenNamed(devices, 'graphics').find((each) => each.attributes.type === 'vnc');
  return graphics?.attributes.socket ?? (graphics && descend(graphics, 'listen')?.attributes.socket);
}
