import { expect } from 'chai';
import { Histogram, type Metric, Registry } from 'prom-client';
import { Durations } from '../src/http/durations.ts';

const BOUNDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60];
const NAMED = { name: 'took_seconds', help: 'Time that it took.' };
const TAKEN = [0, 0.0009, 0.001, 0.0011, 0.02, 0.3, 59, 60, 61];

describe('durations', () => {
  it('read as a histogram of the library does', async () => {
    const [own, theirs] = [new Registry(), new Registry()];
    const durations = new Durations({ ...NAMED, labelNames: ['route', 'outcome'] });
    own.registerMetric(durations as unknown as Metric<string>);
    const histogram = new Histogram({ ...NAMED, labelNames: ['route', 'outcome'], buckets: BOUNDS, registers: [theirs] });
    for (const labels of [
      ['a "quoted"', 'ok'],
      ['b', 'failed'],
    ] as const)
      for (const seconds of TAKEN) {
        durations.of(...labels).observe(seconds);
        histogram.labels(...labels).observe(seconds);
      }
    expect(sorted(await own.metrics())).to.deep.equal(sorted(await theirs.metrics()));
  });

  it('need no labels', async () => {
    const registry = new Registry();
    const durations = new Durations(NAMED);
    registry.registerMetric(durations as unknown as Metric<string>);
    durations.of().observe(2);
    const text = await registry.metrics();
    expect(text).to.include('took_seconds_bucket{le="1"} 0\n').and.include('took_seconds_bucket{le="3"} 1\n');
    expect(text).to.include('took_seconds_sum 2\n').and.include('took_seconds_count 1\n');
  });
});

/** The order of labels says nothing. */
const sorted = (text: string): readonly string[] =>
  text.split('\n').map((line) => line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort().join(',')}}`));
