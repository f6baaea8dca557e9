import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import { attached, extra, nothing, rowsOf, running, spare, stopped } from './set-ups.ts';
import { machine, type SmallCloud } from './small-cloud.ts';

const snap = (at: SmallCloud, volumeId: string, name: string) => at.sim.done('snapshot.create', { name, volumeId });

/** A volume that was written to between three snapshots, and grown. Gives the one in the middle. */
async function tree(at: SmallCloud): Promise<string> {
  const volumeId = await spare(at);
  extra.set(at, volumeId);
  at.sim.world.write(volumeId, 'one');
  await snap(at, volumeId, 'first');
  at.sim.world.write(volumeId, 'two');
  const middle = await snap(at, volumeId, 'second');
  await at.sim.done('volume.resize', { sizeBytes: 16384 }, volumeId);
  at.sim.world.write(volumeId, 'three', 8192);
  await snap(at, volumeId, 'third');
  at.sim.world.write(volumeId, 'four');
  return middle;
}

async function cloned(at: SmallCloud): Promise<string> {
  const snapshotId = await tree(at);
  extra.set(at, await at.sim.done('volume.create', { name: 'clone-1', snapshotId }));
  return snapshotId;
}

/** A pool that keeps for clones what they need, out of sight: the others make them independent. */
async function shared(at: SmallCloud): Promise<SmallCloud> {
  const clusterId = String((await rowsOf(at, 'cluster'))[0]?.id);
  return { ...at, poolId: await at.sim.done('pool.create', { name: 'pool-2', driver: 'simulated-shared', clusterId, settings: {} }) };
}

/** Once its guest has booted, its agent answers. */
const booted = (setUp: (at: SmallCloud) => Promise<string>) => async (at: SmallCloud) => {
  const id = await setUp(at);
  await at.sim.run(5000);
  return id;
};

const group = async (at: SmallCloud, setUp: (at: SmallCloud) => Promise<string>): Promise<string> => {
  const id = await setUp(at);
  await at.sim.done('instance.snapshot', { name: 'group-1' }, id);
  if (setUp === attached) await at.sim.done('instance.stop', { force: true }, id);
  for (const row of await rowsOf(at, 'volume')) at.sim.world.write(row.id, 'since then');
  return String((await rowsOf(at, 'snapshotGroup'))[0]?.id);
};

const otherPool = (at: SmallCloud, storageClass = 'fast') =>
  at.sim.done('pool.create', { name: 'pool-2', driver: 'simulated', hostId: at.hostId, settings: { path: 'other' }, storageClass });

/** A volume with a content, and a pool to move it to. */
const movable = (setUp: (at: SmallCloud) => Promise<string>) => async (at: SmallCloud) => {
  extra.set(at, await otherPool(at));
  const id = await setUp(at);
  const volumes = await rowsOf(at, 'volume');
  for (const row of volumes) at.sim.world.write(row.id, `content of ${row.name}`);
  return volumes.some((row) => row.id === id) ? id : String(volumes[0]?.id);
};

async function asleep(at: SmallCloud): Promise<string> {
  const id = await running(at);
  await at.sim.done('instance.suspend', {}, id);
  return id;
}

const sealed = (at: SmallCloud) => at.sim.done('volume.create', { name: 'sealed-1', sizeBytes: 8192, poolId: at.poolId, encrypted: true });

async function sealedRoot(at: SmallCloud): Promise<string> {
  return at.sim.done('instance.create', machine(at, { rootVolume: { encrypted: true } }));
}

/** In a pool that changes keys of what machines have open. */
async function sealedLive(at: SmallCloud): Promise<string> {
  const id = await sealed(await shared(at));
  await at.sim.done('instance.attachVolume', { volumeId: id }, await running(at));
  return id;
}

/** What is done to points in time of volumes and machines, and to encrypted volumes. */
export const storageScenarios: readonly Scenario[] = [
  on(
    'snapshot.create',
    async (at) => void extra.set(at, await spare(at)),
    (at) => ({ name: 'first', volumeId: extra.get(at) }),
  ),
  on(
    'snapshot.create',
    async (at) => void (await attached(at)),
    (at) => ({ name: 'first', volumeId: extra.get(at) }),
    'of a disk in use',
  ),
  on('volume.create', nothing, () => ({ name: 'sealed-1', sizeBytes: 8192, encrypted: true }), 'encrypted'),
  on(
    'volume.create',
    async (at) => void extra.set(at, await sealed(at)),
    (at) => ({ name: 'copy-1', volumeId: extra.get(at) }),
    'a copy of an encrypted one',
  ),
  on(
    'instance.create',
    async (at) => void (await at.sim.done('storageClass.create', { name: 'standard', encrypted: true })),
    (at) => machine(at, { rootVolume: { storageClass: 'standard' } }),
    'on a disk that its class encrypts',
  ),
  on('volume.resize', sealed, () => ({ sizeBytes: 16384 }), 'encrypted'),
  on('volume.rotateKey', sealed, () => ({})),
  on(
    'volume.rotateKey',
    async (at) => {
      await at.sim.done('instance.create', machine(at, { rootVolume: { encrypted: true }, start: false }));
      return String((await rowsOf(at, 'volume'))[0]?.id);
    },
    () => ({}),
    'of the root disk of a machine that is off',
  ),
  on('volume.rotateKey', sealedLive, () => ({}), 'of a disk in use'),
  on('volume.delete', sealed, () => ({ permanent: true }), 'encrypted'),
  on(
    'instance.attachVolume',
    async (at) => {
      extra.set(at, await sealed(at));
      return running(at);
    },
    (at) => ({ volumeId: extra.get(at) }),
    'encrypted',
  ),
  on('snapshot.update', tree, () => ({ description: 'ours' })),
  on('snapshot.delete', tree, () => ({})),
  on('snapshot.delete', tree, () => ({ force: true }), 'forced'),
  on('snapshot.delete', cloned, () => ({}), 'with a clone that depends on it'),
  on(
    'snapshot.delete',
    async (at) => cloned(await shared(at)),
    () => ({}),
    'with a clone that lives on',
  ),
  on('snapshot.revert', tree, () => ({})),
  on(
    'snapshot.revert',
    async (at) => {
      const id = await tree(at);
      await at.sim.done('snapshot.revert', {}, id);
      return String((await rowsOf(at, 'snapshot')).find(({ name }) => name === 'third')?.id);
    },
    () => ({}),
    'to a larger one',
  ),
  on(
    'volume.create',
    async (at) => void extra.set(at, await tree(at)),
    (at) => ({ name: 'clone-1', snapshotId: extra.get(at), sizeBytes: 32768 }),
    'of a snapshot',
  ),
  on(
    'volume.create',
    async (at) => void (await tree(at)),
    (at) => ({ name: 'copy-1', volumeId: extra.get(at) }),
    'of a volume',
  ),
  on(
    'volume.flatten',
    async (at) => {
      await cloned(at);
      return extra.get(at);
    },
    () => ({}),
  ),
  on(
    'volume.delete',
    async (at) => {
      const id = await spare(at);
      await snap(at, id, 'first');
      return id;
    },
    () => ({ recursive: true }),
    'with its snapshots',
  ),
  on('volume.move', movable(stopped), () => ({ storageClass: 'fast', verify: true }), 'the root disk of one that is off, verified'),
  on('volume.move', movable(running), () => ({ storageClass: 'fast', bytesPerSecond: 2 ** 20 }), 'the root disk of one that runs'),
  on('volume.move', movable(asleep), () => ({ storageClass: 'fast' }), 'the root disk of one that is suspended'),
  on('volume.move', movable(sealed), () => ({ storageClass: 'fast', verify: true }), 'an encrypted one'),
  on('volume.move', movable(sealedRoot), () => ({ storageClass: 'fast' }), 'the encrypted root disk of one that runs'),
  on('image.capture', running, (_, id) => ({ name: 'image-2', instanceId: id }), 'of one that runs'),
  on('image.capture', stopped, (_, id) => ({ name: 'image-2', instanceId: id }), 'where there are no snapshots', {
    without: ['snapshots'],
  }),
  on('instance.snapshot', booted(attached), () => ({ name: 'group-1' }), 'two disks of one that runs'),
  on('instance.snapshot', booted(attached), () => ({ name: 'group-1' }), 'two disks, without an agent in the guest', {
    world: { guests: () => ({ hasAgent: false }) },
  }),
  on('instance.snapshot', booted(attached), () => ({ name: 'group-1' }), 'two disks, on a host that asks no agents', {
    without: ['quiesce'],
  }),
  on('instance.snapshot', running, () => ({ name: 'group-1' }), 'one disk'),
  on(
    'snapshotGroup.update',
    (at) => group(at, running),
    () => ({ description: 'ours' }),
  ),
  on(
    'snapshotGroup.revert',
    (at) => group(at, attached),
    () => ({}),
  ),
  on(
    'snapshotGroup.delete',
    (at) => group(at, running),
    () => ({}),
  ),
];
