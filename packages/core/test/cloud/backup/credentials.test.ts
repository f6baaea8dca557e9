import { expect } from 'chai';
import { backupStore } from '../../../src/cloud/index.ts';
import { GIB, LittleCloud } from '../little-cloud.ts';
import { CHUNK } from './backup-stage.ts';

async function open() {
  const cloud = await LittleCloud.open();
  const { sim } = cloud;
  const poolId = await cloud.pool(await cloud.host('hv1'));
  const first = { settings: { user: 'one' }, secrets: { key: 'first' } };
  const id = await sim.done('backupStore.create', { name: 'store', driver: 'simulated', ...first });
  sim.world.backupUsers = new Map([
    ['one', 'first'],
    ['two', 'second'],
  ]);
  const volumeId = await cloud.volume(GIB);
  sim.world.pools.get(`hv1/${poolId}`)?.write(volumeId, 0, new Uint8Array(CHUNK).fill(7));
  const change = (input: object) => cloud.outcome('backupStore.changeCredentials', input, id);
  return { cloud, sim, id, volumeId, change };
}

const SECOND = { settings: { user: 'two' }, secrets: { key: 'second' } };

describe('the credentials of a backup store', () => {
  it('are changed, and what is kept there is read and gone on with by the new ones', async () => {
    const { cloud, sim, id, volumeId, change } = await open();
    const backupId = await sim.done('backup.create', { volumeId });
    const sealed = sim.rows('sealed').length;
    expect((await change(SECOND)).state).to.equal('succeeded');
    expect((await cloud.row(backupStore, id)).settings).to.deep.equal({ user: 'two' });
    expect(sim.rows('sealed')).to.have.length(sealed);

    sim.world.backupUsers = new Map([['two', 'second']]);
    await sim.done('backup.verify', {}, backupId);
    await sim.done('backup.create', { volumeId });
    await sim.done('backup.restore', { name: 'restored' }, backupId);
  });

  it('stay as they are with a wrong key, which is told before anything is changed', async () => {
    const { cloud, sim, id, volumeId, change } = await open();
    const before = await cloud.row(backupStore, id);
    const sealed = sim.rows('sealed').length;
    const { state, error } = await change({ secrets: { key: 'second' } });
    expect([state, error?.code, error?.pointer]).to.deep.equal(['failed', 'conflict', '/secrets']);
    expect(await cloud.row(backupStore, id)).to.deep.include({ settings: before.settings, secrets: before.secrets });
    expect(sim.rows('sealed')).to.have.length(sealed);
    await sim.done('backup.create', { volumeId });
  });

  it('are of the same place', async () => {
    const { sim, change } = await open();
    sim.world.backups.get('backups')?.clear();
    const { error } = await change(SECOND);
    expect([error?.code, error?.message]).to.deep.equal(['conflict', 'With these credentials the place is another one.']);
  });

  it('are refused where they say where it is', async () => {
    const { sim, id } = await open();
    const error = await sim.submit('backupStore.changeCredentials', { settings: { place: 'elsewhere' } }, id).catch((cause) => cause);
    expect([error.code, error.pointer]).to.deep.equal(['invalid_input', '/settings/place']);
  });
});
