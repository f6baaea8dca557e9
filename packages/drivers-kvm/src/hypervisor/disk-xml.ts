import type { Attachment, DiskBus, DiskLimits, DiskSpec } from '@pileus/core/strategy';
import { DriverError } from '../driver-error.ts';
import { volumeAlias } from '../mark.ts';
import { encryptionElement } from '../secrets.ts';
import type { Element } from '../xml/element.ts';
import { element } from '../xml/element.ts';

/** QEMU's AHCI has six ports; the last of the first controller is kept for the seed, that of the second for the drive. */
const SATA_SLOTS_PER_CONTROLLER = 5;
const DEVICE_PREFIX: Readonly<Record<DiskBus, string>> = { virtio: 'vd', scsi: 'sd', sata: 'sd' };
/** Of no disk, because slots end before two-letter names do. */
export const SEED_DEVICE = 'sdzz';
export const DRIVE_DEVICE = 'sdzy';

/**
 * `<disk>` of a volume. Only a definition says in which order disks boot: libvirt refuses one that is plugged in with an order into a machine that was
 * defined without disks, and has an order for the machine as a whole.
 */
export function diskElement(disk: DiskSpec, bus: DiskBus, use: 'define' | 'plug'): Element {
  const { attachment, slot } = disk;
  return element(
    'disk',
    { type: sourceType(attachment), device: 'disk' },
    element('driver', { name: 'qemu', type: formatOf(attachment), cache: cacheOf(disk), discard: 'unmap' }),
    sourceElement(attachment),
    element('target', { dev: deviceName(bus, slot), bus }),
    disk.limits === undefined ? undefined : limitsElement(disk.limits),
    disk.readOnly ? element('readonly') : undefined,
    disk.shareable ? element('shareable') : undefined,
    use === 'define' ? element('boot', { order: slot + 1 }) : undefined,
    element('serial', {}, diskSerial(disk.volumeId)),
    element('alias', { name: volumeAlias(disk.volumeId) }),
    driveAddress(bus, slot),
  );
}

/** The place that a disk is copied to: libvirt takes the rest of the disk from where it is plugged in. */
export function copyElement(attachment: Attachment): Element {
  const driver = element('driver', { name: 'qemu', type: formatOf(attachment) });
  return element('disk', { type: sourceType(attachment), device: 'disk' }, driver, sourceElement(attachment));
}

/** Whether a `<source>` of libvirt's means that place. What a place is reached by may change: of its hosts one in common is enough. */
export function isPlace(source: Element | undefined, attachment: Attachment): boolean {
  const wanted = sourceElement(attachment);
  if (source === undefined || PLACE_ATTRIBUTES.some((name) => source.attributes[name] !== wanted.attributes[name])) return false;
  const [found, meant] = [hostsOf(source), hostsOf(wanted)];
  return meant.length === 0 || meant.some(({ name, port }) => found.some((each) => each.name === name && samePort(each.port, port)));
}

const PLACE_ATTRIBUTES = ['file', 'dev', 'protocol', 'name'] as const;
const hostsOf = (source: Element): readonly Element['attributes'][] =>
  source.children.flatMap(({ name, attributes }) => (name === 'host' ? [attributes] : []));
/** Libvirt adds the usual port where none is given. */
const samePort = (a: string | undefined, b: string | undefined): boolean => a === b || a === undefined || b === undefined;

/** After every disk: what is installed is booted, and what it is installed from when there is nothing to boot yet. */
const DRIVE_BOOT_ORDER = 100;

/**
 * The drive, with an ISO in it or empty. Disks on SATA leave no port of the first controller free but that of the seed. It has a place in the order of booting
 * where disks have: alone in it, it would keep the disk that is plugged in later from booting.
 */
export function driveElement(
  iso: Attachment | undefined,
  { bus, diskBus, boots }: { readonly bus: 'scsi' | 'sata'; readonly diskBus: DiskBus; readonly boots: boolean },
): Element {
  const last =
    diskBus === 'sata' ? { controller: 1, unit: SATA_SLOTS_PER_CONTROLLER } : { controller: 0, unit: SATA_SLOTS_PER_CONTROLLER - 1 };
  const place = bus === 'scsi' ? { controller: 0, bus: 0, target: 2, unit: 0 } : { ...last, bus: 0, target: 0 };
  return element(
    'disk',
    { type: iso === undefined ? 'file' : sourceType(iso), device: 'cdrom' },
    element('driver', { name: 'qemu', type: iso === undefined ? 'raw' : formatOf(iso) }),
    iso === undefined ? undefined : sourceElement(iso),
    element('target', { dev: DRIVE_DEVICE, bus }),
    element('readonly'),
    boots ? element('boot', { order: DRIVE_BOOT_ORDER }) : undefined,
    element('address', { type: 'drive', ...place }),
  );
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** By the id in its name, which is the last: pools may lie below folders with an id in theirs. */
export function isoIn(drive: Element | undefined): string | undefined {
  const { file, dev, name } = drive?.children.find((each) => each.name === 'source')?.attributes ?? {};
  return (file ?? dev ?? name)?.match(UUID)?.at(-1);
}

/** The cloud-init seed as a CD-ROM. */
export function seedElement(attachment: Attachment, bus: 'scsi' | 'sata'): Element {
  const place = bus === 'scsi' ? { target: 1, unit: 0 } : { target: 0, unit: SATA_SLOTS_PER_CONTROLLER };
  return element(
    'disk',
    { type: sourceType(attachment), device: 'cdrom' },
    element('driver', { name: 'qemu', type: formatOf(attachment) }),
    sourceElement(attachment),
    element('target', { dev: SEED_DEVICE, bus }),
    element('readonly'),
    element('address', { type: 'drive', controller: 0, bus: 0, ...place }),
  );
}

/** What the guest shows as the disk's serial: virtio-blk cuts it at 20 bytes, so every bus gets the last 20, which are the most random. */
export function diskSerial(volumeId: string): string {
  return volumeId.replaceAll('-', '').slice(-20);
}

/** `vda` is slot 0. */
export function deviceName(bus: DiskBus, slot: number): string {
  return `${DEVICE_PREFIX[bus]}${letters(slot)}`;
}

export function slotOfDevice(device: string): number {
  return [...device.slice(2)].reduce((slot, letter) => (slot + 1) * 26 + letter.charCodeAt(0) - 97, -1);
}

function letters(slot: number): string {
  const last = String.fromCharCode(97 + (slot % 26));
  return slot < 26 ? last : letters(Math.floor(slot / 26) - 1) + last;
}

/** A place of its own for each slot, so that taking one disk away moves no other. Virtio disks are PCI devices, which libvirt places. */
function driveAddress(bus: DiskBus, slot: number): Element | undefined {
  if (bus === 'virtio') return undefined;
  if (bus === 'scsi') return element('address', { type: 'drive', controller: 0, bus: 0, target: 0, unit: slot });
  const controller = Math.floor(slot / SATA_SLOTS_PER_CONTROLLER);
  return element('address', { type: 'drive', controller, bus: 0, target: 0, unit: slot % SATA_SLOTS_PER_CONTROLLER });
}

function limitsElement(limits: DiskLimits): Element {
  return element(
    'iotune',
    {},
    element('total_bytes_sec', {}, limits.bytesPerSecond ?? 0),
    element('total_iops_sec', {}, limits.iopsPerSecond ?? 0),
  );
}

function sourceType(attachment: Attachment): 'file' | 'block' | 'network' {
  return attachment.type === 'file' || attachment.type === 'block' ? attachment.type : 'network';
}

function formatOf(attachment: Attachment): string {
  return attachment.type === 'file' || attachment.type === 'nfs' ? attachment.format : 'raw';
}

/**
 * librbd has a cache of its own, which heeds the guest's flushes and is shut by `none`: it would keep from a machine what another has written. The host's own pages are never between a guest and a file.
 */
function cacheOf({ attachment, shareable }: DiskSpec): 'none' | 'writeback' {
  return attachment.type === 'rbd' && !shareable ? 'writeback' : 'none';
}

function sourceElement(attachment: Attachment): Element {
  const encryption = attachment.encryption && encryptionElement(attachment.encryption.secretRef);
  switch (attachment.type) {
    case 'file':
      return element('source', { file: attachment.path }, encryption);
    case 'block':
      return element('source', { dev: attachment.path }, encryption);
    case 'rbd':
      if (attachment.namespace !== undefined)
        throw new DriverError('unsupported', 'a disk in a namespace of a pool of Ceph: libvirt has no word for it');
      return element(
        'source',
        { protocol: 'rbd', name: `${attachment.pool}/${attachment.image}` },
        ...attachment.monitors.map(hostElement),
        element('auth', { username: attachment.user }, element('secret', { type: 'ceph', usage: attachment.secretRef })),
        encryption,
      );
    case 'nfs':
      return element(
        'source',
        { protocol: 'nfs', name: `${attachment.export}/${attachment.path}` },
        hostElement(attachment.server),
        // QEMU speaks NFS by itself and must say as whom; a leading plus means a number, not a name.
        element('identity', { user: '+0', group: '+0' }),
        encryption,
      );
  }
}

/** `<host>` of `name`, `name:port` or `[address]:port`. */
function hostElement(authority: string): Element {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+|.*:.*:.*))(?::(\d+))?$/.exec(authority) ?? [];
  return element('host', { name: bracketed ?? plain ?? authority, port });
}
