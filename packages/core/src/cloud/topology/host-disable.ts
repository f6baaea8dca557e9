import { Type } from 'typebox';
import { defineAction } from '../../kernel/index.ts';
import { rowMove } from '../row-only.ts';
import { host } from './host.ts';

export const hostDisable = defineAction({
  kind: host,
  verb: 'disable',
  description: 'Places no new machines on the host; those on it go on.',
  target: 'resource',
  input: Type.Object({}),
  from: ['enabled', 'disabled', 'maintenance'],
  satisfied: (row) => row.state === 'disabled',
  accept: ({ id }) => ({ params: { kind: host.name, id, from: ['enabled', 'maintenance'], to: 'disabled' }, statements: [] }),
  saga: rowMove,
  context: () => null,
});
