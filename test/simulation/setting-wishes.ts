import type { Json } from '@pileus/core/kernel';
import type { SimRandom } from '@pileus/core/testing';
import type { Drawing, Wish, Wishes } from './wish.ts';

/** None of those that histories are judged by: how late a call may land, and what is swept up. */
const SETTINGS: Readonly<Record<string, { readonly levels: readonly string[]; readonly draw: (random: SimRandom) => Json }>> = {
  'hosts.heartbeatSeconds': { levels: ['zone', 'cluster', 'host'], draw: (random) => 2 + random.below(8) },
  'hosts.shutdownSeconds': { levels: ['zone', 'cluster', 'host', 'instance'], draw: (random) => 1 + random.below(60) },
  'strays.afterSeconds': { levels: ['zone', 'cluster', 'host'], draw: (random) => 10 + random.below(40) },
  'trash.retentionSeconds': { levels: [], draw: (random) => random.below(3) * 30 },
  'pools.nearlyFullShare': { levels: [], draw: (random) => 0.5 + random.below(5) / 10 },
  'storageNetwork.placement': { levels: ['zone', 'cluster', 'host'], draw: () => 'warn' },
};

/** How the cloud is run, which is changed while it runs. */
export function settingWishes({ random, on }: Drawing): Wishes {
  const by = 'operator';
  const known = (kind: string) => `@any/${kind}/${random.below(1000)}`;
  const value = (verb: string, input: Wish['input'] = {}): Wish => ({
    action: `settingValue.${verb}`,
    on: known('settingValue'),
    input,
    by,
  });
  const set = (): Wish => {
    const [key, { levels, draw }] = random.pick(Object.entries(SETTINGS) as [SettingEntry, ...SettingEntry[]]);
    const level = random.pick<string>(['global', ...levels]);
    const at = level === 'global' ? {} : { resourceKind: level, resourceId: known(level) };
    return { action: 'settingValue.set', input: { key, value: draw(random), ...at }, by };
  };
  const look = (): Wish => {
    const kind = random.pick(['zone', 'cluster', 'host', 'instance', 'all']);
    return { action: 'look', ...(kind === 'all' ? {} : { on: known(kind) }), input: { kind }, by };
  };
  return [
    [6, set],
    // Of whatever setting that is: some values do not fit it.
    [1, () => value('update', { value: random.pick([3, 20, 45]) })],
    [2, () => value('reset')],
    [3, look],
    [2, () => ({ ...on('settingChange.rollback', 'settingChange'), on: known('settingChange'), by })],
  ];
}

type SettingEntry = [string, (typeof SETTINGS)[string]];
