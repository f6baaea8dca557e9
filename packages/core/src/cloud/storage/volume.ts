import { Type } from 'typebox';
import { bytes, defineKind, ref, secret, trashed } from '../../kernel/index.ts';

export const diskLimits = Type.Object(
  {
    iopsPerSecond: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000_000, description: '0 lifts the limit.' })),
    bytesPerSecond: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: '0 lifts the limit.' })),
  },
  { minProperties: 1 },
);

/** Disks are made of sectors: what is none whole, some hypervisors would round up and others refuse. */
export const SECTOR_BYTES = 512;

/** Of a pool, or of a volume. */
export const outageList = (description: string) =>
  Type.Array(
    Type.Object({
      from: Type.String({ format: 'date-time' }),
      to: Type.Optional(Type.String({ format: 'date-time', description: 'Absent while it lasts.' })),
      reason: Type.String(),
    }),
    { description },
  );

/** The size of a disk. */
export const diskBytes = (more = '') =>
  bytes({
    minimum: SECTOR_BYTES,
    multipleOf: SECTOR_BYTES,
    description: `A multiple of ${SECTOR_BYTES}, at least ${SECTOR_BYTES}.${more}`,
  });

export const volume = defineKind({
  name: 'volume',
  plural: 'volumes',
  description: 'A disk. It outlives the machines it is attached to, unless it was made to go with one.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    poolId: ref('pool', 'restrict', { recursive: true }),
    movingToPoolId: Type.Optional(ref('pool', 'restrict', { description: 'Where it is being moved to.' })),
    leftPoolId: Type.Optional(
      ref('pool', 'detach', {
        description: 'Where a move may have left something of it: that is removed, and until then it moves nowhere else.',
      }),
    ),
    leftPools: Type.Optional(
      Type.Array(Type.Object({ poolId: Type.String({ format: 'uuid' }), at: Type.String({ format: 'date-time' }) }), {
        description: 'Pools that it has left lately, to which it does not return yet.',
      }),
    ),
    pastPools: Type.Optional(
      Type.Array(Type.Object({ poolId: Type.String({ format: 'uuid' }), until: Type.String({ format: 'date-time' }) }), {
        description: 'Pools that it was in within the last 30 days, the last one last.',
      }),
    ),
    sizeBytes: diskBytes(),
    imageId: Type.Optional(ref('image', 'restrict', { description: 'The image it is a clone of.' })),
    snapshotId: Type.Optional(
      ref('snapshot', 'detach', { description: 'The snapshot it is a clone of, until it is flattened or that is deleted.' }),
    ),
    currentSnapshotId: Type.Optional(
      Type.String({ format: 'uuid', description: 'The snapshot that its content goes on from: taken, or reverted to, last.' }),
    ),
    instanceId: Type.Optional(ref('instance', 'detach', { ownedIf: 'deleteWithInstance', description: 'The machine it is attached to.' })),
    deleteWithInstance: Type.Boolean(),
    slot: Type.Optional(Type.Integer({ minimum: 0, description: 'Place on the machine; 0 is the root disk.' })),
    limits: Type.Optional(diskLimits),
    shareable: Type.Optional(
      Type.Boolean({
        description:
          'Several machines may have it at once, each by an `attachment`, and `instanceId` stays empty. Said when it is made, for good. Default: false.',
      }),
    ),
    encrypted: Type.Optional(
      Type.Boolean({ description: 'Its content is encrypted (LUKS) before it leaves its host; the cloud keeps the key. Default: false.' }),
    ),
    encryptionKey: Type.Optional(secret({ description: 'What its content is encrypted with; sealed, given to its hosts only.' })),
    otherKey: Type.Optional(
      secret({ description: 'While its key is being changed: the one that is coming, or going; it may open it, too.' }),
    ),
    backedUpAt: Type.Optional(Type.String({ format: 'date-time', description: 'The newest point in time that a backup of it has.' })),
    status: Type.Union([Type.Literal('present'), Type.Literal('missing')], {
      description: '`missing` while its pool answers and does not have it: somebody removed the disk behind our back.',
    }),
    statusReason: Type.Optional(Type.String()),
    outages: Type.Optional(
      outageList(
        'When it could not be had in the last 30 days though its pool could: the host of its machine did not reach that, or it was `missing`. The last one last.',
      ),
    ),
    trash: trashed(),
  }),
  states: {
    creating: ['available', 'attached', 'deleted'],
    available: ['attached', 'deleting'],
    attached: ['available', 'deleting'],
    deleting: ['deleted', 'trashed'],
    trashed: ['available', 'attached', 'deleting'],
  },
  initial: 'creating',
  unique: [['instanceId', 'slot']],
  indexed: ['status'],
  detached: { instanceId: { from: ['attached'], to: 'available', clears: ['slot'] } },
  quota: { volumes: 1, volumeBytes: 'sizeBytes' },
});
