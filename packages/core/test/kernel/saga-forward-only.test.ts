import { expect } from 'chai';
import {
  adjust,
  bindSaga,
  CloudError,
  FORWARD_ONLY,
  type JsonObject,
  NeverHappened,
  NOTHING_TO_UNDO,
  type Operation,
} from '../../src/kernel/index.ts';
import { act, fails, hangs, type Script, script, scripted, step } from './script.ts';
import type { SimKernel } from './sim-kernel.ts';

const destroy = (name: string) => ({ ...step(name), undo: FORWARD_ONLY }) as const;
const refusal = (sim: SimKernel, asked: Promise<unknown>) =>
  sim.environment.complete(
    asked.then(
      () => 'taken',
      (error: { code: string }) => error.code,
    ),
  );
const onlyOperation = (sim: SimKernel, action: string) =>
  sim.rows('operation').find((row) => row.action === action) as unknown as Operation;

describe('a step that cannot be taken back', () => {
  const run = script('pivot').effect('a', step('a')).effect('b', destroy('b')).effect('c', step('c')).build();

  it('is tried for ever, in sight, and so is every step after it', async () => {
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.always('do c', fails('conflict'));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(300_000);
    const stuck = sim.operation(operationId);
    expect(stuck.state).to.equal('needs_attention');
    expect(stuck.attention).to.deep.equal({ step: 'c', phase: 'do', attempts: 5, message: 'Planned: conflict.' });
    expect(world.lines.filter((line) => line === 'do c').length).to.be.above(8);
    world.heal();
    const row = await sim.ended(operationId);
    expect(row).to.include({ state: 'succeeded' });
    expect(row.attention).to.equal(undefined);
    expect(world.lines.some((line) => line.startsWith('undo'))).to.equal(false);
  });

  it('takes the verbs retry and skip, and no cancel', async () => {
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.always('do b', fails('conflict'));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    expect(await refusal(sim, sim.kernel.operations.steer(operationId, 'skip'))).to.equal('conflict');
    await sim.run(300_000);
    const cancelled = sim.environment.complete(sim.kernel.operations.cancel(operationId));
    expect(await cancelled.catch((error: Error) => error.message)).to.match(
      /can only go on\. .* skip it: it goes on as if that were done\.$/,
    );
    const tries = world.lines.length;
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'retry'));
    await sim.run(10);
    expect(world.lines.length).to.equal(tries + 1);
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines.at(-1)).to.equal('do c');
  });

  it('goes on to what is needed, which is refused to be passed over, and tried again', async () => {
    const needed = { ...step('needed'), undo: NOTHING_TO_UNDO, needed: true } as const;
    const { sim, world, id } = await scripted((w) => [
      act(w, 'go', script('needs').effect('a', destroy('a')).effect('needed', needed).build()),
    ]);
    world.always('do a', fails('conflict'));
    world.always('do needed', fails('unavailable'));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(300_000);
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
    await sim.run(300_000);
    expect(sim.operation(operationId).attention?.step).to.equal('needed');
    expect(await refusal(sim, sim.kernel.operations.steer(operationId, 'skip'))).to.equal('conflict');
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'retry'));
    await sim.run(10);
    expect(sim.operation(operationId).state).to.equal('needs_attention');
    world.heal();
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines.at(-1)).to.equal('do needed');
  });

  for (const crash of [false, true])
    it(`is taken back when it tells that it never happened${crash ? ', also after a crash in it' : ''}`, async () => {
      const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
      const never = async () => {
        throw new NeverHappened(new CloudError('conflict', 'Never.'));
      };
      world.plan('do b', fails('unavailable'));
      if (crash)
        world.plan('do b', () => {
          sim.crash();
          return hangs();
        });
      world.plan('do b', never);
      const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
      if (crash) {
        await sim.run(60_000);
        expect(sim.alive).to.equal(false);
        await sim.start();
      }
      const ended = await sim.ended(operationId);
      expect([ended.state, ended.error]).to.deep.equal(['failed', { code: 'conflict', message: 'Never.' }]);
      expect(world.lines.slice(-2)).to.deep.equal(['do b', 'undo a']);
    });

  it('goes on, whatever it tells, behind another that cannot be taken back', async () => {
    const twice = script('twice').effect('a', destroy('a')).effect('b', destroy('b')).build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', twice)]);
    world.plan('do b', async () => {
      throw new NeverHappened(new CloudError('conflict', 'Never.'));
    });
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal(['do a', 'do b', 'do b']);
  });

  it('a write that is skipped is journaled, and not tried again', async () => {
    const guard = { op: 'expect', table: 'thing', key: 'none', expect: {} } as const;
    const writes = script('skipped')
      .effect('b', destroy('b'))
      .write('guarded', { do: () => [guard], undo: NOTHING_TO_UNDO })
      .effect('c', step('c'))
      .build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', writes)]);
    world.plan('do c', () => {
      sim.crash();
      return hangs();
    });
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(300_000);
    expect(sim.operation(operationId).attention?.step).to.equal('guarded');
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(sim.journal(operationId).filter((entry) => 'path' in entry && entry.path === 'guarded')).to.have.length(1);
    expect(world.lines).to.deep.equal(['do b', 'do c', 'do c']);
  });

  for (const where of ['an effect that may have begun', 'a write that was committed', 'a step in a sub-saga'] as const)
    it(`takes no cancel after a crash: ${where}`, async () => {
      const inner = script('inner').effect('b', destroy('b')).build();
      const runs = {
        'an effect that may have begun': script('x').effect('a', step('a')).effect('b', destroy('b')).build(),
        'a write that was committed': script('x')
          .write('w', { do: () => [adjust('written', 1)], undo: FORWARD_ONLY })
          .effect('b', step('b'))
          .build(),
        'a step in a sub-saga': script('x')
          .effect('a', step('a'))
          .subs('s', { limit: 1, run: ({ ctx, params }) => [[], [bindSaga(inner, ctx, params)]] })
          .build(),
      };
      const { sim, world, id } = await scripted((w) => [act(w, 'go', runs[where])]);
      world.plan('do b', () => {
        sim.crash();
        return hangs();
      });
      const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
      await sim.run(1000);
      expect(sim.alive).to.equal(false);
      world.plan('do b', () => new Promise((resolve) => world.timers.after(5000, () => resolve(undefined))));
      await sim.start();
      await sim.run(100);
      expect(await refusal(sim, sim.kernel.operations.cancel(operationId))).to.equal('conflict');
      expect((await sim.ended(operationId)).state).to.equal('succeeded');
      expect(world.lines.some((line) => line.startsWith('undo'))).to.equal(false);
    });
});

describe('an undo', () => {
  const run = script('undone').effect('a', step('a')).effect('b', step('b')).build();

  it('is tried for ever, in sight, and blocks nothing but its own keys', async () => {
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do b', fails('conflict')).always('undo b', fails('unavailable'));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(600_000);
    expect(sim.operation(operationId)).to.deep.include({
      state: 'needs_attention',
      attention: { step: 'b', phase: 'undo', attempts: 5, message: 'Planned: unavailable.' },
    });
    const behind = await sim.submit({ action: 'thing.go', resourceId: id });
    const other = await sim.done({ action: 'thing.create', input: { name: 'other', size: 1 } });
    expect(other.state).to.equal('succeeded');
    expect(sim.operation(behind.operationId).state).to.equal('queued');
    world.heal();
    expect((await sim.ended(operationId)).state).to.equal('failed');
    expect((await sim.ended(behind.operationId)).state).to.equal('succeeded');
  });

  it('may be skipped: the journal says so', async () => {
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do b', fails('conflict')).always('undo b', fails('unavailable'));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(600_000);
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
    const row = await sim.ended(operationId);
    expect(row.error?.code).to.equal('conflict');
    const [skipped] = sim.journal(operationId).filter((entry) => entry.type === 'undone' && entry.path === 'b');
    expect(skipped).to.include({ number: 3, skipped: true });
    expect(world.lines.at(-1)).to.equal('undo a');
  });
});

describe('a run that is stopped', () => {
  const run = script('parked').effect('a', step('a')).effect('b', step('b')).effect('c', step('c')).build();

  it('goes on where it was at the next start', async () => {
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do b', () => hangs());
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(500);
    await sim.stop();
    expect(sim.operation(operationId).state).to.equal('running');
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal(['do a', 'do b', 'do b', 'do c']);
  });

  it('goes on unwinding, too', async () => {
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do c', fails('conflict')).plan('undo b', () => hangs());
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(500);
    await sim.stop();
    expect(sim.operation(operationId).state).to.equal('unwinding');
    expect((await sim.ended(operationId)).state).to.equal('failed');
    expect(world.lines).to.deep.equal(['do a', 'do b', 'do c', 'undo c', 'undo b', 'undo b', 'undo a']);
  });

  it('accepts nothing any more', async () => {
    const { sim, id } = await scripted((w) => [act(w, 'go', run)]);
    const { kernel } = sim;
    await sim.stop();
    const code = await kernel
      .submit({
        action: 'thing.go',
        resourceId: id,
        input: {},
        principal: { actor: 'x', projectId: '' as never, accountId: '' as never, allows: () => true },
      })
      .catch((error: { code: string }) => error.code);
    expect(code).to.equal('unavailable');
  });
});

describe('a saga that this release does not know', () => {
  const old = script('changed').effect('a', step('a')).effect('old', step('old')).build();
  const inner = (version: number) => ({
    ...script('inner')
      .effect('i', step(`i${version}`))
      .effect('j', step(`j${version}`))
      .build(),
    version,
  });
  const outer = (version: number) =>
    script('outer')
      .subs('s', { limit: 1, run: ({ ctx, params }) => [[bindSaga(inner(version), ctx, params)]] })
      .build();

  /** Crashes in the first do of `line`, and starts with other actions. */
  async function restarted(world: Script, sim: SimKernel, id: string, line: string, next: () => void) {
    world.plan(line, () => {
      sim.crash();
      return hangs();
    });
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(1000);
    next();
    await sim.start();
    await sim.run(1000);
    return operationId;
  }

  it('is parked, blocks nobody else, and goes on when it is known again', async () => {
    let actions = (w: Script) => [act(w, 'go', old)];
    const { sim, world, id } = await scripted((w) => actions(w));
    const known = actions;
    const operationId = await restarted(world, sim, id, 'do old', () => {
      actions = (w) => [act(w, 'go', { ...script('changed').effect('a', step('a')).build(), version: 2 })];
    });
    expect(sim.operation(operationId).state).to.equal('parked');
    expect((await sim.done({ action: 'thing.create', input: { name: 'other', size: 1 } })).state).to.equal('succeeded');
    await sim.stop();
    actions = known;
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines.filter((line) => line.includes('old'))).to.deep.equal(['do old', 'do old']);
  });

  it('as is one whose action is gone', async () => {
    let actions = (w: Script) => [act(w, 'go', old)];
    const { sim, world, id } = await scripted((w) => actions(w));
    const operationId = await restarted(world, sim, id, 'do old', () => {
      actions = () => [];
    });
    expect(sim.operation(operationId).state).to.equal('parked');
  });

  it('a sub-saga goes on in the version that it began with, while that is registered', async () => {
    let version = 1;
    const sagas = () => [inner(1)];
    const { sim, world, id } = await scripted((w) => [act(w, 'go', outer(version))], { more: () => ({ sagas: sagas() }) });
    const operationId = await restarted(world, sim, id, 'do j1', () => {
      version = 2;
    });
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal(['do i1', 'do j1', 'do j1']);
  });

  it('a sub-saga whose version is gone is parked', async () => {
    let version = 1;
    const { sim, world, id } = await scripted((w) => [act(w, 'go', outer(version))]);
    const operationId = await restarted(world, sim, id, 'do j1', () => {
      version = 2;
    });
    expect(sim.operation(operationId).state).to.equal('parked');
    expect(world.lines).to.deep.equal(['do i1', 'do j1']);
  });
});

describe('a cleanup that is owed', () => {
  const never = new AbortController().signal;
  const owing = script('owing')
    .effect('a', {
      ...step('a'),
      undo: ({ owe }) => owe({ task: 'clean', place: 'host-1', target: { disk: 'd1' } }),
    })
    .effect('b', step('b'))
    .build();

  it('is left with the step, tried when its place is back, and gone when it is paid', async () => {
    const paid: { readonly target: JsonObject; readonly place: string }[] = [];
    let reachable = false;
    const { sim, world, id } = await scripted((w) => [act(w, 'go', owing)], {
      more: () => ({
        debts: [
          {
            task: 'clean',
            pay: async (target, place) => {
              if (!reachable) fails('unavailable')();
              paid.push({ target, place });
            },
          },
        ],
      }),
    });
    world.plan('do b', fails('conflict'));
    const row = await sim.done({ action: 'thing.go', resourceId: id });
    const owed = () => sim.rows('debt').filter((debt) => debt.state === 'owed');
    expect(row.state).to.equal('failed');
    expect(owed().map(({ place, task, operationId }) => [place, task, operationId])).to.deep.equal([['host-1', 'clean', row.id]]);
    expect(await sim.environment.complete(sim.kernel.payDebts('host-2', never))).to.equal(0);
    expect(await sim.environment.complete(sim.kernel.payDebts('host-1', never))).to.equal(1);
    sim.crash();
    await sim.start();
    reachable = true;
    expect(await sim.environment.complete(sim.kernel.payDebts('host-1', never))).to.equal(0);
    expect(owed()).to.deep.equal([]);
    expect(paid).to.deep.equal([{ target: { disk: 'd1' }, place: 'host-1' }]);
  });

  it('stays when the payment is told to stop, and no other is begun', async () => {
    const stopping = new AbortController();
    let begun = 0;
    const { sim, world, id } = await scripted((w) => [act(w, 'go', owing)], {
      more: () => ({
        debts: [
          {
            task: 'clean',
            pay: (_target, _place, { signal }) => {
              begun += 1;
              return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
            },
          },
        ],
      }),
    });
    // Two more than are paid at once.
    const debts = 10;
    for (let made = 0; made < debts; made += 1) {
      world.plan('do b', fails('conflict'));
      await sim.done({ action: 'thing.go', resourceId: id });
    }
    const paying = sim.kernel.payDebts('host-1', stopping.signal);
    await sim.run(1000);
    stopping.abort(new Error('stopping'));
    expect(await sim.environment.complete(paying)).to.equal(debts);
    expect(begun).to.equal(8);
  });

  it('stays when nobody handles it', async () => {
    const { sim, world, id } = await scripted((w) => [act(w, 'go', owing)]);
    world.plan('do b', fails('conflict'));
    await sim.done({ action: 'thing.go', resourceId: id });
    expect(await sim.environment.complete(sim.kernel.payDebts('host-1', never))).to.equal(1);
    expect(onlyOperation(sim, 'thing.go').state).to.equal('failed');
  });
});
