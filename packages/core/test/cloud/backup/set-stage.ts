import { backup, backupSet, snapshot, snapshotGroup } from '../../../src/cloud/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { CHUNK } from './backup-stage.ts';

type Options = Parameters<typeof MachineStage.with>[1];

/** A machine with two disks, and a backup store. */
export async function withMachine(options: Options = {}) {
  const stage = await MachineStage.with({}, options);
  await stage.sim.done('backupStore.create', { name: 'store', driver: 'simulated' });
  const id = await stage.machine({ name: 'db', volumes: [{ name: 'log', sizeBytes: CHUNK }] });
  // The guest's agent answers by then.
  await stage.sim.run(5000);
  const disks = (await stage.disks(id)).map((row) => row.id as string);
  const pool = () => stage.sim.world.pools.get(`hv1/${stage.poolIds[0]}`);
  const fill = (byte: number) => {
    for (const disk of disks) pool()?.write(disk, 0, new Uint8Array(512).fill(byte));
  };
  const contents = (ids: readonly string[]) => ids.map((each) => pool()?.find('volume', each)?.content.digest);
  const outcome = async (action: string, input: object, of?: string) => {
    const { operationId, resourceId } = await stage.sim.submit(action, input, of);
    return { ...(await stage.sim.ended(operationId)), about: resourceId };
  };
  const left = async () => ({
    backups: (await stage.rows(backup)).map(({ state }) => state),
    groups: (await stage.rows(snapshotGroup)).length,
    snapshots: (await stage.rows(snapshot)).length,
    real: disks.flatMap((each) => pool()?.snapshotsOf(each) ?? []).length,
  });
  const sets = async () => (await stage.rows(backupSet)).filter(({ state }) => state === 'available');
  return { stage, sim: stage.sim, id, disks, fill, contents, outcome, left, sets };
}
