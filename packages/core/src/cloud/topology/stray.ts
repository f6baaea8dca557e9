import { Type } from 'typebox';
import { defineKind, ref } from '../../kernel/index.ts';

/** Something real with our mark that no row and no deletion explains: kept, shown, and left to a person. The store may have been restored from yesterday. */
export const stray = defineKind({
  name: 'stray',
  plural: 'strays',
  description:
    'A machine, volume or network that carries our mark and is unknown to us: quarantined until it is adopted or removed by an operator.',
  scope: 'cloud',
  schema: Type.Object({
    hostId: ref('host', 'cascade'),
    objectKind: Type.Union([Type.Literal('machine'), Type.Literal('volume'), Type.Literal('network')]),
    objectId: Type.String(),
    objectName: Type.String(),
    place: Type.String({ description: 'Pool or host it was found in.' }),
    details: Type.Unsafe<Record<string, unknown>>({ type: 'object' }),
  }),
  states: { quarantined: ['deleting', 'deleted'], deleting: ['deleted', 'quarantined'] },
  initial: 'quarantined',
  unique: [['place', 'objectKind', 'objectId']],
  indexed: ['objectKind', 'objectId'],
});
