import { Type } from 'typebox';
import { defineKind } from '../../../kernel/index.ts';

export const fabric = defineKind({
  name: 'fabric',
  plural: 'fabrics',
  description:
    'What a network driver programs, as the cloud last knew it. One that comes back empty or from yesterday is `lost`: nothing is changed there until an operator has it built anew.',
  scope: 'cloud',
  schema: Type.Object({
    driver: Type.String(),
    life: Type.String({ description: 'Left in the fabric when it was first used, or built anew.' }),
    trouble: Type.Optional(
      Type.String({
        description: 'Why changes do not come through: what hosts share does not answer, or does not follow. Absent where it does.',
      }),
    ),
    serial: Type.Integer({ minimum: 0, description: 'Left there from time to time; it only grows.' }),
  }),
  states: { ready: ['lost'], lost: ['ready'] },
  initial: 'ready',
  unique: [['driver']],
});
