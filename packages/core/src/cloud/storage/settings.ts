import { Type } from 'typebox';
import { defineSetting } from '../../kernel/index.ts';

export const imageBytesMax = defineSetting({
  name: 'images.bytesMax',
  description: 'Content of one image at most.',
  schema: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  default: 1024 ** 4,
});

export const imagePartHours = defineSetting({
  name: 'images.partHours',
  description: 'How long what has come of an upload that broke off is kept, for it to be gone on with.',
  schema: Type.Integer({ minimum: 0, maximum: 8760 }),
  default: 24,
});

export const imageDiskBytesMax = defineSetting({
  name: 'images.diskBytesMax',
  description:
    'The disk in one image at most. Little content can be of a large disk that is full: a pool that keeps disks as they are would have to hold all of it.',
  schema: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  default: 1024 ** 4,
});

export const volumeReturnSeconds = defineSetting({
  name: 'volumes.returnSeconds',
  description:
    'How long a volume may not be moved back to a pool that it has left, and no pool registered where one with copies of images was: what removes them there may be late.',
  schema: Type.Integer({ minimum: 0, maximum: 86_400 }),
  default: 600,
});

export const poolTarget = defineSetting({
  name: 'pools.availabilityTarget',
  description:
    'Share of 30 days in which each pool is to be had: 0.9995 leaves 21 minutes and 36 seconds of outages. One that was away for longer shows `isBelowTarget`.',
  schema: Type.Number({ minimum: 0, maximum: 1 }),
  default: 0.9995,
});

export const poolNearlyFullShare = defineSetting({
  name: 'pools.nearlyFullShare',
  description:
    'Where a driver does not tell that a pool is nearly full, as Ceph does: it is when more than this share of it is used, by whomever. Nothing new is placed there, and operators are told. 1: never.',
  schema: Type.Number({ minimum: 0, maximum: 1 }),
  default: 0.9,
});
