import { settingChange } from '../../src/kernel/index.ts';
import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import type { SmallCloud } from './small-cloud.ts';

const KEY = 'hosts.shutdownSeconds';
const nothing = async () => undefined;
const onHost = (at: SmallCloud) => ({ key: KEY, resourceKind: 'host', resourceId: at.hostId });
const set = (at: SmallCloud) => at.sim.done('settingValue.set', { ...onHost(at), value: 30 });
const changes = ({ sim }: SmallCloud) => sim.environment.complete(sim.kernel.reader.list(settingChange));
const changeOf = async (at: SmallCloud) => {
  await set(at);
  return String((await changes(at))[0]?.id);
};

export const settingScenarios: readonly Scenario[] = [
  on('settingValue.set', nothing, (at) => ({ ...onHost(at), value: 10 })),
  on(
    'settingValue.set',
    (at) => set(at).then(() => undefined),
    (at) => ({ ...onHost(at), value: 10 }),
    'again',
  ),
  on('settingValue.update', set, () => ({ value: 10 })),
  on('settingValue.reset', set, () => ({})),
  on('settingChange.rollback', changeOf, () => ({})),
  on(
    'settingChange.rollback',
    async (at) => {
      await at.sim.done('settingValue.reset', {}, await set(at));
      return String((await changes(at)).find(({ to }) => to === undefined)?.id);
    },
    () => ({}),
    'of a reset',
  ),
];
