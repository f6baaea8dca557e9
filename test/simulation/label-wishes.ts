import type { JsonObject } from '@pileus/core/kernel';
import type { Drawing, Wish, Wishes } from './wish.ts';

/** Words about whatever there is, what a project asks of them, and what things are called. */
export function labelWishes({ random, id, name, one, on }: Drawing): Wishes {
  const tagged = (): JsonObject => {
    const resourceKind = random.pick(['instance', 'volume', 'network', 'snapshot', 'stack']);
    return { resourceKind, resourceIds: [one(resourceKind)] };
  };
  const key = () => random.pick(['for', 'team']);
  const policy = (wish: Omit<Wish, 'by'>): Wish => ({ ...wish, by: 'accountAdmin' });
  const required = () => (random.chance(0.1) ? { required: true } : {});
  const described = { description: `by request ${id}` };
  return [
    [3, () => ({ action: 'tag.attach', input: { ...tagged(), tags: { [key()]: random.pick(['red', 'blue']) } } })],
    [2, () => ({ action: 'tag.detach', input: { ...tagged(), keys: [key()] } })],
    [
      1,
      () =>
        policy({
          action: 'tagPolicy.create',
          input: {
            ...{ name: name(), key: key(), kinds: [random.pick(['instance', 'volume', 'network'])], ...required() },
            ...(random.chance(0.5) ? { values: ['red', 'green'] } : {}),
            ...(random.chance(0.5) ? { copyTo: ['volume', 'nic'] } : {}),
          },
        }),
    ],
    [1, () => policy(on('tagPolicy.update', 'tagPolicy', random.chance(0.5) ? { values: ['red', 'blue'] } : { required: null }))],
    [2, () => policy(on('tagPolicy.delete', 'tagPolicy'))],
    [1, () => on('volume.update', 'volume', described)],
    [1, () => on('snapshot.update', 'snapshot', described)],
    [1, () => on('snapshotGroup.update', 'snapshotGroup', described)],
    [1, () => on('placementGroup.update', 'placementGroup', described)],
    [1, () => on('snapshotGroup.revert', 'snapshotGroup')],
    [1, () => on('snapshotGroup.delete', 'snapshotGroup')],
  ];
}
