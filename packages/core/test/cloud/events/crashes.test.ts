import { expect } from 'chai';
import type { SimCloud } from '../../../testing/index.ts';
import { opened } from './receiver.ts';

/** What a webhook was to be called, in the order in which it was. */
const accepted = (sim: SimCloud, id: string) =>
  sim
    .rows('operation')
    .filter((row) => row.resourceId === id && row.action === 'webhook.update')
    .map((row) => sim.row('audit', String(row.id)) as unknown as { readonly changes: { readonly description: { readonly to: string } } })
    .map(({ changes }) => changes.description.to);

describe('webhooks and crashes', () => {
  it('deliver each event at least once and in order, wherever the process is killed', async function () {
    this.timeout(300_000);
    for (let steps = 1; steps <= 160; steps += 6) {
      const { sim, receiver, make, b, c } = await opened({ seed: `crash ${steps}` });
      await make('hook');
      receiver.answer = () => (sim.environment.random.next() < 0.3 ? 500 : 204);
      const updates = [
        [b, '1'],
        [c, '1'],
        [b, '2'],
        [b, '3'],
        [c, '2'],
      ] as const;
      for (const [id, description] of updates)
        void sim.kernel.submit({ action: 'webhook.update', input: { description }, resourceId: id, principal: sim.principal });
      for (let step = 0; step < steps; step += 1) await sim.environment.step();
      sim.crash();
      await sim.start();
      receiver.answer = () => 204;
      // After some refusals the next attempt is hours away.
      await sim.run(600_000);
      for (let hour = 0; hour < 24 && sim.rows('eventQueue').length > 0; hour += 1) await sim.run(3600_000);
      const wanted = Object.fromEntries(
        [...Object.entries({ b: accepted(sim, b), c: accepted(sim, c) })].filter(([, descriptions]) => descriptions.length > 0),
      );
      expect(receiver.told, `${steps} steps`).to.deep.equal(wanted);
      expect(sim.rows('eventQueue'), `${steps} steps`).to.deep.equal([]);
    }
  });

  it('tell what was wanted when it happened, whatever has become of the webhook since', async function () {
    this.timeout(300_000);
    let told = 0;
    for (let steps = 1; steps <= 60; steps += 4) {
      const { sim, receiver, make, b, c } = await opened({ seed: `since ${steps}` });
      const hook = await make('hook');
      const ask = (verb: string, input: object, resourceId: string) =>
        void sim.kernel.submit({ action: `webhook.${verb}`, input, resourceId, principal: sim.principal });
      ask('update', { description: '1' }, b);
      ask('disable', {}, hook);
      ask('update', { description: '1' }, c);
      for (let step = 0; step < steps; step += 1) await sim.environment.step();
      sim.crash();
      await sim.start();
      await sim.run(5000);
      if (sim.row('webhook', hook)?.state === 'disabled') await sim.done('webhook.enable', {}, hook);
      await sim.run(5000);
      const wanted: { b?: readonly string[]; c?: readonly string[] } = {};
      let isWanted = false;
      for (const { key, row } of sim.changes(0, 1000)) {
        const { state, name, description } = JSON.parse(row) as Record<string, string>;
        if (key === hook) isWanted = state === 'available';
        else if (isWanted && (name === 'b' || name === 'c') && description === '1') wanted[name] = [description];
      }
      // Of itself it is told, too.
      const { hook: _, ...others } = receiver.told;
      expect(others, `${steps} steps`).to.deep.equal(wanted);
      told += Object.keys(wanted).length;
    }
    expect(told).to.be.above(0);
  });

  it('go on where an older release has not kept what was wanted', async () => {
    const { sim, receiver, make, say, b } = await opened();
    const hook = await make('hook');
    await sim.run(1000);
    const forget = sim.kernel.observe([
      { op: 'update', table: 'setting', key: 'events.place', set: { kept: null } },
      { op: 'remove', table: 'eventHook', key: hook },
    ]);
    expect((await sim.environment.complete(forget)).ok).to.equal(true);
    sim.crash();
    await sim.start();
    await say(b, 'one');
    sim.crash();
    await sim.start();
    await say(b, 'two');
    await sim.run(5000);
    expect(receiver.told).to.deep.equal({ b: ['one', 'two'] });
  });

  it('deliver each event also when the store loses answers', async () => {
    for (let seed = 0; seed < 10; seed += 1) {
      const { sim, receiver, make, say, b, c } = await opened({ seed, storeFaults: { acknowledgementLost: 0.2, commitFails: 0.1 } });
      await make('hook');
      for (const text of ['1', '2', '3']) for (const id of [b, c]) await say(id, text);
      await sim.run(600_000);
      expect(receiver.told).to.deep.equal({ b: ['1', '2', '3'], c: ['1', '2', '3'] });
      expect(sim.rows('eventQueue')).to.deep.equal([]);
    }
  });

  it('hold little in memory of a queue that is long, and send all of it in order', async function () {
    this.timeout(300_000);
    const { sim, receiver, make, b } = await opened();
    const hook = await make('hook');
    receiver.answer = () => 500;
    for (let index = 0; index < 40; index += 1) {
      for (let each = 0; each < 60; each += 1)
        void sim.kernel.submit({
          action: 'webhook.update',
          input: { description: `${index * 60 + each}` },
          resourceId: b,
          principal: sim.principal,
        });
      await sim.run(1500);
    }
    expect(sim.rows('eventQueue')).to.have.length(2400);
    sim.crash();
    await sim.start();
    receiver.answer = () => 204;
    await sim.run(3600_000);
    expect(receiver.told.b).to.deep.equal(accepted(sim, b));
    expect(receiver.told.b).to.have.length(2400);
    expect(sim.rows('eventQueue')).to.deep.equal([]);
    expect(sim.row('webhook', hook)?.state).to.equal('available');
  });
});
