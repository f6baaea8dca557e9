import { randomBytes } from 'node:crypto';
import { RadosCluster } from '@pileus/drivers-rbd/rados';
import type { Backup, Id } from '@pileus/sdk';
import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import { until } from '../../lab/waiting.ts';
import { bucketStore } from './bucket.ts';
import { CephCloud, MIB, POOL } from './ceph-cloud.ts';
import { settledInventory } from './inventory.ts';

const SIZE_BYTES = 24 * MIB;
const CHUNK = 4 * MIB;
const WAIT = { timeoutMs: 300_000 };

/** A schedule knows no less than minutes: of the full run. */
if (FULL)
  describe('a plan that backs up a volume on Ceph into a bucket', function () {
    this.timeout(1_800_000);
    let lab: CephCloud;
    let binding: RadosCluster;
    let volumeId: Id<'volume'>;
    let content: Buffer;
    /** What the volume has had, the newest last, and since when. */
    const had: { readonly content: Buffer; readonly sinceMs: number }[] = [];

    before(async () => {
      lab = await CephCloud.up({ hosts: 1, gateway: true });
      const { monitors, user } = lab.ceph;
      binding = RadosCluster.open({ monitors, user: user.name, key: user.key });
      volumeId = (await lab.cloud.volumes.create({ sizeBytes: SIZE_BYTES, poolId: lab.poolId }).wait(WAIT)).id;
      content = Buffer.alloc(0);
      for (let at = 0; at < SIZE_BYTES; at += CHUNK) await put(at, randomBytes(CHUNK));
    });
    after(async () => {
      await binding?.close();
      await lab?.[Symbol.asyncDispose]();
    });

    /** Of one object, so that a backup has all of it or nothing. */
    async function put(at: number, bytes: Buffer): Promise<void> {
      await using image = binding.pool(POOL).image(`volume-${volumeId}`).open();
      await image.write(at, bytes);
      content = Buffer.concat([content.subarray(0, at), bytes, content.subarray(at + bytes.length)]);
      had.push({ content, sinceMs: Date.now() });
    }
    const contentOf = async (id: string): Promise<Buffer> => {
      await using image = binding.pool(POOL).image(`volume-${id}`).open({ readOnly: true });
      const parts: Uint8Array[] = [];
      for (let at = 0; at < SIZE_BYTES; at += CHUNK) parts.push(await image.read(at, CHUNK));
      return Buffer.concat(parts);
    };
    const backups = async (): Promise<readonly Backup[]> =>
      (await lab.cloud.volumeBackups.list({ where: { volumeId } }).toArray())
        .filter(({ state }) => state === 'available')
        .sort((one, other) => Date.parse(one.takenAt ?? '') - Date.parse(other.takenAt ?? ''));
    /** By the schedule, of what is there by now, and restored for a test. */
    const next = (): Promise<Backup> => {
      const sinceMs = had.at(-1)?.sinceMs ?? 0;
      const look = async () =>
        (await backups()).find(({ takenAt = '', restoreSeconds }) => Date.parse(takenAt) > sinceMs && restoreSeconds !== undefined);
      return until('a backup that is tested', look).catch(() => until('the same, on a busy machine', look));
    };

    it('makes them when its schedule says, of what has changed alone, tests each by a restore, and keeps the newest', async () => {
      const storeId = (await lab.cloud.backupStores.create(await bucketStore(lab.ceph)).wait(WAIT)).id;
      const { id } = await lab.cloud.backupPlans
        .create({ volumeId, storeId, schedule: '* * * * *', keepCount: 2, verify: true })
        .wait(WAIT);
      const made = [await next()];
      for (const at of [8 * MIB, 20 * MIB]) {
        await put(at, randomBytes(4096));
        made.push(await next());
      }
      await lab.cloud.backupPlans.disable(id).wait(WAIT);
      for (const { condition } of made) expect(condition).to.equal('sound');
      expect(made.map(({ readBytes }) => readBytes)).to.deep.equal([SIZE_BYTES, CHUNK, CHUNK]);
      await until('two that are left', async () => (await backups()).length === 2 || undefined);
      const left = await backups();
      expect(Date.parse(left[0]?.takenAt ?? '')).to.be.above(Date.parse(made[0]?.takenAt ?? ''));
      const row = await until('what a recovery would give', async () => {
        const plan = await lab.cloud.backupPlans.get(id);
        return Date.parse(plan.recoveryPointAt ?? '') > (had.at(-1)?.sinceMs ?? 0) ? plan : undefined;
      });
      expect(row.recoverySeconds).to.be.a('number');
    });

    it('brings back by the newest what was there, by a clone and, where the snapshot is gone, from the bucket', async () => {
      const [, newest = expect.fail('no backup')] = await backups();
      for (const name of ['by-a-clone', 'from-the-bucket']) {
        await lab.cloud.volumeBackups.restore(newest.id, { name }).wait(WAIT);
        const restored = await lab.cloud.volumes.get(name);
        expect((await contentOf(restored.id)).equals(content), name).to.equal(true);
        await lab.cloud.volumes.delete(restored.id, { permanent: true }).wait(WAIT);
        if (name === 'by-a-clone') await lab.cloud.volumes.delete(volumeId, { permanent: true }).wait(WAIT);
      }
    });

    it('leaves nothing', async () => {
      for (const { id } of await lab.cloud.volumeBackups.list().toArray()) await lab.cloud.volumeBackups.delete(id).wait(WAIT);
      const { seen, expected } = await settledInventory(lab);
      expect(seen).to.deep.equal(expected);
      expect(seen.images).to.deep.equal([]);
    });
  });
