import { expect } from 'chai';
import { Turns } from '../../src/limits/turns.ts';

/** Turns of an event loop that the test makes. */
class Loop {
  nowMs = 0;
  readonly order: string[] = [];
  readonly turns = new Turns({ clock: { monotonicMs: () => this.nowMs }, next: (run) => this.#next.push(run) });
  #next: (() => void)[] = [];

  /** Answered in the turn after that in which it began, unless it is held. */
  ask(account: string, name = account, isHeld = false): void {
    const begun = () => {
      this.order.push(name);
      if (!isHeld) this.#next.push(() => this.turns.leave(account));
    };
    const turn = this.turns.take(account);
    if (turn === undefined) begun();
    else void turn.then(begun);
  }

  /** What began in it. */
  async turn(): Promise<readonly string[]> {
    const before = this.order.length;
    for (const run of this.#next.splice(0)) run();
    await new Promise((resolve) => setImmediate(resolve));
    return this.order.slice(before);
  }

  get isIdle(): boolean {
    return this.#next.length === 0;
  }
}

describe('server limits: turns', () => {
  it('let an account that is alone begin all that comes, thirty-two in a turn, in the order of its requests', async () => {
    const loop = new Loop();
    for (let index = 0; index < 1000; index += 1) loop.ask('a', `a${index}`, true);
    const perTurn = [loop.order.length];
    while (!loop.isIdle) perTurn.push((await loop.turn()).length);
    expect(loop.order).to.deep.equal(Array.from({ length: 1000 }, (_, index) => `a${index}`));
    expect(Math.max(...perTurn)).to.equal(32);
    expect(perTurn.filter((begun) => begun > 0)).to.have.length(32);
  });

  it('let an account that is alone begin at once what comes a few in a turn, however much that is together', async () => {
    const loop = new Loop();
    for (let round = 0; round < 50; round += 1) {
      for (let index = 0; index < 20; index += 1) loop.ask('a');
      expect(loop.order).to.have.length(20 * (round + 1));
      await loop.turn();
    }
  });

  it('let each account begin one in a turn from when another comes to one that has much waiting', async () => {
    const loop = new Loop();
    for (let index = 0; index < 100; index += 1) loop.ask('a', 'a');
    loop.ask('b');
    expect(loop.order.splice(0)).to.deep.equal(Array(32).fill('a').concat('b'));
    const turns: (readonly string[])[] = [];
    while (!loop.isIdle) turns.push(await loop.turn());
    expect(turns.flat()).to.deep.equal(Array(68).fill('a'));
    expect(Math.max(...turns.map(({ length }) => length))).to.equal(1);
  });

  it('let one request of a quiet account wait for one of each other, however many those have waiting', async () => {
    const loop = new Loop();
    loop.ask('quiet');
    for (let index = 0; index < 1000; index += 1) loop.ask('flood');
    await loop.turn();
    for (let round = 0; round < 50; round += 1) {
      const before = loop.order.length;
      loop.ask('quiet', `quiet ${round}`);
      expect(loop.order.slice(before)).to.deep.equal([`quiet ${round}`]);
      expect(await loop.turn()).to.deep.equal(['flood']);
    }
  });

  it('part what is begun among all who ask, in the order of their turns and of their own requests', async () => {
    const loop = new Loop();
    for (const account of ['a', 'b', 'c']) for (let index = 0; index < 20; index += 1) loop.ask(account, `${account}${index}`);
    const begun = loop.order.length;
    const turns: string[][] = [];
    while (!loop.isIdle) turns.push([...(await loop.turn())]);
    expect(loop.order).to.have.length(60);
    // The first found itself alone until the second came.
    expect(begun).to.equal(22);
    const both = turns.filter((turn) => turn.length > 0);
    for (const turn of both) expect(turn.map((name) => name[0])).to.deep.equal(['b', 'c']);
    expect(both.map(([b]) => b)).to.deep.equal(Array.from({ length: 19 }, (_, index) => `b${index + 1}`));
  });

  it('begin no more of one account than a few before any is answered, and the next with each that is', async () => {
    const loop = new Loop();
    loop.ask('quiet');
    for (let index = 0; index < 20; index += 1) loop.ask('flood', `flood ${index}`, true);
    while (!loop.isIdle) await loop.turn();
    expect(loop.order).to.deep.equal(['quiet', 'flood 0', 'flood 1', 'flood 2', 'flood 3']);
    loop.ask('quiet', 'quiet too');
    expect(loop.order.at(-1)).to.equal('quiet too');
    loop.turns.leave('flood');
    loop.turns.leave('flood');
    while (!loop.isIdle) await loop.turn();
    expect(loop.order.slice(6)).to.deep.equal(['flood 4', 'flood 5']);
  });

  it('begin no more than a few in one turn, and each account comes to its own', async () => {
    const loop = new Loop();
    const accounts = Array.from({ length: 50 }, (_, index) => `account ${index}`);
    for (let round = 0; round < 5; round += 1) for (const account of accounts) loop.ask(account);
    const counts = new Map<string, number>();
    for (const account of loop.order) counts.set(account, (counts.get(account) ?? 0) + 1);
    while (!loop.isIdle) {
      const turn = await loop.turn();
      expect(turn.length).to.be.at.most(8);
      expect(new Set(turn).size).to.equal(turn.length);
      for (const account of turn) counts.set(account, (counts.get(account) ?? 0) + 1);
    }
    expect([...counts.values()].filter((count) => count !== 5)).to.deep.equal([]);
  });

  it('take an account for alone again when nobody else was heard of for a while', async () => {
    const loop = new Loop();
    loop.ask('b');
    loop.ask('a');
    await loop.turn();
    loop.nowMs += 9999;
    for (let index = 0; index < 3; index += 1) loop.ask('a');
    while (!loop.isIdle) await loop.turn();
    loop.nowMs += 1;
    const before = loop.order.length;
    for (let index = 0; index < 10; index += 1) loop.ask('a');
    expect(loop.order.length - before).to.equal(10);
  });
});
