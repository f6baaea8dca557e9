import type { HypervisorFeature } from '@pileus/core/testing';
import { expect } from 'chai';
import { instance, volume } from '../../../src/cloud/index.ts';
import { operation } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';

const MIB = 2 ** 20;
const COPY_MS = 60_000;

/** A machine that runs, with a second disk, and two pools of its host. */
async function open(without: readonly HypervisorFeature[] = []) {
  const stage = await MachineStage.with({}, { without });
  const { sim } = stage;
  const [slow = ''] = stage.poolIds;
  const id = await stage.machine({ name: 'web', volumes: [{ name: 'data', sizeBytes: MIB }] });
  const fast = await stage.pool(stage.hostIds[0] ?? '', { storageClass: 'fast', settings: { path: 'fast' } });
  const [root, data] = (await stage.disks(id)).map((disk) => disk.id);
  if (root === undefined || data === undefined) throw new Error('the machine lacks a disk');
  sim.world.write(root, 'root');
  sim.world.write(data, 'first');
  const kept = (poolId: string, kind = 'volume') =>
    [...sim.world.pools.values()]
      .find((each) => each.poolId === (poolId === fast ? 'fast' : poolId))
      ?.list()
      .flatMap((each) => (each.kind === kind ? [each.id] : []));
  const power = () => stage.real(id).power;
  /** Once, around the step of that name. */
  const at = (path: string, strike: (phase: 'before' | 'after') => void | Promise<void>) => {
    sim.around = async (point, body) => {
      if (point.path !== path || point.phase !== 'do') return body();
      sim.around = undefined;
      await strike('before');
      const answer = await body();
      await strike('after');
      return answer;
    };
  };
  const move = (more: object = {}) => sim.submit('volume.move', { poolId: fast, ...more }, data);
  const settled = async (poolId: string, operationId: string) => {
    const ended = await sim.ended(operationId);
    await sim.run(60_000);
    const [here, there] = poolId === fast ? [fast, slow] : [slow, fast];
    expect([kept(here)?.includes(data), kept(there)?.includes(data)]).to.deep.equal([true, false]);
    const row = await stage.row(volume, data);
    expect([row.poolId, row.movingToPoolId, row.leftPoolId]).to.deep.equal([poolId, undefined, undefined]);
    expect(sim.world.violations).to.deep.equal([]);
    return ended;
  };
  return { stage, sim, slow, fast, id, root, data, kept, power, at, move, settled };
}

describe('moves of volumes under a machine that is on', () => {
  it('take what is written meanwhile along, while the guest goes on but for the moment of the change', async () => {
    const { stage, sim, fast, id, data, power, at, move, settled } = await open();
    sim.world.slowTransfers(COPY_MS);
    const seen: string[] = [];
    at('switch', (phase) => void seen.push(`${phase} ${power()}`));
    const { operationId } = await move();
    await sim.run(COPY_MS / 2);
    expect([power(), (await stage.row(operation, operationId)).state]).to.deep.equal(['running', 'running']);
    sim.world.write(data, 'second');
    const ended = await settled(fast, operationId);
    expect(ended.error).to.equal(undefined);
    expect(seen).to.deep.equal(['before paused', 'after paused']);
    expect([power(), sim.world.read(data), (await stage.row(instance, id)).state]).to.deep.equal(['running', 'second', 'running']);
    await sim.done('instance.stop', { force: true }, id);
    await sim.done('instance.start', {}, id);
    expect(sim.world.read(data)).to.equal('second');
  });

  it('of a root disk bring its seed along', async () => {
    const { stage, sim, slow, fast, id, root, kept } = await open();
    await sim.done('volume.move', { poolId: fast }, root);
    await sim.run(60_000);
    expect([kept(slow, 'seed'), kept(fast, 'seed'), sim.world.read(root)]).to.deep.equal([[], [id], 'root']);
    expect(JSON.stringify(stage.real(id).spec.seed)).to.include('/fast/');
    expect(sim.world.violations).to.deep.equal([]);
  });

  it('leave a machine suspended that its user has suspended', async () => {
    const { sim, fast, id, data, power, move, settled } = await open();
    await sim.done('instance.suspend', {}, id);
    expect((await settled(fast, (await move()).operationId)).error).to.equal(undefined);
    expect([power(), sim.world.read(data)]).to.deep.equal(['paused', 'first']);
    await sim.done('instance.resume', {}, id);
  });

  for (const [step, phase, ends] of [
    ['content', 'after', 'slow'],
    ['still', 'after', 'slow'],
    ['switch', 'before', 'slow'],
    ['switch', 'after', 'fast'],
  ] as const)
    it(`are where the row says when the host loses power ${phase} ${step}, with all that was written`, async () => {
      const { stage, sim, slow, fast, id, data, at, move, settled } = await open();
      at(step, (when) => {
        if (when === 'before') sim.world.write(data, 'written last');
        if (when !== phase) return;
        sim.world.crash('hv1');
        sim.environment.timers.after(120_000, () => sim.world.boot('hv1'));
      });
      const ended = await settled(ends === 'fast' ? fast : slow, (await move()).operationId);
      expect(ended.state).to.equal(ends === 'fast' ? 'succeeded' : 'failed');
      expect(sim.world.read(data)).to.equal('written last');
      expect((await stage.instance(id)).state).to.equal('stopped');
      await sim.done('instance.start', {}, id);
    });

  it('whose copy breaks off at the last moment are taken back, and the guest goes on where it was', async () => {
    const { stage, sim, slow, id, data, power, at, move, settled } = await open();
    at('switch', (when) => {
      if (when === 'before') stage.worldHost().diskCopies.end(id, data);
    });
    const ended = await settled(slow, (await move()).operationId);
    expect(ended.error).to.include({ code: 'conflict' });
    expect([power(), sim.world.read(data)]).to.deep.equal(['running', 'first']);
    expect((await stage.counter(`capacity/pool/${(await stage.row(volume, data)).poolId}/bytes`))?.value).to.be.above(0);
  });

  it('whose answer is lost look where the disk is', async () => {
    const { sim, fast, data, power, move, settled } = await open();
    sim.world.faults.add({ command: 'diskCopy.pivot', times: 1, effect: 'late' });
    const ended = await settled(fast, (await move()).operationId);
    expect([ended.state, power(), sim.world.read(data)]).to.deep.equal(['succeeded', 'running', 'first']);
  });

  it('do not wait as long as a copy may take for a host that is to reach the new place', async () => {
    const { stage, sim, fast, data, at, move, settled } = await open();
    at('content', (phase) => {
      if (phase === 'before') sim.world.faults.add({ command: 'volumes.attach', times: 1, effect: 'late', delayMs: 1000 });
    });
    const { operationId } = await move();
    await sim.run(5 * 60_000);
    expect((await stage.row(operation, operationId)).state).to.equal('succeeded');
    expect([(await settled(fast, operationId)).state, sim.world.read(data)]).to.deep.equal(['succeeded', 'first']);
  });

  it('are taken back without waiting for so long, too', async () => {
    const { stage, sim, slow, data, power, move, settled } = await open();
    sim.world.slowTransfers(COPY_MS);
    const { operationId } = await move();
    await sim.run(COPY_MS / 2);
    for (const command of ['diskCopy.cancel', 'volumes.release'])
      sim.world.faults.add({ command, times: 1, effect: 'late', delayMs: 1000 });
    await sim.environment.complete(sim.kernel.operations.cancel(operationId));
    await sim.run(5 * 60_000);
    expect((await stage.row(operation, operationId)).state).to.equal('cancelled');
    expect([(await settled(slow, operationId)).state, power(), sim.world.read(data)]).to.deep.equal(['cancelled', 'running', 'first']);
  });

  it('are cancelled while they copy, and no longer once the disk may have changed its place', async () => {
    const { sim, slow, data, power, move, settled } = await open();
    sim.world.slowTransfers(COPY_MS);
    const { operationId } = await move();
    await sim.run(COPY_MS / 2);
    await sim.environment.complete(sim.kernel.operations.cancel(operationId));
    const ended = await settled(slow, operationId);
    expect([ended.state, power(), sim.world.read(data)]).to.deep.equal(['cancelled', 'running', 'first']);
  });

  it('end with a guest that powers itself off, and leave the disk where it was', async () => {
    const { stage, sim, slow, id, data, move, settled } = await open();
    sim.world.slowTransfers(COPY_MS);
    const { operationId } = await move();
    await sim.run(COPY_MS / 2);
    stage.real(id).stop();
    expect((await settled(slow, operationId)).state).to.equal('failed');
    expect([sim.world.read(data), (await stage.instance(id)).state]).to.deep.equal(['first', 'stopped']);
  });

  it('hold back what is asked of the machine and its disk meanwhile, which finds them whole', async () => {
    const { stage, sim, fast, id, data, move, settled } = await open();
    sim.world.slowTransfers(COPY_MS);
    const { operationId } = await move();
    const asked = [
      await sim.submit('volume.resize', { sizeBytes: 2 * MIB }, data),
      await sim.submit('instance.stop', { force: true }, id),
      await sim.submit('instance.detachVolume', { volumeId: data }, id),
    ];
    await sim.run(COPY_MS / 2);
    for (const each of asked) expect((await stage.row(operation, each.operationId)).state).to.equal('queued');
    const states: string[] = [];
    for (const each of asked) states.push((await sim.ended(each.operationId)).state);
    // What the volume was is not what it is: a resize of a volume that has changed its pool is asked again.
    expect(states).to.deep.equal(['failed', 'succeeded', 'succeeded']);
    expect((await settled(fast, operationId)).state).to.equal('succeeded');
    expect((await stage.row(volume, data)).state).to.equal('available');
  });

  it('are refused by a host that copies no disks in use', async () => {
    const { stage, fast, data } = await open(['diskCopy']);
    expect(await stage.refusal('volume.move', { poolId: fast }, data)).to.include({ code: 'unsupported' });
  });

  it('that wait behind a stop are made as those of a machine that is off', async () => {
    const { sim, fast, id, data, move, settled } = await open();
    await sim.submit('instance.stop', { force: true }, id);
    expect((await settled(fast, (await move()).operationId)).state).to.equal('succeeded');
    expect(sim.world.read(data)).to.equal('first');
  });

  it('and a resize that is asked for as they end reserve what it grows by where the disk is', async () => {
    let after = 0;
    for (const turns of [0, 6]) {
      const { sim, fast, data, at, move } = await open();
      let asked: Promise<{ readonly operationId: string }> | undefined;
      at('moved', async (phase) => {
        if (phase === 'after') return;
        asked = sim.kernel.submit({ action: 'volume.resize', resourceId: data, input: { sizeBytes: 2 * MIB }, principal: sim.principal });
        for (let turn = 0; turn < turns; turn += 1) await undefined;
      });
      await sim.ended((await move()).operationId);
      const { operationId = '' } = (await asked) ?? {};
      const resized = await sim.ended(operationId);
      const first = (table: string, fits: (row: Record<string, unknown>) => boolean) =>
        sim.changes(0, 10_000).find((each) => each.table === table && fits(JSON.parse(each.row)))?.revision ?? 0;
      const isAfter =
        first('operation', ({ id }) => id === operationId) > first('volume', ({ id, poolId }) => id === data && poolId === fast);
      after += Number(isAfter);
      expect([isAfter, resized.state]).to.deep.equal([isAfter, isAfter ? 'succeeded' : 'failed']);
    }
    expect(after).to.be.above(0);
  });
});
