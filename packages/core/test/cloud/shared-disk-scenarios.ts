import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import { extra, rowsOf } from './set-ups.ts';
import type { SmallCloud } from './small-cloud.ts';

const A_WHILE_MS = 120_000;
const storageClass = 'shared';

/** Two hosts that reach a pool, and a volume of several machines in it, which so many of two machines have. Answers the first of these. */
const two =
  (attached: 0 | 1 | 2) =>
  async (at: SmallCloud): Promise<string> => {
    const [cluster] = await rowsOf(at, 'cluster');
    at.sim.world.addHost('hv2');
    const secondId = await at.sim.done('host.create', {
      ...{ name: 'hv2', uri: 'sim://hv2', failureDomain: 'rack-2', clusterId: cluster?.id },
    });
    const poolId = await at.sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId: cluster?.id, storageClass });
    const volumeId = await at.sim.done('volume.create', { name: 'quorum', sizeBytes: 8192, poolId, shareable: true });
    const ids: string[] = [];
    for (const [index, hostId] of [at.hostId, secondId].entries())
      ids.push(
        await at.sim.done('instance.create', {
          ...{ name: `vm-${index + 1}`, instanceType: 'small', imageId: at.imageId, hostId, rootVolume: { storageClass } },
        }),
      );
    for (const id of ids.toReversed().slice(0, attached)) await at.sim.done('instance.attachVolume', { volumeId }, id);
    extra.set(at, volumeId);
    return String(ids[0]);
  };

/** Its definition tells of the disk. */
async function stopped(at: SmallCloud): Promise<string> {
  const id = await two(2)(at);
  for (const verb of ['stop', 'start', 'stop']) await at.sim.done(`instance.${verb}`, verb === 'stop' ? { force: true } : {}, id);
  return id;
}

async function lost(at: SmallCloud): Promise<string> {
  const id = await two(2)(at);
  at.sim.world.partition('hv1');
  await at.sim.run(A_WHILE_MS);
  return id;
}

async function free(at: SmallCloud): Promise<string> {
  const clusterId = (await rowsOf(at, 'cluster'))[0]?.id;
  await two(0)(at);
  await at.sim.done('pool.create', { name: 'pool-3', driver: 'simulated-shared', clusterId, storageClass: 'other' });
  return String(extra.get(at));
}

const volumeOf = (at: SmallCloud) => ({ volumeId: extra.get(at) });

/** What is done to volumes of several machines, and to machines that have one. */
export const sharedDiskScenarios: readonly Scenario[] = [
  on(
    'volume.create',
    async (at) => void (await two(0)(at)),
    () => ({ name: 'quorum-2', sizeBytes: 8192, storageClass, shareable: true }),
    'for several machines',
  ),
  on('instance.attachVolume', two(1), volumeOf, 'that another has'),
  on('instance.detachVolume', two(2), volumeOf, 'that another keeps'),
  on('instance.start', stopped, () => ({}), 'with a disk that another has'),
  on('instance.delete', two(2), () => ({}), 'with a disk that another has'),
  on('instance.migrate', two(2), () => ({}), 'to where another has its disk'),
  on('instance.evacuate', lost, () => ({}), 'with a disk that another has'),
  on(
    'instance.create',
    async (at) => void (await two(1)(at)),
    (at) => ({
      ...{ name: 'vm-3', instanceType: 'small', imageId: at.imageId, hostId: at.hostId, rootVolume: { storageClass } },
      attachVolumeIds: [extra.get(at)],
    }),
    'with a disk that another has',
  ),
  on('volume.move', free, () => ({ storageClass: 'other' }), 'of several machines'),
];
