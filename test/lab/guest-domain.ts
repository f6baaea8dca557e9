import { randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Plug } from '@pileus/core/strategy';
import { nicElement } from '../../packages/drivers-kvm/src/hypervisor/nic-xml.ts';
import { render } from '../../packages/drivers-kvm/src/xml/element.ts';
import type { GuestImage } from '../../tools/guest/image.ts';
import { run } from '../../tools/system/command.ts';
import type { LabHost } from './host.ts';

export interface GuestDomain {
  readonly name: string;
  readonly image: GuestImage;
  /** A libvirt network of the host, or how a network driver says to plug in, and the card's address on it. Absent: no card. */
  readonly nic?: { readonly network: string; readonly mac: string } | { readonly plug: Plug; readonly mac: string };
  /** Files of a NoCloud seed, by name: meta-data, user-data, network-config. */
  readonly seed?: Readonly<Record<string, string>>;
}

/** virsh against a host: the witness that knows nothing of Pileus' own libvirt client. */
export function virsh(host: LabHost, ...args: readonly string[]): Promise<string> {
  return run(['virsh', '--quiet', '--connect', `qemu:///system?socket=${host.socketPath}`, ...args]);
}

/** Defines and starts a guest of 96 MiB under emulation; its serial console is also written to the file that this answers. */
export async function startGuest(host: LabHost, domain: GuestDomain): Promise<{ readonly consoleLog: string }> {
  const images = join(host.rootDir, 'lib/images');
  const disk = join(images, `${domain.name}.${domain.image.format}`);
  await copyFile(domain.image.path, disk);
  const seedPath = domain.seed === undefined ? undefined : join(images, `${domain.name}-seed.iso`);
  if (seedPath !== undefined && domain.seed !== undefined) await writeSeed(seedPath, domain.seed);
  const consoleLog = join(host.rootDir, 'log/qemu', `${domain.name}.console`);
  const definition = join(host.rootDir, `${domain.name}.xml`);
  await writeFile(definition, domainXml(domain, disk, seedPath, consoleLog));
  await virsh(host, 'define', definition);
  await virsh(host, 'start', domain.name);
  return { consoleLog };
}

async function writeSeed(path: string, files: Readonly<Record<string, string>>): Promise<void> {
  const dir = await mkdtemp(join(dirname(path), '.seed-'));
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
    await run(['genisoimage', '-quiet', '-output', path, '-volid', 'cidata', '-joliet', '-rock', dir]);
  } finally {
    await rm(dir, { recursive: true });
  }
}

function domainXml({ name, image, nic }: GuestDomain, disk: string, seedPath: string | undefined, consoleLog: string): string {
  const seed =
    seedPath === undefined
      ? ''
      : `
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='${seedPath}'/><target dev='sda' bus='scsi'/><readonly/></disk>`;
  const plug: Plug | undefined = nic && ('plug' in nic ? nic.plug : { type: 'libvirtNetwork', network: nic.network });
  const card = plug && nic ? `\n${render(nicElement({ nicId: randomUUID(), mac: nic.mac, slot: 0, plug }, 'virtio'))}` : '';
  return `<domain type='qemu'>
  <name>${name}</name>
  <memory unit='MiB'>96</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/><tcg><tb-cache unit='MiB'>32</tb-cache></tcg></features>
  <cpu mode='custom'><model>qemu64</model></cpu>
  <devices>
    <controller type='usb' model='none'/>
    <controller type='scsi' model='virtio-scsi'/>
    <disk type='file' device='disk'><driver name='qemu' type='${image.format}'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>${seed}${card}
    <serial type='pty'><log file='${consoleLog}' append='off'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <memballoon model='none'/>
  </devices>
</domain>
`;
}

function networkXml(name: string, subnet: string, nat: boolean): string {
  return `<network><name>${name}</name>${nat ? "<forward mode='nat'/>" : ''}<bridge name='${name}'/><ip address='${subnet}.1' netmask='255.255.255.0'><dhcp><range start='${subnet}.10' end='${subnet}.99'/></dhcp></ip></network>\n`;
}

export async function startNetwork(host: LabHost, name: string, subnet: string, nat: boolean): Promise<void> {
  const definition = join(host.rootDir, `${name}.xml`);
  await writeFile(definition, networkXml(name, subnet, nat));
  await virsh(host, 'net-define', definition);
  await virsh(host, 'net-start', name);
}
