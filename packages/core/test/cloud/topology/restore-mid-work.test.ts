import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert } from 'chai';
import { machine, smallCloud } from '../small-cloud.ts';

const HOUR_MS = 3600_000;

describe('a store restored from the middle of an operation', () => {
  let scratch = '';
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'pileus-restore-'));
  });
  afterEach(() => rmSync(scratch, { recursive: true }));

  /** Backs up while a machine is being defined; the creation goes on, and the machine runs for an hour. Then yesterday comes back. */
  async function restored() {
    const at = await smallCloud();
    const file = join(scratch, 'mid.db');
    let taken = false;
    at.sim.around = async (point, body, sim) => {
      if (!taken && point.path === 'define' && point.phase === 'do') {
        taken = true;
        sim.backup(file);
      }
      return body();
    };
    const { operationId, resourceId } = await at.sim.submit('instance.create', machine(at));
    assert.equal((await at.sim.ended(operationId)).state, 'succeeded');
    at.sim.around = undefined;
    await at.sim.run(HOUR_MS);
    at.sim.world.disconnect('hv1');
    await at.sim.restore(file);
    await at.sim.run(60_000);
    return { ...at, operationId, resourceId };
  }

  it('touches nothing before the recovery is confirmed, though its host was away', async () => {
    const { sim, operationId, resourceId } = await restored();
    sim.world.reconnect('hv1');
    await sim.run(HOUR_MS);
    assert.equal(sim.row('operation', operationId)?.state, 'parked');
    assert.include(sim.world.snapshot(), resourceId);
    assert.deepEqual(sim.rows('stray'), []);
    sim.dispose();
  });

  it('goes on to success when it is confirmed', async () => {
    const { sim, operationId, resourceId } = await restored();
    sim.world.reconnect('hv1');
    await sim.run(60_000);
    await sim.environment.complete(sim.kernel.confirmRecovery());
    assert.equal((await sim.ended(operationId)).state, 'succeeded');
    assert.equal(sim.row('instance', resourceId)?.state, 'running');
    await sim.done('instance.delete', {}, resourceId);
    assert.notInclude(sim.world.snapshot(), resourceId);
    sim.dispose();
  });
});

describe('a store restored from before a disk was attached', () => {
  it('leaves the disk in its machine until the recovery is confirmed', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'pileus-restore-'));
    const at = await smallCloud();
    const { sim } = at;
    const id = await sim.done('instance.create', machine(at));
    const volumeId = await sim.done('volume.create', { sizeBytes: 4096 });
    sim.backup(join(scratch, 'before.db'));
    await sim.done('instance.attachVolume', { volumeId }, id);
    const has = () => sim.world.host('hv1').machine(id).observe().diskIds.includes(volumeId);
    await sim.restore(join(scratch, 'before.db'));
    await sim.run(HOUR_MS);
    assert.isTrue(has());
    await sim.environment.complete(sim.kernel.confirmRecovery());
    await sim.run(HOUR_MS);
    assert.isFalse(has());
    assert.deepEqual(sim.world.violations, []);
    sim.dispose();
    rmSync(scratch, { recursive: true });
  });
});
