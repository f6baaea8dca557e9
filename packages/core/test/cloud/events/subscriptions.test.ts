import { expect } from 'chai';
import { Subscriptions, type Webhook } from '../../../src/cloud/events/subscriptions.ts';
import type { Change } from '../../../src/kernel/index.ts';

const hook = (projectId: string): Webhook =>
  ({ id: `hook-of-${projectId}`, projectId, state: 'available', kinds: ['nic'] }) as unknown as Webhook;
const change = (projectId: string, table = 'nic', row: object = {}): Change =>
  ({ table, type: 'updated', key: 'one', projectId, row: JSON.stringify({ ...row, projectId }) }) as unknown as Change;

describe('what webhooks want', () => {
  it('is asked of those of the project alone, however many others there are', () => {
    const others = Object.defineProperty(hook('bravo'), 'state', {
      get: () => {
        throw new Error('that of another was looked at');
      },
    });
    const subscriptions = new Subscriptions([hook('alpha'), others], () => undefined);
    expect(subscriptions.wanting(change('alpha')).map(({ id }) => id)).to.deep.equal(['hook-of-alpha']);
    expect(subscriptions.wanting(change('charly'))).to.deep.equal([]);
    expect(() => subscriptions.wanting(change('bravo'))).to.throw('of another');
  });

  it('changes with them, and ends with them', () => {
    const subscriptions = new Subscriptions([], () => undefined);
    expect(subscriptions.rows).to.deep.equal([]);
    const row = hook('alpha') as unknown as object;
    const learn = (type: string) => subscriptions.learn({ ...change('alpha', 'webhook', row), type } as Change)?.id;
    expect([learn('created'), subscriptions.wanting(change('alpha')).length]).to.deep.equal(['hook-of-alpha', 1]);
    expect([learn('deleted'), subscriptions.wanting(change('alpha')).length]).to.deep.equal([undefined, 0]);
    expect(subscriptions.rows).to.deep.equal([]);
  });
});
