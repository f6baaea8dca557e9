import { instanceType } from '../../src/cloud/index.ts';
import type { Scenario } from '../../testing/index.ts';
import { racks } from '../examples/racks/racks.ts';
import { on } from './scenario.ts';
import { machine, type SmallCloud } from './small-cloud.ts';

const nothing = async () => undefined;
const types = new WeakMap<SmallCloud, string>();
const tagging = (at: SmallCloud) => ({ resourceKind: 'image', resourceIds: [at.imageId] });
const tagged = async (at: SmallCloud) => {
  await at.sim.done('tag.attach', { ...tagging(at), tags: { env: 'test', team: 'blue' } });
  return undefined;
};
const withRacks = { plugins: [racks] };
const rack = async (at: SmallCloud) => {
  const [type] = await at.sim.environment.complete(at.sim.kernel.reader.list(instanceType));
  if (type === undefined) throw new Error('no instance type');
  types.set(at, type.id);
  return undefined;
};
const onRack = (at: SmallCloud) => ({ tag: 'racks.only', resourceKind: 'instanceType', resourceId: types.get(at) });
const policy = (at: SmallCloud) =>
  at.sim.done('tagPolicy.create', { name: 'envs', key: 'env', kinds: ['instance'], required: true, copyTo: ['volume', 'nic'] });

export const tagScenarios: readonly Scenario[] = [
  on('tag.attach', tagged, (at) => ({ ...tagging(at), tags: { env: 'prod', tier: 'gold' } })),
  on('tag.detach', tagged, (at) => ({ ...tagging(at), keys: ['env', 'team'] })),
  on('systemTag.set', rack, (at) => ({ ...onRack(at), value: 'rack-1' }), '', withRacks),
  on(
    'systemTag.clear',
    async (at) => {
      await rack(at);
      await at.sim.done('systemTag.set', { ...onRack(at), value: 'rack-1' });
      return undefined;
    },
    (at) => onRack(at),
    '',
    withRacks,
  ),
  on('tagPolicy.create', nothing, () => ({ name: 'envs', key: 'env', kinds: ['instance'] })),
  on('tagPolicy.update', policy, () => ({ required: false, values: ['prod'] })),
  on('tagPolicy.delete', policy, () => ({})),
  on(
    'instance.create',
    (at) => policy(at).then(() => undefined),
    (at) => machine(at, { tags: { env: 'prod' } }),
    'with tags',
  ),
  on(
    'volume.delete',
    (at) => at.sim.done('volume.create', { name: 'data-1', sizeBytes: 8192, poolId: at.poolId, tags: { env: 'prod' } }),
    () => ({}),
    'with tags',
  ),
];
