import { Type } from 'typebox';
import { defineAction } from '../../kernel/index.ts';
import { rowMove } from '../row-only.ts';
import { pool } from './pool.ts';

export const poolDisable = defineAction({
  kind: pool,
  verb: 'disable',
  description: 'Makes no new volumes in the pool; those in it stay in use.',
  target: 'resource',
  input: Type.Object({}),
  from: ['available', 'disabled'],
  satisfied: (row) => row.state === 'disabled',
  accept: ({ id }) => ({ params: { kind: pool.name, id, from: ['available'], to: 'disabled' }, statements: [] }),
  saga: rowMove,
  context: () => null,
});
