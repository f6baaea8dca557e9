import { expect } from 'chai';
import { Histogram, type Metric, Registry } from 'prom-client';
import { Durations } from '../src/http/durations.ts';
import { Metrics } from '../src/http/metrics.ts';

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

describe('what hosts use', () => {
  it('is told of those that answered last, and of no others', async () => {
    const metrics = new Metrics();
    const observedAt = '2030-01-01T00:00:00.000Z';
    metrics.usage([
      { name: 'hv1', usage: { usedMemoryBytes: 1024, cpuRatio: 0.5, observedAt } },
      { name: 'hv2', usage: { usedMemoryBytes: 2048, observedAt } },
    ]);
    const told = async () => (await metrics.text()).split('\n').filter((line) => line.startsWith('pileus_host_'));
    expect(await told()).to.deep.equal([
      'pileus_host_used_memory_bytes{host="hv1"} 1024',
      'pileus_host_used_memory_bytes{host="hv2"} 2048',
      'pileus_host_cpu_ratio{host="hv1"} 0.5',
    ]);
    metrics.usage([]);
    expect(await told()).to.deep.equal([]);
    metrics.close();
  });
});
