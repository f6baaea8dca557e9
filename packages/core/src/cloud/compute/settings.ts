import { Type } from 'typebox';
import { defineSetting } from '../../kernel/index.ts';

export const shutdownSeconds = defineSetting({
  name: 'hosts.shutdownSeconds',
  description: 'How long a guest may take to power off before it is forced, unless the request says otherwise.',
  schema: Type.Number({ minimum: 0, maximum: 3600 }),
  default: 60,
  levels: ['zone', 'cluster', 'host', 'instance'],
  tenantsRead: true,
});
