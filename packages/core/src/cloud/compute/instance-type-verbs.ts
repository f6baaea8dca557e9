import { Type } from 'typebox';
import { both, CloudError, create, defineAction, equals, resourceName } from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { rowCreate, rowDeletion, rowTakenBack } from '../row-only.ts';
import type { Toleration } from '../taints.ts';
import { instanceType } from './instance-type.ts';

const size = instanceType.schema.properties;
const sizeInput = {
  vcpus: size.vcpus,
  memoryBytes: size.memoryBytes,
  vcpusMax: Type.Optional(size.vcpusMax),
  memoryBytesMax: Type.Optional(size.memoryBytesMax),
  cpuShares: size.cpuShares,
  hostLabels: size.hostLabels,
  tolerations: size.tolerations,
};

interface Size {
  readonly vcpus: number;
  readonly memoryBytes: number;
  readonly vcpusMax?: number;
  readonly memoryBytesMax?: number;
  readonly cpuShares?: number;
  readonly hostLabels?: Readonly<Record<string, string>>;
  readonly tolerations?: Toleration[];
}

function sizeFields(input: Size) {
  const vcpusMax = input.vcpusMax ?? input.vcpus;
  const memoryBytesMax = input.memoryBytesMax ?? input.memoryBytes;
  if (vcpusMax < input.vcpus)
    throw new CloudError('invalid_input', 'The maximum is below the number of processors.', { pointer: '/vcpusMax' });
  if (memoryBytesMax < input.memoryBytes)
    throw new CloudError('invalid_input', 'The maximum is below the memory.', { pointer: '/memoryBytesMax' });
  return {
    vcpus: input.vcpus,
    memoryBytes: input.memoryBytes,
    vcpusMax,
    memoryBytesMax,
    ...given({ cpuShares: input.cpuShares, hostLabels: input.hostLabels, tolerations: input.tolerations }),
  };
}

export const createInstanceType = defineAction({
  kind: instanceType,
  verb: 'create',
  description: 'Makes a new size of machine.',
  target: 'collection',
  input: Type.Object({ name: Type.Optional(resourceName()), ...sizeInput }),
  accept: async ({ id, input, reader }) => {
    const name = nameOr(input.name, instanceType, id);
    if ((await reader.list(instanceType, equals('name', name), { limit: 1 })).length > 0)
      throw new CloudError('name_taken', `There is an instance type ${name}; revise it to make its next version.`, {
        pointer: '/name',
        params: { field: 'name', kind: 'instanceType' },
      });
    return { params: { kind: instanceType.name, id }, statements: [create(instanceType, { id, name, version: 1, ...sizeFields(input) })] };
  },
  saga: rowCreate,
  context: () => null,
  unwound: rowTakenBack,
});

/** The next version under the same name. Machines keep theirs. */
export const reviseInstanceType = defineAction({
  kind: instanceType,
  verb: 'revise',
  description: 'Makes the next version of a size; the versions before stay as they are.',
  target: 'resource',
  input: Type.Object(sizeInput),
  from: ['available'],
  accept: async ({ row, input, reader, mint }) => {
    const versions = await reader.list(instanceType, both(equals('name', row.name), equals('state', 'available')));
    const version = Math.max(...versions.map((entry) => entry.version)) + 1;
    const id = mint('instanceType');
    return {
      params: { kind: instanceType.name, id },
      statements: [create(instanceType, { id, name: row.name, version, ...sizeFields(input) })],
    };
  },
  refused: (failure) => (failure.reason === 'exists' ? 'again' : undefined),
  saga: rowCreate,
  context: () => null,
  unwound: rowTakenBack,
});

export const instanceTypeDeletion = rowDeletion(instanceType, ['available']);
