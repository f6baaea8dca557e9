import { Type } from 'typebox';
import { bytes, defineKind, type RowOf, ref, secret, trashed } from '../../kernel/index.ts';

export const instance = defineKind({
  name: 'instance',
  plural: 'instances',
  description: 'A virtual machine.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    instanceTypeId: ref('instanceType', 'restrict'),
    hostId: Type.Optional(ref('host', 'restrict', { recursive: true, description: 'Where it is; absent while it waits for room.' })),
    waitsFor: Type.Optional(
      Type.String({
        description:
          'What it waits for before it is made: `capacity` with `whenFull: wait`. What is missing is in `notes` of its operation; cancel that, or delete it, and it waits no longer.',
      }),
    ),
    migratingToHostId: Type.Optional(
      Type.String({
        format: 'uuid',
        description: 'Where it is being migrated to: that host is neither deleted nor taken out of use meanwhile.',
      }),
    ),
    formerHostIds: Type.Optional(
      Type.Array(Type.String({ format: 'uuid' }), {
        description:
          'Hosts that were lost while it was made on them, or that it was evacuated from: what is left or arrives late there is removed.',
      }),
    ),
    migratedFromHostIds: Type.Optional(
      Type.Array(Type.String({ format: 'uuid' }), {
        description: 'Hosts that it was migrated from: what arrives late there, and is off, is removed while it is seen where it is.',
      }),
    ),
    placementGroupId: Type.Optional(ref('placementGroup', 'restrict')),
    placementDomain: Type.Optional(
      Type.String({ description: 'Where its placement group counts it: the host, failure domain or cluster it was placed in.' }),
    ),
    imageId: Type.Optional(
      Type.String({ format: 'uuid', description: 'The image its root disk was cloned from; absent where that began empty.' }),
    ),
    isoImageId: Type.Optional(ref('image', 'restrict', { description: 'The ISO in its drive; absent while that is empty.' })),
    vcpus: Type.Integer({ minimum: 1 }),
    memoryBytes: bytes(),
    vcpusMax: Type.Integer({ minimum: 1 }),
    memoryBytesMax: bytes(),
    cpuShares: Type.Optional(Type.Integer({ minimum: 2, maximum: 10_000 })),
    guestOs: Type.Union([Type.Literal('linux'), Type.Literal('windows')]),
    firmware: Type.Union([Type.Literal('bios'), Type.Literal('uefi')]),
    diskBus: Type.Union([Type.Literal('virtio'), Type.Literal('scsi'), Type.Literal('sata')]),
    hostname: Type.String({ minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' }),
    sshKeys: Type.Array(Type.String({ maxLength: 8192 }), { maxItems: 64 }),
    userData: Type.Optional(secret({ description: 'cloud-init user data; sealed, shown to the guest only.' })),
    pluggingSince: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'Since when a disk that it lacks is being plugged in, with no answer of its host yet: it is not evacuated meanwhile.',
      }),
    ),
    desiredPower: Type.Union([Type.Literal('running'), Type.Literal('suspended'), Type.Literal('stopped')], {
      description: 'What was asked for last.',
    }),
    backedUpAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'The newest instant that all its disks were backed up together at: a backupSet.' }),
    ),
    trash: trashed(),
  }),
  states: {
    creating: ['running', 'stopped', 'deleted'],
    running: ['stopped', 'suspended', 'crashed', 'missing', 'deleting'],
    suspended: ['running', 'stopped', 'crashed', 'missing', 'deleting'],
    stopped: ['running', 'suspended', 'crashed', 'missing', 'deleting'],
    /** The guest or its hypervisor process died; `start` and `reset` bring it back. */
    crashed: ['running', 'stopped', 'suspended', 'missing', 'deleting'],
    /** Its host answers and does not know it: somebody removed it behind our back. `start` makes it anew on its disks. */
    missing: ['running', 'stopped', 'suspended', 'crashed', 'deleting'],
    deleting: ['deleted', 'trashed'],
    /** Not on its host any more, though its disks, addresses and place there are kept. */
    trashed: ['stopped', 'deleting'],
  },
  initial: 'creating',
  indexed: ['hostname', 'guestOs', 'migratingToHostId'],
  quota: { instances: 1, vcpus: 'vcpus', memoryBytes: 'memoryBytes' },
});

/** Whether the machine is there by right: neither on its way in, nor out. */
export const isMade = ({ state }: RowOf<typeof instance>): boolean =>
  state !== 'creating' && state !== 'deleting' && state !== 'trashed' && state !== 'deleted';
