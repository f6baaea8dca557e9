import { type Static, Type } from 'typebox';
import { resourceName, secret } from '../../kernel/index.ts';
import { labels } from '../labels.ts';
import { nicInput, nicLimits } from '../network/contract.ts';
import { diskBytes, diskLimits } from '../storage/contract.ts';
import { instance } from './instance.ts';

export const volumeInput = Type.Object({
  name: Type.Optional(resourceName()),
  sizeBytes: diskBytes(),
  storageClass: Type.Optional(Type.String({ maxLength: 63 })),
  limits: Type.Optional(diskLimits),
  encrypted: Type.Optional(
    Type.Boolean({ description: 'Whether its content is encrypted. Default: as the class of its pool demands, else false.' }),
  ),
  deleteWithInstance: Type.Optional(Type.Boolean({ description: 'Default: true for the root disk, false for others.' })),
});

export const instanceInput = Type.Object({
  name: Type.Optional(resourceName()),
  description: Type.Optional(Type.String({ maxLength: 1024 })),
  instanceType: Type.String({ maxLength: 63, description: 'Name (the newest version) or id.' }),
  imageId: Type.Optional(
    Type.String({
      format: 'uuid',
      description: 'The image its root disk is cloned from. Without it that is empty, and `isoImageId` is needed.',
    }),
  ),
  isoImageId: Type.Optional(
    Type.String({ format: 'uuid', description: 'The ISO in its drive, from which it boots as long as its disks cannot be booted from.' }),
  ),
  rootVolume: Type.Optional(Type.Partial(volumeInput, { description: 'Default: as large as the image. An empty one needs `sizeBytes`.' })),
  volumes: Type.Optional(Type.Array(volumeInput, { maxItems: 16, description: 'More new disks.' })),
  attachVolumeIds: Type.Optional(
    Type.Array(Type.String({ format: 'uuid' }), { maxItems: 16, uniqueItems: true, description: 'Disks that are there already.' }),
  ),
  nics: Type.Optional(
    Type.Array(
      Type.Object({
        ...nicInput,
        limits: Type.Optional(nicLimits),
      }),
      { maxItems: 8 },
    ),
  ),
  hostname: Type.Optional(instance.schema.properties.hostname),
  sshKeys: Type.Optional(
    Type.Array(Type.String({ maxLength: 8192 }), {
      maxItems: 64,
      description: 'OpenSSH public keys, as in `.pub` files, for who logs in first.',
    }),
  ),
  userData: Type.Optional(secret({ description: 'cloud-init user data.' })),
  hostId: Type.Optional(Type.String({ format: 'uuid', description: 'Only there.' })),
  hostLabels: Type.Optional(labels('Labels that its host must have, beside those that its type asks for.')),
  placementGroupId: Type.Optional(Type.String({ format: 'uuid', description: 'Machines it keeps together with, or apart from.' })),
  whenFull: Type.Optional(
    Type.Union([Type.Literal('fail'), Type.Literal('wait')], {
      description:
        'Where no host has room: `fail` (default), or `wait` until there is; the operation shows `waitsFor` then, and can be cancelled.',
    }),
  ),
  start: Type.Optional(Type.Boolean({ description: 'Default: true.' })),
});
export type InstanceInput = Static<typeof instanceInput>;
