import { Type } from 'typebox';
import { bytes, defineKind, ref, secret } from '../../kernel/index.ts';
import { outageList } from './volume.ts';

export const scopes = Type.Union([Type.Literal('host'), Type.Literal('cluster'), Type.Literal('zone')]);

export const poolOutages = outageList(
  'When it was disconnected or `unavailable` in the last 30 days, by the looks at it, the last one last.',
);

export const pool = defineKind({
  name: 'pool',
  plural: 'pools',
  description: 'A place that holds volumes. A pool of scope `host` pins what uses it to that host.',
  scope: 'cloud',
  schema: Type.Object({
    driver: Type.String({ description: 'Name of the storage strategy, e.g. `libvirt-dir`.' }),
    scope: scopes,
    hostId: Type.Optional(ref('host', 'restrict', { recursive: true, description: 'Of a pool of scope `host`.' })),
    clusterId: Type.Optional(ref('cluster', 'restrict', { recursive: true, description: 'Of a pool of scope `cluster`.' })),
    zoneId: Type.Optional(ref('zone', 'restrict', { recursive: true, description: 'Of a pool of scope `zone`.' })),
    settings: Type.Record(Type.String(), Type.String(), { description: 'What the driver asks for, e.g. `path`.' }),
    secrets: Type.Optional(secret({ description: 'JSON with the settings that the driver marks as secret.' })),
    storageClass: Type.String({ minLength: 1, maxLength: 63, description: 'What requests for storage name, e.g. `standard`.' }),
    classId: Type.Optional(ref('storageClass', 'restrict', { description: 'What the class of that name promises, where there is such.' })),
    overcommit: Type.Number({ minimum: 0.1, maximum: 20, description: 'Bytes promised per byte of the pool.' }),
    totalBytes: Type.Optional(bytes()),
    freeBytes: Type.Optional(bytes()),
    isCapped: Type.Optional(
      Type.Boolean({
        description:
          'There is more of it than 2^53−1 bytes (8 PiB), or by `overcommit` more may be promised of it: no more than that is counted, and promised to volumes.',
      }),
    ),
    replicas: Type.Optional(Type.Integer({ minimum: 1, description: 'Copies of each byte; absent where its driver cannot tell.' })),
    replicasMin: Type.Optional(Type.Integer({ minimum: 1, description: 'With fewer copies writes wait.' })),
    failureDomain: Type.Optional(Type.String({ description: 'What two copies never share, e.g. `host`.' })),
    deviceClass: Type.Optional(Type.String({ description: 'What it is made of, e.g. `ssd`.' })),
    encrypts: Type.Optional(Type.Boolean({ description: 'Whether volumes in it can be encrypted; absent until it has been looked at.' })),
    health: Type.Optional(
      Type.Union([Type.Literal('healthy'), Type.Literal('degraded'), Type.Literal('unavailable')], {
        description: '`degraded`: fewer copies than promised; `unavailable`: some reads or writes wait. Nothing new is placed in either.',
      }),
    ),
    healthReason: Type.Optional(Type.String({ description: "In its backend's own words." })),
    isNearlyFull: Type.Optional(
      Type.Boolean({
        description:
          'Its backend warns that it will soon refuse writes, or more of it is used than the setting `pools.nearlyFullShare` says: nothing new is placed there.',
      }),
    ),
    shortfall: Type.Optional(
      Type.String({ description: 'How it does not keep what its class promises: nothing new is placed there meanwhile.' }),
    ),
    status: Type.Union([Type.Literal('connected'), Type.Literal('disconnected')]),
    statusReason: Type.Optional(Type.String({ description: 'Why it is disconnected: what the last looks at it were answered.' })),
    outages: Type.Optional(poolOutages),
    isBelowTarget: Type.Optional(
      Type.Boolean({ description: 'These take more of 30 days than the setting `pools.availabilityTarget` leaves them.' }),
    ),
    copiesRemovedAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description:
          'Of a deleted one that may have had copies of images: when they were removed. No pool is registered at its place for a while after that.',
      }),
    ),
  }),
  states: {
    creating: ['available', 'deleted'],
    available: ['disabled', 'deleting'],
    disabled: ['available', 'deleting'],
    deleting: ['deleted'],
  },
  initial: 'creating',
  indexed: ['scope', 'storageClass', 'status'],
});
