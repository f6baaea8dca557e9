import {
  create,
  defineAction,
  defineDeletion,
  defineKind,
  FORWARD_ONLY,
  type Plugin,
  ref,
  resourceName,
  saga,
  transition,
} from '@pileus/core/kernel';
import { Type } from 'typebox';

const scrapeTarget = defineKind({
  name: 'scrapeTarget',
  plural: 'scrape-targets',
  description: 'A port of a machine that Prometheus collects metrics from.',
  scope: 'project',
  schema: Type.Object({
    instanceId: ref('instance', 'cascade'),
    address: Type.String({ maxLength: 45 }),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  }),
  states: { active: ['deleting'], deleting: ['deleted'] },
  initial: 'active',
  indexed: ['port'],
  quota: { scrapeTargets: 1 },
});

const remove = saga<null, { readonly id: string }>('scrapeTarget.remove', 1)
  .write('deleted', {
    do: ({ params }) => [transition(scrapeTarget, params.id as never, { from: 'deleting', to: 'deleted' })],
    undo: FORWARD_ONLY,
  })
  .build();

/** As much of the first release as tells what its rows were: ports, and neither scheme nor path. */
export const release1: Plugin = {
  id: 'scrape-targets',
  version: '1.0.0',
  kinds: [scrapeTarget],
  actions: [
    defineAction({
      kind: scrapeTarget,
      verb: 'create',
      description: 'Has Prometheus collect metrics from a port of a machine.',
      target: 'collection',
      input: Type.Object({ name: resourceName(), instanceId: scrapeTarget.schema.properties.instanceId, port: Type.Integer() }),
      accept: ({ id, projectId, input }) => ({
        params: null,
        statements: [create(scrapeTarget, { ...input, id, projectId, address: '10.0.0.2' })],
      }),
      saga: saga<null, null>('scrapeTarget.create', 1).build(),
      context: () => null,
    }),
  ],
  deletions: [
    defineDeletion({ kind: scrapeTarget, from: ['active'], remove, context: () => null, params: ({ id }) => ({ id: id as string }) }),
  ],
};
