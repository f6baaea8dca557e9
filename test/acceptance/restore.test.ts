import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Id } from '@pileus/sdk';
import { expect } from 'chai';
import { run } from '../../tools/system/command.ts';
import { eventually, LabCloud } from './lab-cloud.ts';

const MAIN = fileURLToPath(new URL('../../packages/server/src/main.ts', import.meta.url));
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'] as const;

describe('a store that is restored from a backup', function () {
  this.timeout(600_000);
  let lab: LabCloud;
  /** In the backup, and still there. */
  let kept: Id<'instance'>;
  /** In the backup, and deleted after it. */
  let gone: Id<'instance'>;
  /** Made after the backup. */
  let unknown: Id<'instance'>;

  before(async () => {
    lab = await LabCloud.up();
    const { instances } = lab.cloud;
    kept = (await instances.create(lab.instanceRequest('kept')).wait()).id;
    gone = (await instances.create(lab.instanceRequest('gone')).wait()).id;
    const { path } = (await lab.post('/v1/backups', { name: 'yesterday' })) as { readonly path: string };
    unknown = (await instances.create(lab.instanceRequest('unknown')).wait()).id;
    await instances.delete(gone).wait();
    await lab.server.stop();

    const dataDir = join(lab.serverDir, 'data');
    for (const name of await readdir(dataDir)) if (name.startsWith('pileus.db')) await rm(join(dataDir, name));
    await run([...NODE, MAIN, '--config', join(lab.serverDir, 'config.json'), '--restore', path]);
    await lab.start();
  });

  after(() => lab?.down());

  const strays = () => lab.cloud.strays.list().toArray();
  const machines = () => lab.virshNames('list', '--all', '--uuid');

  it('does not know the machine that was made after the backup, and quarantines it', async () => {
    const found = await eventually('the stray', async () => (await strays()).find((each) => each.objectKind === 'machine'));
    expect(found).to.deep.include({ objectId: unknown, state: 'quarantined', hostId: lab.hostId });
    expect(await machines()).to.have.members([kept, unknown]);
    expect((await lab.virsh('domstate', unknown)).trim()).to.equal('running');
  });

  it('shows the machine that was deleted after the backup as missing, and the other as it is', async () => {
    const row = await eventually('the missing one', async () => {
      const seen = await lab.cloud.instances.get(gone);
      return seen.state === 'missing' ? seen : undefined;
    });
    expect(row.stateReason?.code).to.equal('absent');
    expect(await lab.cloud.instances.get(kept)).to.include({ state: 'running' });
  });

  it('removes nothing by itself until an operator has confirmed the restore', async () => {
    expect(await lab.cloud.recovery.get()).to.include({ confirmed: false });
    expect(await lab.cloud.recovery.confirm()).to.include({ confirmed: true });
    // Two full looks later the unknown machine is still there: it has no tombstone, and only a person may remove it.
    await lab.cloud.hosts.reconnect(lab.hostId).wait();
    await lab.cloud.hosts.reconnect(lab.hostId).wait();
    expect(await machines()).to.have.members([kept, unknown]);
    expect((await strays()).some((each) => each.objectId === unknown)).to.equal(true);
  });

  it('removes a stray when a person says so', async () => {
    const stray = (await strays()).find((each) => each.objectId === unknown);
    if (stray === undefined) throw new Error('the stray has gone by itself');
    const { operationId } = await lab.cloud.strays.remove(stray.id);
    await lab.cloud.operations.wait(operationId);
    expect(await machines()).to.deep.equal([kept]);
  });
});
