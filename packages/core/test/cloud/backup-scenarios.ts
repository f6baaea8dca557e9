import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import { attached, extra, nothing, spare } from './set-ups.ts';
import type { SmallCloud } from './small-cloud.ts';

const aStore = (at: SmallCloud) => at.sim.done('backupStore.create', { name: 'store-1', driver: 'simulated' });
/** With something in it. */
const aSource = async (at: SmallCloud) => {
  await aStore(at);
  const id = await spare(at);
  at.sim.world.pools.get(`hv1/${at.poolId}`)?.write(id, 0, new Uint8Array(4096).fill(7));
  extra.set(at, id);
  return id;
};
const backUp = (at: SmallCloud, name: string) => at.sim.done('backup.create', { name, volumeId: extra.get(at) });
const aBackup = async (at: SmallCloud) => {
  await aSource(at);
  return backUp(at, 'backup-1');
};

const snapshots = new WeakMap<SmallCloud, string>();
const aSnapshot = async (at: SmallCloud) => {
  snapshots.set(at, await at.sim.done('snapshot.create', { name: 'snapshot-1', volumeId: await aSource(at) }));
  return undefined;
};

/** Of a machine that is on, with a backup and something that was written since. */
const aRunningSource = async (at: SmallCloud) => {
  await aMachine(at);
  const id = extra.get(at) ?? '';
  const write = (byte: number) => at.sim.world.pools.get(`hv1/${at.poolId}`)?.write(id, 0, new Uint8Array(4096).fill(byte));
  write(7);
  await backUp(at, 'backup-1');
  write(8);
};

/** Encrypted, with something in it, and with a backup. */
const aSealed = async (at: SmallCloud) => {
  await aStore(at);
  const id = await at.sim.done('volume.create', { name: 'sealed-1', sizeBytes: 8192, poolId: at.poolId, encrypted: true });
  at.sim.world.pools.get(`hv1/${at.poolId}`)?.write(id, 0, new Uint8Array(4096).fill(7));
  extra.set(at, id);
  return backUp(at, 'backup-1');
};

const others = new WeakMap<SmallCloud, string>();
const elsewhere = async (at: SmallCloud) => {
  const id = await aBackup(at);
  others.set(at, await at.sim.done('pool.create', { name: 'pool-2', driver: 'simulated', hostId: at.hostId, settings: {} }));
  return id;
};
const aPlan = async (at: SmallCloud) => {
  await aSource(at);
  return at.sim.done('backupPlan.create', { name: 'plan-1', volumeId: extra.get(at), schedule: '0 3 * * *' });
};
const aPlanThatRests = async (at: SmallCloud) => {
  const id = await aPlan(at);
  await at.sim.done('backupPlan.disable', {}, id);
  return id;
};

/** A machine with two disks, and a store. */
const aMachine = async (at: SmallCloud) => {
  await aStore(at);
  const id = (await attached(at)) as string;
  machines.set(at, id);
  return id;
};
const machines = new WeakMap<SmallCloud, string>();
const aSet = async (at: SmallCloud) => {
  const instanceId = await aMachine(at);
  return at.sim.done('backupSet.create', { name: 'set-1', instanceId });
};

/** Backup stores, and what is kept in them. */
export const backupScenarios: readonly Scenario[] = [
  on('backupStore.create', nothing, () => ({ name: 'store-1', driver: 'simulated' })),
  on('backupStore.update', aStore, () => ({ description: 'ours' })),
  on('backupStore.disable', aStore, () => ({})),
  on(
    'backupStore.enable',
    async (at) => {
      const id = await aStore(at);
      await at.sim.done('backupStore.disable', {}, id);
      return id;
    },
    () => ({}),
  ),
  on(
    'backupStore.changeCredentials',
    (at) =>
      at.sim.done('backupStore.create', { name: 'store-1', driver: 'simulated', settings: { user: 'one' }, secrets: { key: 'first' } }),
    () => ({ settings: { user: 'two' }, secrets: { key: 'second' } }),
  ),
  on('backupStore.delete', aStore, () => ({})),
  on(
    'backup.create',
    (at) => aSource(at).then(() => undefined),
    (at) => ({ name: 'backup-1', volumeId: extra.get(at) }),
  ),
  on(
    'backup.create',
    (at) => aBackup(at).then(() => undefined),
    (at) => ({ name: 'backup-2', volumeId: extra.get(at) }),
    'after another',
  ),
  on(
    'backup.create',
    (at) => aSource(at).then(() => undefined),
    (at) => ({ name: 'backup-1', volumeId: extra.get(at) }),
    'where there are no snapshots',
    { without: ['snapshots'] },
  ),
  on(
    'backup.create',
    (at) => aRunningSource(at).then(() => undefined),
    (at) => ({ name: 'backup-2', volumeId: extra.get(at) }),
    'of a machine that is on',
    { without: ['snapshots'] },
  ),
  on('backup.create', aSnapshot, (at) => ({ name: 'backup-1', snapshotId: snapshots.get(at) }), 'of a snapshot'),
  on(
    'volume.move',
    async (at) => {
      await elsewhere(at);
      return extra.get(at);
    },
    (at) => ({ poolId: others.get(at) }),
    'after a backup',
  ),
  on('backup.update', aBackup, () => ({ description: 'ours' })),
  on('backup.restore', aBackup, () => ({ name: 'data-2' })),
  on('backup.restore', elsewhere, (at) => ({ name: 'data-2', poolId: others.get(at) }), 'into another pool'),
  on('backup.verify', aBackup, () => ({})),
  on('backup.verify', aBackup, () => ({ restore: true }), 'with a restore'),
  on(
    'backup.create',
    (at) => aSealed(at).then(() => undefined),
    (at) => ({ name: 'backup-2', volumeId: extra.get(at) }),
    'of an encrypted volume',
  ),
  on('backup.restore', aSealed, () => ({ name: 'data-2' }), 'of an encrypted volume'),
  on('backup.restore', aBackup, () => ({ name: 'data-2', encrypted: true }), 'that encrypts'),
  on('backup.verify', aSealed, () => ({ restore: true }), 'of an encrypted volume, with a restore'),
  on(
    'volume.rotateKey',
    async (at) => {
      await aSealed(at);
      return extra.get(at);
    },
    () => ({}),
    'after a backup',
  ),
  on('backup.delete', aBackup, () => ({})),
  on(
    'backupSet.create',
    (at) => aMachine(at).then(() => undefined),
    (at) => ({ name: 'set-1', instanceId: machines.get(at) }),
  ),
  on('backupSet.update', aSet, () => ({ description: 'ours' })),
  on('backupSet.restore', aSet, () => ({ name: 'disk' })),
  on('backupSet.delete', aSet, () => ({})),
  on(
    'backupPlan.create',
    (at) => aSource(at).then(() => undefined),
    (at) => ({ name: 'plan-1', volumeId: extra.get(at), schedule: '0 3 * * *', keepCount: 2 }),
  ),
  on('backupPlan.update', aPlan, () => ({ schedule: '@daily', keepDays: 7 })),
  on('backupPlan.disable', aPlan, () => ({})),
  on('backupPlan.enable', aPlanThatRests, () => ({})),
  on('backupPlan.run', aPlan, () => ({})),
  on('backupPlan.delete', aPlan, () => ({})),
  on(
    'volume.delete',
    async (at) => {
      await aBackup(at);
      return extra.get(at);
    },
    () => ({}),
    'with a backup',
  ),
];
