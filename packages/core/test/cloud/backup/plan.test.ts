import type { SimCloudOptions } from '@pileus/core/testing';
import { expect } from 'chai';
import { nextTime } from '../../../src/cloud/backup/schedule.ts';
import { backup, backupPlan, backupSet } from '../../../src/cloud/index.ts';
import { CloudError, change, create, type Id, operation, sleep } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { BackupStage, CHUNK } from './backup-stage.ts';
import { withMachine } from './set-stage.ts';

const MINUTE_MS = 60_000;
const PERIOD_MS = 5 * MINUTE_MS;

const refusal = (work: Promise<unknown>): Promise<object | 'accepted'> =>
  work.then(
    () => 'accepted' as const,
    ({ code, pointer }: CloudError) => ({ code, ...(pointer === undefined ? {} : { pointer }) }),
  );

async function withVolume(options: Partial<SimCloudOptions> = {}) {
  const stage = await BackupStage.open(options);
  const volumeId = await stage.cloud.volume(2 * CHUNK);
  stage.fill(volumeId, 0, 1);
  const plan = (more: object) => stage.sim.done('backupPlan.create', { volumeId, schedule: '*/5 * * * *', ...more });
  const made = async () => (await stage.cloud.rows(backup)).filter(({ state }) => state === 'available');
  return { stage, volumeId, plan, made };
}

describe('plans of backups', function () {
  this.timeout(300_000);

  it('back up when their schedule says, and keep as many as they are told', async () => {
    const { stage, plan, made } = await withVolume();
    const id = await plan({ keepCount: 2 });
    expect(await made()).to.deep.equal([]);
    await stage.sim.run(PERIOD_MS + 2 * MINUTE_MS);
    const [first] = await made();
    expect(first?.planId).to.equal(id);
    const row = await stage.cloud.row(backupPlan, id);
    expect(row.recoveryPointAt).to.equal(first?.takenAt);
    expect(Date.parse(row.nextRunAt ?? '') % PERIOD_MS).to.equal(0);
    await stage.sim.run(3 * PERIOD_MS);
    const left = await made();
    expect(left).to.have.length(2);
    expect(left.map((each) => each.id)).not.to.include(first?.id);
    expect((await stage.cloud.row(backupPlan, id)).recoveryPointAt).to.equal(
      left
        .map(({ takenAt }) => takenAt)
        .sort()
        .at(-1),
    );
  });

  it('run once for all the times that were missed, once more on demand, and not while disabled', async () => {
    const { stage, plan, made } = await withVolume();
    const id = await plan({});
    stage.sim.crash();
    await stage.sim.run(5 * PERIOD_MS);
    await stage.sim.start();
    await stage.sim.run(2 * MINUTE_MS);
    expect(await made()).to.have.length(1);
    await stage.sim.done('backupPlan.run', {}, id);
    await stage.sim.run(MINUTE_MS);
    expect(await made()).to.have.length(2);
    await stage.sim.done('backupPlan.disable', {}, id);
    await stage.sim.run(3 * PERIOD_MS);
    expect(await made()).to.have.length(2);
    await stage.sim.done('backupPlan.enable', {}, id);
    await stage.sim.run(PERIOD_MS + 2 * MINUTE_MS);
    expect(await made()).to.have.length(3);
  });

  for (const [what, more] of [
    ['backups', {}],
    ['a set', { atOneInstant: true }],
  ] as const)
    it(`leave a time out while ${what} of an earlier one are copied, and say so`, async () => {
      const { stage, sim, id: instanceId } = await withMachine();
      const asked = async () => (await stage.rows(what === 'a set' ? backupSet : backup)).length;
      const once = what === 'a set' ? 1 : 2;
      let copying = true;
      sim.around = async (point, body) => {
        while (copying && /^copy$/.test(point.path)) await sleep(sim.environment.timers, 1000);
        return body();
      };
      const id = await sim.done('backupPlan.create', { instanceId, schedule: '*/5 * * * *', ...more });
      await sim.run(PERIOD_MS + 2 * MINUTE_MS);
      expect((await stage.row(backupPlan, id)).lastRefusal, 'of itself, by a look that comes again').to.equal(undefined);
      expect(await asked()).to.equal(once);
      await sim.run(3 * PERIOD_MS);
      expect(await asked()).to.equal(once);
      const { lastRefusal, lastRunAt, nextRunAt } = await stage.row(backupPlan, id);
      expect(lastRefusal).to.match(/: The backup before it, .+ of \d.+Z, is not done yet\./);
      expect(Date.parse(nextRunAt ?? '') - Date.parse(lastRunAt ?? '')).to.be.at.most(PERIOD_MS);
      copying = false;
      await sim.run(PERIOD_MS);
      expect(await asked()).to.equal(2 * once);
      expect((await stage.row(backupPlan, id)).lastRefusal).to.equal(undefined);
    });

  it('make each backup once, though the server dies while they run', async () => {
    const { stage, plan, made } = await withVolume();
    const id = await plan({ schedule: '0 0 1 1 *' });
    let crashes = 0;
    stage.sim.around = (point, body, sim) => {
      if (crashes < 3 && point.path === ['snapshot[0.0]/image', 'copy', 'available'][crashes]) {
        crashes += 1;
        sim.crash();
        return new Promise<never>(() => undefined);
      }
      return body();
    };
    await stage.sim.done('backupPlan.run', {}, id);
    for (let round = 0; round < 8; round += 1) {
      await stage.sim.run(30_000);
      if (!stage.sim.alive) await stage.sim.start();
    }
    expect(crashes).to.equal(3);
    expect(await made()).to.have.length(1);
  });

  it('restore each backup for a test where they are told to, and show how long a recovery takes', async () => {
    const { stage, plan, made } = await withVolume();
    const id = await plan({ verify: true });
    await stage.sim.run(PERIOD_MS + 2 * MINUTE_MS);
    expect((await made())[0]).to.include({ condition: 'sound', restoreSeconds: 1 });
    const seconds = async () => (await stage.cloud.row(backupPlan, id)).recoverySeconds;
    expect(await seconds()).to.equal(1);
    // The next one has not been tested yet: what the last test took is told all the same.
    stage.sim.world.faults.add({ command: 'volumes.create', effect: 'fail', fault: 'exhausted', times: 100 });
    await stage.sim.run(PERIOD_MS);
    expect((await made()).map(({ restoreSeconds }) => restoreSeconds)).to.have.members([1, undefined]);
    expect(await seconds()).to.equal(1);
  });

  it('ask again for a test that failed, an hour later and by the next life', async () => {
    const { stage, plan, made } = await withVolume();
    // No room, as it were, until the second test of the second life.
    stage.sim.world.faults.add({ command: 'volumes.create', effect: 'fail', fault: 'exhausted', times: 3 });
    const id = await plan({ verify: true, schedule: '0 0 1 1 *' });
    await stage.sim.done('backupPlan.run', {}, id);
    await stage.sim.run(5 * MINUTE_MS);
    expect((await made())[0]).not.to.have.property('checkedAt');
    await stage.sim.run(61 * MINUTE_MS);
    expect((await made())[0]).not.to.have.property('checkedAt');
    stage.sim.crash();
    await stage.sim.run(60 * MINUTE_MS);
    await stage.sim.start();
    await stage.sim.run(2 * MINUTE_MS);
    expect((await made())[0]).not.to.have.property('checkedAt');
    await stage.sim.run(61 * MINUTE_MS);
    expect((await made())[0]).to.include({ condition: 'sound' });
  });

  it('test each backup, the newest first, also where tests take longer than the time between them', async () => {
    const { stage, plan, made } = await withVolume();
    let testing = true;
    stage.sim.around = async (point, body) => {
      while (testing && point.path === 'check') await sleep(stage.sim.environment.timers, 1000);
      return body();
    };
    const id = await plan({ verify: true });
    await stage.sim.run(6 * PERIOD_MS + 2 * MINUTE_MS);
    const tests = async () => (await stage.cloud.rows(operation)).filter(({ action }) => action === 'backup.verify');
    expect(await tests(), 'under way').to.have.length(2);
    await stage.sim.done('backupPlan.disable', {}, id);
    testing = false;
    await stage.sim.run(3 * MINUTE_MS);
    const all = await made();
    expect(all.map(({ condition }) => condition)).to.deep.equal(all.map(() => 'sound'));
    const newestFirst = all.map(({ id }) => id).reverse();
    const asked = (await tests()).sort((a, b) => (a.id < b.id ? -1 : 1)).map(({ resourceId }) => resourceId);
    expect(asked).to.deep.equal([...newestFirst.slice(-2).reverse(), ...newestFirst.slice(0, -2)]);
  });

  it('test older backups though the tests of newer ones fail, and those again an hour later', async () => {
    const { stage, plan, made } = await withVolume({ presets: { 'hosts.heartbeatSeconds': 60 } });
    const failing: string[] = [];
    stage.sim.around = (point, body) => {
      if (point.path === 'check' && failing.length < 2 && !failing.includes(point.operationId)) failing.push(point.operationId);
      if (point.path === 'check' && failing.includes(point.operationId)) throw new CloudError('no_capacity', 'No room for a test.');
      return body();
    };
    const id = await plan({ schedule: '0 0 1 1 *' });
    for (const _ of [1, 2, 3, 4]) {
      await stage.sim.done('backupPlan.run', {}, id);
      await stage.sim.run(MINUTE_MS);
    }
    await stage.sim.done('backupPlan.update', { verify: true }, id);
    const conditions = async () => (await made()).map(({ condition }) => condition);
    await stage.sim.run(65 * MINUTE_MS);
    expect(await conditions()).to.deep.equal(['sound', 'sound', undefined, undefined]);
    await stage.sim.run(65 * MINUTE_MS);
    expect(await conditions()).to.deep.equal(['sound', 'sound', 'sound', 'sound']);
  });

  it('remove what has grown too old also while they are disabled, and never the last one', async () => {
    const { stage, plan, made } = await withVolume({ presets: { 'hosts.heartbeatSeconds': 600 } });
    const id = await plan({ keepDays: 1, schedule: '0 0 1 1 *' });
    for (const _ of [1, 2]) {
      await stage.sim.done('backupPlan.run', {}, id);
      await stage.sim.run(MINUTE_MS);
    }
    await stage.sim.done('backupPlan.disable', {}, id);
    const [, newest] = await made();
    await stage.sim.run(23 * 60 * MINUTE_MS);
    expect(await made()).to.have.length(2);
    await stage.sim.run(3 * 60 * MINUTE_MS);
    expect((await made()).map((row) => row.id)).to.deep.equal([newest?.id]);
  });

  it('are looked after all the same when the store was away as their turn came', async () => {
    const { stage, plan, made } = await withVolume({ presets: { 'hosts.heartbeatSeconds': 600 } });
    const { sim } = stage;
    const id = await plan({ keepDays: 1, schedule: '0 0 1 1 *' });
    for (const _ of [1, 2]) {
      await sim.done('backupPlan.run', {}, id);
      await sim.run(MINUTE_MS);
    }
    await sim.done('backupPlan.disable', {}, id);
    const { reader } = sim.kernel;
    const real = reader.find.bind(reader);
    let refused = 0;
    reader.find = async (kind, key) => {
      if (kind.name !== backupPlan.name) return real(kind, key);
      refused += 1;
      throw new CloudError('unavailable', 'The store is away.');
    };
    await sim.run(2 * 60 * MINUTE_MS);
    reader.find = real;
    expect(refused).to.be.greaterThan(0);
    expect(await made()).to.have.length(2);
    await sim.run(24 * 60 * MINUTE_MS);
    expect(await made()).to.have.length(1);
  });

  it('that are deleted as their turn comes ask for nothing more', async () => {
    const { stage, volumeId, plan } = await withVolume({ presets: { 'hosts.heartbeatSeconds': 600 } });
    const { sim } = stage;
    const runs = await plan({});
    const other = await stage.cloud.volume(CHUNK);
    const keeps = await sim.done('backupPlan.create', { volumeId: other, schedule: '0 0 1 1 *' });
    for (const _ of [1, 2]) {
      await sim.done('backupPlan.run', {}, keeps);
      await sim.run(MINUTE_MS);
    }
    const before = (await stage.cloud.rows(backup)).length;
    const { reader } = sim.kernel;
    const real = reader.texts.bind(reader);
    const isGoing = new Set<string>();
    // Between the answer of the store and what follows from it.
    const deleted = async (id: string) => {
      if (isGoing.has(id)) return;
      isGoing.add(id);
      const { operationId } = await sim.submit('backupPlan.delete', {}, id);
      while (sim.rows('operation').some((row) => row.id === operationId && row.state !== 'succeeded'))
        await sleep(sim.environment.timers, 10);
    };
    reader.texts = async (kind, where, options) => {
      const texts = await real(kind, where, options);
      if (kind.name === backupPlan.name && texts.some((text) => text.includes(runs))) await deleted(runs);
      if (kind.name === backup.name && JSON.stringify(where).includes(keeps)) await deleted(keeps);
      return texts;
    };
    await sim.done('backupPlan.update', { keepCount: 1 }, keeps);
    await sim.run(65 * MINUTE_MS);
    reader.texts = real;
    expect([...isGoing]).to.have.members([runs, keeps]);
    for (const id of [runs, keeps]) expect((await stage.cloud.row(backupPlan, id)).state).to.equal('deleted');
    const asked = (await stage.cloud.rows(operation)).map(({ action }) => action).filter((action) => action === 'backup.delete');
    expect(asked).to.deep.equal([]);
    expect(await stage.cloud.rows(backup)).to.have.length(before);
    expect((await stage.cloud.rows(backup)).filter((row) => row.volumeId === volumeId)).to.deep.equal([]);
  });

  it('remove no more than two hundred in one look, the rest in the next', async () => {
    const { stage, volumeId, plan, made } = await withVolume({ presets: { 'hosts.heartbeatSeconds': 600 } });
    const { sim } = stage;
    const id = (await plan({ schedule: '0 0 1 1 *' })) as Id<'backupPlan'>;
    await sim.done('backupPlan.run', {}, id);
    await sim.run(MINUTE_MS);
    const [one] = await made();
    if (one === undefined) throw new Error('no backup');
    const mint = () => sim.kernel.services.ids.mint('backup');
    const { projectId, storeId, sizeBytes, volumeName } = one;
    const rows = Array.from({ length: 450 }, (_, number) => {
      const takenAt = new Date(Date.parse(one.takenAt ?? '') - (number + 1) * 1000).toISOString();
      const fields = { id: mint(), name: `old-${number}`, volumeId: volumeId as Id<'volume'>, volumeName, storeId, sizeBytes };
      return create(backup, { ...fields, ...(projectId && { projectId }), planId: id, takenAt, state: 'available' } as never);
    });
    await sim.environment.complete(sim.kernel.observe(rows));
    expect(await made()).to.have.length(451);
    // None of them is done with while they are counted.
    let holding = true;
    sim.around = async (point, body) => {
      while (holding && point.path === 'verify') await sleep(sim.environment.timers, 1000);
      return body();
    };
    await sim.done('backupPlan.update', { keepCount: 1 }, id);
    await sim.done('backupPlan.run', {}, id);
    const asked = () => sim.rows('operation').filter(({ action }) => action === 'backup.delete').length;
    const samples: number[] = [];
    for (let second = 0; second < 150; second += 1) {
      await sim.run(1000);
      samples.push(asked());
    }
    // Between two looks.
    const standing = samples.filter((count, second) => count > 0 && count === samples[second - 1]);
    expect([...new Set(standing)]).to.deep.equal([200, 400, 451]);
    holding = false;
  });

  it('promise no recovery from a backup that is damaged', async () => {
    const { stage, volumeId, plan, made } = await withVolume();
    const id = await plan({ schedule: '0 0 1 1 *' });
    const run = async () => {
      await stage.sim.done('backupPlan.run', {}, id);
      await stage.sim.run(MINUTE_MS);
    };
    await run();
    const [first] = await made();
    const shared = stage.chunks();
    stage.fill(volumeId, 1, 2);
    await run();
    const second = (await made()).find((row) => row.id !== first?.id);
    const recoveryPoint = async () => (await stage.cloud.row(backupPlan, id)).recoveryPointAt;
    expect(await recoveryPoint()).to.equal(second?.takenAt);
    for (const key of stage.chunks()) if (!shared.includes(key)) stage.objects.delete(key);
    await stage.sim.done('backup.verify', {}, second?.id);
    await stage.sim.run(MINUTE_MS);
    expect((await made()).find((row) => row.id === second?.id)?.condition).to.equal('damaged');
    expect(await recoveryPoint()).to.equal(first?.takenAt);
  });

  it('are of all volumes of a machine, or of all with a tag', async () => {
    const stage = await MachineStage.with();
    await stage.sim.done('backupStore.create', { driver: 'simulated' });
    const instanceId = await stage.machine({ name: 'web', volumes: [{ name: 'data', sizeBytes: 8192 }] });
    const tagged = await stage.volume(8192, { name: 'tagged', tags: { tier: 'gold' } });
    await stage.volume(8192, { name: 'other', tags: { tier: 'tin' } });
    await stage.sim.done('backupPlan.create', { instanceId, schedule: '*/5 * * * *' });
    await stage.sim.done('backupPlan.create', { tag: 'tier=gold', schedule: '*/5 * * * *' });
    await stage.sim.run(PERIOD_MS + 2 * MINUTE_MS);
    const disks = (await stage.disks(instanceId)).map(({ id }) => id);
    expect(disks).to.have.length(2);
    expect((await stage.rows(backup)).map(({ volumeId }) => volumeId)).to.have.members([...disks, tagged]);
  });

  it('are refused for what they cannot be of, and for no schedule, zone or store', async () => {
    const { stage, volumeId } = await withVolume();
    const ask = (input: object) => refusal(stage.sim.submit('backupPlan.create', { schedule: '0 3 * * *', ...input }));
    expect(await ask({})).to.deep.equal({ code: 'invalid_input', pointer: '/volumeId' });
    expect(await ask({ volumeId, tag: 'a' })).to.deep.equal({ code: 'invalid_input', pointer: '/tag' });
    expect(await ask({ tag: '=a' })).to.deep.equal({ code: 'invalid_input', pointer: '/tag' });
    expect(await ask({ volumeId: stage.storeId })).to.deep.equal({ code: 'not_found', pointer: '/volumeId' });
    expect(await ask({ volumeId, schedule: 'at noon' })).to.deep.equal({ code: 'invalid_input', pointer: '/schedule' });
    expect(await ask({ volumeId, schedule: '0 0 3 * * *' })).to.deep.equal({ code: 'invalid_input', pointer: '/schedule' });
    expect(() => nextTime({ schedule: '0 26 * * *', timeZone: 'UTC' }, 0)).to.throw('hour (0-23)');
    expect(await ask({ volumeId, schedule: '0 0 31 2 *' })).to.deep.equal({ code: 'invalid_input', pointer: '/schedule' });
    expect(await ask({ volumeId, timeZone: 'Mars/Olympus' })).to.deep.equal({ code: 'invalid_input', pointer: '/timeZone' });
    expect(await ask({ volumeId, storeId: volumeId })).to.deep.equal({ code: 'not_found', pointer: '/storeId' });
    expect(await ask({ volumeId, keepCount: 0 })).to.deep.equal({ code: 'invalid_input', pointer: '/keepCount' });
  });

  it('run though one before them cannot', async () => {
    const { stage, volumeId, plan } = await withVolume();
    const broken = (await plan({})) as Id<'backupPlan'>;
    const other = await stage.cloud.volume(CHUNK);
    await stage.sim.done('backupPlan.create', { volumeId: other, schedule: '*/5 * * * *' });
    const { environment, kernel } = stage.sim;
    await environment.complete(kernel.observe([change(backupPlan, broken, { schedule: '0 0 31 2 *' })]));
    await stage.sim.run(2 * PERIOD_MS + 2 * MINUTE_MS);
    const made = (await stage.cloud.rows(backup)).map((row) => row.volumeId);
    expect(made.filter((id) => id === other)).to.have.length(2);
    expect(made.filter((id) => id === volumeId)).to.have.length(1);
  });

  it('go with their volume; what they have made stays', async () => {
    const { stage, volumeId, plan, made } = await withVolume();
    const id = await plan({});
    await stage.sim.run(PERIOD_MS + 2 * MINUTE_MS);
    await stage.sim.done('volume.delete', {}, volumeId);
    expect((await stage.cloud.row(backupPlan, id)).state).to.equal('deleted');
    expect(await made()).to.have.length(1);
  });
});
