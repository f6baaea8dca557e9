import { expect } from 'chai';
import { CommitTurns } from '../../src/kernel/commit-turns.ts';

/** Transactions of ten statements, each answered when it is told to be. */
class Writes {
  nowMs = 0;
  readonly went: string[] = [];
  readonly #answers: (() => void)[] = [];
  readonly #turns = new CommitTurns({ monotonicMs: () => this.nowMs });

  async ask(account: string, count: number, statements = 10): Promise<void> {
    for (let index = 0; index < count; index += 1)
      void this.#turns.run(account, statements, () => {
        this.went.push(account);
        return new Promise<void>((answer) => this.#answers.push(answer));
      });
    await settled();
  }

  /** The first ones that are under way. */
  async answer(count: number): Promise<void> {
    for (const answer of this.#answers.splice(0, count)) answer();
    await settled();
  }

  get underWay(): number {
    return this.#answers.length;
  }

  wentSince(count: number): string {
    return this.went.slice(count).join('');
  }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('turns of commits', () => {
  it('let an account that is alone keep the store busy, with no more than a flush is well shared by', async () => {
    const writes = new Writes();
    await writes.ask('a', 200);
    expect(writes.underWay).to.equal(51);
    await writes.answer(20);
    expect([writes.underWay, writes.went.length]).to.deep.equal([51, 71]);
  });

  it('let who comes go at once, and keep what goes before the next ones small', async () => {
    const writes = new Writes();
    await writes.ask('a', 200);
    await writes.ask('b', 1);
    expect(writes.wentSince(51)).to.equal('b');
    await writes.answer(52);
    expect(writes.wentSince(52)).to.equal('aaaa');
    await writes.ask('c', 1);
    await writes.answer(5);
    expect(writes.wentSince(56)).to.equal('caaa');
    expect(writes.underWay).to.equal(3);
  });

  it('let the account go on as before when the others have been quiet for a second', async () => {
    const writes = new Writes();
    await writes.ask('b', 1);
    await writes.ask('a', 200);
    expect(writes.underWay).to.equal(5);
    await writes.answer(5);
    expect(writes.underWay).to.equal(4);
    writes.nowMs = 1000;
    await writes.ask('a', 1);
    await writes.answer(1);
    expect(writes.underWay).to.equal(51);
  });

  it('let one of each go, however large it is, and hold no other back for it', async () => {
    const writes = new Writes();
    await writes.ask('b', 1, 2000);
    await writes.ask('a', 1, 2000);
    await writes.ask('a', 2);
    expect(writes.wentSince(0)).to.equal('ba');
    await writes.ask('c', 1);
    await writes.answer(2);
    expect(writes.wentSince(2)).to.equal('caa');
  });

  it('keep the order of each account, and go on after one that failed', async () => {
    const turns = new CommitTurns({ monotonicMs: () => 0 });
    const order: number[] = [];
    const fails = turns.run('a', 1000, () => Promise.reject(new Error('no')));
    const others = [1, 2, 3].map((number) => turns.run('a', 400, async () => void order.push(number)));
    expect(await fails.catch(({ message }) => message)).to.equal('no');
    await Promise.all(others);
    expect(order).to.deep.equal([1, 2, 3]);
  });
});
