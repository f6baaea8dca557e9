import { expect } from 'chai';
import { Admission } from '../../src/limits/admission.ts';

const nextLoopTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
const PRINCIPAL = { actor: 'key', projectId: 'project', accountId: 'account', allows: () => true };

describe('admission', () => {
  it('tells refusals late to who does not heed them, each at an instant of its own', () => {
    const limits = { requests: 10, streams: 10, rate: { perSecond: 1, burst: 1 } };
    const admission = new Admission({ clock: { monotonicMs: () => 0 }, nextTurn: () => {}, limits } as never);
    const answers = Array.from({ length: 85 }, () => admission.count(PRINCIPAL as never));
    expect(answers.map(({ delayMs = 0 }) => delayMs).findIndex((delayMs) => delayMs > 0)).to.equal(21);
    const delaysMs = answers.slice(21).map(({ delayMs = 0 }) => delayMs);
    const inEachTenth = Array.from({ length: 10 }, (_, tenth) => delaysMs.filter((ms) => Math.floor((ms - 1000) / 100) === tenth).length);
    expect(inEachTenth.every((count) => count >= 5 && count <= 8)).to.equal(true, inEachTenth.join());
  });

  describe('of who has no key', () => {
    const open = (requests = 100) =>
      new Admission({ clock: { monotonicMs: () => 0 }, nextTurn: (run) => setImmediate(run), limits: { requests, streams: 10 } });
    const begun: string[] = [];
    beforeEach(() => begun.splice(0));
    const tenant = { principal: PRINCIPAL as never, from: undefined };
    /** Never answered: it waits for a body. */
    const ask = (admission: Admission, from: string, times = 1) => {
      for (let index = 0; index < times; index += 1)
        void admission.inTurn({ principal: undefined, from }, 'requests', () => {
          begun.push(from);
          return new Promise(() => undefined);
        });
    };
    const turns = async (count: number) => {
      for (let turn = 0; turn < count; turn += 1) await nextLoopTurn();
    };

    it('has a few of each address in work, and one address keeps no other waiting, beside others or alone', async () => {
      for (const isAlone of [true, false]) {
        begun.splice(0);
        const admission = open();
        if (!isAlone) await admission.inTurn(tenant, 'requests', () => Promise.resolve());
        ask(admission, '192.0.2.1', 50);
        await turns(100);
        expect(begun).to.deep.equal(Array(4).fill('192.0.2.1'));
        ask(admission, '192.0.2.2');
        await turns(5);
        expect(begun.at(-1)).to.equal('192.0.2.2');
        // Those of one network of IPv6 are one.
        ask(admission, '2001:db8::1', 50);
        ask(admission, '2001:db8::2', 50);
        await turns(200);
        expect(begun.filter((from) => from.startsWith('2001:'))).to.have.length(4);
      }
    });

    it('is begun as one account, from however many addresses', async () => {
      const admission = open();
      await admission.inTurn(tenant, 'requests', () => Promise.resolve());
      for (let address = 0; address < 60; address += 1) ask(admission, `192.0.2.${address}`);
      for (let round = 0; round < 10; round += 1) {
        const before = begun.length;
        let isServed = false;
        void admission.inTurn(tenant, 'requests', async () => {
          isServed = true;
        });
        await turns(2);
        expect(isServed).to.equal(true);
        expect(begun.length - before).to.be.within(1, 3);
      }
    });

    it('leaves places to other addresses, and all of them together to who has a key', () => {
      const admission = open(100);
      const enter = (from: string, times: number) => {
        let entered = 0;
        for (let index = 0; index < times; index += 1)
          try {
            admission.enter({ principal: undefined, from }, 'requests');
            entered += 1;
          } catch {}
        return entered;
      };
      expect(enter('192.0.2.1', 1000)).to.equal(50);
      expect(enter('192.0.2.2', 1000)).to.be.within(1, 12);
      for (let address = 3; address < 200; address += 1) enter(`192.0.2.${address}`, 10);
      const leaves = Array.from({ length: 25 }, () => admission.enter(tenant, 'requests'));
      expect(leaves).to.have.length(25);
    });

    it('leaves its places when it is answered, and takes none where it is refused', () => {
      const admission = open(10);
      const asker = { principal: undefined, from: '192.0.2.1' };
      for (let round = 0; round < 3; round += 1) {
        const leaves = Array.from({ length: 5 }, () => admission.enter(asker, 'requests'));
        for (let refused = 0; refused < 20; refused += 1) expect(() => admission.enter(asker, 'requests')).to.throw('Too many requests');
        for (const leave of leaves) leave();
      }
    });
  });
});
