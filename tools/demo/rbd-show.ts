import { setTimeout as sleep } from 'node:timers/promises';
import type { Backup, Snapshot } from '@pileus/sdk';
import { bytesSeen, getJson, untilConsoleSays } from './guest-proof.ts';
import { type Means, type Shown, showMachine } from './show.ts';
import type { Toured } from './tour.ts';

const MIB = 2 ** 20;
const SEEN_TIMEOUT_MS = 60_000;
/** In the guest: the volume of the tour, and the next disk that it is given. */
const [VOLUME, NEXT] = ['/dev/vdb', '/dev/vdc'];

/** A machine whose root disk is a clone of the image, and a volume that grows under it, goes back to a snapshot, and comes back from a backup: all of it on Ceph. */
export async function showRbd(means: Means): Promise<Shown> {
  const { stages } = means;
  const { toured, ...shown } = await showMachine(means);
  await stages.run('clone', 'What the cluster says of its root disk', () => showClone(means, toured));
  const guest = await stages.run('grow', 'Its volume, twice as large while the machine runs', () => growVolume(means, toured));
  const snapshot = await stages.run('snapshot', 'A snapshot of the volume, before the guest writes to it again', () =>
    takeSnapshot(means, toured),
  );
  const backup = await stages.run('backup', 'A backup of what it wrote, outside of the cluster', () => backUp(means, toured));
  await stages.run('revert', 'The volume as it was at the snapshot', () => revert(means, toured, snapshot));
  await stages.run('restore', 'A new volume with what is in the backup', () => restore(means, toured, backup));
  return { ...shown, guest };
}

async function showClone({ cloud, ground, log }: Means, { instance, volume }: Toured): Promise<void> {
  const disks = await cloud.volumes.list({ where: { instanceId: instance.id } }).toArray();
  const root = disks.find(({ id }) => id !== volume.id);
  const parent = root && (await ground.ceph?.parentOf(root.id));
  if (root === undefined || parent === undefined) throw new Error('the root disk is no clone of the image');
  log(`  volume-${root.id}    a clone of ${parent}`);
}

/** Answers what the guest says when it has seen it. */
async function growVolume({ cloud, progress, signal, log }: Means, { volume, nic }: Toured): Promise<unknown> {
  const sizeBytes = volume.sizeBytes * 2;
  await progress.until(cloud.volumes.resize(volume.id, { sizeBytes }), signal);
  for (const deadline = performance.now() + SEEN_TIMEOUT_MS; ; await sleep(200, undefined, { signal })) {
    const guest = await getJson(`http://${nic.address}/`, signal);
    if (bytesSeen(guest).includes(sizeBytes)) {
      log(`  guest                sees ${sizeBytes / MIB} MiB`);
      return guest;
    }
    if (performance.now() > deadline) throw new Error(`the guest does not see that its volume has grown: ${JSON.stringify(guest)}`);
  }
}

async function takeSnapshot(means: Means, toured: Toured): Promise<Snapshot> {
  const { cloud, progress, signal } = means;
  await write(means, toured, 'before');
  const snapshot = await progress.until(cloud.snapshots.create({ name: 'demo', volumeId: toured.volume.id }), signal);
  await write(means, toured, 'behind');
  return snapshot;
}

async function backUp({ cloud, ground, progress, signal }: Means, { volume }: Toured): Promise<Backup> {
  const settings = { path: ground.backupsDir ?? '' };
  await progress.until(cloud.backupStores.create({ name: 'demo', driver: 'directory', settings }), signal);
  return progress.until(cloud.volumeBackups.create({ name: 'demo', volumeId: volume.id }), signal);
}

/** What a machine has open is not changed under it. */
async function revert(means: Means, toured: Toured, snapshot: Snapshot): Promise<void> {
  const { cloud, progress, signal } = means;
  const { instance, volume } = toured;
  await progress.until(cloud.instances.detachVolume(instance.id, { volumeId: volume.id }), signal);
  await progress.until(cloud.snapshots.revert(snapshot.id), signal);
  await progress.until(cloud.instances.attachVolume(instance.id, { volumeId: volume.id }), signal);
  await expectText(means, toured, VOLUME, 'before');
}

async function restore(means: Means, toured: Toured, backup: Backup): Promise<void> {
  const { cloud, progress, signal } = means;
  await progress.until(cloud.volumeBackups.restore(backup.id, { name: 'demo-restored' }), signal);
  const { id: volumeId } = await cloud.volumes.get('demo-restored');
  await progress.until(cloud.instances.attachVolume(toured.instance.id, { volumeId }), signal);
  await expectText(means, toured, NEXT, 'behind');
}

async function write(means: Means, toured: Toured, text: string): Promise<void> {
  const command = `printf ${text} | dd of=${VOLUME} bs=512 conv=sync,fsync 2>/dev/null`;
  await ask(means, toured, `${command}; echo "wrote $?."`, /wrote 0\./);
}

/** The guest takes a moment to see a new disk. What is typed is echoed, and does not match. */
async function expectText(means: Means, toured: Toured, device: string, text: string): Promise<void> {
  const wait = `until [ -b ${device} ]; do usleep 100000; done`;
  const said = await ask(means, toured, `${wait}; echo "reads <$(head -c ${text.length} ${device})>"`, /reads <(?!\$)[^>]*>/);
  means.log(`  guest                ${said}`);
  if (said !== `reads <${text}>`) throw new Error(`the guest reads other than ${text}`);
}

/** At the machine's console, where a shell waits. */
function ask({ cloud, signal }: Means, { instance }: Toured, command: string, answer: RegExp): Promise<string> {
  return untilConsoleSays(cloud, instance.id, answer, signal, `${command}\n`);
}
