import type { JsonObject } from '@pileus/core/kernel';
import type { Drawing, Wish, Wishes } from './wish.ts';

/** Volumes, and pictures of them. */
export function diskWishes(drawing: Drawing): Wishes {
  const { random, name, storageClass } = drawing;
  const on = (verb: string, input: JsonObject = {}) => drawing.on(`volume.${verb}`, 'volume', input);
  const sizeBytes = () => 4096 * (1 + random.below(8));
  return [
    [8, () => ({ action: 'volume.create', input: { name: name(), sizeBytes: sizeBytes(), ...storageClass() } })],
    [5, () => on('delete', random.chance(0.2) ? { force: true } : {})],
    [2, () => on('recover')],
    [1, () => on('expunge')],
    [3, () => on('resize', { sizeBytes: 4096 * (8 + random.below(8)) })],
    [2, () => on('setLimits', { limits: { iopsPerSecond: random.below(3) * 100 } })],
    ...snapshotWishes(drawing),
  ];
}

function snapshotWishes({ name, one, on }: Drawing): Wishes {
  const of = (verb: string, input: JsonObject = {}) => on(`snapshot.${verb}`, 'snapshot', input);
  const made = (from: JsonObject): Wish => ({ action: 'volume.create', input: { name: name(), ...from } });
  return [
    [6, () => ({ action: 'snapshot.create', input: { name: name(), volumeId: one('volume') } })],
    [3, () => of('delete')],
    [2, () => of('revert')],
    [2, () => made({ snapshotId: one('snapshot') })],
    [1, () => made({ volumeId: one('volume') })],
    [2, () => on('volume.flatten', 'volume')],
    [1, () => on('volume.delete', 'volume', { recursive: true, permanent: true })],
    [3, () => on('instance.snapshot', 'instance', { name: name() })],
  ];
}
