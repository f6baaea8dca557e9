import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SimCloudOptions } from '@pileus/core/testing';
import { expect } from 'chai';
import { backup } from '../../../src/cloud/index.ts';
import { BackupStage, CHUNK } from './backup-stage.ts';

const LONG_MS = 20_000;
const DAY_MS = 24 * 3600_000;
/** Days go by quickly where hosts are hardly looked at. */
const FEW_HEARTBEATS = { presets: { 'hosts.heartbeatSeconds': 3600 } };

/** A backup that alone names a chunk, and another volume with that chunk and much more. */
async function ground(options: Partial<SimCloudOptions> = {}) {
  const stage = await BackupStage.open(options);
  const [small, large] = [await stage.cloud.volume(CHUNK), await stage.cloud.volume(16 * CHUNK)];
  stage.fill(small, 0, 1);
  for (let chunk = 0; chunk < 16; chunk += 1) stage.fill(large, chunk, chunk + 1);
  const first = await stage.backUp(small);
  const [shared = ''] = stage.chunks();
  /** From now on what is put takes long. */
  const slowDown = () => stage.sim.world.faults.add({ command: 'backups.put', effect: 'delay', delayMs: LONG_MS });
  const isSound = async (id: string) => {
    await stage.sim.done('backup.verify', {}, id);
    return (await stage.row(id)).condition === 'sound';
  };
  return { stage, small, large, first, shared, slowDown, isSound };
}

describe('what no backup names', function () {
  this.timeout(300_000);

  it('stays while a backup is at work that may rely on it', async () => {
    const { stage, large, first, shared, slowDown, isSound } = await ground();
    const hurry = slowDown();
    const { operationId, resourceId } = await stage.sim.submit('backup.create', { volumeId: large });
    await stage.sim.run(2_000);
    await stage.sim.done('backup.delete', {}, first);
    await stage.sim.run(2 * LONG_MS);
    expect((await stage.row(resourceId)).state).to.equal('creating');
    expect([...stage.objects.keys()].some((key) => key.endsWith('/condemned'))).to.equal(true);
    hurry();
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    await stage.tidy();
    expect(stage.chunks()).to.include(shared);
    expect(await isSound(resourceId)).to.equal(true);
    expect([...stage.objects.keys()].some((key) => key.endsWith('/condemned'))).to.equal(false);
  });

  it('is not relied on any more by a backup that begins when it is about to go', async () => {
    const { stage, small, large, first, shared, slowDown, isSound } = await ground();
    stage.fill(large, 0, 99);
    const hurry = slowDown();
    const { operationId } = await stage.sim.submit('backup.create', { volumeId: large });
    await stage.sim.run(2_000);
    await stage.sim.done('backup.delete', {}, first);
    await stage.sim.run(LONG_MS + 10_000);
    hurry();
    const second = await stage.backUp(small);
    expect((await stage.row(second)).newBytes).to.equal(CHUNK);
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    await stage.tidy();
    expect(stage.chunks()).not.to.include(shared);
    expect(await isSound(second)).to.equal(true);
  });

  it('leaves its name to nothing new while its removal may come late, by a call or a life before', async () => {
    const { stage, small, first, shared, isSound } = await ground();
    await stage.sim.done('backup.delete', {}, first);
    const repair = stage.sim.world.faults.add({ command: 'backups.delete', effect: 'late', times: 1, delayMs: 300_000 });
    await stage.sim.run(100_000);
    repair();
    expect(stage.chunks()).not.to.include(shared);
    expect([...stage.objects.keys()].some((key) => key.endsWith('/condemned'))).to.equal(false);
    const second = await stage.backUp(small);
    expect(stage.chunks()).to.have.length(1);
    await stage.sim.run(400_000);
    expect(await isSound(second)).to.equal(true);
    // Its name is late for the next life, too.
    stage.sim.crash();
    await stage.sim.start();
    await stage.tidy();
    await stage.sim.done('backup.delete', {}, second);
    await stage.tidy();
    await stage.backUp(small);
    expect(stage.chunks()).not.to.include(shared);
  });

  it('leaves no name for more: a backup is refused then, and relies on nothing that goes', async () => {
    const { stage, small, first, shared, isSound } = await ground();
    await stage.tidy();
    const place = shared.slice(0, shared.indexOf('/chunks/'));
    const digest = shared.slice(shared.lastIndexOf('/') + 1).replace(/-0$/, '');
    const condemn = (count: number) =>
      stage.objects.set(
        `${place}/condemned`,
        Buffer.from(Array.from({ length: count }, (_, variant) => `${digest}-${variant}`).join('\n')),
      );
    stage.fill(small, 0, 2);
    await stage.backUp(small);
    stage.fill(small, 0, 1);
    condemn(256);
    const ended = await stage.cloud.outcome('backup.create', { volumeId: small });
    expect(ended.error).to.include({ code: 'unavailable' });
    condemn(255);
    const last = await stage.backUp(small);
    expect(stage.chunks().some((key) => key.endsWith(`/${digest}-255`))).to.equal(true);
    for (const id of [first, last]) expect(await isSound(id)).to.equal(true);
  });

  it('goes also when the server died in between', async () => {
    const { stage, first, shared } = await ground();
    await stage.sim.done('backup.delete', {}, first);
    stage.sim.crash();
    await stage.sim.start();
    await stage.sim.run(7_000);
    stage.sim.crash();
    await stage.sim.start();
    await stage.tidy();
    expect(stage.chunks()).not.to.include(shared);
    expect([...stage.objects.keys()]).to.deep.equal(['pileus/store']);
  });

  it('is looked for where something is, by each life, and then where something was taken away', async () => {
    let calls = 0;
    const landing = <T>(_site: string, command: string, apply: () => T): T => {
      if (command.startsWith('backups.')) calls += 1;
      return apply();
    };
    const stage = await BackupStage.open({ world: { landing }, ...FEW_HEARTBEATS });
    const id = await stage.cloud.volume(CHUNK);
    stage.fill(id, 0, 1);
    const kept = await stage.backUp(id);
    for (let n = 0; n < 20; n += 1) await stage.sim.done('project.create', { name: `p-${n}` });
    const during = async (work: () => Promise<unknown>) => {
      const before = calls;
      await work();
      return calls - before;
    };
    // The first round: which projects it has something of, and of the one what is late, condemned, named, its manifest, and its chunks.
    stage.sim.crash();
    expect(await during(() => stage.sim.start().then(() => stage.tidy()))).to.be.within(5, 8);
    expect(await during(() => stage.sim.run(1.5 * DAY_MS))).to.equal(0);
    await stage.sim.done('backup.delete', {}, kept);
    expect(await during(() => stage.sim.run(3.5 * DAY_MS))).to.be.greaterThan(5);
    expect(await during(() => stage.sim.run(1.5 * DAY_MS))).to.equal(0);
    expect([...stage.objects.keys()]).to.deep.equal(['pileus/store']);
  });

  it('goes a day later where it came late, or its store was out of reach', async () => {
    const { stage, first } = await ground(FEW_HEARTBEATS);
    const manifest = [...stage.objects.keys()].find((key) => key.endsWith(first)) ?? '';
    const bytes = stage.objects.get(manifest) ?? new Uint8Array();
    await stage.sim.done('backup.delete', {}, first);
    await stage.tidy();
    stage.objects.set(manifest, bytes);
    const repair = stage.sim.world.faults.add({ command: 'backups.list', effect: 'fail', fault: 'unavailable' });
    await stage.sim.run(1.5 * DAY_MS);
    expect(stage.objects.has(manifest)).to.equal(true);
    repair();
    await stage.sim.run(DAY_MS);
    expect(stage.objects.has(manifest)).to.equal(false);
  });

  it('goes soon after a restore is confirmed, and not before', async () => {
    const { stage, first } = await ground(FEW_HEARTBEATS);
    const manifest = [...stage.objects.keys()].find((key) => key.endsWith(first)) ?? '';
    const bytes = stage.objects.get(manifest) ?? new Uint8Array();
    await stage.sim.done('backup.delete', {}, first);
    await stage.tidy();
    stage.objects.set(manifest, bytes);
    const scratch = mkdtempSync(join(tmpdir(), 'pileus-collector-'));
    stage.sim.backup(join(scratch, 'store.db'));
    await stage.sim.restore(join(scratch, 'store.db'));
    await stage.sim.run(1.5 * DAY_MS);
    expect(stage.objects.has(manifest)).to.equal(true);
    await stage.sim.environment.complete(stage.sim.kernel.confirmRecovery());
    await stage.sim.run(900_000);
    expect(stage.objects.has(manifest)).to.equal(false);
    stage.sim.dispose();
    rmSync(scratch, { recursive: true });
  });

  it('stays where the store may have been restored from yesterday, and so does a backup that nobody knows', async () => {
    const { stage, first, shared } = await ground();
    const manifest = [...stage.objects.keys()].find((key) => key.endsWith(first)) ?? '';
    const unknown = manifest.replace(first, '01a1ff87-0000-7000-8000-000000000000');
    stage.objects.set(unknown, stage.objects.get(manifest) ?? new Uint8Array());
    await stage.sim.done('backup.delete', {}, first);
    await stage.tidy();
    expect(stage.objects.has(unknown)).to.equal(true);
    // It cannot be read under another name than its own, so nothing is removed that it may name.
    expect(stage.chunks()).to.include(shared);
    expect(await stage.cloud.rows(backup)).to.deep.equal([]);
  });
});
