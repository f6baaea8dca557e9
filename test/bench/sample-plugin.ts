import { create, defineAction, defineKind, type Plugin, resourceName, saga } from '@pileus/core/kernel';
import { Type } from 'typebox';
import { answerProbes, timeRequests } from './probes.ts';

const sample = defineKind({
  name: 'sample',
  plural: 'samples',
  description: 'A row of whatever size.',
  scope: 'project',
  schema: Type.Object({ labels: Type.Record(Type.String(), Type.String()) }),
  states: { available: [] },
  initial: 'available',
});

/** What the measured server loads for reads: rows of a size, and the probes. */
const samplePlugin: Plugin = {
  id: 'bench-samples',
  version: '1',
  kinds: [sample],
  actions: [
    defineAction({
      kind: sample,
      verb: 'create',
      description: 'Makes a row.',
      target: 'collection',
      input: Type.Object({ name: resourceName(), labels: sample.schema.properties.labels }),
      accept: ({ id, projectId, input }) => ({ params: null, statements: [create(sample, { id, projectId, ...input })] }),
      saga: saga<null, null>('sample.create', 1).build(),
      context: () => null,
    }),
  ],
};

export default ({ timed }: { readonly timed?: boolean } = {}): Plugin => {
  if (process.send !== undefined) answerProbes();
  if (timed === true) timeRequests();
  return samplePlugin;
};
