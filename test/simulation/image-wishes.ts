import type { JsonObject } from '@pileus/core/kernel';
import type { Drawing, Wish, Wishes } from './wish.ts';

/** Images that are taken of what there is, and machines that are made of these. */
export function imageWishes({ random, id, name, one, on, network }: Drawing): Wishes {
  const captured = (of: JsonObject): Wish => ({ action: 'image.capture', input: { name: name(), ...of } });
  const image = (verb: string, input: JsonObject = {}) => on(`image.${verb}`, 'image', input);
  return [
    [2, () => captured({ instanceId: one('instance') })],
    [1, () => captured({ volumeId: one('volume') })],
    [1, () => captured({ snapshotId: one('snapshot') })],
    [1, () => image('deprecate')],
    [1, () => image('reinstate')],
    [1, () => image('update', { description: `by request ${id}` })],
    [2, () => image('delete')],
    [1, () => image('recover')],
    [1, () => image('expunge')],
    [
      2,
      () => ({
        action: 'instance.create',
        input: {
          ...{ name: name(), imageId: one('image'), instanceType: 'small', start: random.chance(0.8) },
          ...{ rootVolume: { storageClass: 'shared' }, nics: [{ networkId: network() }] },
        },
      }),
    ],
  ];
}
