import { expect } from 'chai';
import type { AuditRow } from '../../../src/kernel/audit/record.ts';
import { verifyAudit } from '../../../src/kernel/audit/verify.ts';
import { CloudError, type NotLetIn, notLetIn } from '../../../src/kernel/index.ts';
import { scripted } from '../script.ts';

describe('the audit: refused sign-ins', () => {
  const opened = async () => {
    const { sim } = await scripted(() => []);
    const refuse = (from: string | undefined, user: string, more: Partial<NotLetIn> = {}) => {
      const error = new CloudError('unauthenticated', 'No.');
      sim.kernel.refusedSignIns.tell(notLetIn(error, { reason: 'wrong_password', action: 'session.create', named: { user }, ...more }), {
        from,
      });
    };
    const entries = () => (sim.rows('audit') as unknown as readonly AuditRow[]).filter(({ result }) => result === 'denied');
    return { sim, refuse, entries };
  };
  const timesOf = (rows: readonly AuditRow[]) => rows.reduce((sum, { times = 1 }) => sum + times, 0);
  const by = (row: AuditRow) => (row.request?.user !== undefined ? 'name' : row.request?.from !== undefined ? 'source' : 'neither');

  it('tell who was named, from where and why; those that are alike within a minute are one', async () => {
    const { sim, refuse, entries } = await opened();
    for (let time = 0; time < 100; time += 1) refuse('192.0.2.1', 'ann', { accountId: 'acme', resourceKind: 'user', resourceId: 'u1' });
    refuse('192.0.2.1', 'ann', { reason: 'locked' });
    refuse('192.0.2.2', 'ann');
    refuse(undefined, 'bob');
    sim.kernel.refusedSignIns.tell(new CloudError('unauthenticated', 'No key was sent.'), { from: '192.0.2.1' });
    sim.kernel.refusedSignIns.tell(new Error('another'), { from: '192.0.2.1' });
    await sim.run(5000);
    const shown = () => entries().map(({ request, error, times = 1 }) => [request?.user, request?.from, error?.params, times]);
    expect(shown()).to.deep.equal([
      ['ann', '192.0.2.1', { reason: 'wrong_password' }, 1],
      ['ann', '192.0.2.1', { reason: 'locked' }, 1],
      ['ann', '192.0.2.2', { reason: 'wrong_password' }, 1],
      ['bob', undefined, { reason: 'wrong_password' }, 1],
    ]);
    expect(entries()[0]).to.deep.include({
      ...{ actor: 'anonymous', action: 'session.create', accountId: 'acme', resourceKind: 'user', resourceId: 'u1' },
      error: { code: 'unauthenticated', message: 'The password was wrong.', params: { reason: 'wrong_password' } },
    });
    await sim.run(120_000);
    expect(shown().filter(([, , , times]) => times !== 1)).to.deep.equal([['ann', '192.0.2.1', { reason: 'wrong_password' }, 99]]);
  });

  it('from one place take no room from others, however many names it makes up', async () => {
    const { sim, refuse, entries } = await opened();
    for (let name = 0; name < 5000; name += 1) refuse('192.0.2.1', `user-${name}`);
    refuse('192.0.2.9', 'ann');
    refuse('192.0.2.1', 'user-3');
    await sim.run(120_000);
    const loud = entries().filter(({ request }) => request?.from === '192.0.2.1');
    expect(timesOf(loud)).to.equal(5001);
    expect(loud.filter((row) => by(row) === 'name').map(({ request }) => request?.user)).to.deep.equal([
      ...Array.from({ length: 30 }, (_, index) => `user-${index}`),
      'user-3',
    ]);
    expect(loud.filter((row) => by(row) === 'source').map(({ times = 1 }) => times)).to.deep.equal([1, 4969]);
    expect(entries().filter(({ request }) => request?.from === '192.0.2.9' && request.user === 'ann')).to.have.length(1);
  });

  it('from everywhere are counted, and fill nothing', async () => {
    const { sim, refuse, entries } = await opened();
    for (let minute = 0; minute < 3; minute += 1) {
      for (let time = 0; time < 20_000; time += 1) refuse(`192.0.${time % 200}.${minute}`, `user-${time}-${minute}`);
      await sim.run(61_000);
    }
    await sim.run(120_000);
    expect(timesOf(entries())).to.equal(60_000);
    // In each minute: 120 by name, 60 by their place (one at once, one gathered), and the rest.
    expect(entries().length).to.be.at.most(3 * (120 + 2 * 60 + 2));
    for (const kind of ['name', 'source', 'neither']) expect(entries().map(by)).to.include(kind);
    const { signal } = new AbortController();
    expect(await sim.environment.complete(verifyAudit(sim.kernel.services.store, { signal }))).to.include({ whole: true, unsealed: 0 });
    // And when it is over names are told again.
    refuse('192.0.2.1', 'ann');
    await sim.run(5000);
    expect(entries().at(-1)?.request).to.deep.equal({ user: 'ann', from: '192.0.2.1' });
  });
});
