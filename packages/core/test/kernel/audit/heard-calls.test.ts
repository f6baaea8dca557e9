import { expect } from 'chai';
import { HeardCalls } from '../../../src/kernel/audit/heard-calls.ts';
import { auditStatement } from '../../../src/kernel/audit/record.ts';

const at = '2030-01-01T00:00:00.000Z';
const call = (id: string, request = {}) => auditStatement({ id, at, actor: 'key:1', action: 'machine.create', request });
const ended = (key: string, set: object) => ({ op: 'update', table: 'operation', key, set: { endedAt: at, ...set } }) as const;

describe('calls that commits told of', () => {
  it('are as they were committed, whatever becomes of what they were made of', () => {
    const calls = new HeardCalls();
    const request = { name: 'a' };
    calls.hear([call('1', request)], 1);
    request.name = 'b';
    expect(calls.row('1')?.request).to.deep.equal({ name: 'a' });
  });

  it('have ended when that is told, well, and with which revision', () => {
    const calls = new HeardCalls();
    calls.hear(
      ['1', '2', '3'].map((id) => call(id)),
      1,
    );
    expect(calls.end('1')).to.equal(undefined);
    calls.hear([ended('1', { state: 'succeeded' })], 7);
    calls.hear([ended('2', { state: 'failed', error: { code: 'conflict', message: '' } })], 8);
    // An earlier try has landed, nobody knows when.
    calls.hear([ended('3', { state: 'succeeded' })], 0);
    expect(['1', '2', '3', '4'].map((id) => calls.end(id))).to.deep.equal([
      { result: 'succeeded', endedAt: at, revision: 7 },
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('are forgotten when their rows change, when they are long, and when many come after', () => {
    const calls = new HeardCalls();
    calls.hear([call('1'), call('2'), call('3', { text: 'x'.repeat(9000) })], 1);
    calls.hear([{ op: 'update', table: 'audit', key: '1', set: { result: 'failed' } }], 2);
    expect(['1', '2', '3'].map((id) => calls.row(id)?.id)).to.deep.equal([undefined, '2', undefined]);
    calls.hear(
      Array.from({ length: 1000 }, (_, index) => call(`later-${index}`)),
      3,
    );
    expect(calls.row('2')).to.equal(undefined);
    expect(calls.row('later-0')?.id).to.equal('later-0');
  });
});
