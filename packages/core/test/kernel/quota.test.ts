import { expect } from 'chai';
import { Type } from 'typebox';
import { type AnyKind, create, defineKind, type Plugin, quotaKey } from '../../src/kernel/index.ts';
import { PROJECT, SimKernel } from './sim-kernel.ts';

type Quota = AnyKind['quota'];

/** Boxes that count as they are told to. */
const boxes = (quota: Quota): Plugin => ({
  id: 'boxes',
  version: '1',
  kinds: [
    defineKind({
      name: 'box',
      plural: 'boxes',
      description: 'A box.',
      scope: 'project',
      schema: Type.Object({ sizeBytes: Type.Integer() }),
      states: { here: ['deleted'] },
      initial: 'here',
      ...(quota === undefined ? {} : { quota }),
    }),
  ],
});

const key = (counter: string) => quotaKey({ scope: 'project', id: PROJECT, counter });

describe('what kinds count', () => {
  let sim: SimKernel;
  let count = 0;

  const restart = async (quota: Quota | 'absent') => {
    if (sim.alive) await sim.stop();
    sim.plugins = () => (quota === 'absent' ? [] : [boxes(quota)]);
    await sim.start();
  };
  const observe = async (...statements: Parameters<SimKernel['kernel']['observe']>[0]) => {
    expect((await sim.environment.complete(sim.kernel.observe(statements))).ok).to.equal(true);
  };
  const make = async (sizeBytes: number): Promise<string> => {
    count += 1;
    const id = `01890000-0000-7000-9000-${String(count).padStart(12, '0')}`;
    await observe(create(sim.kernel.registry.kind('box'), { id, projectId: PROJECT, name: `box-${count}`, sizeBytes } as never));
    return id;
  };
  const used = () => ({ boxes: sim.counter(key('boxes')), boxBytes: sim.counter(key('boxBytes')) });

  beforeEach(async () => {
    sim = new SimKernel({ plugins: () => [boxes(undefined)] });
    await sim.start();
  });

  it('is counted from the rows when a kind begins to count, once', async () => {
    for (const sizeBytes of [5, 6, 7]) await make(sizeBytes);
    const gone = await make(100);
    await observe({ op: 'update', table: 'box', key: gone, set: { state: 'deleted', deletedAt: true } });
    for (let start = 0; start < 3; start += 1) {
      await restart({ boxes: 1, boxBytes: 'sizeBytes' });
      expect(used()).to.deep.equal({ boxes: 3, boxBytes: 18 });
    }
    await make(2);
    expect(used()).to.deep.equal({ boxes: 4, boxBytes: 20 });
  });

  it('goes when a kind counts no longer, or otherwise', async () => {
    await restart({ boxes: 1 });
    for (const sizeBytes of [5, 6]) await make(sizeBytes);
    await restart({ boxes: 'sizeBytes' });
    expect(used().boxes).to.equal(11);
    await restart(undefined);
    expect(used().boxes).to.equal(0);
  });

  it('stays while the plugin is not there', async () => {
    await restart({ boxes: 1 });
    await make(5);
    await restart('absent');
    expect(used().boxes).to.equal(1);
    await restart({ boxes: 1 });
    expect(used().boxes).to.equal(1);
  });

  it('is counted over a limit, too, and what operations have taken stays taken', async () => {
    await restart({ boxes: 1 });
    for (const sizeBytes of [5, 6]) await make(sizeBytes);
    sim.limit(key('boxBytes'), 10);
    await observe({ op: 'adjust', counter: key('boxes'), by: 3 }, { op: 'adjust', counter: key('boxBytes'), by: 1 });
    await restart({ boxes: 1, boxBytes: 'sizeBytes' });
    expect(used()).to.deep.equal({ boxes: 5, boxBytes: 12 });
    const beyond = await sim.environment.complete(sim.kernel.observe([{ op: 'adjust', counter: key('boxBytes'), by: 1 }]));
    expect(beyond).to.deep.include({
      ok: false,
      quota: { scope: 'project', id: PROJECT, counter: 'boxBytes', used: 12, limit: 10, asked: 1 },
    });
  });

  it('replaces the counters of before there were accounts', async () => {
    for (const sizeBytes of [5, 6]) await make(sizeBytes);
    await observe({ op: 'adjust', counter: `quota/${PROJECT}/boxes`, by: 2 });
    await restart({ boxes: 1 });
    expect(used().boxes).to.equal(2);
    expect(sim.counter(`quota/${PROJECT}/boxes`)).to.equal(0);
  });

  it('is counted once by the next start when one is killed at it, whenever that is, over a faulty store', async () => {
    for (let killedAfterMs = 0; killedAfterMs < 12; killedAfterMs += 1) {
      sim = new SimKernel({ plugins: () => [boxes(undefined)], seed: killedAfterMs });
      await sim.start();
      for (const sizeBytes of [5, 6]) await make(sizeBytes);
      await sim.stop();
      sim.plugins = () => [boxes({ boxes: 1 })];
      const cancel = sim.environment.timers.after(killedAfterMs, () => sim.crash());
      Object.assign(sim.faults, { commitFails: 0.3, acknowledgementLost: 0.5 });
      await sim.start().catch(() => undefined);
      cancel();
      if (sim.alive) sim.crash();
      await restart({ boxes: 1 });
      expect(used().boxes, `${killedAfterMs} ms`).to.equal(2);
      await restart({ boxes: 1, boxBytes: 'sizeBytes' });
      expect(used(), `${killedAfterMs} ms`).to.deep.equal({ boxes: 2, boxBytes: 11 });
    }
  });
});
