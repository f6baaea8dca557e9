import type { RowBase } from '../../src/kernel/index.ts';
import { machine, type SmallCloud } from './small-cloud.ts';

export const nothing = async () => undefined;
export const running = (at: SmallCloud) => at.sim.done('instance.create', machine(at));
export const stopped = (at: SmallCloud) => at.sim.done('instance.create', machine(at, { start: false }));
export const spare = (at: SmallCloud) => at.sim.done('volume.create', { name: 'data-1', sizeBytes: 8192, poolId: at.poolId });

/** The live rows of a kind, in whichever store the cloud is on. */
export const rowsOf = ({ sim }: SmallCloud, kind: string): Promise<readonly RowBase[]> =>
  sim.environment.complete(sim.kernel.reader.list(sim.kernel.registry.kind(kind)));

/** What a set-up made beside the target, for the input. */
export const extra = new WeakMap<SmallCloud, string>();
export const withSpare = async (at: SmallCloud) => {
  extra.set(at, await spare(at));
  return running(at);
};
export const attached = async (at: SmallCloud) => {
  const id = await withSpare(at);
  await at.sim.done('instance.attachVolume', { volumeId: extra.get(at) }, id);
  return id;
};
