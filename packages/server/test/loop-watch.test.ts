import type { Environment } from '@pileus/core/kernel';
import { SimEnvironment } from '@pileus/core/testing';
import { expect } from 'chai';
import { Workshop } from '../../core/test/api/widgets.ts';
import { LoopWatch } from '../src/loop-watch.ts';
import { eventually, made, openServer } from './server.ts';

const HELD = 'the event loop was held';

/** A clock and timers that a test moves: a timer that is due comes when the loop is let go. */
class Bench {
  nowMs = 0;
  cpuMs = 0;
  readonly told: [string, number][] = [];
  readonly lines: object[] = [];
  #due: (() => void)[] = [];
  readonly #sim = new SimEnvironment('loop');
  readonly watch = new LoopWatch(
    {
      ...this.#sim,
      clock: { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs },
      timers: {
        after: (_delayMs, run) => {
          this.#due.push(run);
          return () => undefined;
        },
      },
      logger: { ...this.#sim.logger, info: (fields, message) => void (message === HELD && this.lines.push(fields)) },
    } satisfies Environment,
    (what, seconds) => void this.told.push([what, seconds]),
    () => this.cpuMs,
  );

  busy(ms: number, cpuMs = ms): void {
    this.nowMs += ms;
    this.cpuMs += cpuMs;
  }

  /** The loop turns. Answers whether a timer was due. */
  turn(): boolean {
    const due = this.#due.splice(0);
    for (const run of due) run();
    return due.length > 0;
  }
}

describe('The finder of what holds the event loop', () => {
  it('names the piece that had begun, or has just ended, and leaves the others alone', () => {
    const bench = new Bench();
    const { watch } = bench;
    watch.begin('instance.create', 'disks[0.2]/image', 'op-1');
    watch.begin('storage', 'createVolume', 'op-1');
    bench.busy(70);
    watch.begin('instance.create', 'nics', 'op-2');
    bench.busy(10);
    watch.end('instance.create', 'nics', 'op-2');
    bench.busy(90);
    watch.end('instance.create', 'disks[0.2]/image', 'op-1');
    bench.busy(5);
    bench.turn();
    expect(bench.told).to.deep.equal([
      ['storage createVolume', 0.07],
      ['instance.create disks[]/image', 0.09],
    ]);
    expect(bench.lines).to.deep.equal([{ what: 'instance.create disks[]/image', id: 'op-1', ms: 90, cpuMs: 175, times: 2 }]);
  });

  it('names a request by the route that it turns out to have, and what is still going on', () => {
    const bench = new Bench();
    const { watch } = bench;
    watch.begin('request', 'GET', 'req-1');
    bench.busy(60);
    watch.begin('request', 'GET', 'req-2');
    watch.end('request', 'GET widgets.list', 'req-1');
    bench.turn();
    watch.begin('host.look', 'compute', '');
    bench.busy(80);
    bench.turn();
    expect(bench.told.map(([what]) => what)).to.deep.equal(['request GET widgets.list', 'host.look compute']);
  });

  it('accuses nobody where many short pieces came in one turn, nor while the loop was idle', () => {
    const bench = new Bench();
    const { watch } = bench;
    for (let index = 0; index < 40; index += 1) {
      watch.begin('instance.create', 'nics', `op-${index}`);
      bench.busy(2);
    }
    bench.turn();
    expect(bench.told).to.deep.equal([['many pieces', 0.08]]);
    expect(bench.turn()).to.equal(true);
    expect(bench.turn(), 'a timer at rest').to.equal(false);
    bench.busy(60_000, 0);
    watch.begin('instance.create', 'nics', 'late');
    bench.busy(10, 0);
    bench.turn();
    expect(bench.told).to.have.length(1);
  });

  it('counts each time, and writes a line at most every ten seconds', () => {
    const bench = new Bench();
    for (let index = 0; index < 120; index += 1) {
      bench.watch.begin('host.look', 'storage', '');
      bench.busy(100);
      bench.turn();
      bench.turn();
    }
    expect(bench.told).to.have.length(120);
    expect(bench.lines).to.have.length(2);
    expect(bench.lines[1]).to.include({ what: 'host.look storage', times: 100 });
  });

  it('finds a step that is planted in a server, and shows it as a metric', async () => {
    const workshop = new Workshop();
    let isPlanted = false;
    Object.defineProperty(workshop, 'failure', {
      get() {
        for (const endMs = performance.now() + 200; isPlanted && performance.now() < endMs; );
        return undefined;
      },
    });
    const server = await openServer({ workshop });
    try {
      isPlanted = true;
      await made(server, 'slow');
      isPlanted = false;
      const metric = /^pileus_event_loop_holds_total\{what="widget\.create build"\} [1-9]\d*$/m;
      await eventually(async () => metric.test((await server.ask('GET', '/metrics')).text));
      expect((await server.ask('GET', '/metrics')).text).to.match(
        /^pileus_event_loop_held_seconds_total\{what="widget\.create build"\} (0\.[2-9]|[1-9])/m,
      );
      expect(server.log()).to.include(`"msg":"${HELD}"`);
    } finally {
      await server.close();
    }
  });
});
