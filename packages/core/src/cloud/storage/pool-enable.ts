import { Type } from 'typebox';
import { defineAction } from '../../kernel/index.ts';
import { rowMove } from '../row-only.ts';
import { pool } from './pool.ts';

export const poolEnable = defineAction({
  kind: pool,
  verb: 'enable',
  description: 'Lets new volumes be made in the pool.',
  target: 'resource',
  input: Type.Object({}),
  from: ['available', 'disabled'],
  satisfied: (row) => row.state === 'available',
  accept: ({ id }) => ({ params: { kind: pool.name, id, from: ['disabled'], to: 'available' }, statements: [] }),
  saga: rowMove,
  context: () => null,
});
