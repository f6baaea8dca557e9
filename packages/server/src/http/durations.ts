/** Upper bounds of the buckets, in seconds. */
const BOUNDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60];

interface Value {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** What has one combination of labels. */
export class Duration {
  readonly #counts: number[] = new Array<number>(BOUNDS.length + 1).fill(0);
  #sum = 0;

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > (BOUNDS[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += seconds;
  }

  values(name: string, labels: Readonly<Record<string, string>>): readonly Value[] {
    let count = 0;
    const buckets = this.#counts.map((own, bucket): Value => {
      count += own;
      return { metricName: `${name}_bucket`, labels: { le: BOUNDS[bucket] ?? '+Inf', ...labels }, value: count };
    });
    return [...buckets, { metricName: `${name}_sum`, labels, value: this.#sum }, { metricName: `${name}_count`, labels, value: count }];
  }
}

/**
 * A histogram for a registry of prom-client, of durations that are taken many times in each request. The library's own looks the labels up by their names, and
 * the bucket by the text of its bound, with each value: several times what is measured costs.
 */
export class Durations {
  readonly name: string;
  readonly help: string;
  readonly #labelNames: readonly string[];
  readonly #all = new Map<string, { readonly labels: Readonly<Record<string, string>>; readonly duration: Duration }>();

  constructor({ name, help, labelNames = [] }: { readonly name: string; readonly help: string; readonly labelNames?: readonly string[] }) {
    this.name = name;
    this.help = help;
    this.#labelNames = labelNames;
  }

  /** To be kept by who takes more of the same. Values in the order of the names. */
  of(...values: readonly string[]): Duration {
    const key = JSON.stringify(values);
    const known = this.#all.get(key);
    if (known !== undefined) return known.duration;
    const duration = new Duration();
    this.#all.set(key, { labels: Object.fromEntries(this.#labelNames.map((name, index) => [name, values[index] ?? ''])), duration });
    return duration;
  }

  async get() {
    const values = [...this.#all.values()].flatMap(({ labels, duration }) => duration.values(this.name, labels));
    return { name: this.name, help: this.help, type: 'histogram', values, aggregator: 'sum' };
  }
}
