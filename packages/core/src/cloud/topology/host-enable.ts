import { Type } from 'typebox';
import { defineAction } from '../../kernel/index.ts';
import { rowMove } from '../row-only.ts';
import { host } from './host.ts';

export const hostEnable = defineAction({
  kind: host,
  verb: 'enable',
  description: 'Lets new machines be placed on the host.',
  target: 'resource',
  input: Type.Object({}),
  from: ['enabled', 'disabled', 'maintenance'],
  satisfied: (row) => row.state === 'enabled',
  accept: ({ id }) => ({ params: { kind: host.name, id, from: ['disabled', 'maintenance'], to: 'enabled' }, statements: [] }),
  saga: rowMove,
  context: () => null,
});
