import { expect } from 'chai';
import { type AuditRow, GENESIS, linkHash } from '../../../src/kernel/audit/record.ts';
import { type AuditVerdict, verifyAudit } from '../../../src/kernel/audit/verify.ts';
import { timestampOf } from '../../../src/kernel/environment.ts';
import { act, fails, type Script, script, scripted, step } from '../script.ts';
import type { SimKernel } from '../sim-kernel.ts';

const DAY_MS = 24 * 3600_000;
const run = script('run').effect('a', step('a')).build();
const actions = (w: Script) => [act(w, 'go', run), act(w, 'rest', run, { satisfied: (row) => row.state === 'idle' })];
const opened = (options: object = {}) => scripted(actions, options);

const auditOf = (sim: SimKernel) => sim.rows('audit') as unknown as readonly AuditRow[];
const linksOf = (sim: SimKernel) =>
  auditOf(sim)
    .filter(({ number }) => number > 0)
    .sort((a, b) => a.number - b.number);
const verified = (sim: SimKernel, known?: { number: number; hash: string }): Promise<AuditVerdict> => {
  const { signal } = new AbortController();
  return sim.environment.complete(verifyAudit(sim.kernel.services.store, { signal, ...(known === undefined ? {} : { known }) }));
};
/** A chain of so many links, beside that of the thing that was made first. */
async function chained(count: number, options: object = {}) {
  const stage = await opened(options);
  for (let index = 0; index < count; index += 1)
    await stage.sim.done({ action: 'thing.go', resourceId: stage.id, input: { tag: `t${index}` } });
  await stage.sim.run(5000);
  return stage;
}

describe('the audit: its chain', () => {
  it('has one link for each accepted call, with its result, in the order of the feed', async () => {
    const { sim, world, id } = await opened();
    world.plan('do a', () => 'fine', fails('unsupported'));
    const good = await sim.submit({ action: 'thing.go', resourceId: id, input: { tag: 'one' } });
    const bad = await sim.submit({ action: 'thing.go', resourceId: id, input: { tag: 'two' } });
    const idle = await sim.done({ action: 'thing.rest', resourceId: id });
    await sim.submit({ action: 'thing.go', resourceId: 'none' }).catch(() => undefined);
    await sim.ended(bad.operationId);
    expect(linksOf(sim).length).to.be.below(4);
    await sim.run(5000);
    const links = linksOf(sim);
    expect(auditOf(sim)).to.have.length(4);
    expect(links.map(({ id: row, result }) => [row, result])).to.have.deep.members([
      [links[0]?.id, 'succeeded'],
      [good.operationId, 'succeeded'],
      [bad.operationId, 'failed'],
      [idle.id, 'succeeded'],
    ]);
    expect(links.find(({ id: row }) => row === bad.operationId)).to.deep.include({
      request: { tag: 'two' },
      actor: 'tester',
      action: 'thing.go',
    });
    expect(links.find(({ id: row }) => row === bad.operationId)?.error?.code).to.equal('unsupported');
    const revisions = links.map(({ revision }: AuditRow & { revision?: number }) => revision ?? 0);
    expect(revisions).to.deep.equal(revisions.toSorted((a, b) => a - b));
    let previous = GENESIS.hash;
    for (const [index, link] of links.entries()) {
      expect([link.number, link.previous, link.hash]).to.deep.equal([index + 1, previous, linkHash(link)]);
      previous = link.hash ?? '';
    }
    expect(await verified(sim)).to.deep.include({ whole: true, links: 4, unsealed: 0, faults: [], head: { number: 4, hash: previous } });
  });

  it('waits for what has not ended, and for nothing else', async () => {
    const { sim, world, id } = await opened();
    world.plan('do a', () => new Promise((done) => world.timers.after(60_000, () => done('late'))));
    const slow = await sim.submit({ action: 'thing.go', resourceId: id });
    const made = await sim.done({ action: 'thing.create', input: { name: 'another', size: 1 } });
    await sim.run(5000);
    expect(linksOf(sim).map((link) => link.id))
      .to.include(made.id)
      .and.not.to.include(slow.operationId);
    expect(await verified(sim)).to.include({ whole: true, unsealed: 1 });
    await sim.ended(slow.operationId);
    await sim.run(5000);
    expect(await verified(sim)).to.include({ whole: true, links: 3, unsealed: 0 });
  });

  it('seals many at once by few commits', async () => {
    const { sim, id } = await opened();
    const asked = await Promise.all(Array.from({ length: 250 }, () => sim.submit({ action: 'thing.rest', resourceId: id })));
    await sim.run(5000);
    expect(linksOf(sim)).to.have.length(asked.length + 1);
    expect(await verified(sim)).to.include({ whole: true, unsealed: 0 });
  });
});

describe('the audit: denied calls', () => {
  const denying = async (logged: unknown[] = []) => {
    const log = (fields: object, message: string) => void (message.includes('audit') && logged.push([fields, message]));
    const { sim } = await opened({ logger: { debug: log, info: log, warn: log, error: log } });
    const { ids } = sim.kernel.services;
    const at = () => timestampOf(sim.environment.clock.nowMs());
    const deny = (actor: string, more: object = {}, permission = 'thing.go') => {
      const error = { code: 'permission_denied', message: 'No.', params: { permission } } as const;
      sim.kernel.audit.denied({ id: ids.mint('audit'), at: at(), actor, action: 'thing.go', ...more }, error);
    };
    const denied = () => linksOf(sim).filter(({ result }) => result === 'denied');
    return { sim, deny, denied };
  };

  it('are entries: the first at once, those of the minute after as one, by caller, action and what was lacking', async () => {
    const { sim, deny, denied } = await denying();
    const shown = () => denied().map(({ actor, times = 1, resourceId }) => [actor, times, resourceId]);
    for (let time = 0; time < 1000; time += 1) deny('loud', { resourceId: `r${time}` });
    deny('quiet', { resourceId: 'r' });
    deny('loud', {}, 'thing.rest');
    await sim.run(5000);
    expect(shown()).to.deep.equal([
      ['loud', 1, 'r0'],
      ['quiet', 1, 'r'],
      ['loud', 1, undefined],
    ]);
    deny('quiet', { resourceId: 'r' });
    deny('quiet', { resourceId: 'r' });
    await sim.run(60_000);
    expect(shown().slice(3)).to.deep.equal([
      ['loud', 999, undefined],
      ['quiet', 2, 'r'],
    ]);
    // It goes on: still one a minute. Who is quiet for one is told of at once again.
    for (let second = 0; second < 150; second += 1) {
      deny('loud', { resourceId: 'r' });
      await sim.run(1000);
    }
    await sim.run(150_000);
    expect(
      shown()
        .slice(5)
        .reduce((sum, [, times]) => sum + Number(times), 0),
    ).to.equal(150);
    expect(shown().length - 5).to.be.within(3, 4);
    deny('loud');
    await sim.run(5000);
    expect(shown().at(-1)).to.deep.equal(['loud', 1, undefined]);
    expect(await verified(sim)).to.include({ whole: true, unsealed: 0 });
  });

  it('are written when the server stops, too, those that have gathered included', async () => {
    const { sim, deny, denied } = await denying();
    for (let time = 0; time < 5; time += 1) deny('loud');
    await sim.environment.complete(sim.kernel.stop());
    expect(denied().map(({ times = 1 }) => times)).to.deep.equal([1, 4]);
  });

  it('are no entries in a flood of many callers: the log tells of these, once and then how many', async function () {
    this.timeout(300_000);
    const logged: unknown[] = [];
    const { sim, deny, denied } = await denying(logged);
    for (let caller = 0; caller < 10_007; caller += 1) deny(`caller-${caller}`);
    await sim.run(5000);
    expect(denied().length).to.equal(10_000);
    expect(logged).to.deep.equal([
      [{ actor: 'caller-10000', action: 'thing.go' }, 'a denied call is no entry of the audit: too many wait, or the server stops'],
      [{ calls: 7 }, 'denied calls are no entries of the audit'],
    ]);
    expect(await verified(sim)).to.include({ whole: true, unsealed: 0 });
  });
});

describe('the audit: tampering', () => {
  const faultsOf = async (sim: SimKernel) => (await verified(sim)).faults.map(({ number, fault }) => `${number} ${fault}`);

  it('is found and named: a changed, a dropped, a swapped, a doubled row, and one that was made anew', async () => {
    const tampered: readonly [what: string, tamper: (sim: SimKernel, links: readonly AuditRow[]) => void, faults: readonly string[]][] = [
      ['nothing', () => undefined, []],
      ['changed', (sim, links) => sim.change('audit', String(links[3]?.id), { actor: 'somebody' }), ['4 changed']],
      ['changed result', (sim, links) => sim.change('audit', String(links[3]?.id), { result: 'failed' }), ['4 changed']],
      ['added field', (sim, links) => sim.change('audit', String(links[3]?.id), { note: 'x' }), ['4 changed']],
      ['dropped', (sim, links) => sim.remove('audit', String(links[3]?.id)), ['4 missing']],
      ['dropped first', (sim, links) => sim.remove('audit', String(links[0]?.id)), ['1 missing']],
      ['dropped last', (sim, links) => sim.remove('audit', String(links[9]?.id)), ['10 missing']],
      ['dropped, as if it had never been sealed', (sim, links) => sim.change('audit', String(links[3]?.id), { number: 0 }), ['4 missing']],
      [
        'swapped',
        (sim, links) => {
          sim.change('audit', String(links[3]?.id), { number: 7 });
          sim.change('audit', String(links[6]?.id), { number: 4 });
        },
        ['4 changed', '7 changed'],
      ],
      ['doubled', (sim, links) => sim.insert('audit', { ...links[3], id: 'zzz' } as never), ['4 duplicate']],
      [
        'made anew',
        (sim, links) => {
          const forged = { ...(links[3] as AuditRow), actor: 'somebody' };
          sim.change('audit', forged.id, { actor: 'somebody', hash: linkHash(forged) });
        },
        ['5 unlinked'],
      ],
    ];
    for (const [what, tamper, faults] of tampered) {
      const { sim } = await chained(9);
      const links = linksOf(sim);
      expect(links, what).to.have.length(10);
      tamper(sim, links);
      expect(await faultsOf(sim), what).to.deep.equal(faults);
    }
  });

  it('is found where all from some row on was made anew, by a head that was kept elsewhere', async () => {
    const { sim, id } = await chained(9);
    const { head } = await verified(sim);
    expect((await verified(sim, { number: 99, hash: 'f'.repeat(64) })).faults).to.deep.equal([{ number: 99, fault: 'missing' }]);
    let previous = linksOf(sim)[4]?.hash ?? '';
    for (const link of linksOf(sim).slice(5)) {
      const forged = { ...link, actor: 'somebody', previous };
      previous = linkHash(forged);
      sim.change('audit', link.id, { actor: 'somebody', previous: forged.previous, hash: previous });
    }
    sim.change('setting', 'audit.head', { hash: previous });
    expect((await verified(sim)).whole).to.equal(true);
    expect((await verified(sim, head)).faults).to.deep.include({ number: 10, id: linksOf(sim)[9]?.id, fault: 'replaced' });
    await sim.done({ action: 'thing.go', resourceId: id });
    await sim.run(5000);
    expect((await verified(sim, head)).faults.map(({ number, fault }) => `${number} ${fault}`)).to.include('10 replaced');
  });
});

describe('the audit: crashes', () => {
  it('leave each accepted call with exactly one row and one link, wherever they come', async function () {
    this.timeout(300_000);
    for (let steps = 1; steps <= 110; steps += 1) {
      const { sim, world, id } = await opened({ seed: `crash ${steps}` });
      world.plan('do a', () => 'fine', fails('unsupported'));
      const asks = [
        sim.ask({ action: 'thing.go', resourceId: id }),
        sim.ask({ action: 'thing.create', input: { name: 'two', size: 2 } }),
        sim.ask({ action: 'thing.go', resourceId: id }),
      ];
      const accepted = new Set<string>();
      for (const ask of asks) void ask.then(({ operationId }) => accepted.add(operationId));
      for (let step = 0; step < steps; step += 1) await sim.environment.step();
      sim.crash();
      await sim.start();
      await sim.run(20_000);
      const operations = sim.rows('operation').map((row) => row.id);
      for (const operationId of accepted) expect(operations, `${steps} steps`).to.include(operationId);
      expect(
        auditOf(sim).map((row) => row.id),
        `${steps} steps`,
      ).to.have.members(operations);
      const verdict = await verified(sim);
      expect([verdict.whole, verdict.links, verdict.unsealed], `${steps} steps`).to.deep.equal([true, operations.length, 0]);
      const revisions = linksOf(sim).map((link) => sim.row('operation', link.id).revision as number);
      expect(revisions, `${steps} steps`).to.deep.equal(revisions.toSorted((a, b) => a - b));
    }
  });

  it('of a store that loses answers make no second link', async () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const { sim, id } = await opened({ seed: `lost ${seed}` });
      sim.faults.acknowledgementLost = 0.3;
      sim.faults.commitFails = 0.2;
      for (let index = 0; index < 5; index += 1) await sim.done({ action: 'thing.go', resourceId: id });
      await sim.run(60_000);
      expect(await verified(sim)).to.include({ whole: true, links: 6, unsealed: 0 });
    }
  });
});

describe('the audit: retention', () => {
  it('takes from the oldest end, and what is left is a whole chain', async () => {
    const { sim, id } = await chained(9, { presets: { 'retention.auditDays': 3 } });
    await sim.run(2 * DAY_MS);
    for (let index = 0; index < 3; index += 1) await sim.done({ action: 'thing.go', resourceId: id });
    const whole = linksOf(sim);
    await sim.run(1.5 * DAY_MS);
    expect(linksOf(sim).map(({ number }) => number)).to.deep.equal([11, 12, 13]);
    const verdict = await verified(sim, { number: 10, hash: String(whole[9]?.hash) });
    expect(verdict).to.deep.include({ whole: true, links: 3, anchor: { number: 10, hash: whole[9]?.hash } });
    await sim.run(3 * DAY_MS);
    expect(linksOf(sim)).to.deep.equal([]);
    await sim.done({ action: 'thing.go', resourceId: id });
    await sim.run(5000);
    expect(await verified(sim)).to.deep.include({ whole: true, links: 1 });
    sim.remove('audit', String(linksOf(sim)[0]?.id));
    expect((await verified(sim)).faults).to.deep.equal([{ number: 14, fault: 'missing' }]);
  });
});
