import type { MachineSpec } from '@pileus/core/strategy';

const MIB = 2 ** 20;

/** A machine with something of everything. */
export const FULL_MACHINE: MachineSpec = {
  id: '01900000-0000-7000-8000-000000000001',
  name: `O'Brien & <sons>`,
  owner: '01900000-0000-7000-8000-0000000000ff',
  vcpus: 1,
  vcpusMax: 4,
  memoryBytes: 512 * MIB,
  memoryBytesMax: 1024 * MIB,
  guestOs: 'linux',
  firmware: 'bios',
  diskBus: 'virtio',
  disks: [
    {
      volumeId: '01900000-0000-7000-8000-0000000000d1',
      attachment: { type: 'file', path: '/pool/volume-d1.qcow2', format: 'qcow2' },
      slot: 1,
      readOnly: true,
      limits: { iopsPerSecond: 500, bytesPerSecond: 10 * MIB },
    },
    {
      volumeId: '01900000-0000-7000-8000-0000000000d0',
      attachment: { type: 'file', path: '/pool/volume-d0.qcow2', format: 'qcow2' },
      slot: 0,
      readOnly: false,
    },
  ],
  nics: [
    {
      nicId: '01900000-0000-7000-8000-0000000000c0',
      mac: '52:54:00:00:00:01',
      plug: { type: 'libvirtNetwork', network: 'pileus-net' },
      slot: 0,
      limits: { inboundBytesPerSecond: MIB, outboundBytesPerSecond: 1500 },
    },
    { nicId: '01900000-0000-7000-8000-0000000000c1', mac: '52:54:00:00:00:02', plug: { type: 'bridge', bridge: 'br0' }, slot: 1 },
  ],
  seed: { type: 'file', path: '/pool/seed-1.iso', format: 'raw' },
};
