import { expect } from 'chai';
import { volume } from '../../../src/cloud/index.ts';
import { BackupStage, CHUNK } from './backup-stage.ts';

type Objects = Map<string, Uint8Array>;

const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));

/** What may befall one thing in the place of backups. */
const DAMAGE: Readonly<Record<string, (objects: Objects, key: string, next: string) => void>> = {
  'a byte flipped': (objects, key) => objects.set(key, flipped(objects.get(key) ?? new Uint8Array())),
  'it removed': (objects, key) => objects.delete(key),
  'it and another swapped': (objects, key, next) => {
    const [one, two] = [objects.get(key) ?? new Uint8Array(), objects.get(next) ?? new Uint8Array()];
    objects.set(key, two).set(next, one);
  },
};

describe('what backups are kept in', function () {
  this.timeout(300_000);

  for (const [what, damage] of Object.entries(DAMAGE))
    it(`gives back what was put in, or nothing, with ${what}, whatever it is`, async () => {
      const stage = await BackupStage.open();
      const ids = [await stage.cloud.volume(CHUNK), await stage.cloud.volume(CHUNK)];
      for (const [nth, id] of ids.entries()) stage.fill(id, 0, nth + 1);
      const backupIds = [await stage.backUp(ids[0] ?? ''), await stage.backUp(ids[1] ?? '')];
      const poolId = await stage.cloud.pool(stage.hostId, { name: 'other', settings: { path: 'other' } });
      const restored = (id: string) =>
        [...stage.sim.world.pools.values()].map((each) => each.find('volume', id)?.content.digest).find((each) => each !== undefined);
      const sound: Objects = new Map(stage.objects);
      const keys = [...sound.keys()].sort();
      expect(keys.length).to.be.greaterThan(4);
      let refused = 0;
      for (const [index, key] of keys.entries()) {
        damage(stage.objects, key, keys[(index + 1) % keys.length] ?? '');
        for (const [nth, backupId] of backupIds.entries()) {
          const before = (await stage.cloud.rows(volume)).map(({ id }) => id);
          const { state } = await stage.cloud.outcome('backup.restore', { poolId }, backupId);
          const made = (await stage.cloud.rows(volume)).filter(({ id }) => !before.includes(id));
          if (state === 'succeeded') expect(made.map(({ id }) => restored(id))).to.deep.equal([stage.contentOf(ids[nth] ?? '')]);
          else expect([state, made]).to.deep.equal(['failed', []]);
          refused += state === 'failed' ? 1 : 0;
        }
        stage.objects.clear();
        for (const [sane, bytes] of sound) stage.objects.set(sane, bytes);
      }
      // Each chunk and each list of chunks, at the least.
      expect(refused).to.be.at.least(4);
      stage.sim.dispose();
    });
});
