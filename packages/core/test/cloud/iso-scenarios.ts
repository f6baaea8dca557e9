import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import { extra, running } from './set-ups.ts';
import { addIso, machine, type SmallCloud } from './small-cloud.ts';

/** With an ISO that is in no drive yet. */
const withIso = async (at: SmallCloud) => {
  extra.set(at, await addIso(at.sim));
  return running(at);
};

/** What is put into the drives of machines. */
export const isoScenarios: readonly Scenario[] = [
  on(
    'instance.create',
    async (at) => void extra.set(at, await addIso(at.sim)),
    (at) => machine(at, { imageId: undefined, isoImageId: extra.get(at), rootVolume: { name: 'root-1', sizeBytes: 8192 } }),
    'from an ISO',
  ),
  on('instance.attachIso', withIso, (at) => ({ imageId: extra.get(at) })),
  on(
    'instance.detachIso',
    async (at) => {
      const id = await withIso(at);
      await at.sim.done('instance.attachIso', { imageId: extra.get(at) }, id);
      return id;
    },
    () => ({}),
  ),
];
