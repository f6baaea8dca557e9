import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { pool, snapshot, volume } from '../../../src/cloud/index.ts';
import { refusal } from '../compute/machine-stage.ts';
import { BackupStage, CHUNK } from './backup-stage.ts';

const WORD = 'what-nobody-else-may-read';

const storedIn = (stage: BackupStage, id: string) => {
  for (const each of stage.sim.world.pools.values()) {
    const found = each.find('volume', id);
    if (found !== undefined) return found;
  }
  return expect.fail(`no pool has volume ${id}`);
};
const keyOf = (stage: BackupStage, id: string) => storedIn(stage, id).encryptionKey;

const put = (stage: BackupStage, id: string, chunk: number) => stage.write(id, chunk * CHUNK, new Uint8Array(4096).fill(chunk + 1));

/** With an encrypted volume that has something, and a backup of it. */
async function backedUp() {
  const stage = await BackupStage.open();
  const id = await stage.cloud.volume(6 * CHUNK + 512, { name: 'data', encrypted: true });
  for (const chunk of [0, 3]) put(stage, id, chunk);
  return { stage, id, content: stage.contentOf(id), backupId: await stage.backUp(id, { name: 'nightly' }) };
}

describe('backups of encrypted volumes', function () {
  this.timeout(300_000);

  it('are read by their key, and restored into volumes that are encrypted: by a clone with the same key, by a copy with one of its own', async () => {
    const { stage, id, content, backupId } = await backedUp();
    expect(await stage.row(backupId)).to.include({ encrypted: true, readBytes: 2 * CHUNK, newBytes: 2 * CHUNK });
    const clone = await stage.restore(backupId);
    expect(await stage.cloud.row(volume, clone)).to.include({ encrypted: true, state: 'available' });
    expect([stage.contentOf(clone), keyOf(stage, clone)]).to.deep.equal([content, keyOf(stage, id)]);
    const [own, others] = [await stage.cloud.row(volume, clone), await stage.cloud.row(volume, id)];
    expect(own.encryptionKey, 'so that one can be forgotten alone').not.to.equal(others.encryptionKey);

    put(stage, id, 4);
    const second = await stage.row(await stage.backUp(id));
    expect(second).to.include({ readBytes: CHUNK, newBytes: CHUNK });
    const copy = await stage.restore(backupId);
    expect(stage.contentOf(copy)).to.equal(content);
    expect(keyOf(stage, copy)).to.be.a('string').and.not.equal(keyOf(stage, id));
    expect(await stage.cloud.row(volume, copy)).to.include({ encrypted: true });

    await stage.sim.done('volume.delete', { permanent: true }, id);
    expect(stage.contentOf(await stage.restore(second.id)), 'when the volume and its key are gone').to.be.a('string');
  });

  it('come back in the clear only where that is asked for, and others encrypted where that is', async () => {
    const { stage, content, backupId } = await backedUp();
    const clear = await stage.restore(backupId, { encrypted: false });
    expect([stage.contentOf(clear), keyOf(stage, clear)]).to.deep.equal([content, undefined]);
    expect((await stage.cloud.row(volume, clear)).encrypted).to.equal(undefined);
    const ofClear = await stage.backUp(clear);
    expect((await stage.row(ofClear)).encrypted).to.equal(undefined);
    const sealed = await stage.restore(ofClear, { encrypted: true });
    expect(stage.contentOf(sealed)).to.equal(content);
    expect(keyOf(stage, sealed)).to.be.a('string');
    expect(keyOf(stage, await stage.restore(ofClear))).to.equal(undefined);

    await stage.sim.done('storageClass.create', { name: 'secret', encrypted: true });
    const poolId = await stage.cloud.pool(stage.hostId, { storageClass: 'secret', settings: { path: '/secret' } });
    for (const where of [{ storageClass: 'secret' }, { poolId }]) {
      const inClass = await stage.restore(ofClear, where);
      expect(await stage.cloud.row(volume, inClass)).to.include({ poolId, encrypted: true });
      expect(stage.contentOf(inClass) ?? storedIn(stage, inClass).content.digest).to.equal(content);
    }
    expect(await refusal(stage.sim.submit('backup.restore', { poolId, encrypted: false }, ofClear))).to.match(/^conflict \/encrypted /);
  });

  it('are written whole into a pool whose machines see noise where nothing was written', async () => {
    const { stage, content, backupId } = await backedUp();
    const poolId = await stage.sim.done('pool.create', { driver: 'simulated-shared', clusterId: stage.cloud.clusterId });
    const { faults } = stage.sim.world;
    const stop = faults.add({ command: 'lockedContents.write', effect: 'delay', delayMs: 1 });
    const there = await stage.restore(backupId, { poolId });
    expect(faults.struck.get('delay'), 'all seven chunks').to.equal(7);
    expect(storedIn(stage, there).content.digest).to.equal(content);
    stop();
  });

  it('are read whole after a change of the key, which takes the snapshot beside the volume away', async () => {
    const { stage, id, content, backupId } = await backedUp();
    expect(stage.snapshotsOf(id)).to.have.length(1);
    const clone = await stage.restore(backupId);
    const before = keyOf(stage, id);
    await stage.sim.done('volume.rotateKey', {}, id);
    expect(keyOf(stage, id)).not.to.equal(before);
    expect(stage.snapshotsOf(id)).to.deep.equal([]);
    expect((await stage.cloud.rows(snapshot)).filter(({ deletedAt }) => deletedAt === undefined)).to.deep.equal([]);
    expect(stage.contentOf(clone)).to.equal(content);
    const next = await stage.row(await stage.backUp(id));
    expect(next).to.include({ readBytes: 2 * CHUNK, newBytes: 0 });
    for (const each of [backupId, next.id]) expect(stage.contentOf(await stage.restore(each))).to.equal(content);
  });

  it('that wait for a change of the key are read by the new one', async () => {
    const { stage, id, content } = await backedUp();
    const rotation = await stage.sim.submit('volume.rotateKey', {}, id);
    const backup = await stage.sim.submit('backup.create', { volumeId: id });
    expect([(await stage.sim.ended(rotation.operationId)).state, (await stage.sim.ended(backup.operationId)).state]).to.deep.equal([
      'succeeded',
      'succeeded',
    ]);
    expect(stage.contentOf(await stage.restore(String(backup.resourceId)))).to.equal(content);
  });

  it('are tried out by a restore that is encrypted, and leave neither volume nor key', async () => {
    const { stage, backupId } = await backedUp();
    const volumes = async () => (await stage.cloud.rows(volume)).filter(({ deletedAt }) => deletedAt === undefined).length;
    const before = await volumes();
    const fail = stage.sim.world.faults.add({ command: 'lockedContents.write', effect: 'fail' });
    expect((await stage.cloud.outcome('backup.verify', { restore: true }, backupId)).state, 'by its key').to.equal('failed');
    fail();
    await stage.sim.done('backup.verify', { restore: true }, backupId);
    expect(await stage.row(backupId)).to.include({ condition: 'sound' });
    expect(await volumes()).to.equal(before);
  });

  it('show nothing of it: no key, and nothing of the content, is in the store, its journals or the backup store', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pileus-encrypted-'));
    try {
      const { stage, id } = await backedUp();
      stage.write(id, CHUNK, Buffer.alloc(4096, WORD));
      const backupId = await stage.backUp(id);
      const made = [await stage.restore(backupId), await stage.restore(backupId, { poolId: stage.poolId })];
      await stage.sim.done('volume.rotateKey', {}, id);
      await stage.sim.done('backup.verify', { restore: true }, backupId);
      const keys = [id, ...made].map((each) => String(keyOf(stage, each)));
      stage.sim.backup(join(directory, 'store'));
      const store = await readFile(join(directory, 'store'));
      expect(store.includes('backup.restore'), 'journals are in it').to.equal(true);
      for (const secret of [...keys, WORD]) {
        expect(secret.length).to.be.greaterThan(20);
        expect(store.includes(secret), 'in the store').to.equal(false);
        for (const object of stage.objects.values()) expect(Buffer.from(object).includes(secret), 'in the backup store').to.equal(false);
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('are refused where what is in them is read by machines alone; restores pass such pools over', async () => {
    const lacking = await BackupStage.open({ without: ['lockedContents'] });
    const volumeId = await lacking.cloud.volume(CHUNK, { encrypted: true });
    expect(await refusal(lacking.sim.submit('backup.create', { volumeId }))).to.match(
      /^unsupported \/volumeId Volume \S+ is encrypted, and /,
    );
    const plain = await lacking.cloud.volume(CHUNK);
    const ofPlain = await lacking.backUp(plain);
    expect(await refusal(lacking.sim.submit('backup.restore', { encrypted: true }, ofPlain))).to.match(/^unsupported /);

    const without: 'lockedContents'[] = [];
    const stage = await BackupStage.open({ without });
    const id = await stage.cloud.volume(CHUNK, { encrypted: true });
    const backupId = await stage.backUp(id);
    await stage.backUp(id);
    without.push('lockedContents');
    // Larger than the one that can, so that it is the first choice.
    const other = await stage.sim.done('pool.create', {
      driver: 'simulated',
      hostId: stage.hostId,
      overcommit: 10,
      settings: { path: '/other' },
    });
    expect(await refusal(stage.sim.submit('backup.restore', { poolId: other }, backupId))).to.match(/^unsupported /);
    expect(await stage.cloud.row(volume, await stage.restore(backupId))).to.include({ poolId: stage.poolId, encrypted: true });
    expect((await stage.cloud.row(pool, other)).encrypts).to.equal(true);
  });
});
