import { Type } from 'typebox';
import { create, defineAction, resourceName, updateAction } from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { rowCreate, rowDeletion, rowTakenBack } from '../row-only.ts';
import { zone } from './zone.ts';

export const zoneCreate = defineAction({
  kind: zone,
  verb: 'create',
  description: 'Makes a zone.',
  target: 'collection',
  input: Type.Object({ name: Type.Optional(resourceName()), description: Type.Optional(Type.String({ maxLength: 1024 })) }),
  accept: ({ id, input }) => ({
    params: { kind: zone.name, id },
    statements: [create(zone, { ...given(input), id, name: nameOr(input.name, zone, id) })],
  }),
  saga: rowCreate,
  context: () => null,
  unwound: rowTakenBack,
});

export const zoneUpdate = updateAction(zone, ['description']);

export const zoneDeletion = rowDeletion(zone, ['available']);
