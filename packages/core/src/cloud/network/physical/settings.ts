import { Type } from 'typebox';
import { defineSetting, type Setting } from '../../../kernel/index.ts';

const levels = ['zone', 'cluster', 'host'];

export const storageSpeedMbits = defineSetting({
  name: 'storageNetwork.speedMbits',
  description: 'How fast the way of a host to a physical network of the role `storage` is to be at least, in megabits a second; 0: any.',
  schema: Type.Integer({ minimum: 0, maximum: 10_000_000 }),
  default: 10_000,
  levels,
});

export const storageBond = defineSetting({
  name: 'storageNetwork.bond',
  description:
    'Whether that way is to be over a bond of at least two links: `required` (a host without is at fault), `wanted` (it is warned of), `ignored`.',
  schema: Type.Union([Type.Literal('required'), Type.Literal('wanted'), Type.Literal('ignored')]),
  default: 'wanted',
  levels,
});

export const storagePlacement = defineSetting({
  name: 'storageNetwork.placement',
  description:
    'What becomes of a host with findings of the level `error`: `warn` tells of it, `refuse` also places no machine there. A host of which nothing is known is told of, and taken.',
  schema: Type.Union([Type.Literal('warn'), Type.Literal('refuse')]),
  default: 'warn',
  levels,
});

export const storageNetworkSettings: readonly Setting[] = [storageSpeedMbits, storageBond, storagePlacement];
