import type { Scenario } from '../../../testing/index.ts';
import { on } from '../scenario.ts';
import type { SmallCloud } from '../small-cloud.ts';

const net = (at: SmallCloud, more: object = {}) => ({
  kind: 'network',
  properties: { name: 'net', driver: 'simulated', hostId: at.hostId, subnets: [{ name: 'web-net', cidr: '10.9.0.0/24' }], ...more },
});
const disk = (name: string, more: object = {}) => ({ kind: 'volume', properties: { name, sizeBytes: 8192, poolId: 'pool-1', ...more } });

const first = (at: SmallCloud) => ({ resources: { net: net(at), old: { ...disk('old'), dependsOn: ['net'] } } });
/** One is changed, one comes, one goes. */
const second = (at: SmallCloud) => ({
  resources: {
    net: net(at, { description: 'of the shop' }),
    group: { kind: 'placementGroup', properties: { name: 'apart', policy: 'antiAffinity' }, dependsOn: ['net'] },
  },
});
const before = (at: SmallCloud) => at.sim.done('stack.create', { name: 'shop', template: first(at) });
const replaced = (at: SmallCloud) => ({
  resources: { net: net(at), old: { ...disk('old', { imageId: 'image-1' }), replace: true, dependsOn: ['net'] } },
});

const disks = { resources: { a: disk('a'), b: { ...disk('b'), dependsOn: ['a'] } } };
const twoDisks = (at: SmallCloud) => at.sim.done('stack.create', { name: 'shop', template: disks });

export const stackScenarios: readonly Scenario[] = [
  on(
    'stack.create',
    async () => undefined,
    () => ({ name: 'shop', template: { ...disks, outputs: { first: { ref: 'a.name' } } } }),
  ),
  on('stack.apply', before, (at) => ({ template: second(at) })),
  on('stack.apply', before, (at) => ({ template: replaced(at) }), 'that makes one anew'),
  on(
    'stack.rollback',
    async (at) => {
      const id = await twoDisks(at);
      await at.sim.done('stack.apply', { template: { resources: { b: disk('c') } } }, id);
      return id;
    },
    () => ({ revision: 1 }),
  ),
  on('stack.update', twoDisks, () => ({ name: 'store' })),
  on('stack.release', twoDisks, () => ({ resources: ['a'] })),
  on('stack.delete', twoDisks, () => ({})),
];
