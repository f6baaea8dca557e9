import type { Drawing, Wishes } from './wish.ts';

/** Networks, groups, shares, keys, tags: and to end what has begun, and to read. */
export function otherWishes({ random, id, project, projects, size, name, one, on }: Drawing): Wishes {
  const limit = () => (random.chance(0.3) ? null : 4 + random.below(Math.ceil(4 * size)));
  const limits = () => ({ instances: limit(), volumes: limit() });
  return [
    [
      4,
      () => ({
        action: 'network.create',
        input: {
          name: name(),
          subnets: [{ name: name(), cidr: `10.${random.below(250)}.0.0/28` }],
          ...(random.chance(0.5) ? { driver: 'simulated-shared' } : {}),
        },
      }),
    ],
    [2, () => on('network.delete', 'network')],
    [
      1,
      () => ({
        action: 'placementGroup.create',
        input: { name: name(), policy: random.pick(['affinity', 'antiAffinity', 'softAntiAffinity']) },
      }),
    ],
    [1, () => on('placementGroup.delete', 'placementGroup')],
    [
      1,
      () => ({
        action: 'share.create',
        input: {
          name: name(),
          resourceKind: 'network',
          resourceId: one('network'),
          with: random.pick(['all', `@project/${random.pick<string>([...projects])}`]),
        },
        by: 'accountAdmin',
      }),
    ],
    [1, () => ({ ...on('share.delete', 'share'), by: 'accountAdmin' })],
    [1, () => ({ action: 'project.setQuota', on: `@project/${project}`, input: { limits: limits() }, by: 'accountAdmin' })],
    [1, () => ({ action: 'apiKey.revoke', on: `@key/${project}/${random.pick(['viewer', 'named'])}`, input: {}, by: 'accountAdmin' })],
    [
      1,
      () => ({
        action: 'tag.attach',
        input: { resourceKind: 'instance', resourceIds: [one('instance')], tags: { for: `request-${id}` } },
      }),
    ],
    [1, () => ({ action: 'tag.detach', input: { resourceKind: 'instance', resourceIds: [one('instance')], keys: ['for'] } })],
    [6, () => ({ action: 'cancel', on: one('any').replace('@', '@op/'), input: {} })],
    [12, () => ({ action: 'look', on: one(random.pick(['instance', 'volume', 'network'])), input: {} })],
  ];
}
