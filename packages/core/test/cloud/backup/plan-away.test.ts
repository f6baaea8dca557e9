import { expect } from 'chai';
import { backup, project } from '../../../src/cloud/index.ts';
import { CloudError } from '../../../src/kernel/index.ts';
import { BackupStage, CHUNK } from './backup-stage.ts';

const MINUTE_MS = 60_000;

describe('plans of backups, while the store is away', () => {
  for (const kind of [backup, project])
    it(`are settled a minute later, not an hour, where the store was away while one was settled (${kind.name})`, async () => {
      const stage = await BackupStage.open({ presets: { 'hosts.heartbeatSeconds': 600 } });
      const { sim, cloud } = stage;
      const volumeId = await cloud.volume(2 * CHUNK);
      const made = async () => (await cloud.rows(backup)).filter(({ state }) => state === 'available');
      const id = await sim.done('backupPlan.create', { volumeId, keepCount: 1, schedule: '0 0 1 1 *' });
      await sim.done('backupPlan.run', {}, id);
      await sim.run(MINUTE_MS);
      const { reader } = sim.kernel;
      const [texts, get] = [reader.texts.bind(reader), reader.get.bind(reader)];
      let refused = 0;
      // What it keeps, not what is under way; and who asks for the removal, not for the backup.
      const isOfSettling = (where: unknown) =>
        sim.rows('backup').filter(({ state }) => state === 'available').length === 2 &&
        (kind === project || JSON.stringify(where ?? null).includes('available'));
      const isAway = (asked: { readonly name: string }, where?: unknown) => {
        if (asked.name !== kind.name || refused > 0 || !isOfSettling(where)) return;
        refused += 1;
        throw new CloudError('unavailable', 'The store is away.');
      };
      await sim.done('backupPlan.run', {}, id);
      reader.texts = async (asked, ...more) => {
        isAway(asked, more[0]);
        return texts(asked, ...more);
      };
      reader.get = async (asked, ...more) => {
        isAway(asked);
        return get(asked, ...more);
      };
      await sim.run(4 * MINUTE_MS);
      expect(refused).to.equal(1);
      expect(await made()).to.have.length(1);
    });
});
