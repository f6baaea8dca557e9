import { expect } from 'chai';
import { sleep } from '../../src/kernel/environment.ts';
import { Ids } from '../../src/kernel/id.ts';
import { SimEnvironment } from '../../testing/index.ts';

/** A few processes that draw, wait and write down; enough to show any disorder. */
async function history(seed: string): Promise<{ lines: string[]; hash: string }> {
  const lines: string[] = [];
  const environment = new SimEnvironment(seed, { onTrace: (line) => lines.push(line) });
  const ids = new Ids(environment.clock, environment.random);
  const process = async (name: string) => {
    for (let round = 0; round < 20; round += 1) {
      await sleep(environment.timers, environment.random.below(50));
      environment.trace(`${name} ${ids.mint('row')}`);
    }
  };
  const work = Promise.all(['a', 'b', 'c'].map(process));
  await environment.run();
  await work;
  return { lines, hash: environment.historyHash() };
}

describe('SimEnvironment', () => {
  it('gives one history for one seed, and another for another', async () => {
    const [first, again, other] = [await history('one'), await history('one'), await history('two')];
    expect(again).to.deep.equal(first);
    expect(other.hash).not.to.equal(first.hash);
    expect(other.lines).not.to.deep.equal(first.lines);
    expect(first.lines).to.have.length(60);
  });

  it('a different order of the same events is a different history', async () => {
    const hash = (...lines: string[]) => {
      const environment = new SimEnvironment(1);
      for (const line of lines) environment.trace(line);
      return environment.historyHash();
    };
    expect(hash('a', 'b')).not.to.equal(hash('b', 'a'));
  });

  it('runs timers by instant, then in order of registration, and not the cancelled ones', async () => {
    const environment = new SimEnvironment(1);
    const ran: string[] = [];
    const note = (name: string, delayMs: number) =>
      environment.timers.after(delayMs, () => ran.push(`${name}@${environment.clock.monotonicMs()}`));
    note('late', 30);
    note('first', 10);
    note('second', 10);
    const cancel = note('never', 20);
    cancel();
    environment.timers.after(10, () => note('nested', 5));
    await environment.run();
    expect(ran).to.deep.equal(['first@10', 'second@10', 'nested@15', 'late@30']);
    cancel();
  });

  it('keeps order with many timers of which most are cancelled', async () => {
    const environment = new SimEnvironment('many');
    const ran: number[] = [];
    for (let count = 0; count < 5000; count += 1) {
      const cancel = environment.timers.after(environment.random.below(1000), () => ran.push(environment.clock.monotonicMs()));
      if (count % 10 !== 0) cancel();
    }
    await environment.run();
    expect(ran).to.have.length(500);
    expect([...ran].sort((a, b) => a - b)).to.deep.equal(ran);
  });

  it('stops at a deadline and shows it on the clock', async () => {
    const environment = new SimEnvironment(1, { startMs: 1_000_000 });
    let ran = 0;
    const tick = () => {
      ran += 1;
      environment.timers.after(100, tick);
    };
    tick();
    await environment.run(1050);
    expect(ran).to.equal(11);
    expect(environment.clock.monotonicMs()).to.equal(1050);
    expect(environment.clock.nowMs()).to.equal(1_001_050);
  });

  it('completes work, and says when it never will', async () => {
    const environment = new SimEnvironment(1);
    expect(await environment.complete(sleep(environment.timers, 3_600_000).then(() => 'done'))).to.equal('done');
    const refusal = async (work: Promise<unknown>, limitMs?: number) =>
      environment.complete(work, limitMs).then(
        () => 'settled',
        (error: Error) => error.message,
      );
    expect(await refusal(new Promise(() => undefined))).to.contain('all is quiet');
    expect(await refusal(sleep(environment.timers, 1000), 10)).to.contain('within 10 virtual ms');
    expect(await refusal(Promise.reject(new Error('as it was')))).to.equal('as it was');
  });

  it('draws evenly', () => {
    const { random } = new SimEnvironment('even');
    for (let draw = 0; draw < 1000; draw += 1) expect(random.next()).to.be.at.least(0).and.below(1);
    expect(random.bytes(7)).to.have.length(7);
    const tally = new Map<number, number>();
    for (const byte of random.bytes(25_600)) tally.set(byte, (tally.get(byte) ?? 0) + 1);
    for (const count of tally.values()) expect(count).to.be.within(50, 160);
  });
});

describe('an incarnation', () => {
  it('lives on the same time and chance, and stops at its kill without a finally', async () => {
    const environment = new SimEnvironment('kill');
    const incarnation = environment.incarnation();
    const log: string[] = [];
    const life = async () => {
      try {
        for (;;) {
          await sleep(incarnation.timers, 10);
          log.push('tick');
        }
      } finally {
        log.push('finally');
      }
    };
    void life();
    environment.timers.after(35, () => incarnation.kill());
    await environment.run();
    expect(log).to.deep.equal(['tick', 'tick', 'tick']);
    expect(incarnation.alive).to.equal(false);
    expect(environment.clock.monotonicMs()).to.equal(40);
  });

  it('gets no answer after its kill, neither a value nor an error, though the world goes on', async () => {
    const environment = new SimEnvironment('port');
    const incarnation = environment.incarnation();
    const log: string[] = [];
    const ask = (delayMs: number, fails: boolean) =>
      incarnation.port(async () => {
        await sleep(environment.timers, delayMs);
        log.push(`landed ${delayMs}`);
        if (fails) throw new Error('refused');
      });
    const note = (name: string) => () => log.push(name);
    void ask(10, false).then(note('value'), note('error'));
    void ask(11, true).then(note('value'), note('error'));
    void ask(30, false).then(note('dead value'), note('dead error')).finally(note('finally'));
    void ask(31, true).then(note('dead value'), note('dead error')).finally(note('finally'));
    environment.timers.after(20, () => {
      incarnation.kill();
      void ask(1, false).then(note('never asked'));
      incarnation.timers.after(1, note('timer of the dead'));
    });
    await environment.run();
    expect(log).to.deep.equal(['landed 10', 'value', 'landed 11', 'error', 'landed 30', 'landed 31']);
  });

  it('does not disturb the next one', async () => {
    const environment = new SimEnvironment('next');
    environment.incarnation().kill();
    const next = environment.incarnation();
    expect(await environment.complete(next.port(() => sleep(next.timers, 5).then(() => 'alive')))).to.equal('alive');
  });
});
