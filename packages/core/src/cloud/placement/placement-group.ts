import { Type } from 'typebox';
import { create, defineAction, defineKind, resourceName, updateAction } from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { rowCreate, rowDeletion, rowTakenBack } from '../row-only.ts';

export const placementGroup = defineKind({
  name: 'placementGroup',
  plural: 'placement-groups',
  description: 'Machines that keep together, or apart.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    policy: Type.Union(
      [Type.Literal('affinity'), Type.Literal('antiAffinity'), Type.Literal('softAffinity'), Type.Literal('softAntiAffinity')],
      { description: 'Together, or apart. A soft policy is kept where there is room for that.' },
    ),
    over: Type.Union([Type.Literal('host'), Type.Literal('failureDomain'), Type.Literal('cluster')], {
      description: 'What they share, or do not.',
    }),
    domain: Type.Optional(Type.String({ description: 'Of policy `affinity`: where its members are, or were last.' })),
  }),
  states: { available: ['deleting'], deleting: ['deleted'] },
  initial: 'available',
});

const { properties } = placementGroup.schema;

const groupCreate = defineAction({
  kind: placementGroup,
  verb: 'create',
  description: 'Makes a group of machines that keep together, or apart. `over`: default `host`. Its policy never changes.',
  target: 'collection',
  input: Type.Object({
    name: Type.Optional(resourceName()),
    description: properties.description,
    policy: properties.policy,
    over: Type.Optional(properties.over),
  }),
  accept: ({ id, input, projectId }) => {
    const { policy, over = 'host' } = input;
    const row = { id, projectId, name: nameOr(input.name, placementGroup, id), policy, over, ...given({ description: input.description }) };
    return { params: { kind: placementGroup.name, id }, statements: [create(placementGroup, row)] };
  },
  saga: rowCreate,
  context: () => null,
  unwound: rowTakenBack,
});

export const groupActions = [groupCreate, updateAction(placementGroup, ['description'])];
/** Its members keep it: it is deleted after them. */
export const groupDeletion = rowDeletion(placementGroup, ['available']);
