import { snapshot } from '../../../../src/cloud/index.ts';
import { MachineStage } from '../../compute/machine-stage.ts';

export const MIB = 2 ** 20;

/** A cloud with a host and a pool, and what tests of snapshots ask of it. */
export async function open(options: Parameters<typeof MachineStage.with>[1] = {}) {
  const cloud = await MachineStage.with({}, options);
  const { sim } = cloud;
  const snap = (volumeId: string, name: string) => sim.done('snapshot.create', { volumeId, name });
  const write = (volumeId: string, text: string, at = 0) => sim.world.write(volumeId, text, at);
  const read = (volumeId: string, at = 0) => sim.world.read(volumeId, at);
  const shown = async (id: string) => cloud.row(snapshot, id);
  const used = async (counter: string) => {
    const [project] = (await sim.environment.complete(sim.kernel.reader.counters('quota/project/'))).filter(({ key }) =>
      key.endsWith(`/${counter}`),
    );
    return project?.value ?? 0;
  };
  return { cloud, sim, snap, write, read, shown, used };
}
