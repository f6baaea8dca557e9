import { expect } from 'chai';
import { CommitTurns } from '../../src/kernel/commit-turns.ts';

/** Transactions of ten statements, each answered when it is told to be. */
class Writes {
  nowMs = 0;
  readonly went: string[] = [];
  readonly #answers: (() => void)[] = [];
  readonly #timers: { readonly atMs: number; readonly run: () => void }[] = [];
  readonly #turns = new CommitTurns({
    clock: { monotonicMs: () => this.nowMs },
    timers: {
      after: (delayMs, run) => {
        this.#timers.push({ atMs: this.nowMs + delayMs, run });
        return () => {};
      },
    },
  });

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

  async pass(ms: number): Promise<void> {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 1;
      const due = this.#timers.filter(({ atMs }) => atMs <= this.nowMs);
      for (const timer of due) this.#timers.splice(this.#timers.indexOf(timer), 1);
      for (const { run } of due) run();
      await settled();
    }
  }

  /** Each flush takes a millisecond and takes all that has come before it; `light` writes one transaction in so many milliseconds. */
  async flush(ms: number, light?: { readonly account: string; readonly everyMs: number }): Promise<void> {
    for (let passedMs = 1; passedMs <= ms; passedMs += 1) {
      const begun = this.underWay;
      await this.pass(1);
      await this.answer(begun);
      if (light !== undefined && passedMs % light.everyMs === 0) await this.ask(light.account, 1);
    }
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

  it('let one that writes much beside one that writes little send what it has together, a tenth of the time', async () => {
    const writes = new Writes();
    await writes.ask('b', 1);
    await writes.ask('a', 5000);
    await writes.flush(400, { account: 'b', everyMs: 100 });
    const before = writes.went.length;
    let busyMs = 0;
    for (let passedMs = 0; passedMs < 1000; passedMs += 1) {
      if (writes.underWay > 0) busyMs += 1;
      await writes.flush(1, passedMs % 100 === 0 ? { account: 'b', everyMs: 1 } : undefined);
    }
    const went = writes.wentSince(before);
    expect(busyMs).to.be.within(80, 120);
    expect(went.replaceAll('a', '')).to.equal('bbbbbbbbbb');
    expect(went.length).to.be.within(700, 1000);
  });

  it('let it send as much as ever at first, and again after a while', async () => {
    const writes = new Writes();
    await writes.ask('b', 1);
    await writes.ask('a', 200);
    await writes.flush(40);
    expect(writes.went.length).to.be.within(150, 170);
    await writes.flush(1400, { account: 'b', everyMs: 100 });
    const before = writes.went.length;
    await writes.ask('a', 200);
    await writes.flush(40);
    expect(writes.went.length - before).to.be.within(150, 170);
  });

  it('hold none back beside others that write as much', async () => {
    const writes = new Writes();
    await writes.ask('b', 5000);
    await writes.ask('a', 5000);
    await writes.flush(200);
    const before = writes.went.length;
    await writes.flush(100);
    const went = writes.wentSince(before);
    expect([went.replaceAll('b', '').length, went.replaceAll('a', '').length]).to.deep.equal([400, 400]);
  });

  it('hold nobody back for long where the store is slow for all', async () => {
    const writes = new Writes();
    await writes.ask('b', 1);
    await writes.answer(1);
    await writes.ask('a', 3);
    await writes.pass(900);
    await writes.ask('b', 1);
    await writes.ask('a', 3);
    await writes.answer(7);
    expect(writes.underWay).to.equal(0);
    await writes.pass(90);
    expect(writes.underWay).to.equal(0);
    await writes.pass(20);
    expect(writes.underWay).to.equal(3);
  });

  it('keep the order of each account, and go on after one that failed', async () => {
    const turns = new CommitTurns({ clock: { monotonicMs: () => 0 }, timers: { after: () => () => {} } });
    const order: number[] = [];
    const fails = turns.run('a', 1000, () => Promise.reject(new Error('no')));
    const others = [1, 2, 3].map((number) => turns.run('a', 400, async () => void order.push(number)));
    expect(await fails.catch(({ message }) => message)).to.equal('no');
    await Promise.all(others);
    expect(order).to.deep.equal([1, 2, 3]);
  });
});
