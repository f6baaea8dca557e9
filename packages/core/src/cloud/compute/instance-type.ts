import { Type } from 'typebox';
import { both, bytes, defineKind, equals, type Reader, type RowOf } from '../../kernel/index.ts';
import { labels } from '../labels.ts';
import { tolerations } from '../taints.ts';

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
    tolerations: Type.Optional(tolerations()),
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

/** The newest version by its name, or the one by its id; undefined where none is to be had. */
export async function newestType(reader: Reader, nameOrId: string): Promise<RowOf<typeof instanceType> | undefined> {
  const byName = await reader.list(instanceType, both(equals('name', nameOrId), equals('state', 'available')));
  const newest = [...byName].sort((a, b) => b.version - a.version)[0] ?? (await reader.find(instanceType, nameOrId));
  return newest?.state === 'available' ? newest : undefined;
}
