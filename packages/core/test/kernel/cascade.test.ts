import { expect } from 'chai';
import { create } from '../../src/kernel/index.ts';
import { fails, hangs } from './script.ts';
import { deleting, lease, planted } from './tree.ts';

describe('a deletion', () => {
  it('takes what is owned, leaf first, after looking from the root, and lets go of the rest', async () => {
    const { sim, world, add, siteId, left } = await planted();
    const a = await add('rack', 'a', { siteId });
    const b = await add('rack', 'b', { siteId, rackId: a });
    await add('disk', 'kept', { rackId: b, state: 'used' });
    await add('disk', 'owned', { rackId: b, state: 'used', own: true });
    expect((await sim.done(deleting('site', siteId))).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal([
      'look site',
      'look a',
      'look b',
      'look owned',
      'remove owned',
      'remove b',
      'remove a',
      'remove site',
    ]);
    expect(left()).to.deep.equal(['kept idle']);
    expect(sim.rows('disk')[0]).not.to.have.property('rackId');
  });

  it('is refused while others depend on it, and names them', async () => {
    const { sim, world, add, siteId, left } = await planted();
    const rackId = await add('rack', 'a', { siteId });
    const id = await add('lease', 'lease', { rackId });
    const error = await sim.submit(deleting('site', siteId)).catch((thrown: { code: string; params: object }) => thrown);
    expect(error).to.deep.include({ code: 'in_use', params: { blockers: [{ kind: 'lease', id, name: 'lease' }] } });
    await sim.done(deleting('lease', id));
    expect((await sim.done(deleting('site', siteId))).state).to.equal('succeeded');
    expect(left()).to.deep.equal([]);
    expect(world.lines.at(-1)).to.equal('remove site');
  });

  it('has what it changes beside for itself', async () => {
    const { sim, add, siteId } = await planted();
    const rackId = await add('rack', 'a', { siteId });
    const id = await add('lease', 'lease', { rackId });
    expect((await sim.done(deleting('lease', id))).keys).to.have.members([id, rackId]);
  });

  it('is refused for what goes with its owner alone, forced or not, and takes it along with that', async () => {
    const { sim, add, siteId, left } = await planted();
    const id = await add('rack', 'first', { siteId });
    for (const force of [false, true]) {
      const error = await sim.submit(deleting('rack', id, { force })).catch((thrown: object) => thrown);
      expect(error).to.deep.include({ code: 'conflict', publicMessage: 'The first goes with its site.' });
    }
    expect((await sim.done(deleting('site', siteId))).state).to.equal('succeeded');
    expect(left()).to.deep.equal([]);
  });

  it('tells nothing of rows of other projects but that there are some', async () => {
    const { sim, add, siteId } = await planted();
    const rackId = await add('rack', 'a', { siteId });
    const id = await add('lease', 'own', { rackId });
    const foreign = { name: 'foreign', projectId: '01890000-0000-7000-8000-00000000000f', rackId };
    await sim.environment.complete(
      sim.kernel.observe([create(lease, { id: sim.kernel.services.ids.mint('lease'), state: 'idle', ...foreign } as never)]),
    );
    const ask = () => sim.submit(deleting('site', siteId)).catch((thrown: { publicMessage: string; params: object }) => thrown);
    expect(await ask()).to.deep.include({
      publicMessage: 'Still used by lease own and something of another project.',
      params: { blockers: [{ kind: 'lease', id, name: 'own' }] },
    });
    await sim.done(deleting('lease', id));
    expect(await ask()).to.deep.include({ publicMessage: 'Still used by something of another project.', params: { blockers: [] } });
  });

  it('is found satisfied when it is asked again, and its name is free', async () => {
    const { sim, add, siteId } = await planted();
    await sim.done(deleting('site', siteId));
    expect((await sim.done(deleting('site', siteId))).state).to.equal('succeeded');
    expect(await add('site', 'site')).not.to.equal(siteId);
  });

  it('asked twice at once deletes once', async () => {
    const { sim, world, siteId } = await planted();
    const both = await sim.environment.complete(Promise.all([sim.ask(deleting('site', siteId)), sim.ask(deleting('site', siteId))]));
    for (const { operationId } of both) expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal(['look site', 'remove site']);
  });

  it('whose detachment is followed by a failure lets nothing go', async () => {
    const { sim, world, add, siteId, left } = await planted();
    const a = await add('rack', 'a', { siteId });
    await add('disk', 'kept', { rackId: a, state: 'used' });
    sim.around = (point, body) => (point.path === 'remove[0.0]/remove' ? Promise.reject(new Error('struck')) : body());
    const { operationId } = await sim.submit(deleting('rack', a));
    await sim.run(60_000);
    // A removal that may have begun only goes on.
    expect(sim.operation(operationId).state).to.equal('needs_attention');
    sim.around = undefined;
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines.at(-1)).to.equal('remove a');
    expect(left()).to.deep.equal(['site idle', 'kept idle']);
  });

  it('a child that fails before anything is destroyed leaves all as it was', async () => {
    const { sim, world, add, siteId, left } = await planted();
    await add('rack', 'a', { siteId });
    await add('rack', 'b', { siteId });
    world.plan('look b', fails('conflict'));
    const row = await sim.done(deleting('site', siteId));
    expect(row.error?.message).to.equal('Planned: conflict.');
    expect(left()).to.deep.equal(['site idle', 'a idle', 'b idle']);
  });

  it('that is asked for while another is at work takes what that one gives back', async () => {
    const { sim, world, add, siteId, left } = await planted();
    await add('rack', 'a', { siteId });
    world.plan('look a', async () => {
      await new Promise<void>((done) => world.timers.after(5000, done));
      return fails('conflict')();
    });
    const first = await sim.submit(deleting('site', siteId));
    await sim.run(1000);
    expect(left()).to.deep.equal(['site deleting', 'a deleting']);
    const second = await sim.submit(deleting('site', siteId));
    expect((await sim.ended(first.operationId)).state).to.equal('failed');
    expect((await sim.ended(second.operationId)).state).to.equal('succeeded');
    expect(left()).to.deep.equal([]);
  });

  it('that has begun to destroy goes on, over crashes', async () => {
    const { sim, world, add, siteId, left } = await planted();
    await add('rack', 'a', { siteId });
    await add('rack', 'b', { siteId });
    for (const name of ['a', 'b', 'site'])
      world.plan(`remove ${name}`, () => {
        sim.crash();
        return hangs();
      });
    const { operationId } = await sim.submit(deleting('site', siteId));
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(left()).to.deep.equal([]);
  });

  it('with force says so to each child, and takes what another one left half deleted', async () => {
    const { sim, world, add, siteId, left } = await planted();
    await add('rack', 'a', { siteId });
    world.always('remove a', fails('unavailable'));
    const stuck = await sim.submit(deleting('site', siteId));
    await sim.run(600_000);
    expect(sim.operation(stuck.operationId).state).to.equal('needs_attention');
    expect(left()).to.deep.equal(['site deleting', 'a deleting']);
    expect((await sim.done(deleting('site', siteId, { force: true }))).state).to.equal('succeeded');
    expect(world.lines.slice(-2)).to.deep.equal(['force a', 'force site']);
    expect(sim.operation(stuck.operationId).state).to.equal('failed');
    expect(left()).to.deep.equal([]);
  });

  it('with force waits for a stuck one whose resource it does not take along', async () => {
    const { sim, world, add, siteId, left } = await planted();
    const a = await add('rack', 'a', { siteId });
    const kept = await add('disk', 'kept', { rackId: a, state: 'used' });
    world.always('remove a', fails('unavailable'));
    const stuck = await sim.submit(deleting('site', siteId));
    await sim.run(600_000);
    const waits = await sim.submit(deleting('disk', kept, { force: true }));
    await sim.run(600_000);
    expect([stuck, waits].map(({ operationId }) => sim.operation(operationId).state)).to.deep.equal(['needs_attention', 'queued']);
    expect((await sim.done(deleting('site', siteId, { force: true }))).state).to.equal('succeeded');
    expect((await sim.ended(waits.operationId)).state).to.equal('succeeded');
    expect(left()).to.deep.equal([]);
  });

  it('with force takes what is half made, and nothing that it must not take without', async () => {
    const { sim, world, add, siteId, left } = await planted();
    sim.change('site', siteId, { state: 'kept' });
    const error = await sim.submit(deleting('site', siteId, { force: true })).catch((thrown: { code: string }) => thrown);
    expect(error).to.include({ code: 'conflict' });
    const half = await add('site', 'half', { state: 'made' });
    expect(await sim.submit(deleting('site', half)).catch((thrown: { code: string }) => thrown)).to.include({ code: 'conflict' });
    expect((await sim.done(deleting('site', half, { force: true }))).state).to.equal('succeeded');
    expect(left()).to.deep.equal(['site kept']);
    expect(world.lines).to.deep.equal(['look half', 'force half']);
  });

  it('lets go once of what it meets on two ways', async () => {
    const { sim, add, siteId, left } = await planted();
    const a = await add('rack', 'a', { siteId });
    const b = await add('rack', 'b', { siteId, rackId: a });
    await add('disk', 'kept', { rackId: b, state: 'used' });
    const row = await sim.done(deleting('site', siteId));
    expect(row.state).to.equal('succeeded');
    expect(left()).to.deep.equal(['kept idle']);
  });
});
