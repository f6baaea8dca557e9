import type { Scenario } from '../../testing/index.ts';
import { SimContent } from '../../testing/sim/content.ts';
import { on } from './scenario.ts';
import { attached, extra, nothing, rowsOf } from './set-ups.ts';
import type { SmallCloud } from './small-cloud.ts';

const promised = { name: 'fast', replicas: 2, encrypted: true, iopsPerSecond: { base: 100, perGib: 10, max: 1000 } };
const made = (at: SmallCloud) => at.sim.done('storageClass.create', promised);
const shared = async (at: SmallCloud) => ({
  ...{ name: 'shared', driver: 'simulated-shared', storageClass: 'fast' },
  clusterId: (await rowsOf(at, 'cluster'))[0]?.id,
});
const pooled = async (at: SmallCloud) => at.sim.done('pool.create', await shared(at));

const plugged = async (at: SmallCloud) => {
  const id = await attached(at);
  return { id, volumeId: String(extra.get(at)) };
};

/** Storage classes, pools of them, and disks that grow in use. */
export const classScenarios: readonly Scenario[] = [
  on('storageClass.create', nothing, () => promised),
  on(
    'storageClass.create',
    async (at) => void (await pooled(at)),
    () => promised,
    'of pools that are there',
  ),
  on('storageClass.update', made, () => ({ replicas: 3 })),
  on('storageClass.delete', made, () => ({})),
  on('pool.create', async (at) => void (await made(at)), shared, 'of a class'),
  on(
    'pool.update',
    async (at) => {
      await made(at);
      return at.sim.done('pool.create', { ...(await shared(at)), storageClass: 'plain' });
    },
    () => ({ storageClass: 'fast' }),
    'into a class',
  ),
  on(
    'pool.adopt',
    async (at) => {
      const id = await pooled(at);
      at.sim.world.pools.get(id)?.others.set('vm-100-disk-0', { sizeBytes: 8192, content: SimContent.EMPTY });
      return id;
    },
    () => ({ disk: 'vm-100-disk-0', sizeBytes: 8192, name: 'adopted' }),
  ),
  on(
    'pool.changeCredentials',
    async (at) => {
      const id = await at.sim.done('pool.create', { ...(await shared(at)), settings: { user: 'vm' }, secrets: { key: 'first' } });
      await at.sim.done('volume.create', { name: 'kept', sizeBytes: 8192, poolId: id });
      return id;
    },
    () => ({ settings: { user: 'vm-2' }, secrets: { key: 'second' } }),
  ),
  on(
    'volume.resize',
    async (at) => (await plugged(at)).volumeId,
    () => ({ sizeBytes: 16384 }),
    'under a running machine',
  ),
  on(
    'volume.resize',
    async (at) => {
      const { id, volumeId } = await plugged(at);
      await at.sim.done('instance.stop', { force: true }, id);
      return volumeId;
    },
    () => ({ sizeBytes: 16384 }),
    'of a machine that is off',
  ),
];
