import { Type } from 'typebox';
import { defineKind, ref } from '../../kernel/index.ts';

/** In the order in which they are adopted or removed: what uses another before that. */
export const STRAY_KINDS = [
  'machine',
  'snapshot',
  'volume',
  'seed',
  'image',
  'dnsRecord',
  'loadBalancer',
  'portForward',
  'elasticIp',
  'natGateway',
  'peering',
  'port',
  'network',
  'securityGroup',
  'vpc',
] as const;
export type StrayKind = (typeof STRAY_KINDS)[number];

/** Something real with our mark that no row and no deletion explains: kept, shown, and left to a person. The store may have been restored from yesterday. */
export const stray = defineKind({
  name: 'stray',
  plural: 'strays',
  description:
    'A machine, snapshot, volume, seed, copy of an image, port, network or object around networks that carries our mark and is unknown to us: quarantined until it is adopted or removed, by an operator or by the policy that he has set.',
  scope: 'cloud',
  schema: Type.Object({
    hostId: ref('host', 'cascade'),
    objectKind: Type.Unsafe<StrayKind>({ type: 'string', enum: [...STRAY_KINDS] }),
    objectId: Type.String(),
    objectName: Type.String(),
    place: Type.String({ description: 'Pool, host or, of a snapshot, volume it was found in.' }),
    details: Type.Unsafe<Record<string, unknown>>({ type: 'object' }),
  }),
  states: { quarantined: ['deleting', 'deleted'], deleting: ['deleted', 'quarantined'] },
  initial: 'quarantined',
  unique: [['place', 'objectKind', 'objectId']],
  indexed: ['objectKind', 'objectId'],
});
