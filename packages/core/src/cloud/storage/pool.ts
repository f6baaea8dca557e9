import { Type } from 'typebox';
import { bytes, defineKind, ref } from '../../kernel/index.ts';

export const scopes = Type.Union([Type.Literal('host'), Type.Literal('cluster'), Type.Literal('zone')]);

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
    storageClass: Type.String({ minLength: 1, maxLength: 63, description: 'What requests for storage name, e.g. `standard`.' }),
    overcommit: Type.Number({ minimum: 0.1, maximum: 20, description: 'Bytes promised per byte of the pool.' }),
    totalBytes: Type.Optional(bytes()),
    freeBytes: Type.Optional(bytes()),
    status: Type.Union([Type.Literal('connected'), Type.Literal('disconnected')]),
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
