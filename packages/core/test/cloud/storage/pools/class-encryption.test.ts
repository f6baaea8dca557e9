import { expect } from 'chai';
import { pool, storageClass, volume } from '../../../../src/cloud/index.ts';
import { type Protection, protectionIn } from '../../../../src/cloud/storage/contract.ts';
import { LOOK_MS, MachineStage, refusal } from '../../compute/machine-stage.ts';

const MIB = 2 ** 20;
const SECRET = { storageClass: 'secret' };
const ONLY = 'Storage class secret takes encrypted volumes only.';

/** The pool of the host is of no class; a second one of class `secret`, whose volumes are to be encrypted. */
async function open(options: Parameters<typeof MachineStage.with>[1] = {}) {
  const stage = await MachineStage.with({ network: false }, options);
  const { sim } = stage;
  const hostId = String(stage.hostIds[0]);
  const secretPool = (name = 'vault') => stage.pool(hostId, { name, settings: { path: name }, ...SECRET });
  const stored = (id: string) => sim.world.pools.get('hv1/vault')?.find('volume', id) ?? expect.fail(`nothing of ${id}`);
  const asked = (action: string, input: object, id?: string) => refusal(sim.submit(action, input, id));
  return { stage, sim, hostId, secretPool, stored, asked, plainPoolId: String(stage.poolIds[0]) };
}

async function withClass() {
  const at = await open();
  const classId = await at.sim.done('storageClass.create', { name: 'secret', encrypted: true });
  return { ...at, classId, poolId: await at.secretPool() };
}

describe('storage classes that take encrypted volumes only', () => {
  it('encrypt what is made in them, asked for or not, and refuse what is not to be encrypted, at that field', async () => {
    const { stage, stored, asked, poolId, plainPoolId } = await withClass();
    for (const input of [SECRET, { poolId }, { ...SECRET, encrypted: true }, { ...SECRET, imageId: stage.imageId }]) {
      const id = await stage.volume(MIB, input);
      expect(await stage.row(volume, id), JSON.stringify(input)).to.include({ poolId, encrypted: true });
      expect(stored(id).encryptionKey).to.have.length.greaterThan(40);
    }
    for (const input of [SECRET, { poolId }])
      expect(await asked('volume.create', { sizeBytes: MIB, encrypted: false, ...input })).to.equal(`conflict /encrypted ${ONLY}`);
    // Who names neither a pool nor a class gets one that takes what he wants.
    const plain = await stage.row(volume, await stage.volume(MIB, { encrypted: false }));
    expect([plain.poolId, plain.encrypted]).to.deep.equal([plainPoolId, undefined]);
  });

  it('say so in a dry run, and among the notes of what they have encrypted unasked', async () => {
    const { stage, sim } = await withClass();
    const rehearse = (action: string, input: object) =>
      sim.environment.complete(sim.kernel.rehearse({ action, input, principal: sim.principal }));
    const wanted = { sizeBytes: MIB, ...SECRET };
    expect((await rehearse('volume.create', wanted)).notes).to.deep.equal({ encryptedByClass: 'secret' });
    expect((await rehearse('volume.create', { ...wanted, encrypted: true })).notes).to.equal(undefined);
    const refused = await rehearse('volume.create', { ...wanted, encrypted: false });
    expect(refused).to.include({ accepted: false });
    expect(refused.blockers.map(({ code, pointer, detail }) => [code, pointer, detail])).to.deep.equal([['conflict', '/encrypted', ONLY]]);
    const machine = stage.input({ rootVolume: SECRET, volumes: [wanted] });
    const disks = { '/rootVolume/encrypted': 'secret', '/volumes/0/encrypted': 'secret' };
    expect((await rehearse('instance.create', machine)).notes?.encryptedByClass).to.deep.equal(disks);
    const made = await stage.outcome('instance.create', machine);
    expect(made.notes?.encryptedByClass).to.deep.equal(disks);
  });

  it('encrypt the disks of machines, the root disk too, which start with them', async () => {
    const { stage, sim, asked, poolId } = await withClass();
    const data = { sizeBytes: MIB };
    const id = await stage.machine({
      rootVolume: SECRET,
      volumes: [
        { ...data, ...SECRET },
        { ...data, encrypted: false },
      ],
    });
    expect((await stage.disks(id)).map((row) => [row.poolId === poolId, row.encrypted])).to.deep.equal([
      [true, true],
      [true, true],
      [false, undefined],
    ]);
    expect(sim.world.host('hv1').secrets.size).to.equal(2);
    expect(await asked('instance.create', stage.input({ rootVolume: { ...SECRET, encrypted: false } }))).to.equal(
      `conflict /rootVolume/encrypted ${ONLY}`,
    );
    expect(await asked('instance.create', stage.input({ volumes: [data, { ...data, ...SECRET, encrypted: false }] }))).to.equal(
      `conflict /volumes/1/encrypted ${ONLY}`,
    );
  });

  it('are kept by pools that can encrypt alone', async () => {
    const { stage, sim, asked, plainPoolId, secretPool } = await open({ without: ['encryption'] });
    expect((await stage.row(pool, plainPoolId)).encrypts).to.equal(false);
    const vault = await secretPool();
    const words = 'cannot encrypt volumes; its class secret promises that.';
    expect(await asked('storageClass.create', { name: 'secret', encrypted: true })).to.equal(`conflict /encrypted Pool vault ${words}`);
    const classId = await sim.done('storageClass.create', { name: 'secret' });
    expect(await asked('storageClass.update', { encrypted: true }, classId)).to.equal(`conflict /encrypted Pool vault ${words}`);
    await sim.done('pool.update', { storageClass: 'plain' }, vault);
    await sim.done('storageClass.update', { encrypted: true }, classId);
    const { name } = await stage.row(pool, vault);
    expect(await asked('pool.update', SECRET, vault)).to.equal(`conflict /storageClass Pool ${name} ${words}`);
    const made = await stage.outcome('pool.create', {
      driver: 'simulated',
      hostId: stage.hostIds[0],
      settings: { path: 'new' },
      ...SECRET,
    });
    expect([made.state, made.error?.code, made.error?.pointer]).to.deep.equal(['failed', 'conflict', '/storageClass']);
    // So it has no pool: what is asked for in it is refused at the field that names it.
    expect(await asked('volume.create', { sizeBytes: MIB, ...SECRET })).to.equal(
      'no_capacity /storageClass There is no available pool of class secret.',
    );
    expect(await asked('instance.create', stage.input({ volumes: [{ sizeBytes: MIB, ...SECRET }] }))).to.equal(
      'no_capacity /volumes/0/storageClass No pool of class secret takes it.',
    );
  });

  it('take no more volumes in a pool whose driver cannot encrypt any more', async () => {
    const { stage, sim, asked, poolId } = await withClass();
    // As after the server was started with an older driver.
    const changed = await sim.environment.complete(
      sim.kernel.observe([{ op: 'update', table: 'pool', key: poolId, set: { encrypts: false }, expect: {} }]),
    );
    expect(changed).to.not.equal(undefined);
    expect(await asked('volume.create', { sizeBytes: MIB, ...SECRET })).to.equal('no_capacity /storageClass No pool takes it.');
    expect(await asked('instance.create', stage.input({ rootVolume: SECRET }))).to.match(/^no_capacity /);
    // A look asks the driver again.
    await sim.run(LOOK_MS);
    expect((await stage.row(pool, poolId)).encrypts).to.equal(true);
    await stage.volume(MIB, SECRET);
  });

  it('change for new volumes alone: those that are there stay as they are, and are used on', async () => {
    const { stage, sim, asked, secretPool, plainPoolId } = await open();
    const classId = await sim.done('storageClass.create', { name: 'secret' });
    await secretPool();
    const before = await stage.volume(MIB, { name: 'before', ...SECRET });
    const snapshotId = await sim.done('snapshot.create', { volumeId: before });
    await sim.done('storageClass.update', { encrypted: true }, classId);
    expect((await stage.row(volume, before)).encrypted).to.equal(undefined);
    await sim.done('volume.resize', { sizeBytes: 2 * MIB }, before);
    await sim.done('snapshot.revert', {}, snapshotId);
    const machine = await stage.machine();
    await sim.done('instance.attachVolume', { volumeId: before }, machine);
    await sim.done('instance.detachVolume', { volumeId: before }, machine);
    // A copy is a new volume, and cannot be another than its source.
    expect(await asked('volume.create', { volumeId: before })).to.equal(`conflict /volumeId ${ONLY}`);
    expect(await asked('volume.create', { snapshotId })).to.equal(`conflict /snapshotId ${ONLY}`);
    expect((await stage.row(volume, await stage.volume(MIB, SECRET))).encrypted).to.equal(true);
    // It may leave.
    await sim.done('snapshot.delete', {}, snapshotId);
    await sim.done('volume.move', { poolId: plainPoolId }, before);
    expect((await stage.row(volume, before)).poolId).to.equal(plainPoolId);
    expect(await asked('volume.move', SECRET, before)).to.equal(`conflict /storageClass ${ONLY}`);
    await sim.done('storageClass.update', { encrypted: null }, classId);
    expect((await stage.row(storageClass, classId)).encrypted).to.equal(undefined);
    expect((await stage.row(volume, await stage.volume(MIB, SECRET))).encrypted).to.equal(undefined);
    await sim.run(600_000);
    await sim.done('volume.move', SECRET, before);
  });

  it('take nothing in by a move that is not encrypted; what is encrypted comes and goes', async () => {
    const { stage, sim, asked, poolId, plainPoolId } = await withClass();
    const plain = await stage.volume(MIB, { poolId: plainPoolId });
    expect(await asked('volume.move', { poolId }, plain)).to.equal(`conflict /poolId ${ONLY}`);
    const secret = await stage.volume(MIB, { name: 'kept', ...SECRET });
    await sim.done('volume.move', { poolId: plainPoolId }, secret);
    expect(await stage.row(volume, secret)).to.include({ poolId: plainPoolId, encrypted: true });
    const comes = await stage.volume(MIB, { poolId: plainPoolId, encrypted: true });
    await sim.done('volume.move', SECRET, comes);
    expect(await stage.row(volume, comes)).to.include({ poolId, encrypted: true });
  });

  it('encrypt what is restored into them, where they are asked for; else it goes elsewhere, in the clear as it was', async () => {
    const { stage, sim, asked, poolId, plainPoolId } = await withClass();
    await sim.done('backupStore.create', { name: 'cellar', driver: 'simulated' });
    const volumeId = await stage.volume(MIB, { poolId: plainPoolId });
    const backupId = await sim.done('backup.create', { volumeId });
    for (const where of [SECRET, { poolId }]) {
      expect(await asked('backup.restore', { ...where, encrypted: false }, backupId)).to.equal(`conflict /encrypted ${ONLY}`);
      const { state, notes } = await stage.outcome('backup.restore', where, backupId);
      expect(state).to.equal('succeeded');
      expect(await stage.row(volume, String(notes?.volumeId))).to.include({ poolId, encrypted: true });
    }
    // The only other pool becomes one of the class.
    await sim.done('pool.update', SECRET, plainPoolId);
    expect(await asked('backup.restore', {}, backupId)).to.match(/^conflict .*takes encrypted volumes only/);
    expect(await asked('backup.verify', { restore: true }, backupId)).to.equal(`conflict /restore ${ONLY}`);
    await sim.done('pool.update', { storageClass: 'plain' }, plainPoolId);
    const ended = await stage.outcome('backup.restore', {}, backupId);
    expect(ended.state).to.equal('succeeded');
    expect((await stage.row(volume, String(ended.notes?.volumeId))).poolId).to.equal(plainPoolId);
  });

  it('hold for the disks of a machine that is made again elsewhere since its host was lost', async () => {
    const atStart = async (hosts: readonly object[], machine: object) => {
      const stage = await MachineStage.with({ hosts: 2, network: false });
      await stage.sim.done('storageClass.create', { name: 'secret', encrypted: true });
      for (const [index, change] of hosts.entries()) await stage.sim.done('pool.update', change, stage.poolIds[index]);
      let lost: string | undefined;
      stage.sim.around = async ({ path, phase }, body) => {
        if (path === 'start' && phase === 'do' && lost === undefined) {
          lost = [...stage.sim.world.hosts.values()].find(({ machines }) => machines.size > 0)?.hostname;
          stage.sim.world.crash(String(lost));
        }
        return body();
      };
      const { operationId, resourceId } = await stage.sim.submit('instance.create', stage.input(machine));
      const { state, attempt } = await stage.sim.ended(operationId);
      return { state, attempt, disks: state === 'succeeded' ? await stage.disks(resourceId) : [] };
    };
    const again = await atStart([SECRET, SECRET], { rootVolume: SECRET });
    expect([again.state, again.attempt, again.disks.map(({ encrypted }) => encrypted)]).to.deep.equal(['succeeded', 1, [true]]);
    // What is not encrypted is not made again where it would have to be.
    const plain = await atStart([{ name: 'plain' }, SECRET], { rootVolume: { encrypted: false } });
    expect(plain).to.include({ state: 'failed' });
  });

  it('hold from the commit that says so on: what was decided before it is decided again', async () => {
    const { sim, stage, classId, poolId } = await withClass();
    const { reader } = sim.kernel;
    const decided = async () => sim.environment.complete(protectionIn(reader, await stage.row(pool, poolId), undefined));
    const isValid = async ({ guards }: Protection) => (await sim.environment.complete(sim.kernel.observe(guards))).ok;
    const before = await decided();
    expect([before.isEncrypted, before.byClass, await isValid(before)]).to.deep.equal([true, 'secret', true]);
    await sim.done('storageClass.update', { encrypted: false }, classId);
    expect(await isValid(before)).to.equal(false);
    const without = await decided();
    expect([without.isEncrypted, await isValid(without)]).to.deep.equal([false, true]);
    await sim.done('pool.update', { storageClass: 'other' }, poolId);
    expect(await isValid(without)).to.equal(false);
    const unnamed = await decided();
    expect(await isValid(unnamed)).to.equal(true);
    await sim.done('pool.update', SECRET, poolId);
    expect(await isValid(unnamed)).to.equal(false);
  });
});
