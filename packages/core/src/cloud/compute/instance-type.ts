import { Type } from 'typebox';
import { bytes, defineKind } from '../../kernel/index.ts';
import { labels } from '../labels.ts';

/** Immutable: `revise` makes the next version under the same name, and machines keep the version they were made from. */
export const instanceType = defineKind({
  name: 'instanceType',
  plural: 'instance-types',
  description: 'A size of machine. A version never changes; its name means the newest.',
  scope: 'cloud',
  tenantsRead: true,
  schema: Type.Object({
    version: Type.Integer({ minimum: 1 }),
    vcpus: Type.Integer({ minimum: 1, maximum: 512 }),
    memoryBytes: bytes({ minimum: 16 * 1024 * 1024 }),
    vcpusMax: Type.Integer({ minimum: 1, maximum: 512, description: 'Up to here processors can be added to a running machine.' }),
    memoryBytesMax: bytes({ minimum: 16 * 1024 * 1024, description: 'Up to here memory can be added to a running machine.' }),
    hostLabels: Type.Optional(labels('Labels that its hosts must have.')),
    cpuShares: Type.Optional(
      Type.Integer({
        minimum: 2,
        maximum: 10_000,
        description: 'Weight against other machines of the host; control groups of version 2 take no more than 10,000.',
      }),
    ),
  }),
  states: { available: ['deleting'], deleting: ['deleted'] },
  initial: 'available',
  namedWith: ['version'],
});
