import { expect } from 'chai';
import { loadBalancer } from '../../../src/cloud/index.ts';
import { ensureStanding, type KeptKind } from '../../../src/cloud/network/kept.ts';
import type { NetworkContext } from '../../../src/cloud/network/network-context.ts';

describe('what a fabric keeps', () => {
  for (const [then, made] of [
    ['available', ['shop']],
    ['deleting', []],
    [undefined, []],
  ] as const)
    it(`is made anew outside of operations as it is in its turn: ${then ?? 'gone'}`, async () => {
      const ensured: string[] = [];
      const turn = Promise.withResolvers<void>();
      let state: string | undefined = 'available';
      const of = {
        ...{ kind: loadBalancer, sort: 'loadBalancers', spec: async (_: unknown, { id }: { readonly id: string }) => ({ id }) },
        fabric: async () => ({ keeper: () => ({ ensure: async ({ id }: { readonly id: string }) => void ensured.push(id) }) }),
      };
      const ctx = {
        reader: { find: async () => (state === undefined ? undefined : { id: 'shop', state }) },
        fabrics: { inTurn: (_: string, body: () => Promise<void>) => turn.promise.then(body) },
      };
      const call = { requestId: 'flaps', signal: new AbortController().signal, timeoutMs: 1000 };
      const waiting = ensureStanding(
        of as unknown as KeptKind<typeof loadBalancer, 'loadBalancers'>,
        ctx as unknown as NetworkContext,
        'shop',
        call,
      );
      state = then;
      turn.resolve();
      await waiting;
      expect(ensured).to.deep.equal(made);
    });
});
