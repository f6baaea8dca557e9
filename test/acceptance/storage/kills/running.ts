import type { Id } from '@pileus/sdk';
import { MIB } from '../ceph-cloud.ts';
import { backUp, empty, type Ground, machineOf, off, type Play, play, plugged, type Wave } from './ground.ts';

const onHost = (g: Ground) => empty(g, { poolId: g.localId });

async function withIso(g: Ground, number: number): Promise<Id<'instance'>> {
  const id = machineOf(g, number);
  await g.cloud.instances.attachIso(id, { imageId: g.isoId }).wait();
  return id;
}

/** Each on a machine of its own: what is asked of one machine is done one after another. */
const ON_MACHINES: readonly Play[] = [
  play('instance.attachVolume', async (g) => {
    const { id: volumeId } = await empty(g);
    return () => g.cloud.instances.attachVolume(machineOf(g, 0), { volumeId });
  }),
  play('instance.attachVolume, encrypted', async (g) => {
    const { id: volumeId } = await empty(g, { encrypted: true });
    return () => g.cloud.instances.attachVolume(machineOf(g, 1), { volumeId });
  }),
  play('instance.attachVolume, of several machines', async (g) => {
    const { id: volumeId } = await empty(g, { shareable: true });
    return () => g.cloud.instances.attachVolume(machineOf(g, 2), { volumeId });
  }),
  play('instance.detachVolume', async (g) => {
    const volumeId = await plugged(g, 3);
    return () => g.cloud.instances.detachVolume(machineOf(g, 3), { volumeId });
  }),
  play('instance.detachVolume, encrypted', async (g) => {
    const volumeId = await plugged(g, 4, empty(g, { encrypted: true }));
    return () => g.cloud.instances.detachVolume(machineOf(g, 4), { volumeId });
  }),
  play('instance.attachIso', async (g) => () => g.cloud.instances.attachIso(machineOf(g, 5), { imageId: g.isoId })),
  play('instance.detachIso', async (g) => {
    const id = await withIso(g, 6);
    return () => g.cloud.instances.detachIso(id, { force: true });
  }),
];

const IN_USE: readonly Play[] = [
  play('instance.attachIso, of a machine that is off', async (g) => {
    const id = await off(g);
    return () => g.cloud.instances.attachIso(id, { imageId: g.isoId });
  }),
  play('instance.snapshot', async (g) => {
    await plugged(g, 0);
    return () => g.cloud.instances.snapshot(machineOf(g, 0), { name: g.name('group') });
  }),
  play('volume.resize', async (g) => {
    const id = await plugged(g, 1);
    return () => g.cloud.volumes.resize(id, { sizeBytes: 64 * MIB });
  }),
  play('volume.resize, encrypted', async (g) => {
    const id = await plugged(g, 2, empty(g, { encrypted: true }));
    return () => g.cloud.volumes.resize(id, { sizeBytes: 64 * MIB });
  }),
  play('volume.setLimits', async (g) => {
    const id = await plugged(g, 1);
    return () => g.cloud.volumes.setLimits(id, { limits: { iopsPerSecond: 100 } });
  }),
  play('snapshot.create', async (g) => {
    const volumeId = await plugged(g, 2);
    return () => g.cloud.snapshots.create({ name: g.name('snapshot'), volumeId });
  }),
  play('backup.create', async (g) => {
    const volumeId = await plugged(g, 3);
    return () => backUp(g, volumeId);
  }),
  play('backup.create, laid aside', async (g) => {
    const volumeId = await plugged(g, 4, onHost(g));
    return () => backUp(g, volumeId);
  }),
  play('backup.create, laid aside, the second', async (g) => {
    const volumeId = await plugged(g, 5, onHost(g));
    await backUp(g, volumeId).wait();
    return () => backUp(g, volumeId);
  }),
  play('volume.move, to a host', async (g) => {
    const id = await plugged(g, 6);
    return () => g.cloud.volumes.move(id, { poolId: g.localId });
  }),
  play('volume.move, from a host', async (g) => {
    const id = await plugged(g, 7, onHost(g));
    return () => g.cloud.volumes.move(id, { poolId: g.lab.poolId });
  }),
];

export const RUNNING: readonly Wave[] = [
  { title: 'volumes of machines that run', machines: 8, plays: IN_USE },
  { title: 'what machines that run are given and what is taken from them', machines: 7, plays: ON_MACHINES },
];
