import type { Drawing, Wish, Wishes } from './wish.ts';

/** What whoever runs the cloud changes of what it stands on, while it is in use. */
export function siteWishes({ random, id, name, on }: Drawing): Wishes {
  const by = 'operator';
  const any = (action: string, input: Wish['input']): Wish => {
    const [kind = ''] = action.split('.');
    return { action, on: `@any/${kind}/${random.below(1000)}`, input, by };
  };
  const described = { description: `by request ${id}` };
  const shape = () => ({ vcpus: 1 + random.below(2), memoryBytes: 2 ** 30 * (1 + random.below(2)) });
  const own = (action: string, kind: string, input: Wish['input'] = {}): Wish => ({ ...on(action, kind, input), by });
  return [
    [1, () => any('zone.update', described)],
    [1, () => any('cluster.update', random.chance(0.5) ? described : { vcpuOvercommit: 1 + random.below(3) })],
    [1, () => any('host.update', { labels: { lastChangedBy: `request-${id}` } })],
    [1, () => any('pool.update', { overcommit: 1 + random.below(3) })],
    [1, () => ({ action: 'storageClass.create', input: { name: name(), ...described }, by })],
    [1, () => own('storageClass.update', 'storageClass', described)],
    [1, () => own('storageClass.delete', 'storageClass')],
    [1, () => ({ action: 'instanceType.create', input: { name: name(), ...shape() }, by })],
    [1, () => own('instanceType.revise', 'instanceType', shape())],
    [1, () => own('instanceType.delete', 'instanceType')],
  ];
}
