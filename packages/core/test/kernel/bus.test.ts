import { expect } from 'chai';
import fc from 'fast-check';
import { Bus, command, isCloudError, sleep, telemetry } from '../../src/kernel/index.ts';
import { SimEnvironment } from '../../testing/index.ts';

const ask = command<{ readonly delayMs: number; readonly how: string }, { readonly echo: number }>('ask');

describe('the bus', () => {
  it('ends each call in exactly one of: answer, error, time-out, cancel', async () => {
    const call = fc.record({
      delayMs: fc.integer({ min: 0, max: 100 }),
      timeoutMs: fc.integer({ min: 1, max: 100 }),
      cancelMs: fc.option(fc.integer({ min: 0, max: 100 })),
      how: fc.constantFrom('answers', 'fails', 'throws', 'never', 'not JSON'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 20 }), async (calls) => {
        const environment = new SimEnvironment('bus');
        const bus = new Bus(environment);
        bus.handle(ask, ({ delayMs, how }) => {
          if (how === 'throws') throw new Error('at once');
          return sleep(environment.timers, delayMs).then(() => {
            if (how === 'fails') throw new Error('later');
            if (how === 'never') return new Promise<never>(() => undefined);
            return how === 'not JSON' ? ({ echo: () => undefined } as never) : { echo: delayMs };
          });
        });
        const ends = calls.map(({ delayMs, timeoutMs, cancelMs, how }) => {
          const abort = new AbortController();
          if (cancelMs !== null) environment.timers.after(cancelMs, () => abort.abort());
          const ended: string[] = [];
          bus.call(ask, { delayMs, how }, { timeoutMs, signal: abort.signal }).then(
            (answer) => ended.push(`answer ${answer.echo}`),
            (error: unknown) => ended.push(isCloudError(error) ? error.code : 'error'),
          );
          return ended;
        });
        await environment.run();
        for (const [index, { delayMs, timeoutMs, cancelMs, how }] of calls.entries()) {
          const first = Math.min(timeoutMs, cancelMs ?? 101, how === 'never' ? 101 : how === 'throws' ? 0 : delayMs);
          const allowed = [
            ...(timeoutMs === first ? ['timeout'] : []),
            ...(cancelMs === first ? ['cancelled'] : []),
            ...(how === 'answers' && delayMs === first ? [`answer ${delayMs}`] : []),
            ...(how === 'throws' || ((how === 'fails' || how === 'not JSON') && delayMs === first) ? ['error'] : []),
          ];
          expect(ends[index]).to.have.length(1);
          expect(allowed).to.include(ends[index]?.[0]);
        }
      }),
    );
  });

  it('carries copies that nobody can change', async () => {
    const bus = new Bus(new SimEnvironment('bus'));
    const question = { delayMs: 1, how: 'x' };
    bus.handle(ask, async (got) => {
      expect(got).not.to.equal(question);
      expect(Object.isFrozen(got)).to.equal(true);
      return { echo: 1 };
    });
    expect(Object.isFrozen(await bus.call(ask, question, { timeoutMs: 10 }))).to.equal(true);
  });

  it('tells the signal of a call that has ended', async () => {
    const environment = new SimEnvironment('bus');
    const bus = new Bus(environment);
    let told = false;
    bus.handle(ask, (_, signal) => {
      signal.addEventListener('abort', () => {
        told = true;
      });
      return new Promise(() => undefined);
    });
    const code = await environment.complete(
      bus.call(ask, { delayMs: 0, how: '' }, { timeoutMs: 5 }).catch((error: { code: string }) => error.code),
    );
    expect([code, told]).to.deep.equal(['timeout', true]);
  });

  it('has one handler a message, and says when there is none', async () => {
    const bus = new Bus(new SimEnvironment('bus'));
    const code = await bus.call(ask, { delayMs: 0, how: '' }, { timeoutMs: 5 }).catch((error: { code: string }) => error.code);
    expect(code).to.equal('unavailable');
    const leave = bus.handle(ask, async () => ({ echo: 1 }));
    expect(() => bus.handle(ask, async () => ({ echo: 2 }))).to.throw('two services handle ask');
    leave();
    bus.handle(ask, async () => ({ echo: 2 }));
    expect(await bus.call(ask, { delayMs: 0, how: '' }, { timeoutMs: 5 })).to.deep.equal({ echo: 2 });
  });

  it('loses telemetry without a word', async () => {
    const environment = new SimEnvironment('bus');
    const bus = new Bus(environment);
    const load = telemetry<{ readonly load: number }>('load');
    const heard: number[] = [];
    bus.tell(load, { load: 1 });
    bus.handle(load, ({ load: value }) => {
      heard.push(value);
      throw new Error('not interested');
    });
    bus.tell(load, { load: 2 });
    await environment.run();
    expect(heard).to.deep.equal([2]);
  });
});
