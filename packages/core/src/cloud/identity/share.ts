import { Type } from 'typebox';
import { CloudError, changeable, create, defineKind, type KernelServices, resourceName } from '../../kernel/index.ts';
import { nameOr } from '../naming.ts';
import { rowDeletion } from '../row-only.ts';
import { creation } from './row-verbs.ts';

const resourceId = Type.String({ format: 'uuid' });

export const share = defineKind({
  name: 'share',
  plural: 'shares',
  description: 'That others may see and use something of the project: never change it.',
  scope: 'project',
  schema: Type.Object({
    resourceKind: Type.String({ description: 'E.g. `image`.' }),
    resourceId,
    audience: Type.String({ description: 'The id of a project or of an account, or `all`.' }),
  }),
  states: { available: ['deleting'], deleting: ['available', 'deleted'] },
  initial: 'available',
  indexed: ['resourceId'],
  unique: [['resourceId', 'audience']],
});

export const shareActions = ({ kernel }: Pick<KernelServices, 'kernel'>) => [
  creation(share, {
    description: 'Shares an image or a network with another project, with all of an account, or with everybody.',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      resourceKind: Type.String({ maxLength: 63 }),
      resourceId,
      with: Type.Union([Type.Literal('all'), Type.String({ format: 'uuid' })], {
        description: 'The id of a project or of an account, or `all`.',
      }),
    }),
    rows: async ({ id, input, principal, projectId, reader }) => {
      const { registry } = kernel();
      const kind = registry.findKind(input.resourceKind);
      if (kind?.shareable !== true) {
        const kinds = registry.kinds().flatMap(({ name, shareable }) => (shareable === true ? [name as string] : []));
        throw new CloudError('invalid_input', `No ${input.resourceKind} can be shared; what can is ${kinds.join(', ')}.`, {
          pointer: '/resourceKind',
          params: { kinds },
        });
      }
      const row = await changeable(reader, kind, input.resourceId, principal, '/resourceId');
      return [
        { op: 'expect', table: kind.name, key: row.id, expect: { deletedAt: null } },
        create(share, {
          ...{ id, projectId, name: nameOr(input.name, share, id) },
          ...{ resourceKind: kind.name as string, resourceId: row.id, audience: input.with },
        }),
      ];
    },
  }),
];

export const shareDeletion = rowDeletion(share, ['available']);
