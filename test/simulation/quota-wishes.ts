import type { JsonObject } from '@pileus/core/kernel';
import type { Drawing, Wish, Wishes } from './wish.ts';

/** More, or less, than a project or an account may have: asked for by who runs it, granted by who may. */
export function quotaWishes({ random, project, size, name, on }: Drawing): Wishes {
  const limit = () => (random.chance(0.2) ? null : 4 + random.below(Math.ceil(6 * size)));
  const limits = () => random.pick<JsonObject>([{ instances: limit() }, { volumes: limit(), instances: limit() }, { networks: limit() }]);
  const request = (verb: string): Wish => ({
    ...on(`quotaRequest.${verb}`, 'quotaRequest'),
    by: random.pick(['accountAdmin', 'operator']),
  });
  return [
    [
      3,
      () => ({
        action: 'quotaRequest.create',
        input: {
          name: name(),
          limits: limits(),
          ...(random.chance(0.8) ? { projectId: `@project/${project}` } : {}),
          ...(random.chance(0.3) ? { expiresAt: `@in/${20 + random.below(60)}` } : {}),
        },
        by: 'accountAdmin',
      }),
    ],
    [3, () => request('approve')],
    [1, () => request('deny')],
    [1, () => request('expire')],
    [1, () => request('delete')],
  ];
}
